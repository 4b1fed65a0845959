"""What came in by HTTP, counted: for the house's status, and as metrics."""

from __future__ import annotations

import threading
from collections import Counter

from stathouse.wire.prometheus import Metric

__all__ = ["WebCounters"]


class WebCounters:
    """Counts of the HTTP door since its start. Safe for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._rejects: Counter[str] = Counter()

    def add(self, what: str, amount: int = 1) -> None:
        """Count ``bytes`` (of bodies), ``points`` and ``events`` (acknowledged), ``refused_connections``,
        ``timed_out_connections``, ``evicted_connections``, ``live_ticks_dropped``; and, both ways, the gauges
        ``connections`` and ``live_streams``."""
        with self._lock:
            self._counts[what] += amount

    def answered(self, status: int) -> None:
        """Count a response."""
        with self._lock:
            self._statuses[status] += 1

    def rejected(self, reason: str) -> None:
        """Count a request of ingest that was refused for what it holds."""
        with self._lock:
            self._rejects[reason] += 1

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        with self._lock:
            return dict(self._counts)

    def rejects(self) -> dict[str, int]:
        """Return reason → refused requests of ingest."""
        with self._lock:
            return dict(self._rejects)

    def metrics(self) -> list[Metric]:
        """Return the counts as metrics, names ``stathouse_http_…``."""
        with self._lock:
            counts, statuses, rejects = dict(self._counts), dict(self._statuses), dict(self._rejects)
        by_status = tuple(({"status": str(status)}, float(count)) for status, count in sorted(statuses.items()))
        by_reason = tuple(({"reason": reason}, float(count)) for reason, count in sorted(rejects.items()))
        return [
            Metric(name="stathouse_http_responses", kind="counter", help="Responses by status.", samples=by_status),
            Metric(name="stathouse_http_rejects", kind="counter", help="Refused ingest by reason.", samples=by_reason),
            *(_plain(name, counts.get(name, 0)) for name in (*_COUNTERS, *_GAUGES)),
        ]


_COUNTERS = {
    "bytes": "Bytes of bodies received.",
    "points": "Points acknowledged.",
    "events": "Events acknowledged.",
    "refused_connections": "Connections refused over the limit.",
    "timed_out_connections": "Connections closed because a head or a body took too long.",
    "evicted_connections": "Waiting connections closed to make room for a new one.",
    "live_ticks_dropped": "Ticks of live streams dropped for slow readers.",
}
_GAUGES = {"connections": "Connections open.", "live_streams": "Live streams open."}


def _plain(name: str, value: int) -> Metric:
    full_name = f"stathouse_http_{name}"
    if name in _COUNTERS:
        return Metric(name=full_name, kind="counter", help=_COUNTERS[name], samples=(({}, value),))
    return Metric(name=full_name, kind="gauge", help=_GAUGES[name], samples=(({}, value),))
