"""Answers questions about events: for each key the row that stands for it, sealed or recent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from stathouse.backends.local.catalogue import Catalogue, EventRow, event_rows
from stathouse.backends.local.recent import Chunk
from stathouse.errors import InputError
from stathouse.model import Event, EventQuery

__all__ = ["find_events"]


def find_events(catalogue: Catalogue, chunks: Iterable[Chunk], query: EventQuery) -> list[Event]:
    """Return the rows that match, newest first.

    Raises:
        InputError: the limit is not positive.
    """
    if query.limit <= 0:
        raise InputError("the limit has to be 1 or more.", where="limit")
    overlay = _standing(catalogue, chunks)
    recent = sorted((row for row in overlay.values() if _matches(row, query)), key=_newest, reverse=True)
    sealed = (row for row in _sealed(catalogue, query) if row[0] not in overlay and _matches(row, query))
    merged = _merge(iter(recent), sealed)
    return [_event(row) for row, _ in zip(merged, range(query.limit), strict=False)]


def _standing(catalogue: Catalogue, chunks: Iterable[Chunk]) -> dict[str, EventRow]:
    """Return the row that stands for each key that has recent rows."""
    standing: dict[str, EventRow] = {}
    for chunk in chunks:
        for row in event_rows(chunk.table):
            known = standing.get(row[0]) or catalogue.event(row[0])
            # The first of equals stands: an id names one event for ever.
            standing[row[0]] = known if known is not None and known[1:4] >= row[1:4] else row
    return standing


def _sealed(catalogue: Catalogue, query: EventQuery) -> Iterator[EventRow]:
    prefix = _prefix(query.key)
    before = (2**63 - 1, "\U0010ffff")
    while rows := catalogue.events(
        prefix, start_ns=query.start_ns, end_ns=query.end_ns, state=query.state, before=before
    ):
        yield from rows
        before = (rows[-1][2], rows[-1][0])


def _merge(first: Iterator[EventRow], second: Iterator[EventRow]) -> Iterator[EventRow]:
    """Yield two descending streams as one."""
    one, two = next(first, None), next(second, None)
    while one is not None or two is not None:
        if two is None or (one is not None and _newest(one) >= _newest(two)):
            assert one is not None
            yield one
            one = next(first, None)
        else:
            yield two
            two = next(second, None)


def _prefix(key: tuple[str | int | None, ...]) -> str:
    """Return how the JSON text of every matching key begins."""
    fixed: list[str | int] = []
    for part in key:
        if part is None:
            break
        fixed.append(part)
    if not fixed:
        return ""
    return json.dumps(fixed, ensure_ascii=False, separators=(",", ":"))[:-1]


def _matches(row: EventRow, query: EventQuery) -> bool:
    key, _, time_ns, _, state, _ = row
    if not query.start_ns <= time_ns < query.end_ns or (query.state and state != query.state):
        return False
    parts = json.loads(key)
    return len(parts) >= len(query.key) and all(
        wanted is None or (wanted == part and type(wanted) is type(part))
        for wanted, part in zip(query.key, parts, strict=False)
    )


def _newest(row: EventRow) -> tuple[int, str]:
    return row[2], row[0]


def _event(row: EventRow) -> Event:
    key, rank, time_ns, identifier, state, payload = row
    return Event(
        key=tuple(json.loads(key)), id=identifier, time_ns=time_ns, state=state, rank=rank, payload=json.loads(payload)
    )
