"""Accounting: every sample and row that came in is somewhere, and what does not add up shows as the residual.

Four books are kept, each by the room that does the work; each must add up by itself::

    door      received               = accepted + rejected{reason}                        (samples)
    fold      accepted + carried     = merged + flushed + folding                         (samples → rows)
    handover  flushed + direct       = offered + waiting                                  (rows)
    delivery  offered                = spooled + dropped{reason} + queued + duplicates    (rows)
    backend   backlog + spooled      = stored + rejected{reason} + lag                    (rows, each backend)

``direct`` rows came as rows (HTTP, the host, the house itself). The house-wide ledger follows the first backend::

    accepted + carried + direct + backlog = merged + stored + dropped + in flight + duplicates
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stathouse._core import Aggregator
from stathouse.delivery import Counts

__all__ = ["Accounts", "Ledger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All books at one moment.

    Args:
        received: samples that came in by statsd.
        accepted: those folded into a series.
        rejected: those refused, by reason.
        carried: rows that no new sample made (gauges that keep their value).
        merged: samples folded into a row that was there.
        direct: rows that came as rows.
        backlog: rows found in the spool at the start.
        stored: rows that the first backend has taken.
        dropped: rows lost after they were accepted, by reason.
        duplicates: rows that came again under an idempotency key.
        in_flight: rows on their way: folding, waiting, queued or spooled.
        residual: what does not add up, summed over all books.
    """

    received: int
    accepted: int
    rejected: Mapping[str, int]
    carried: int
    merged: int
    direct: int
    backlog: int
    stored: int
    dropped: Mapping[str, int]
    duplicates: int
    in_flight: int
    residual: int


class Accounts:
    """Reads all books together, while nothing is handed from one room to the next.

    Args:
        aggregator: keeps the first two books.
        delivery: says its books.
    """

    def __init__(self, aggregator: Aggregator, delivery: Callable[[], Counts]) -> None:
        self._aggregator = aggregator
        self._delivery = delivery
        self.handover = threading.RLock()
        """Held while rows go from one room to the next."""
        self.direct = 0
        self.waiting = 0

    def read(self) -> Ledger:
        """Return the ledger of now."""
        with self.handover:
            core, rejected = self._aggregator.counters(), self._aggregator.rejections()
            counts = self._delivery()
            direct, waiting = self.direct, self.waiting
        first = counts.lanes[0] if counts.lanes else None
        dropped = Counter(counts.entry.dropped)
        if first is not None:
            dropped.update(first.rejected)
            dropped["corrupt_spool"] += first.dropped
        residual = (
            abs(core["received"] - core["accepted"] - core["rejected"])
            + abs(core["accepted"] + core["carried"] - core["merged"] - core["flushed"] - core["in_flight"])
            + abs(core["flushed"] + direct - counts.entry.offered - waiting)
            + counts.residual
        )
        return Ledger(
            received=core["received"],
            accepted=core["accepted"],
            rejected=rejected,
            carried=core["carried"],
            merged=core["merged"],
            direct=direct,
            backlog=first.backlog if first else 0,
            stored=first.stored if first else 0,
            dropped=dict(+dropped),
            duplicates=counts.entry.duplicates,
            in_flight=core["in_flight"] + waiting + counts.entry.queued + (first.lag_rows if first else 0),
            residual=residual,
        )
