"""``GET /api/live``: the live stream as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from litestar.response import Stream as StreamResponse

from stathouse.web.live_hub import LiveHub, Stream
from stathouse.web.refusals import refuse
from stathouse.web.room import HttpRequest, room_of
from stathouse.wire.names import check_name

__all__ = ["live"]

_MOST_GLOBS = 64


@get("/api/live", opt={"scope": "read"}, media_type="text/event-stream", summary="What comes in now, as a stream")
async def live(
    request: HttpRequest,
    series: Annotated[list[str] | None, QueryParameter(description="Globs over names; none: the tiles only.")] = None,
) -> StreamResponse:
    """Send the event ``status`` once a second, and ``points`` when a series that was asked for has some."""
    globs = series or []
    if len(globs) > _MOST_GLOBS:
        raise refuse(400, "bad_parameter", f"more than {_MOST_GLOBS} globs", where="series")
    for glob in globs:
        check_name(glob, where="series", what="glob")
    hub = room_of(request).hub
    stream = await hub.open(globs)
    return StreamResponse(_read(hub, stream), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _read(hub: LiveHub, stream: Stream) -> AsyncIterator[bytes]:
    try:
        async for tick in stream.ticks():
            yield tick
    finally:
        hub.leave(stream)
