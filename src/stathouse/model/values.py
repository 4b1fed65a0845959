"""Samples, events and points: what is measured, what happened, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

__all__ = ["Event", "FieldValue", "Kind", "Point", "Sample", "Tags", "state_rank"]

Tags: TypeAlias = tuple[tuple[str, str], ...]
"""Tags of a series: (key, value) pairs, sorted by key, each key once."""

FieldValue: TypeAlias = float | int | str | bytes
"""A field's value; it is kept in the typed column of its type."""


class Kind(Enum):
    """How the samples of a series are folded together."""

    COUNTER = "counter"
    GAUGE = "gauge"
    TIMER = "timer"
    SET = "set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement as it was made.

    Args:
        name: the series' name.
        kind: how it is folded.
        value: the number; the member for a set.
        rate: the probability with which it was sent, in (0, 1].
        tags: sorted tags.
        time_ns: Unix time in ns, when the sender gave one.
    """

    name: str
    kind: Kind
    value: float | str
    rate: float = 1.0
    tags: Tags = ()
    time_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row to keep.

    Args:
        name: the series' name.
        tags: sorted tags.
        time_ns: start of the interval it covers, Unix time in ns.
        fields: field name → value. A counter has ``sum``, a gauge ``last``.
        kind: the kind it was made from, None for posted data with fields of its own.
    """

    name: str
    time_ns: int
    fields: Mapping[str, FieldValue]
    tags: Tags = ()
    kind: Kind | None = None


_STATE_RANKS: Final[Mapping[str, int]] = {
    "new": 10,
    "pending": 10,
    "queued": 10,
    "started": 20,
    "executing": 20,
    "running": 20,
    "update": 20,
    "finalizing": 30,
    "complete": 40,
    "completed": 40,
    "finished": 40,
}


def state_rank(state: str) -> int:
    """Return how final a state is; an unknown word ranks 0.

    >>> state_rank("started") < state_rank("finished")
    True
    """
    return _STATE_RANKS.get(state, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the thing that ``key`` names.

    Args:
        key: the routing key without the state, as ``("builders", 23, "builds", 118)``.
        state: the state it reached, as ``"finished"``; its routing key on the bus is ``(*key, state)``.
        payload: what is known, JSON values only.
        id: names this event for ever; the same id twice is one event.
        time_ns: Unix time in ns.
        rank: how final the state is; the row with the highest rank is kept for a key.
    """

    key: tuple[str | int, ...]
    id: str
    time_ns: int
    state: str = ""
    rank: int = 0
    payload: Mapping[str, object] = field(default_factory=dict)
