"""The core against the references in ``tests/reference``: whatever comes in, no difference."""

from __future__ import annotations

import math

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stathouse._core import Aggregator, Distinct, Sketch, parse
from stathouse.wire.globs import to_regex
from stathouse.wire.tables import read_stream
from tests.reference.aggregate import ReferenceAggregator, Row
from tests.reference.parser import Limits
from tests.reference.parser import parse as reference_parse
from tests.reference.sketch import ALPHA, ReferenceSketch, nearest_rank

SECOND = 10**9
NOW = 1_700_000_000 * SECOND
START = 7
SMALL = {"max_line_bytes": 60, "max_name_bytes": 12, "max_tags": 3}

dialects = st.sampled_from(["statsd", "dogstatsd"])
names = st.sampled_from(
    ["a", "b.c", "é", "a;k=v", "a;k=v;j=w", "m;", ";x=y", "", "_e{1,1}", "_sc", "a b", "x\u2028", "thirteen.bytes"]
)
numbers = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(
        [
            "1",
            "+2",
            "-3",
            ".5",
            "1.",
            "1e3",
            "1E-400",
            "1e999",
            "0x1",
            "1_0",
            "",
            ".",
            "nan",
            "-0",
            "1:2",
            "1::x:3",
            " 1",
        ]
    ),
)
types = st.sampled_from(["c", "g", "ms", "h", "d", "s", "", "zz", "c:2", "s:a:b", "g:+1", "#k:v"])
fields = st.one_of(
    st.sampled_from(
        [
            "@0.5", "@1", "@0", "@2", "@1e-06", "@9e-7", "@x", "@0.25:7", "#", "#k:v", "#b,a:2,a:1", "#:v", "#a,b,c,d",
            "#,a,,", "#\\:=", "T1700000000", "T1699999999:3", "T1", "Tx", "T1700000600", "T1700000601", "T1699395200",
            "T1699395199", "c:in-1", "e:it-x", "card:low", "", "zzz", "c",
        ]
    ),
    st.floats(0, 1).map(lambda rate: f"@{rate!r}"),
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Return a line that is nearly right, or nearly wrong."""
    parts = [f"{draw(names)}:{draw(numbers)}", draw(types), *draw(st.lists(fields, max_size=4))]
    line = "|".join(parts).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(line)))
        line = (
            line[:at] + draw(st.sampled_from([b"", b"\xff", b"\x00", b"|", b":", b"\r", b"\n", b"#"])) + line[at + 1 :]
        )
    return line


packets = st.one_of(st.lists(lines(), max_size=6).map(b"\n".join), st.binary(max_size=80))


@settings(max_examples=3_000, deadline=None)
@given(data=packets, dialect=dialects)
@example(data=b"m:1|c|@0.5:2|c\r\n\n\r\nm:1|c", dialect="statsd")
@example(data=b"m:a|s:b:c|s|#x|#y", dialect="dogstatsd")
def test_the_parser_reads_as_the_reference_does(data: bytes, dialect: str) -> None:
    limits = Limits(dialect=dialect, now_ns=NOW, **SMALL)
    found = parse(data, dialect=dialect, now_ns=NOW, **SMALL)  # type: ignore[arg-type]
    assert [_signed(item) for item in found] == [_signed(item) for item in reference_parse(data, limits)]


def _signed(item: object) -> object:
    """Tell -0.0 from 0.0."""
    return repr(item)


samples = st.builds(
    lambda name, number, rest: f"{name}:{number}|{rest}".encode(),
    st.sampled_from(["a", "b", "c", "d", "e", "f"]),
    st.one_of(st.integers(-100, 100).map(str), st.sampled_from(["+1", "-2.5", "1e300", "0.001", "x"])),
    st.sampled_from(
        [
            *("c", "c|@0.5", "c|#k:1", "c|#k:2", "c|#k:3", "c|T1699999999", "c:3|c", "c:3|s"),
            *("g", "g|#j,k:1", "g|#k:1,j", "g|T1699999998", "g|T1699999999"),
            *("ms", "h", "h|@0.1", "s", "s|#k:1"),
        ]
    ),
)
steps = st.one_of(st.lists(samples, min_size=1, max_size=12).map(b"\n".join), st.integers(0, 40))


@settings(max_examples=400, deadline=None)
@given(script=st.lists(steps, max_size=12), dialect=dialects, max_series=st.integers(1, 8), per_name=st.integers(1, 3))
def test_the_aggregator_folds_as_the_reference_does(
    script: list[bytes | int], dialect: str, max_series: int, per_name: int
) -> None:
    core = Aggregator(
        max_series=max_series, max_series_per_name=per_name, gauge_ttl_seconds=25.0, series_ttl_seconds=50.0
    )
    reference = ReferenceAggregator(
        limits=Limits(dialect=dialect, now_ns=NOW),
        max_series=max_series,
        max_series_per_name=per_name,
        gauge_ttl_ns=25 * SECOND,
        series_ttl_ns=50 * SECOND,
    )
    now = NOW
    for step in [*script, 10]:
        if isinstance(step, bytes):
            core.feed(step, dialect=dialect, now_ns=NOW)  # type: ignore[arg-type]
            reference.feed(step)
            continue
        now += step * SECOND
        flush = core.flush(start_ns=START, now_ns=now)
        table = read_stream(flush.body)
        times = table["time"].cast(pa.int64())
        rows = table.set_column(table.schema.get_field_index("time"), "time", times).to_pylist()
        _same_rows(rows, reference.flush(now))
        counts = core.counters()
        assert {key: counts[key] for key in reference.counts} == reference.counts
        assert core.rejections() == reference.rejected
        assert (counts["series_live"], counts["in_flight"]) == (reference.live, 0)


def _same_rows(found: list[dict[str, object]], expected: dict[tuple[tuple[str, str], int | None], Row]) -> None:
    rows: dict[object, dict[str, object]] = {}
    for row in found:
        own = None if row["time"] == START else row["time"]
        rows[(row["name"], row["tags"]), own] = row
    assert len(rows) == len(found)
    assert rows.keys() == expected.keys()
    for key, wanted in expected.items():
        row = rows[key]
        if isinstance(wanted, float):
            assert row["double"] == wanted
        elif isinstance(wanted, frozenset):
            assert Distinct.from_bytes(row["bytes"]).estimate() == len(wanted)  # type: ignore[arg-type]
        else:
            sketch = Sketch.from_bytes(row["bytes"])  # type: ignore[arg-type]
            assert (row["count"], row["min"], row["max"]) == (wanted.count, wanted.minimum, wanted.maximum)
            assert sketch.quantile(0.5) == wanted.quantile(0.5)


finite = st.floats(allow_nan=False, allow_infinity=False)
weights = st.sampled_from([1.0, 1.0, 1.0, 2.0, 10.0, 1 / 0.3])


@settings(max_examples=500, deadline=None)
@given(values=st.lists(st.tuples(finite, weights), max_size=60), cut=st.integers(0, 60), fraction=st.floats(0, 1))
def test_the_sketch_is_the_reference_however_it_is_merged(
    values: list[tuple[float, float]], cut: int, fraction: float
) -> None:
    left, right = Sketch(), Sketch()
    for at, (value, weight) in enumerate(values):
        (left if at < cut else right).add(value, weight)
    merged = Sketch.merge_bytes([right.to_bytes(), left.to_bytes()])
    reference = ReferenceSketch(values)
    assert math.isclose(merged.count, reference.count, abs_tol=1e-9)
    assert math.isfinite(merged.sum)
    if all(weight == int(weight) for _, weight in values):
        assert merged.quantile(fraction) == reference.quantile(fraction)


@settings(max_examples=500, deadline=None)
@given(values=st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=60), fraction=st.floats(0, 1))
def test_quantiles_are_the_nearest_rank_within_one_percent(values: list[float], fraction: float) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    exact = nearest_rank(values, fraction) if fraction else min(values)
    found = sketch.quantile(fraction)
    assert found is not None
    assert abs(found - exact) <= ALPHA * exact * (1 + 1e-9)


@settings(max_examples=500, deadline=None)
@given(
    data=st.binary(max_size=200),
    first=st.sampled_from([b"", b"\x01", b"\x01\x00", b"\x01\x01", b"\x01\x07", b"\x01\x02"]),
)
def test_any_bytes_are_a_sketch_or_an_error(data: bytes, first: bytes) -> None:
    for kind in (Sketch, Distinct):
        try:
            read = kind.from_bytes(first + data)
        except ValueError:
            continue
        assert kind.from_bytes(read.to_bytes()).to_bytes() == read.to_bytes()


glob_texts = "ab.[]!-^*?"


@settings(max_examples=500, deadline=None)
@given(pattern=st.text(glob_texts, max_size=8), name=st.text(glob_texts, min_size=1, max_size=8))
@example(pattern="[^a]", name="b")
@example(pattern="[!]a]", name="b")
def test_a_glob_means_the_same_in_the_running_interval_and_in_the_archive(pattern: str, name: str) -> None:
    core = Aggregator()
    core.feed(f"{name}:1|c".encode())
    assert core.peek(start_ns=START, names=[pattern]).rows == bool(to_regex(pattern).fullmatch(name))
