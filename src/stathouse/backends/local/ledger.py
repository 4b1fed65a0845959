"""Which batches are kept: ranges of sequence numbers by table, writer and epoch.

A batch belongs to one table for ever, so the ranges of one table may run across the numbers of the other: that keeps
them few although points and events share one sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from stathouse.model import BatchName

__all__ = ["Ledger", "Ranges"]

Ranges: TypeAlias = dict[str, dict[str, list[list[int]]]]
"""Writer → epoch (as text, for JSON) → ascending, disjoint ``[first, last]``."""

_EPOCHS_KEPT = 1_000


class Ledger:
    """A set of batch names of one table."""

    def __init__(self, ranges: Ranges | None = None) -> None:
        self._ranges: Ranges = {
            writer: {epoch: [list(pair) for pair in pairs] for epoch, pairs in epochs.items()}
            for writer, epochs in (ranges or {}).items()
        }

    def __contains__(self, name: BatchName) -> bool:
        epochs = self._ranges.get(name.writer)
        if epochs is None:
            return False
        pairs = epochs.get(str(name.epoch))
        if pairs is None:
            return _is_forgotten(epochs, name.epoch)
        return any(first <= name.sequence <= last for first, last in reversed(pairs))

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def add(self, names: Iterable[BatchName], *, others: Iterable[BatchName] = ()) -> None:
        """Add names; a gap that is filled by ``others``, names of the other table, is closed over."""
        bridges: dict[tuple[str, int], set[int]] = {}
        for name in others:
            bridges.setdefault((name.writer, name.epoch), set()).add(name.sequence)
        for name in sorted(names):
            pairs = self._ranges.setdefault(name.writer, {}).setdefault(str(name.epoch), [])
            bridge = bridges.get((name.writer, name.epoch), set())
            _insert(pairs, name.sequence, name.sequence)
            _close_gaps(pairs, bridge)
        self._forget()

    def merge(self, ranges: Mapping[str, Mapping[str, Iterable[list[int]]]]) -> None:
        """Add all of another ledger's ranges."""
        for writer, epochs in ranges.items():
            for epoch, added in epochs.items():
                pairs = self._ranges.setdefault(writer, {}).setdefault(epoch, [])
                for first, last in added:
                    _insert(pairs, first, last)
        self._forget()

    def subtract(self, ranges: Mapping[str, Mapping[str, Iterable[list[int]]]]) -> None:
        """Take ranges out, so that their batches are taken in again when they are sent again."""
        for writer, epochs in ranges.items():
            for epoch, removed in epochs.items():
                pairs = self._ranges.get(writer, {}).get(epoch, [])
                for first, last in removed:
                    pairs[:] = _without(pairs, first, last)

    def overlaps(self, ranges: Mapping[str, Mapping[str, Iterable[list[int]]]]) -> bool:
        """Tell whether any batch of ``ranges`` is in here."""
        for writer, epochs in ranges.items():
            for epoch, wanted in epochs.items():
                pairs = self._ranges.get(writer, {}).get(epoch, [])
                if any(a <= last and first <= b for first, last in wanted for a, b in pairs):
                    return True
        return False

    def covers(self, ranges: Mapping[str, Mapping[str, Iterable[list[int]]]]) -> bool:
        """Tell whether every batch of ``ranges`` is in here."""
        for writer, epochs in ranges.items():
            for epoch, wanted in epochs.items():
                known = self._ranges.get(writer, {})
                pairs = known.get(epoch, [])
                if not pairs and _is_forgotten(known, int(epoch)):
                    continue
                if not all(any(a <= first and last <= b for a, b in pairs) for first, last in wanted):
                    return False
        return True

    def to_ranges(self) -> Ranges:
        """Return a copy as plain data."""
        return Ledger(self._ranges)._ranges

    def _forget(self) -> None:
        for epochs in self._ranges.values():
            for epoch in sorted(epochs, key=int)[:-_EPOCHS_KEPT]:
                del epochs[epoch]


def _is_forgotten(epochs: Mapping[str, object], epoch: int) -> bool:
    """Tell whether an epoch was known once: a spool sends in order, so whatever is before the oldest was taken."""
    return len(epochs) >= _EPOCHS_KEPT and epoch < min(map(int, epochs))


def _insert(pairs: list[list[int]], first: int, last: int) -> None:
    """Add a range, joined with those it touches."""
    joined = [first, last]
    kept: list[list[int]] = []
    for pair in pairs:
        if pair[1] + 1 < joined[0] or joined[1] + 1 < pair[0]:
            kept.append(pair)
        else:
            joined = [min(pair[0], joined[0]), max(pair[1], joined[1])]
    kept.append(joined)
    kept.sort()
    pairs[:] = kept


def _close_gaps(pairs: list[list[int]], bridge: set[int]) -> None:
    """Join neighbours where every number between them is in ``bridge``."""
    if not bridge:
        return
    joined = pairs[:1]
    for pair in pairs[1:]:
        gap = range(joined[-1][1] + 1, pair[0])
        if len(gap) <= len(bridge) and all(number in bridge for number in gap):
            joined[-1] = [joined[-1][0], pair[1]]
        else:
            joined.append(pair)
    pairs[:] = joined


def _without(pairs: list[list[int]], first: int, last: int) -> list[list[int]]:
    kept: list[list[int]] = []
    for a, b in pairs:
        kept.extend(part for part in ([a, min(b, first - 1)], [max(a, last + 1), b]) if part[0] <= part[1])
    return kept
