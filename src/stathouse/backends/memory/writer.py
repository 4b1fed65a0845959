"""Keeps the newest batches in memory, up to a bound."""

from __future__ import annotations

import threading
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

from stathouse.errors import ConfigError
from stathouse.model import Batch, BatchName, Outcome, Rejection, Table
from stathouse.wire.tables import EVENTS, POINTS, read_stream

__all__ = ["MemoryWriter", "open"]

_DEFAULT_BYTES: Final = 256 << 20


class MemoryWriter:
    """Keeps batches in memory; a :class:`stathouse.model.Writer`. Safe for any number of threads.

    Args:
        max_bytes: when the batches have more bytes than this, the oldest are forgotten.
    """

    def __init__(self, *, max_bytes: int = _DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._batches: dict[BatchName, Batch] = {}
        self._bytes = 0
        self._forgotten = 0
        self._last: BatchName | None = None

    def write(self, batch: Batch) -> Outcome:
        """Keep a batch."""
        with self._lock:
            if batch.name in self._batches:
                self._last = batch.name
                return Outcome(accepted=batch.rows)
        problem = _problem(batch)
        if problem:
            return Outcome(rejected=(Rejection(reason="rejected_by_store", rows=batch.rows, detail=problem),))
        with self._lock:
            self._batches[batch.name] = batch
            self._bytes += len(batch.body)
            self._last = batch.name
            while self._bytes > self._max_bytes and len(self._batches) > 1:
                oldest = self._batches.pop(next(iter(self._batches)))
                self._bytes -= len(oldest.body)
                self._forgotten += oldest.rows
        return Outcome(accepted=batch.rows)

    def durable_through(self) -> BatchName | None:
        """Return the last batch: memory keeps nothing over a restart, so there is nothing to wait for."""
        with self._lock:
            return self._last

    def close(self) -> None:
        """Do nothing; what is kept can still be looked at."""

    def names(self) -> list[BatchName]:
        """Return the names of the batches that are kept, oldest first."""
        with self._lock:
            return list(self._batches)

    def table(self, table: Table) -> pa.Table:
        """Return all rows of a table that are kept, oldest batch first."""
        with self._lock:
            bodies = [batch.body for batch in self._batches.values() if batch.table == table]
        schema = POINTS if table == "points" else EVENTS
        return pa.concat_tables([schema.empty_table(), *(read_stream(body) for body in bodies)])

    @property
    def forgotten(self) -> int:
        """Rows that gave way to newer ones."""
        return self._forgotten


def open(url: str, options: object = None) -> MemoryWriter:
    """Return the backend of a URL ``memory:`` or ``memory:?max_bytes=1000000``.

    Raises:
        ConfigError: the URL has anything else.
    """
    parts = urlsplit(url)
    values = parse_qs(parts.query, keep_blank_values=True)
    limit = values.pop("max_bytes", [str(_DEFAULT_BYTES)])[-1]
    if parts.scheme != "memory" or parts.netloc or parts.path or values or not (limit.isascii() and limit.isdigit()):
        raise ConfigError(f"{url!r} is no URL of this backend.", advice="Write memory: or memory:?max_bytes=1000000.")
    return MemoryWriter(max_bytes=int(limit))


def _problem(batch: Batch) -> str:
    try:
        table = read_stream(batch.body)
    except (pa.ArrowException, OSError) as error:  # Arrow says OSError for some bytes that are no stream
        return f"no Arrow stream: {error}"
    if not table.schema.equals(POINTS if batch.table == "points" else EVENTS):
        return f"not the columns of the table {batch.table}"
    return "" if table.num_rows == batch.rows else f"{table.num_rows} rows instead of {batch.rows}"
