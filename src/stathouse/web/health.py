"""Whether the house lives, is ready, who it is, and its own numbers."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from litestar import Response, get

from stathouse import __version__
from stathouse.web.room import HttpRequest, room_of
from stathouse.wire import prometheus
from stathouse.wire.tables import FORMAT_VERSION

__all__ = ["HealthOut", "ReadyOut", "VersionOut", "healthz", "metrics", "readyz", "status", "version_of_house"]

_QUICK_SECONDS = 5.0
# The framework adds the charset to every text type itself.
_METRICS_TYPE = prometheus.CONTENT_TYPE.removesuffix("; charset=utf-8")


class HealthOut(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


class ReadyOut(msgspec.Struct, frozen=True):
    """Whether the house keeps its promises now; ``problems`` says what stands against it."""

    status: str
    problems: list[str]


class VersionOut(msgspec.Struct, frozen=True):
    """Who answers; ``format`` is the version of the files that it writes."""

    name: str
    version: str
    format: int
    python: str
    sqlite: str
    duckdb: str
    pyarrow: str


@get("/healthz", opt={"scope": "public"}, summary="Is the process alive?")
async def healthz() -> HealthOut:
    """Answer as long as the process can."""
    return HealthOut("ok")


@get("/readyz", opt={"scope": "public"}, summary="Does the house keep its promises?")
async def readyz(request: HttpRequest) -> Response[ReadyOut]:
    """Answer 200 when it does, 503 and why when it does not."""
    room = room_of(request)
    ready, problems = await room.quick.run(room.house.ready, deadline_seconds=_QUICK_SECONDS)
    word = "ready" if ready else ("not ready" if problems else "starting")
    return Response(ReadyOut(word, problems), status_code=200 if ready else 503)


@get("/version", opt={"scope": "public"}, summary="Which house is this?")
async def version_of_house() -> VersionOut:
    """Name the versions of the house and of what it stands on."""
    return VersionOut(
        name="stathouse",
        version=__version__,
        format=FORMAT_VERSION,
        python=platform.python_version(),
        sqlite=_installed("apsw"),
        duckdb=_installed("duckdb"),
        pyarrow=_installed("pyarrow"),
    )


@get("/api/status", opt={"scope": "read"}, summary="What came in, what is kept, what was lost and why")
async def status(request: HttpRequest) -> dict[str, Any]:
    """Answer with all of the house's accounts."""
    room = room_of(request)
    return await room.quick.run(room.house.status, deadline_seconds=_QUICK_SECONDS)


@get("/metrics", opt={"scope": "read"}, media_type=_METRICS_TYPE, summary="The house's own numbers")
async def metrics(request: HttpRequest) -> Response[bytes]:
    """Answer with Prometheus text."""
    room = room_of(request)

    def text() -> bytes:
        return prometheus.encode([*room.house.metrics(), *room.counters.metrics()])

    body = await room.quick.run(text, deadline_seconds=_QUICK_SECONDS)
    return Response(body, media_type=_METRICS_TYPE)


def _installed(package: str) -> str:
    try:
        found = version(package)
    except PackageNotFoundError:
        return ""
    # apsw carries SQLite and its version is SQLite's, with one part more.
    return ".".join(found.split(".")[:3])
