"""What every backend promises. A backend is added with one line in ``conftest.py``, and everything here runs on it.

``WriterContract`` is for all of them; ``ReaderContract`` for those that answer questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from stathouse.model import (
    Batch,
    BatchName,
    Event,
    EventQuery,
    Kind,
    Outcome,
    Payload,
    Point,
    Query,
    Reader,
    Tags,
    Writer,
)
from stathouse.wire.tables import events_payload, points_payload
from stathouse.wire.tags import to_text

__all__ = ["Bench", "Kept", "ReaderContract", "Store", "WriterContract", "counter", "made"]

SECOND = 10**9
START = 1_700_000_000 * SECOND
WRITER = "0123456789abcdef" * 2
EVER = 2**63 - 1

STRANGE_NAMES = [
    "__proto__",
    "constructor",
    "toString",
    "../../etc/passwd",
    "..",
    "/",
    "CON",
    "a/b",
    "%2e%2e",
    ">",
    "*",
    "[a-z]",
    "$SYS",
    "'; DROP TABLE points; --",
    '"',
    "]",
    "\\",
    "a=b,c",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "naïve.café",
    "naïve.café",
    "日本語.売上",
    "🏠.🔥",
    "\u202egnirts",
    "x" * 300,
    " leading and trailing ",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a backend holds: points as (name, tags text, time, value), events as (key text, state)."""

    points: Sequence[tuple[str, str, int, float]]
    events: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """How a backend is tested.

    Args:
        name: the name in the tests' output.
        open: opens it in a folder.
        read: says what it holds; None when it keeps nothing.
        survives: what it says is durable is there after a restart.
        crash: lets go of it as a crash would; by default it is left as it is.
    """

    name: str
    open: Callable[[Path], Writer]
    read: Callable[[Writer, Path], Kept] | None
    survives: bool = True
    crash: Callable[[Writer], None] = lambda writer: None


class Bench:
    """A backend under test, and the batches it was sent."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.writer = store.open(folder)

    def kept(self) -> Kept:
        assert self.store.read is not None
        return self.store.read(self.writer, self.folder)

    def write(self, batch: Batch) -> Outcome:
        """Write a batch and check that the outcome speaks of every row."""
        outcome = self.writer.write(batch)
        assert outcome.accepted + sum(item.rows for item in outcome.rejected) + outcome.keep == batch.rows
        return outcome

    def reopen(self) -> None:
        self.writer.close()
        self.writer = self.store.open(self.folder)

    def crash(self) -> None:
        self.store.crash(self.writer)
        self.writer = self.store.open(self.folder)

    def close(self) -> None:
        self.writer.close()


def made(sequence: int, payload: Payload, *, epoch: int = 1, writer: str = WRITER) -> Batch:
    """Return a batch with a name."""
    name = BatchName(writer=writer, epoch=epoch, sequence=sequence)
    return Batch(name=name, table=payload.table, rows=payload.rows, body=payload.body)


def counter(name: str, *, tags: Tags = (), second: int = 0, value: float = 1.0) -> Point:
    """Return a counter's point."""
    return Point(name=name, tags=tags, time_ns=START + second * SECOND, fields={"sum": value}, kind=Kind.COUNTER)


def numbered(sequence: int, rows: int = 3, *, epoch: int = 1) -> Batch:
    """Return a batch whose points no other number has."""
    points = [counter(f"shop.e{epoch}.s{sequence}.{row}", second=row, value=row + 0.5) for row in range(rows)]
    return made(sequence, points_payload(points), epoch=epoch)


def expected(batches: Iterable[Batch], rows: int = 3) -> list[tuple[str, str, int, float]]:
    """Return what a backend holds after batches made by :func:`numbered`."""
    return sorted(
        (f"shop.e{batch.name.epoch}.s{batch.name.sequence}.{row}", "", START + row * SECOND, row + 0.5)
        for batch in batches
        for row in range(rows)
    )


def order(name: BatchName | None) -> tuple[int, int]:
    """Return what the names of one writer are ordered by."""
    return (name.epoch, name.sequence) if name else (0, 0)


