"""What delivery has done with every row, as frozen numbers whose residual is 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Counts", "Depth", "EntryCounts", "LaneCounts", "LaneState"]

LaneState: TypeAlias = Literal["ok", "retrying", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What the spool holds: batches that not every backend has made durable."""

    batches: int
    rows: int
    bytes: int
    oldest_seconds: float
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCounts:
    """Rows on the way into the spool, since the start.

    Args:
        offered: rows handed in, taken or not.
        spooled: rows committed.
        duplicates: rows answered with the name of an earlier batch, because their key was known.
        dropped: reason → rows that never reached the spool.
        queued: rows that wait for the next commit.
        commits: transactions that committed rows.
    """

    offered: int
    spooled: int
    duplicates: int
    dropped: Mapping[str, int]
    queued: int
    commits: int

    @property
    def residual(self) -> int:
        """Rows that are not accounted for."""
        return self.offered - self.spooled - self.duplicates - sum(self.dropped.values()) - self.queued


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCounts:
    """Rows on the way to one backend, since the start.

    Args:
        name: the backend.
        backlog: rows that waited in the spool when the lane began.
        spooled: rows spooled since.
        stored: rows that the backend took.
        rejected: reason → rows that it refuses for good.
        dropped: rows that could not be read from the spool any more.
        lag_batches: batches it has not answered for.
        lag_rows: rows it has not answered for.
        lag_seconds: age of the oldest of them.
        failures: writes that asked to be sent again, or raised.
        state: ``retrying`` from a failed write to the next good one.
        last_error: what the last failed write said.
    """

    name: str
    backlog: int
    spooled: int
    stored: int
    rejected: Mapping[str, int]
    dropped: int
    lag_batches: int
    lag_rows: int
    lag_seconds: float
    failures: int
    state: LaneState
    last_error: str

    @property
    def residual(self) -> int:
        """Rows that are not accounted for."""
        handled = self.stored + sum(self.rejected.values()) + self.dropped
        return self.backlog + self.spooled - handled - self.lag_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Everything that delivery counts.

    Args:
        entry: rows on the way in.
        lanes: rows on the way out, per backend.
        depth: what waits in the spool.
        losses: (stage, reason) → rows lost ever, kept in the spool over restarts.
        shedding: new rows are refused, for the reason in ``problem``.
        problem: why the last commit failed or nothing is taken; empty when all is well.
        last_commit_ns: when rows were committed last, Unix ns; 0 before the first.
    """

    entry: EntryCounts
    lanes: tuple[LaneCounts, ...]
    depth: Depth
    losses: Mapping[tuple[str, str], int]
    shedding: bool
    problem: str
    last_commit_ns: int

    @property
    def residual(self) -> int:
        """Rows that are not accounted for; anything but 0 is a fault of this program."""
        return abs(self.entry.residual) + sum(abs(lane.residual) for lane in self.lanes)
