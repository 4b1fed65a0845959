"""Questions: every answer is that of a slow and obvious oracle, wherever the rows are just then."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stathouse._core import Distinct, Sketch
from stathouse.backends.local.archive import LocalArchive
from stathouse.errors import InputError
from stathouse.model import Answer, Batch, BatchName, Query, Row
from stathouse.wire.tables import POINTS, write_stream
from stathouse.wire.tags import to_text
from tests.backends.local.oracle import KeptRow, Key, Value, ask
from tests.backends.local.support import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    START,
    WRITER,
    HandClock,
    counter,
    everything,
    open_archive,
    points_batch,
)


def body_of(rows: Sequence[KeptRow]) -> bytes:
    """Return rows as the doors write them."""
    columns: dict[str, list[object]] = {name: [] for name in POINTS.names}
    for row in rows:
        line: dict[str, object] = {
            "name": row.name,
            "tags": to_text(row.tags),
            "kind": row.kind,
            "field": row.field,
            "time": row.time_ns,
        }
        if row.kind == "timer":
            sketch = Sketch()
            for sample in row.samples:
                sketch.add(sample)
            line |= {"bytes": sketch.to_bytes(), "double": sum(row.samples), "count": float(len(row.samples))}
            line |= {"min": min(row.samples), "max": max(row.samples)}
        elif row.kind == "set":
            members = Distinct()
            for member in row.members:
                members.add(member)
            line["bytes"] = members.to_bytes()
        else:
            line[{float: "double", int: "int64", str: "text"}[type(row.value)]] = row.value
        for name, column in columns.items():
            column.append(line.get(name))
    arrays = [pa.array(columns[field.name], field.type) for field in POINTS]
    return write_stream(pa.record_batch(arrays, schema=POINTS))


def batch_of(sequence: int, rows: Sequence[KeptRow]) -> Batch:
    name = BatchName(writer=WRITER, epoch=1, sequence=sequence)
    return Batch(name=name, table="points", rows=len(rows), body=body_of(rows))


times = st.integers(0, 2 * 3600).map(lambda second: START + second * SECOND // 7)
finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))
shops = st.sampled_from([(), (("shop", "eu"),), (("shop", "us"),), (("host", "a,b="), ("shop", "eu"))])
posted = st.one_of(finite, st.integers(-(2**53), 2**53), st.sampled_from(["ok", "failed", "🙂"]))


@st.composite
def kept_rows(draw: st.DrawFn) -> KeptRow:
    kind = draw(st.sampled_from(["counter", "gauge", "timer", "set", ""]))
    # A posted field has one type here; a name has any kind, as it may over the years.
    field = {"counter": "sum", "gauge": "last", "timer": "sketch", "set": "hll"}.get(kind, "")
    value: Value | None = draw(finite) if kind in ("counter", "gauge") else None
    if not kind:
        value = draw(posted)
        field = {float: "value", int: "size", str: "result"}[type(value)]
    return KeptRow(
        name=draw(st.sampled_from(["hits", "shop.orders", "shop.time"])),
        tags=draw(shops),
        kind=kind,
        field=field,
        time_ns=draw(times),
        value=value,
        samples=tuple(draw(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=5))) if kind == "timer" else (),
        members=tuple(draw(st.lists(st.sampled_from("abcdef"), max_size=4))) if kind == "set" else (),
    )


aggregates = st.lists(
    st.sampled_from(["sum", "mean", "min", "max", "count", "rate", "distinct", "p0", "p50", "p99.9", "p100"]),
    max_size=3,
    unique=True,
)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    step = draw(st.sampled_from([None, 7 * SECOND, MINUTE, HOUR]))
    by = draw(st.sampled_from([None, (), ("shop",), ("host", "shop")]))
    names = tuple(draw(aggregates))
    if step is None:
        names = tuple(name for name in names if name != "rate")
    # Without a step rows are answered as they are kept; merged by time they are asked for with a step here.
    if by is not None and step is None:
        step = MINUTE
    first = draw(times)
    return Query(
        series=draw(st.sampled_from(["*", "shop.*", "hits", "shop.[no]*", "h?ts"])),
        start_ns=draw(st.sampled_from([0, first])),
        end_ns=draw(st.sampled_from([2**62, first + HOUR // 14])),
        tags=draw(st.sampled_from([{}, {"shop": "*"}, {"shop": "e?"}, {"host": "a,*"}])),
        step_ns=step,
        aggregates=names,
        by=by,
    )


def as_dictionary(answer: Answer) -> dict[Key, list[tuple[int, Value]]]:
    keys = [(one.name, one.tags, one.kind, one.field) for one in answer.series]
    assert len(keys) == len(set(keys))
    return {key: [(row.time_ns, row.value) for row in one.rows] for key, one in zip(keys, answer.series, strict=True)}


def check_same(got: dict[Key, list[tuple[int, Value]]], wanted: dict[Key, list[tuple[int, Value]]]) -> None:
    assert sorted(got) == sorted(wanted)
    for key, rows in wanted.items():
        assert [time_ns for time_ns, _ in got[key]] == [time_ns for time_ns, _ in rows], key
        # Percentiles of timers come from sketches, which promise one per cent.
        relative = 0.0101 if key[2] == "timer" and key[3].startswith("p") else 1e-9
        mine = sorted((value for _, value in got[key]), key=str) if key[2] == "" else [value for _, value in got[key]]
        theirs = sorted((value for _, value in rows), key=str) if key[2] == "" else [value for _, value in rows]
        for one, other in zip(mine, theirs, strict=True):
            if isinstance(other, str):
                assert one == other, key
            else:
                assert one == pytest.approx(other, rel=relative, abs=1e-6), key
                assert not (isinstance(other, int) and key[2] == "" and key[3] != "mean") or isinstance(one, int), key


def spread(archive: LocalArchive, clock: HandClock, rows: Sequence[KeptRow]) -> tuple[bytes | None, list[KeptRow]]:
    """Put rows into an hourly file, a sealed file and the recent rows; return the rest as what is not flushed yet."""
    quarter = len(rows) // 4
    parts = [rows[:quarter], rows[quarter : 2 * quarter], rows[2 * quarter : 3 * quarter], rows[3 * quarter :]]
    if parts[0]:
        half = max(len(parts[0]) // 2, 1)
        archive.write(batch_of(1, parts[0][:half]))
        archive.seal()
        if parts[0][half:]:
            archive.write(batch_of(2, parts[0][half:]))
            archive.seal()
        clock.time_ns = START + 12 * HOUR
        while archive.merge_once():
            pass
    if parts[1]:
        archive.write(batch_of(3, parts[1]))
        archive.seal()
    if parts[2]:
        archive.write(batch_of(4, parts[2]))
    return (body_of(parts[3]) if parts[3] else None), list(rows)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(kept_rows(), max_size=40), questions=st.lists(queries(), min_size=1, max_size=4))
def test_answers_are_those_of_the_oracle(rows: list[KeptRow], questions: list[Query]) -> None:
    clock = HandClock()
    with tempfile.TemporaryDirectory() as folder, open_archive(Path(folder), clock) as archive:
        unflushed, kept = spread(archive, clock, rows)
        for query in questions:
            wanted = ask(kept, query)
            if query.step_ns is None:
                wanted = ask_each_row(kept, query)
            check_same(as_dictionary(archive.query(query, unflushed=unflushed)), wanted)


def ask_each_row(rows: Sequence[KeptRow], query: Query) -> dict[Key, list[tuple[int, Value]]]:
    """Return what the oracle says of each row alone: without a step rows stay as they are kept."""
    merged: dict[Key, list[tuple[int, Value]]] = {}
    for row in rows:
        for key, one in ask([row], query).items():
            merged.setdefault(key, []).extend(one)
    return {key: sorted(some, key=lambda pair: pair[0]) for key, some in merged.items()}


def test_rows_as_they_are_kept_keep_order_and_type(tmp_path: Path) -> None:
    rows = [
        KeptRow(name="b", tags=(), kind="", field="size", time_ns=START, value=2**62 + 1),
        KeptRow(name="b", tags=(), kind="", field="size", time_ns=START, value=3),
        KeptRow(name="b", tags=(), kind="", field="result", time_ns=START, value="ok"),
        KeptRow(name="b", tags=(), kind="", field="value", time_ns=START, value=0.5),
    ]
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(batch_of(1, rows))
        for _ in range(2):
            answer = {one.field: one.rows for one in archive.query(everything("b")).series}
            assert answer["size"] == (Row(time_ns=START, value=2**62 + 1), Row(time_ns=START, value=3))
            assert answer["result"] == (Row(time_ns=START, value="ok"),)
            assert answer["value"] == (Row(time_ns=START, value=0.5),)
            archive.seal()
        top = archive.query(everything("b", aggregates=("max", "sum", "p50", "last"), step_ns=DAY))
        exact = {one.field: one.rows[0].value for one in top.series if one.field.startswith("size")}
        assert exact == {"size.max": 2**62 + 1, "size.sum": 2**62 + 4, "size.p50": 3, "size.last": 3}


def test_last_is_the_latest_in_time_and_then_in_arrival(tmp_path: Path) -> None:
    def gauge(value: float, at: int) -> KeptRow:
        return KeptRow(name="g", tags=(), kind="gauge", field="last", time_ns=START + at, value=value)

    query = everything("g", aggregates=("first", "last"), step_ns=HOUR)
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(batch_of(1, [gauge(1, 5), gauge(2, 1)]))
        archive.seal()
        archive.write(batch_of(2, [gauge(3, 5), gauge(4, 2)]))
        for _ in range(2):
            assert [one.rows[0].value for one in archive.query(query).series] == [2.0, 3.0]
            archive.seal()


def test_a_group_of_gauges_counts_each_series_once(tmp_path: Path) -> None:
    rows = [
        KeptRow(name="mem", tags=(("host", host),), kind="gauge", field="last", time_ns=START + at, value=float(value))
        for host, at, value in [("a", 0, 10), ("a", 5, 20), ("b", 0, 100)]
    ]
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(batch_of(1, rows))
        names = ("sum", "mean", "min", "max", "count")
        answer = archive.query(everything("mem", aggregates=names, step_ns=MINUTE, by=()))
        assert {one.field: one.rows[0].value for one in answer.series} == {
            "sum": 120.0,
            "mean": 60.0,
            "min": 20.0,
            "max": 100.0,
            "count": 2,
        }


def test_buckets_begin_at_multiples_of_the_step_also_before_1970(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(points_batch(1, [counter(1, time_ns=-1), counter(2, time_ns=-MINUTE), counter(4, time_ns=0)]))
        answer = archive.query(Query(series="hits", start_ns=-HOUR, end_ns=HOUR, step_ns=MINUTE))
        assert answer.series[0].rows == (Row(time_ns=-MINUTE, value=3.0), Row(time_ns=0, value=4.0))


def test_the_limit_counts_series_that_have_rows(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        # Every other series has rows before and after the range, and none in it.
        points = [
            counter(1, n=f"{i:03d}", time_ns=START + at) for i in range(40) for at in ((0, 20) if i % 2 else (10,))
        ]
        archive.write(points_batch(1, points))
        archive.seal()
        query = Query(series="hits", start_ns=START + 5, end_ns=START + 15, limit=20)
        answer = archive.query(query)
        assert (len(answer.series), answer.truncated) == (20, False)
        cut = archive.query(Query(series="hits", start_ns=START + 5, end_ns=START + 15, limit=19))
        assert (len(cut.series), cut.truncated) == (19, True)
        assert cut.series == answer.series[:19]
        grouped = archive.query(everything("hits", by=("n",), limit=7))
        assert (len(grouped.series), grouped.truncated) == (7, True)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"aggregates": ("median",)}, "'median' is no aggregate"),
        ({"aggregates": ("p101",)}, "'p101' is no aggregate"),
        ({"aggregates": ("sum); DROP TABLE",)}, "is no aggregate"),
        ({"aggregates": ("rate",)}, "a rate needs a step"),
        ({"step_ns": 0}, "the step has to be longer"),
        ({"step_ns": -5}, "the step has to be longer"),
        ({"limit": 0}, "the limit has to be"),
        ({"start_ns": 2**62}, "the start has to be before"),
        ({"step_ns": 1}, "the step is too small"),
    ],
)
def test_questions_without_sense_say_what_to_ask_instead(tmp_path: Path, more: dict[str, object], text: str) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(points_batch(1, [counter(1), counter(1, time_ns=START + HOUR)]))
        question = {"series": "hits", "start_ns": 0, "end_ns": 2**62, **more}
        with pytest.raises(InputError, match=text.replace("(", r"\(")):
            archive.query(Query(**question))  # type: ignore[arg-type]


def test_names_are_data(tmp_path: Path) -> None:
    names = ["'; DROP TABLE series; --", "../../x", "__proto__", "a*b", "a[b", "tab\tname", "🙂", "%s{0}"]
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(points_batch(1, [counter(index, name=name) for index, name in enumerate(names)]))
        for _ in range(2):
            for index, name in enumerate(names):
                pattern = name.replace("[", "[[]").replace("*", "[*]")
                answer = archive.query(everything(pattern))
                assert [(one.name, one.rows[0].value) for one in answer.series] == [(name, float(index))]
            archive.seal()


def test_a_series_that_changes_its_kind_is_answered_as_both(tmp_path: Path) -> None:
    rows = [
        KeptRow(name="x", tags=(), kind="counter", field="sum", time_ns=START, value=2.0),
        KeptRow(name="x", tags=(), kind="gauge", field="last", time_ns=START + 9, value=7.0),
    ]
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(batch_of(1, rows))
        for _ in range(2):
            answer = archive.query(everything("x", step_ns=MINUTE, by=()))
            assert [(one.kind, one.field, one.rows[0].value) for one in answer.series] == [
                ("counter", "sum", 2.0),
                ("gauge", "mean", 7.0),
            ]
            assert archive.series()[0].kind == "gauge"
            archive.seal()
