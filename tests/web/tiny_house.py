"""A house of lists: what the web needs of a house, in memory, for tests of the web alone."""

from __future__ import annotations

import fnmatch
import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pyarrow as pa

from stathouse.model import (
    Answer,
    BatchName,
    Clock,
    Event,
    EventQuery,
    Payload,
    Query,
    Row,
    SeriesInfo,
    SeriesRows,
    SystemClock,
    Tags,
)
from stathouse.wire.prometheus import Metric
from stathouse.wire.tables import read_stream
from stathouse.wire.tags import from_text

__all__ = ["TinyHouse"]


class TinyHouse:
    """Keeps payloads in a list and answers from it. Set ``refuse_with`` to make its sink refuse."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.tags: Tags = ()
        self.payloads: list[Payload] = []
        self.keys: dict[str, BatchName] = {}
        self.refuse_with: Exception | None = None
        self.fail_commit_with: Exception | None = None
        self.hold_questions = threading.Event()
        self.hold_questions.set()
        self.asked: list[Query] = []
        self.live_calls = 0
        self.is_ready = True
        self._lock = threading.Lock()

    @property
    def sink(self) -> TinyHouse:
        return self

    def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
        if self.refuse_with is not None:
            raise self.refuse_with
        future: Future[BatchName] = Future()
        if self.fail_commit_with is not None:
            future.set_exception(self.fail_commit_with)
            return future
        with self._lock:
            name = self.keys.get(key) if key else None
            if name is None:
                self.payloads.append(payload)
                name = BatchName(writer="0" * 32, epoch=1, sequence=len(self.payloads))
                if key:
                    self.keys[key] = name
        future.set_result(name)
        return future

    def rows(self, table: str = "points") -> list[dict[str, object]]:
        """Return all rows of a table as they were handed in."""
        rows: list[dict[str, object]] = []
        for payload in self.payloads:
            if payload.table == table:
                kept = read_stream(payload.body)
                # As integers: Python's own times end at the microsecond.
                times = kept["time"].cast(pa.int64())
                rows += kept.set_column(kept.schema.get_field_index("time"), "time", times).to_pylist()
        return rows

    def status(self) -> dict[str, object]:
        return {"version": "0.1.0", "ledger": {"residual": 0}}

    def ready(self) -> tuple[bool, list[str]]:
        return self.is_ready, [] if self.is_ready else ["the spool is full"]

    def answer(self, query: Query, *, unflushed: bool = True) -> Answer:
        self.asked.append(query)
        assert self.hold_questions.wait(30)
        found: dict[tuple[str, str, str, str], list[Row]] = {}
        for row in self.rows():
            value = next(row[column] for column in ("double", "int64", "text") if row[column] is not None)
            time_ns = int(str(row["time"]))
            if fnmatch.fnmatchcase(str(row["name"]), query.series) and query.start_ns <= time_ns < query.end_ns:
                head = (str(row["name"]), str(row["tags"]), str(row["field"]), str(row["kind"]))
                found.setdefault(head, []).append(Row(time_ns=time_ns, value=value))  # type: ignore[arg-type]
        series = tuple(
            SeriesRows(name=name, tags=from_text(tags), field=field, kind=kind, rows=tuple(rows))
            for (name, tags, field, kind), rows in sorted(found.items())
        )
        return Answer(series=series[: query.limit], truncated=len(series) > query.limit)

    def series(self, *, search: str, limit: int) -> Sequence[SeriesInfo]:
        heads = sorted(
            {(str(row["name"]), str(row["tags"]), str(row["kind"]), str(row["field"])) for row in self.rows()}
        )
        return [
            SeriesInfo(name=name, tags=from_text(tags), kind=kind, fields=(field,), first_ns=0, last_ns=10**9)
            for name, tags, kind, field in heads
            if search in name or search in tags
        ][:limit]

    def events(self, query: EventQuery) -> Sequence[Event]:
        events = [
            Event(
                key=tuple(json.loads(str(row["key"]))),
                id=str(row["id"]),
                time_ns=int(str(row["time"])),
                state=str(row["state"]),
                rank=int(str(row["rank"])),
                payload=json.loads(str(row["payload"])),
            )
            for row in self.rows("events")
        ]
        return [event for event in events if event.key[: len(query.key)] == query.key][: query.limit]

    def top(self, *, limit: int, search: str) -> dict[str, object]:
        return {"time": 0, "interval_start": 0, "series": []}

    def processes(self) -> dict[str, object]:
        return {"time": 0, "by_cpu": [], "by_memory": []}

    def live(self, globs: Sequence[str]) -> tuple[dict[str, object], list[dict[str, object]]]:
        self.live_calls += 1
        return {"time": self.live_calls}, [{"name": glob, "value": 1, "partial": True} for glob in globs]

    def unit(self, name: str) -> tuple[str, str]:
        return ("s", "how long it took") if name.endswith("seconds") else ("", "")

    def metrics(self) -> list[Metric]:
        return [Metric(name="stathouse_residual", kind="gauge", help="What does not add up.", samples=(({}, 0),))]
