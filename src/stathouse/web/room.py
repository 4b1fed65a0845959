"""What the routes share: the house, the options, the threads, the live hub and who may come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from litestar import Request
from litestar.datastructures import State

from stathouse.config.options import HttpOptions
from stathouse.web.counters import WebCounters
from stathouse.web.guard import Access
from stathouse.web.lanes import Lane
from stathouse.web.live_hub import LiveHub
from stathouse.web.page import Page
from stathouse.web.ports import HouseView

__all__ = ["HttpRequest", "Room", "room_of"]

HttpRequest: TypeAlias = Request[Any, Any, State]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One web on one house.

    Args:
        house: the house.
        options: the HTTP options.
        access: who may come in.
        counters: what came in.
        hub: the live stream.
        page: the files of the page.
        questions: threads for questions, which may take long.
        quick: threads for what is quick, so that no question stands before it.
        ingest: threads that decode what comes in.
    """

    house: HouseView
    options: HttpOptions
    access: Access
    counters: WebCounters
    hub: LiveHub
    page: Page
    questions: Lane
    quick: Lane
    ingest: Lane

    def close(self) -> None:
        """Let the threads end."""
        for lane in (self.questions, self.quick, self.ingest):
            lane.close()


def room_of(request: HttpRequest) -> Room:
    """Return the room that a request is in."""
    room: Room = request.app.state["room"]
    return room
