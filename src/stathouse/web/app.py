"""The application: routes, guard, errors and gate, put together on a house."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.enums import MediaType

from stathouse.config.options import HttpOptions
from stathouse.web import health, ingest, live, page, read
from stathouse.web.counters import WebCounters
from stathouse.web.gate import Gate
from stathouse.web.guard import Access, Token, require_scope
from stathouse.web.lanes import Lane
from stathouse.web.live_hub import LiveHub
from stathouse.web.ports import HouseView
from stathouse.web.refusals import EXCEPTION_HANDLERS
from stathouse.web.room import Room
from stathouse.web.schema import openapi_config
from stathouse.wire.answers import safe_json

__all__ = ["ROUTES", "WebApp", "create_app"]

ROUTES = (
    health.healthz,
    health.readyz,
    health.version_of_house,
    health.metrics,
    health.status,
    read.series,
    read.query,
    read.events,
    read.top,
    read.processes,
    live.live,
    ingest.post_points,
    ingest.post_write,
    ingest.post_events,
    page.page,
    page.asset,
)
"""Every route; each names its scope in ``opt``."""

_QUESTIONS_AT_ONCE = 4


class WebApp(Gate):
    """The application behind its gate, an ASGI application.

    Args:
        inner: the routes.
        room: what they share.
    """

    def __init__(self, inner: Litestar, room: Room) -> None:
        super().__init__(inner, room.options, room.counters)
        self.inner = inner
        self.room = room

    def close_streams(self) -> None:
        """End the live streams, so that nothing holds up a stop. To be called on the loop."""
        self.room.hub.close()


class _SafeResponse(Response[Any]):
    """Encodes JSON so that it is safe inside a page as well."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        """Return the body's bytes."""
        if isinstance(content, bytes) or content is None or not media_type.startswith(MediaType.JSON):
            return super().render(content, media_type, enc_hook)
        return safe_json(content)


def create_app(
    house: HouseView,
    options: HttpOptions,
    *,
    page_folder: Path | None = None,
    tokens: tuple[Token, ...] = (),
    counters: WebCounters | None = None,
    live_tick_seconds: float = 1.0,
) -> WebApp:
    """Return the web of a house.

    Args:
        house: the house.
        options: the HTTP options.
        page_folder: the built page; the one in the package when None.
        tokens: from :func:`stathouse.web.guard.load_tokens`; none lets everybody in who reaches the socket.
        counters: where what comes in is counted.
        live_tick_seconds: pace of the live stream.
    """
    counted = counters or WebCounters()
    room = Room(
        house=house,
        options=options,
        access=Access(tokens, house.clock),
        counters=counted,
        hub=LiveHub(house, clock=house.clock, counters=counted, tick_seconds=live_tick_seconds),
        page=page.load_page(page_folder or Path(__file__).parent / "page"),
        questions=Lane("questions", at_once=_QUESTIONS_AT_ONCE, waiting=32, advice=read.ASK_FOR_LESS),
        quick=Lane("status", at_once=2, waiting=64),
        ingest=Lane("ingest", at_once=2, waiting=256, advice=ingest.SEND_AGAIN),
    )
    inner = Litestar(
        route_handlers=list(ROUTES),
        guards=[require_scope],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=openapi_config(),
        response_class=_SafeResponse,
        logging_config=None,
        request_max_body_size=None,
        state=State({"room": room}),
        on_shutdown=[room.close],
    )
    return WebApp(inner, room)
