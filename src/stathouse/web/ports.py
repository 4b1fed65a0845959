"""What the web needs of a house, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stathouse.model import Answer, Clock, Event, EventQuery, Query, SeriesInfo, Sink, Tags
from stathouse.wire.prometheus import Metric

__all__ = ["HouseView"]


class HouseView(Protocol):
    """A house as its HTTP door sees it.

    The methods block and are called on threads of the web; ``live`` is called by one thread at a time.
    """

    @property
    def sink(self) -> Sink:
        """The durable way in: a future that is done when the rows are in the spool."""
        ...

    @property
    def tags(self) -> Tags:
        """The global tags, added to what comes in by HTTP; a point's own tag wins."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    def status(self) -> dict[str, object]:
        """Return exactly the JSON of ``/api/status``."""
        ...

    def ready(self) -> tuple[bool, list[str]]:
        """Return whether the house keeps its promises now, and what stands against it."""
        ...

    def answer(self, query: Query, *, unflushed: bool = True) -> Answer:
        """Answer a question, with the running interval when ``unflushed``."""
        ...

    def series(self, *, search: str, limit: int) -> Sequence[SeriesInfo]:
        """Return the series that match, by name."""
        ...

    def events(self, query: EventQuery) -> Sequence[Event]:
        """Return event rows, newest first."""
        ...

    def top(self, *, limit: int, search: str) -> dict[str, object]:
        """Return the JSON of ``/api/top``."""
        ...

    def processes(self) -> dict[str, object]:
        """Return the JSON of ``/api/processes``."""
        ...

    def live(self, globs: Sequence[str]) -> tuple[dict[str, object], list[dict[str, object]]]:
        """Return the tiles and the points of one tick of the live stream; cheap."""
        ...

    def unit(self, name: str) -> tuple[str, str]:
        """Return the unit and the description of a series, empty when unknown."""
        ...

    def metrics(self) -> list[Metric]:
        """Return the house's own numbers for ``/metrics``."""
        ...
