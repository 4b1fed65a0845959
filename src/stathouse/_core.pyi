"""The Rust core: parsing, folding and listening, where every packet and sample passes."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

__all__ = [
    "Aggregator",
    "DatagramListener",
    "Distinct",
    "Flush",
    "Sketch",
    "StreamListener",
    "__version__",
    "parse",
]

__version__: str

_Dialect: TypeAlias = Literal["statsd", "dogstatsd"]

@final
class Flush:
    """What a flush or a peek hands over."""

    @property
    def body(self) -> bytes:
        """The rows as an Arrow IPC stream in the schema of ``stathouse.wire.tables.POINTS``."""
    @property
    def rows(self) -> int:
        """Number of rows in ``body``."""
    @property
    def carried(self) -> int:
        """Rows that no new sample made: gauges that keep their value."""

@final
class Aggregator:
    """Folds samples into series. Safe for any number of threads; the GIL is released around the work.

    Limits hold for live series; a sample past them goes to an overflow series of its kind that keeps totals exact:
    past ``max_series_per_name`` to the same name with the one tag ``overflow=true``, past ``max_series`` (or 2 KiB of
    names and tags for each of them) to ``stathouse.overflow`` with ``kind=<kind>,overflow=true``. That name is
    reserved: a line with it is ``bad_name``.
    """

    def __new__(
        cls,
        *,
        max_series: int = 100_000,
        max_series_per_name: int = 2_000,
        max_line_bytes: int = 8_192,
        max_name_bytes: int = 512,
        max_tags: int = 32,
        gauge_ttl_seconds: float = 300.0,
        series_ttl_seconds: float = 600.0,
        global_tags: Sequence[tuple[str, str]] = (),
    ) -> Aggregator: ...
    def feed(self, data: bytes, *, dialect: _Dialect = "statsd", now_ns: int | None = None) -> None:
        """Parse and fold lines separated by newlines; ``now_ns`` (Unix ns) is what ``|T`` times are checked against."""
    def flush(self, *, start_ns: int, now_ns: int) -> Flush:
        """Hand over the interval that began at ``start_ns`` and begin the next; drops series idle past their time.

        Args:
            start_ns: start of the interval that ends, Unix ns; it is the time of its rows.
            now_ns: a steady clock in ns, any origin; lifetimes of idle series are counted in it.

        Receivers wait only while the interval is swapped, never while it is encoded.
        """
    def peek(self, *, start_ns: int, names: Sequence[str] = (), limit: int = 1_000) -> Flush:
        """Return the running interval without resetting it.

        Args:
            start_ns: start of the running interval, Unix ns.
            names: globs over series names, then with the gauges that keep their value; empty for every series that got
                a sample in this interval. The busiest come first.
            limit: at most this many rows.
        """
    def counters(self) -> dict[str, int]:
        """Return cumulative counts since the start, and gauges of now.

        Keys: ``received``, ``accepted``, ``rejected``, ``merged`` (folded into a row that was there), ``flushed`` (rows
        handed over by ``flush``), ``carried``, ``overflowed`` (samples that went to an overflow series),
        ``expired_series``, ``in_flight`` (rows of the running interval), ``series_live``, ``refused_series``
        (estimate of distinct series over the limits). At rest
        ``received == accepted + sum(rejections)`` and ``accepted + carried == merged + flushed + in_flight``.
        """
    def rejections(self) -> dict[str, int]:
        """Return reason → cumulative count of rejected samples (a line that cannot be split counts as one)."""
    def rejected_lines(self) -> dict[str, bytes]:
        """Return reason → the last line rejected for it, cut at 256 bytes."""
    def refused_prefixes(self) -> list[tuple[str, int]]:
        """Return the ten name prefixes with most samples over the limits, and their (over)estimated counts."""

@final
class Sketch:
    """A DDSketch: quantiles with a relative error of at most 1 %, mergeable (https://arxiv.org/abs/1908.10693)."""

    def __new__(cls) -> Sketch: ...
    def add(self, value: float, weight: float = 1.0) -> None:
        """Add a value that stands for ``weight`` values.

        Raises:
            ValueError: the value is not finite, or the weight not finite and above 0.
        """
    def merge(self, other: Sketch) -> None: ...
    @property
    def count(self) -> float: ...
    @property
    def sum(self) -> float: ...
    @property
    def min(self) -> float:
        """The smallest value; ``inf`` when empty."""
    @property
    def max(self) -> float:
        """The largest value; ``-inf`` when empty."""
    def quantile(self, fraction: float) -> float | None:
        """Return the nearest-rank quantile for a fraction in [0, 1]; None when empty.

        Raises:
            ValueError: the fraction is outside [0, 1].
        """
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> Sketch:
        """Raises ValueError for bytes that are no sketch or of a newer version."""
    @staticmethod
    def merge_bytes(bodies: Sequence[bytes]) -> Sketch:
        """Return the merge of serialised sketches."""

@final
class Distinct:
    """A HyperLogLog (precision 14, standard error 0.81 %), exact up to 1,024 members."""

    def __new__(cls) -> Distinct: ...
    def add(self, member: str) -> None: ...
    def merge(self, other: Distinct) -> None: ...
    def estimate(self) -> float: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> Distinct:
        """Raises ValueError for bytes that are no HyperLogLog or of a newer version."""
    @staticmethod
    def merge_bytes(bodies: Sequence[bytes]) -> Distinct: ...

def parse(
    data: bytes,
    *,
    dialect: _Dialect = "statsd",
    max_line_bytes: int = 8_192,
    max_name_bytes: int = 512,
    max_tags: int = 32,
    now_ns: int | None = None,
) -> list[tuple[str, str, str, float | str, float, int | None] | str]:
    """Parse lines for tests and tools; a reason stands where there is no sample.

    A sample is (name, canonical tags text, op, value, rate, time_ns).
    ``op`` is ``counter``, ``gauge``, ``gauge_delta``, ``timer`` or ``set``.
    """

@final
class DatagramListener:
    """Receives statsd datagrams (UDP or Unix) with ``recvmmsg`` on threads of its own.

    It reads until the socket is empty, waits ``wait_micros`` and reads again, so that one wake-up serves many packets;
    the receive buffer has to hold what comes meanwhile. While few packets come and the buffer is large, it waits up to
    four times as long. When nothing has come it sleeps until something does.
    """

    def __new__(
        cls,
        aggregator: Aggregator,
        fd: int,
        *,
        dialect: _Dialect = "statsd",
        threads: int = 1,
        wait_micros: int = 1_000,
        max_datagram_bytes: int = 65_535,
        allow: Sequence[str] = ...,
    ) -> DatagramListener:
        """Duplicate ``fd`` (a bound datagram socket) and start reading it.

        ``allow`` lists the networks that may send, as ``10.0.0.0/8``; empty for everyone.
        """
    def stats(self) -> dict[str, int]:
        """Return cumulative ``datagrams``, ``bytes``, ``truncated``, ``empty``, ``refused_source``, ``kernel_drops``
        (exact as of now) and ``errors``. The cut line of a truncated datagram is rejected under ``truncated`` too."""
    def stop(self, timeout_seconds: float = 2.0) -> bool:
        """Drain what the kernel holds, stop and join; False when the time ran out. A second call does nothing."""

@final
class StreamListener:
    """Receives statsd lines over TCP and Unix stream sockets, all connections on one thread."""

    def __new__(
        cls,
        aggregator: Aggregator,
        fds: Sequence[int],
        *,
        dialect: _Dialect = "statsd",
        max_connections: int = 256,
        max_connections_per_peer: int = 32,
        max_line_bytes: int = 8_192,
        idle_seconds: float = 300.0,
        allow: Sequence[str] = ...,
    ) -> StreamListener:
        """Duplicate the listening sockets ``fds`` and start accepting.

        A peer that closes properly has sent its last line whole, with or without a newline. A connection that completes
        no line for ``idle_seconds``, or sends one longer than ``max_line_bytes``, is closed.
        """
    def stats(self) -> dict[str, int]:
        """Return cumulative ``bytes``, ``accepted``, ``refused_limit``, ``refused_peer``, ``refused_source``,
        ``closed_idle``, ``closed_too_long``, ``unterminated`` (lines cut off by a reset, an idle close or the stop;
        rejected under ``truncated`` too), ``errors``, and ``open`` connections now."""
    def stop(self, timeout_seconds: float = 2.0) -> bool:
        """Read what has arrived, close all connections, stop and join."""