class WriterContract:
    """Every backend keeps this."""

    def test_it_takes_a_batch_whole(self, keeping: Bench) -> None:
        batch = numbered(1)
        assert keeping.write(batch).accepted == 3
        assert sorted(keeping.kept().points) == expected([batch])

    def test_the_same_batch_is_stored_once(self, keeping: Bench) -> None:
        batches = [numbered(1), numbered(2)]
        for batch in [*batches, *batches, *batches]:
            assert keeping.write(batch).accepted == 3
        assert sorted(keeping.kept().points) == expected(batches)

    def test_equal_rows_under_two_names_are_both_answered_for(self, bench: Bench) -> None:
        payload = points_payload([counter("shop.orders")])
        assert bench.write(made(1, payload)).accepted == 1
        assert bench.write(made(2, payload)).accepted == 1

    def test_an_empty_batch_is_no_trouble(self, bench: Bench) -> None:
        assert bench.write(made(1, points_payload([]))) == Outcome()
        assert bench.write(made(2, events_payload([]))) == Outcome()
        assert bench.write(numbered(3)).accepted == 3

    @pytest.mark.parametrize("body", [b"", b"no arrow", b"\xff" * 100])
    def test_a_body_that_is_no_table_never_raises(self, bench: Bench, body: bytes) -> None:
        outcome = bench.write(made(1, Payload(table="points", rows=5, body=body)))
        assert outcome.keep == 0  # sending it again would not help
        assert bench.write(numbered(2)).accepted == 3

    def test_rows_of_the_other_table_are_not_mixed_in(self, keeping: Bench) -> None:
        events = events_payload([Event(key=("a",), id="1", time_ns=START)])
        keeping.write(made(1, Payload(table="points", rows=1, body=events.body)))
        assert keeping.kept().points == []

    def test_events_are_kept_beside_points(self, keeping: Bench) -> None:
        event = Event(
            key=("builders", 23, "é"), id="e1", time_ns=START, state="finished", rank=40, payload={"a": [1, None]}
        )
        assert keeping.write(made(1, events_payload([event]))).accepted == 1
        assert keeping.write(numbered(2)).accepted == 3
        kept = keeping.kept()
        assert list(kept.events) == [('["builders",23,"é"]', "finished")]
        assert len(kept.points) == 3

    def test_names_are_data(self, keeping: Bench) -> None:
        points = [
            *(counter(name) for name in STRANGE_NAMES),
            *(counter("tagged", tags=((name, name),)) for name in STRANGE_NAMES),
        ]
        assert keeping.write(made(1, points_payload(points))).accepted == len(points)
        found = sorted((name, tags) for name, tags, _, _ in keeping.kept().points)
        assert found == sorted((point.name, to_text(point.tags)) for point in points)
        outside = {path.name for path in keeping.folder.parent.iterdir()} - {keeping.folder.name}
        assert outside == set()

    def test_extreme_values_come_back_as_they_were(self, keeping: Bench) -> None:
        values = [0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e-300, 0.1 + 0.2, 2**53 + 0.0]
        points = [counter(f"v.{index}", value=value) for index, value in enumerate(values)]
        keeping.write(made(1, points_payload(points)))
        assert [value for _, _, _, value in sorted(keeping.kept().points)] == values

    def test_times_keep_every_nanosecond(self, keeping: Bench) -> None:
        times = [0, 1, START + 123_456_789, 2**62]
        points = [Point(name=f"t.{time:020}", time_ns=time, fields={"sum": 1.0}, kind=Kind.COUNTER) for time in times]
        keeping.write(made(1, points_payload(points)))
        assert [time for _, _, time, _ in sorted(keeping.kept().points)] == times

    def test_a_very_large_batch_is_taken_whole(self, keeping: Bench) -> None:
        points = [counter(f"large.{number % 50}", second=number // 50) for number in range(100_000)]
        assert keeping.write(made(1, points_payload(points))).accepted == 100_000
        assert len(keeping.kept().points) == 100_000

    def test_what_was_written_is_there_after_a_restart(self, surviving: Bench) -> None:
        batches = [numbered(number) for number in range(1, 6)]
        for batch in batches[:3]:
            surviving.write(batch)
        surviving.reopen()
        for batch in batches:
            assert surviving.write(batch).accepted == 3
        surviving.reopen()
        assert sorted(surviving.kept().points) == expected(batches)
        assert surviving.writer.durable_through() == batches[-1].name

    def test_what_is_durable_survives_a_crash_and_the_rest_can_be_sent_again(self, surviving: Bench) -> None:
        batches = [numbered(number) for number in range(1, 9)]
        sent = 0
        for upto in (3, 3, 6, 8):
            for batch in batches[:upto]:
                surviving.write(batch)
            sent = max(sent, upto)
            before = surviving.writer.durable_through()
            surviving.crash()
            after = surviving.writer.durable_through()
            assert order(before) <= order(after) <= (1, sent)
            durable = [batch for batch in batches if order(batch.name) <= order(after)]
            assert set(expected(durable)) <= set(surviving.kept().points)
        for batch in batches:
            surviving.write(batch)
        assert sorted(surviving.kept().points) == expected(batches)

    def test_durable_through_only_grows_and_never_runs_ahead(self, bench: Bench) -> None:
        assert bench.writer.durable_through() is None
        last = (0, 0)
        for epoch in (1, 2):
            for sequence in range(1, 8):
                bench.write(numbered(sequence, epoch=epoch))
                now = order(bench.writer.durable_through())
                assert last <= now <= (epoch, sequence)
                last = now

    def test_two_writers_of_the_same_numbers_are_told_apart(self, keeping: Bench) -> None:
        one = made(1, points_payload([counter("one")]), writer="a" * 32)
        two = made(1, points_payload([counter("two")]), writer="b" * 32)
        keeping.write(one)
        keeping.write(two)
        assert sorted(name for name, _, _, _ in keeping.kept().points) == ["one", "two"]

    def test_closing_twice_is_no_trouble(self, bench: Bench) -> None:
        bench.write(numbered(1))
        bench.writer.close()
        bench.writer.close()


class ReaderContract:
    """Every backend that answers questions keeps this as well."""

    @pytest.fixture
    def reader(self, reading: Bench) -> Reader:
        assert isinstance(reading.writer, Reader)
        names = ["shop.orders", "shop.items", "shopping", "other", "shop.a1", "shop.b1", "shop.z1", "a*b"]
        points = [counter(name, second=second) for name in names for second in range(3)]
        points.append(counter("shop.orders", tags=(("shop", "eu"),), second=1, value=5.0))
        reading.write(made(1, points_payload(points[:10])))
        reading.write(made(2, points_payload(points[10:])))
        return reading.writer

    @pytest.mark.parametrize(
        ("glob", "names"),
        [
            ("shop.orders", {"shop.orders"}),
            ("shop.*", {"shop.orders", "shop.items", "shop.a1", "shop.b1", "shop.z1"}),
            ("shop*", {"shop.orders", "shop.items", "shopping", "shop.a1", "shop.b1", "shop.z1"}),
            ("shop.?1", {"shop.a1", "shop.b1", "shop.z1"}),
            ("shop.[a-b]1", {"shop.a1", "shop.b1"}),
            ("shop.[!a-b]1", {"shop.z1"}),
            ("a[*]b", {"a*b"}),
            ("*.orders", {"shop.orders"}),
            ("SHOP.*", set()),
            ("shop", set()),
            ("%", set()),
        ],
    )
    def test_a_glob_finds_names(self, reader: Reader, glob: str, names: set[str]) -> None:
        answer = reader.query(Query(series=glob, start_ns=0, end_ns=EVER))
        assert {series.name for series in answer.series} == names

    def test_every_row_is_answered_once(self, reader: Reader) -> None:
        answer = reader.query(Query(series="shop.orders", start_ns=0, end_ns=EVER))
        rows = {series.tags: [(row.time_ns, row.value) for row in series.rows] for series in answer.series}
        assert rows == {
            (): [(START + second * SECOND, 1.0) for second in range(3)],
            (("shop", "eu"),): [(START + SECOND, 5.0)],
        }

    def test_the_start_is_in_and_the_end_is_out(self, reader: Reader) -> None:
        answer = reader.query(Query(series="other", start_ns=START + SECOND, end_ns=START + 2 * SECOND))
        assert [row.time_ns for series in answer.series for row in series.rows] == [START + SECOND]

    def test_rows_that_are_not_written_yet_are_answered_together(self, reader: Reader) -> None:
        unflushed = points_payload([counter("other", second=3, value=9.0)]).body
        answer = reader.query(Query(series="other", start_ns=0, end_ns=EVER), unflushed=unflushed)
        assert [row.value for series in answer.series for row in series.rows] == [1.0, 1.0, 1.0, 9.0]

    def test_series_are_found_by_a_part_of_the_name_or_a_tag(self, reader: Reader) -> None:
        assert {info.name for info in reader.series(search="shopp")} == {"shopping"}
        (tagged,) = reader.series(search="eu")
        assert (tagged.name, tagged.tags, tagged.kind, tagged.fields) == (
            "shop.orders",
            (("shop", "eu"),),
            "counter",
            ("sum",),
        )

    def test_for_an_event_the_highest_rank_stands(self, reading: Bench, reader: Reader) -> None:
        states = [("finished", 40), ("started", 20), ("new", 10)]
        for number, (state, rank) in enumerate(states):
            event = Event(key=("builds", 7), id=f"e{number}", time_ns=START + number, state=state, rank=rank)
            reading.write(made(10 + number, events_payload([event])))
        (found,) = reader.events(EventQuery(key=("builds", None)))
        assert (found.key, found.state) == (("builds", 7), "finished")
