"""The values that the spool takes and gives, and the state that it writes with every commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from stathouse.model import Batch, BatchName, Payload

__all__ = ["Advance", "Committed", "Entry", "Mark", "Reading", "Spooled", "State"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in the spool: a batch's position, and how many rows there were through it, ever.

    Both only grow. Where damage takes batches away the rows jump, and that is how lost rows are counted.
    """

    position: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Rows to commit, and the idempotency key they came with (or an empty one)."""

    payload: Payload
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The name that an entry got; ``duplicate`` when its key already had one."""

    name: BatchName
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """A backend has everything through ``mark`` for good; ``losses`` (reason → rows) is what it refused on the way."""

    backend: str
    mark: Mark
    losses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A batch and where it stands; ``made_ns`` is when it was committed."""

    batch: Batch
    mark: Mark
    made_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Batches in order, and how far the spool was looked through for them.

    Batches that cannot be read any more are left out; the marks show how many rows they had.
    """

    batches: tuple[Spooled, ...]
    through: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the spool knows beside its batches; one row, written in every transaction.

    Args:
        writer: 32 hex digits that name the spool.
        epoch: grows by one with every start.
        commits: how many transactions there were.
        end: the last batch.
        trimmed: the last batch that was forgotten because every backend has it.
        cursors: backend → what it has for good.
        losses: (stage, reason) → rows lost ever.
    """

    writer: str
    epoch: int = 0
    commits: int = 0
    end: Mark = Mark()
    trimmed: Mark = Mark()
    cursors: Mapping[str, Mark] = field(default_factory=dict)
    losses: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the state as JSON text."""
        return json.dumps(
            {
                "writer": self.writer,
                "epoch": self.epoch,
                "commits": self.commits,
                "end": [self.end.position, self.end.rows],
                "trimmed": [self.trimmed.position, self.trimmed.rows],
                "cursors": {name: [mark.position, mark.rows] for name, mark in self.cursors.items()},
                "losses": [[stage, reason, rows] for (stage, reason), rows in self.losses.items()],
            }
        )

    @staticmethod
    def from_text(text: str) -> State:
        """Return the state of a JSON text.

        Raises:
            ValueError, KeyError, TypeError: it is no such text.
        """
        values = json.loads(text)
        return State(
            writer=values["writer"],
            epoch=values["epoch"],
            commits=values["commits"],
            end=_mark(values["end"]),
            trimmed=_mark(values["trimmed"]),
            cursors={name: _mark(pair) for name, pair in values["cursors"].items()},
            losses={(stage, reason): rows for stage, reason, rows in values["losses"]},
        )


def _mark(pair: list[int]) -> Mark:
    position, rows = pair
    return Mark(position=position, rows=rows)
