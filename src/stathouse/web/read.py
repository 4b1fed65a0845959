"""The questions: series, points, events, and what is busiest now."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any, Final, Literal

from litestar import Response, get
from litestar.params import QueryParameter
from litestar.response import Stream

from stathouse.errors import InputError
from stathouse.model import Answer, EventQuery, Query
from stathouse.web.refusals import refuse
from stathouse.web.room import HttpRequest, Room, room_of
from stathouse.wire.answers import (
    AnswerOut,
    EventsOut,
    SeriesListOut,
    answer_arrow,
    answer_csv,
    answer_json,
    event_out,
    series_out,
)
from stathouse.wire.durations import duration_ns, moment_ns
from stathouse.wire.names import check_integer

__all__ = ["ASK_FOR_LESS", "events", "processes", "query", "series", "top"]

ASK_FOR_LESS: Final = "Ask for less: a shorter time, fewer series or a longer step."

_SECOND: Final = 10**9
_DEFAULT_SPAN_NS: Final = 3_600 * _SECOND
_FOREVER_NS: Final = 2**63 - 1
_MOST_SEARCHED: Final = 10_000
_MOST_BUCKETS: Final = 1_000_000
_MOST_AGGREGATES: Final = 32
_AGGREGATE: Final = re.compile(r"[a-z]+|p[0-9]{1,3}(?:\.[0-9]{1,6})?")
_LONGEST: Final = 512

Text = Annotated[str | None, QueryParameter(max_length=_LONGEST)]
Limit = Annotated[int, QueryParameter(ge=1, le=10_000)]
Moment = Annotated[str | None, QueryParameter(max_length=64, description="Unix seconds or RFC 3339.")]
EventKey = Annotated[str | None, QueryParameter(max_length=4096, description='["builders",23,null]; null is any.')]
Length = Annotated[str | None, QueryParameter(max_length=32, description="A length of time: 90s, 10m, 6h, 7d.")]


@get("/api/series", opt={"scope": "read"}, summary="Which series there are")
async def series(
    request: HttpRequest,
    search: Annotated[str, QueryParameter(max_length=_LONGEST, description="Part of a name or a tag, or a glob.")] = "",
    limit: Limit = 100,
    offset: Annotated[int, QueryParameter(ge=0, le=_MOST_SEARCHED)] = 0,
) -> SeriesListOut:
    """Answer with one page of the series that match, by name; ``total`` stops counting at 10,000."""
    room = room_of(request)

    def ask() -> SeriesListOut:
        found = room.house.series(search=search, limit=_MOST_SEARCHED)
        shown = [series_out(info, room.house.unit) for info in found[offset : offset + limit]]
        return SeriesListOut(shown, len(found))

    return await room.questions.run(ask, deadline_seconds=room.options.query_seconds)


@get("/api/query", opt={"scope": "read"}, summary="Points of series, as they are or aggregated")
async def query(
    request: HttpRequest,
    series: Annotated[str, QueryParameter(min_length=1, max_length=_LONGEST, description="A glob over names: shop.*")],
    tag: Annotated[list[str] | None, QueryParameter(description="key:glob over its value; all must match.")] = None,
    start: Moment = None,
    end: Moment = None,
    last: Length = None,
    step: Length = None,
    aggregate: Annotated[str | None, QueryParameter(max_length=_LONGEST, description="As p50,p99 or sum.")] = None,
    by: Annotated[str | None, QueryParameter(max_length=_LONGEST, description="Tag keys; empty merges all.")] = None,
    limit: Limit = 1000,
    form: Annotated[Literal["json", "csv", "arrow"], QueryParameter(name="format")] = "json",
    unflushed: Annotated[bool, QueryParameter(description="Answer the running interval too.")] = True,
) -> Response[AnswerOut]:
    """Answer with the points of a time range, the last hour when none is given."""
    room = room_of(request)
    start_ns, end_ns = _range(room.house.clock.now_ns(), start, end, last)
    question = Query(
        series=series,
        start_ns=start_ns,
        end_ns=end_ns,
        tags=_tags(tag or []),
        step_ns=_step(step, end_ns - start_ns),
        aggregates=_aggregates(aggregate),
        by=None if by is None else tuple(part for part in by.split(",") if part),
        limit=limit,
    )

    def ask() -> Answer:
        answer = room.house.answer(question, unflushed=unflushed)
        most = room.options.max_points_per_answer
        if sum(len(rows.rows) for rows in answer.series) > most:
            raise refuse(413, "too_long", f"the answer has more than {most} values", advice=ASK_FOR_LESS)
        return answer

    answer = await room.questions.run(ask, deadline_seconds=room.options.query_seconds)
    return await _encoded(room, answer, form)


@get("/api/events", opt={"scope": "read"}, summary="Events, newest first")
async def events(
    request: HttpRequest,
    key: EventKey = None,
    reached: Annotated[str, QueryParameter(name="state", max_length=_LONGEST, description="Only in this state.")] = "",
    start: Moment = None,
    end: Moment = None,
    last: Length = None,
    limit: Limit = 1000,
) -> EventsOut:
    """Answer with the events whose key begins like ``key``; of any time when none is given."""
    room = room_of(request)
    start_ns, end_ns = 0, _FOREVER_NS
    if start is not None or end is not None or last is not None:
        start_ns, end_ns = _range(room.house.clock.now_ns(), start, end, last)
    question = EventQuery(key=_key(key), state=reached, start_ns=start_ns, end_ns=end_ns, limit=limit)

    def ask() -> EventsOut:
        return EventsOut([event_out(event) for event in room.house.events(question)])

    return await room.questions.run(ask, deadline_seconds=room.options.query_seconds)


@get("/api/top", opt={"scope": "read"}, summary="The series that got samples in this interval")
async def top(
    request: HttpRequest,
    limit: Annotated[int, QueryParameter(ge=1, le=1_000)] = 50,
    search: Annotated[str, QueryParameter(max_length=_LONGEST)] = "",
) -> dict[str, Any]:
    """Answer with the running interval, busiest first."""
    room = room_of(request)
    ask = partial(room.house.top, limit=limit, search=search)
    return await room.quick.run(ask, deadline_seconds=room.options.query_seconds)


@get("/api/processes", opt={"scope": "read"}, summary="This host's busiest processes")
async def processes(request: HttpRequest) -> dict[str, Any]:
    """Answer with the processes that take most of the processor and most memory."""
    room = room_of(request)
    return await room.quick.run(room.house.processes, deadline_seconds=room.options.query_seconds)


def _range(now_ns: int, start: str | None, end: str | None, last: str | None) -> tuple[int, int]:
    if last is not None and start is not None:
        raise InputError("give start or last, one of them", where="last")
    # An answer with the running interval must have its row, whose time is before now; so now itself is included.
    end_ns = now_ns + 1 if end is None else moment_ns(end, where="end")
    if start is not None:
        start_ns = moment_ns(start, where="start")
    else:
        start_ns = max(0, end_ns - (_DEFAULT_SPAN_NS if last is None else duration_ns(last, where="last")))
    if not 0 <= start_ns < end_ns:
        raise InputError("the range is empty or before 1970", where="start")
    return start_ns, end_ns


def _step(step: str | None, span_ns: int) -> int | None:
    if step is None:
        return None
    step_ns = duration_ns(step, where="step")
    if span_ns // step_ns > _MOST_BUCKETS:
        raise InputError(f"the range has more than {_MOST_BUCKETS} steps", where="step")
    return step_ns


def _tags(given: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for text in given:
        key, colon, glob = text.partition(":")
        if not colon or not key or len(text) > 2 * _LONGEST:
            raise InputError("write key:value, as host:web*", where="tag")
        if key in tags:
            raise InputError(f"the tag {key!r} is given twice", where="tag")
        tags[key] = glob
    return tags


def _aggregates(given: str | None) -> tuple[str, ...]:
    names = tuple(part for part in (given or "").split(",") if part)
    if len(names) > _MOST_AGGREGATES:
        raise InputError(f"more than {_MOST_AGGREGATES} aggregates", where="aggregate")
    for name in names:
        if not _AGGREGATE.fullmatch(name):
            raise InputError(f"{name!r} is no aggregate; write sum, mean, p99 and so on", where="aggregate")
    return names


def _key(given: str | None) -> tuple[str | int | None, ...]:
    if given is None:
        return ()
    try:
        parts = json.loads(given)
    except (ValueError, RecursionError):
        raise InputError("the key is no JSON list", where="key") from None
    if not isinstance(parts, list) or not all(_is_part(part) for part in parts) or len(parts) > 16:
        raise InputError('the key is a list of at most 16 texts, integers and null: ["builders",23,null]', where="key")
    return tuple(check_integer(part, where="key") if isinstance(part, int) else part for part in parts)


def _is_part(part: object) -> bool:
    return part is None or isinstance(part, str) or (isinstance(part, int) and not isinstance(part, bool))


_ENCODERS: Final[dict[str, tuple[str, Callable[[Answer, Room], Iterator[bytes]]]]] = {
    "json": ("application/json", lambda answer, room: answer_json(answer, room.house.unit)),
    "csv": ("text/csv; header=present", lambda answer, _: answer_csv(answer)),
    "arrow": ("application/vnd.apache.arrow.stream", lambda answer, room: answer_arrow(answer, room.house.unit)),
}


async def _encoded(room: Room, answer: Answer, form: str) -> Response[Any]:
    media_type, encode = _ENCODERS[form]
    headers = {} if form == "json" else {"Content-Disposition": f'attachment; filename="stathouse.{form}"'}
    chunks = encode(answer, room)
    following = partial(next, chunks, None)
    first: list[bytes] = []
    # A small answer goes out whole, with its length; a large one is sent while the rest is encoded.
    while sum(map(len, first)) < 65_536:
        chunk = await room.questions.run(following, deadline_seconds=room.options.query_seconds)
        if chunk is None:
            return Response(b"".join(first), media_type=media_type, headers=headers)
        first.append(chunk)

    async def rest() -> AsyncIterator[bytes]:
        yield b"".join(first)
        while (chunk := await room.questions.run(following, deadline_seconds=room.options.query_seconds)) is not None:
            yield chunk

    return Stream(rest(), media_type=media_type, headers=headers)
