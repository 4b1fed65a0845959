"""The durable door: points and events come in, and the answer is sent after they are in the spool.

A request is taken whole or not at all. With an ``Idempotency-Key`` it may be sent again without storing it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Annotated, Final

import msgspec
from litestar import Response, post
from litestar.params import HeaderParameter, QueryParameter

from stathouse.errors import InputError
from stathouse.model import BatchName, Payload, Point, Tags
from stathouse.web.refusals import refuse, retry_after
from stathouse.web.room import HttpRequest, room_of
from stathouse.wire.json_points import decode_events, decode_points
from stathouse.wire.line_protocol import Precision, parse
from stathouse.wire.tables import events_payload, points_payload
from stathouse.wire.tags import canonical

__all__ = ["SEND_AGAIN", "AcceptedOut", "post_events", "post_points", "post_write"]

SEND_AGAIN: Final = "It may still be stored: send it again with the same Idempotency-Key."

_JSON: Final = ("application/json",)
_LINES: Final = ("text/plain", "application/octet-stream", "application/vnd.influx.line-protocol", "")
_LONGEST_KEY: Final = 200

Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 200 printable ASCII characters. The same key again stores nothing.",
        schema_extra={"minLength": 1, "maxLength": _LONGEST_KEY, "pattern": "^[ -~]+$"},
    ),
]

Unit = Annotated[Precision, QueryParameter(description="The unit of the times.")]


class AcceptedOut(msgspec.Struct, frozen=True):
    """What is kept now: how many points or events, and the name of their batch."""

    accepted: int
    batch: str


@post("/api/points", opt={"scope": "ingest"}, status_code=200, summary="Keep points (JSON)")
async def post_points(request: HttpRequest, key: Key = None) -> AcceptedOut:
    """Keep points; the answer comes after they are in the spool."""
    room = room_of(request)
    now_ns = room.house.clock.now_ns()

    def decode(body: bytes) -> tuple[int, Payload]:
        points = decode_points(body, now_ns=now_ns)
        return len(points), points_payload(_with_tags(points, room.house.tags))

    accepted, batch = await _keep(request, decode, "points", _key("points", key), _JSON)
    return AcceptedOut(accepted, batch)


@post("/api/write", opt={"scope": "ingest"}, status_code=204, summary="Keep points (InfluxDB line protocol)")
async def post_write(request: HttpRequest, precision: Unit = "ns", key: Key = None) -> Response[None]:
    """Keep points; the answer comes after they are in the spool. Its header ``Stathouse-Batch`` names the batch."""
    room = room_of(request)
    now_ns = room.house.clock.now_ns()

    def decode(body: bytes) -> tuple[int, Payload]:
        points = parse(body, now_ns=now_ns, precision=precision)
        return len(points), points_payload(_with_tags(points, room.house.tags))

    _, batch = await _keep(request, decode, "points", _key("write", key), _LINES)
    return Response(None, status_code=204, headers={"Stathouse-Batch": batch} if batch else {})


@post("/api/events", opt={"scope": "ingest"}, status_code=200, summary="Keep events")
async def post_events(request: HttpRequest, key: Key = None) -> AcceptedOut:
    """Keep events; of one key the row with the highest rank stays. The answer comes after they are in the spool."""
    now_ns = room_of(request).house.clock.now_ns()

    def decode(body: bytes) -> tuple[int, Payload]:
        events = decode_events(body, now_ns=now_ns)
        return len(events), events_payload(events)

    accepted, batch = await _keep(request, decode, "events", _key("events", key), _JSON)
    return AcceptedOut(accepted, batch)


async def _keep(
    request: HttpRequest,
    decode: Callable[[bytes], tuple[int, Payload]],
    what: str,
    key: str,
    media_types: tuple[str, ...],
) -> tuple[int, str]:
    """Return how many were kept and the batch's name, empty when the request held none."""
    room = room_of(request)
    try:
        _check_media_type(request, media_types)
        body = await request.body()

        def hand_over() -> tuple[int, Future[BatchName] | None]:
            accepted, payload = decode(body)
            # On this thread: the house may hold the sink for as long as a flush takes.
            return accepted, room.house.sink.put(payload, key=key) if payload.rows else None

        accepted, future = await room.ingest.run(hand_over, deadline_seconds=room.options.query_seconds)
    except InputError as error:
        room.counters.rejected(error.reason)
        raise
    if future is None:
        return 0, ""
    batch = await _committed(future, room.options.query_seconds)
    room.counters.add(what, accepted)
    return accepted, str(batch)


async def _committed(future: Future[BatchName], seconds: float) -> BatchName:
    try:
        async with asyncio.timeout(seconds):
            # The rows are on their way whatever becomes of this request, so the future is not cancelled with it.
            return await asyncio.shield(asyncio.wrap_future(future))
    except TimeoutError:
        problem = "the spool did not commit in time"
        raise refuse(503, "deadline", problem, advice=SEND_AGAIN, headers=retry_after(5)) from None


def _check_media_type(request: HttpRequest, allowed: tuple[str, ...]) -> None:
    given, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").lower().removeprefix("charset=").strip('"')
    if given.strip().lower() not in allowed or charset not in ("", "utf-8", "utf8"):
        advice = f"Send the header: Content-Type: {allowed[0]}"
        raise refuse(415, "unsupported_media", "this media type is not taken here", where="Content-Type", advice=advice)
    if request.headers.get("content-encoding", "identity").lower() not in ("gzip", "identity"):
        raise refuse(415, "unsupported_media", "only gzip is unpacked", where="Content-Encoding")


def _key(route: str, key: str | None) -> str:
    """Return the key as the spool sees it: the same key on another route is another key."""
    if key is None:
        return ""
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        problem = f"the key is not 1 to {_LONGEST_KEY} printable ASCII characters"
        raise refuse(400, "bad_parameter", problem, where="Idempotency-Key")
    return f"{route}:{key}"


def _with_tags(points: list[Point], tags: Tags) -> Iterable[Point]:
    if not tags:
        return points
    return (
        Point(
            name=point.name,
            time_ns=point.time_ns,
            fields=point.fields,
            tags=canonical((*tags, *point.tags)),
            kind=point.kind,
        )
        for point in points
    )
