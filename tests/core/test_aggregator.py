"""The aggregator through its bindings; what it folds is checked row by row in ``rust/src/aggregator/tests.rs``."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from stathouse._core import Aggregator, Distinct, Flush, Sketch
from stathouse.model import REASONS
from stathouse.wire.tables import POINTS, read_stream

SECOND = 10**9
NOW = 1_700_000_000 * SECOND


def rows_of(flush: Flush) -> list[dict[str, object]]:
    table = read_stream(flush.body)
    assert table.num_rows == flush.rows
    rows: list[dict[str, object]] = table.to_pylist()
    return sorted(rows, key=lambda row: (str(row["name"]), str(row["tags"])))


def assert_books_balance(aggregator: Aggregator) -> None:
    counts = aggregator.counters()
    assert counts["received"] == counts["accepted"] + sum(aggregator.rejections().values())
    assert counts["accepted"] + counts["carried"] == counts["merged"] + counts["flushed"] + counts["in_flight"]


def test_a_flush_has_the_schema_of_the_points_table() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"shop.orders:3|c|#shop:eu\nqueue:7|g\nlatency:320|ms|@0.5\nvisitors:ann|s\n", now_ns=NOW)
    flush = aggregator.flush(start_ns=NOW, now_ns=NOW + 10 * SECOND)
    with pa.ipc.open_stream(flush.body) as stream:
        assert stream.schema.equals(POINTS, check_metadata=True)
    latency, orders, visitors = (rows_of(flush)[at] for at in (0, 2, 3))
    queue = rows_of(flush)[1]
    assert orders | {"time": None} == {
        "name": "shop.orders",
        "tags": "shop=eu",
        "kind": "counter",
        "field": "sum",
        "time": None,
        "double": 3.0,
        "int64": None,
        "text": None,
        "bytes": None,
        "count": None,
        "min": None,
        "max": None,
    }
    assert (queue["kind"], queue["field"], queue["double"]) == ("gauge", "last", 7.0)
    assert (latency["double"], latency["count"], latency["min"], latency["max"]) == (640.0, 2.0, 320.0, 320.0)
    assert isinstance(latency["bytes"], bytes) and isinstance(visitors["bytes"], bytes)
    assert Sketch.from_bytes(latency["bytes"]).quantile(0.5) == 320.0
    assert Distinct.from_bytes(visitors["bytes"]).estimate() == 1.0
    assert pa.ipc.open_stream(flush.body).read_all()["time"].cast(pa.int64()).to_pylist() == [NOW] * 4


def test_an_empty_flush_is_a_stream_without_rows() -> None:
    flush = Aggregator().flush(start_ns=0, now_ns=1)
    assert (flush.rows, flush.carried, read_stream(flush.body).num_rows) == (0, 0, 0)
    assert read_stream(flush.body).schema.equals(POINTS, check_metadata=True)


def test_a_gauge_is_carried_and_counted() -> None:
    aggregator = Aggregator(gauge_ttl_seconds=15.0)
    aggregator.feed(b"g:5|g")
    carried = [aggregator.flush(start_ns=0, now_ns=NOW + at * SECOND).carried for at in (0, 10, 20)]
    assert carried == [0, 1, 0]
    assert aggregator.counters()["expired_series"] == 1
    assert_books_balance(aggregator)


def test_global_tags_stand_on_every_series() -> None:
    aggregator = Aggregator(global_tags=[("host", "here"), ("env", "test")])
    aggregator.feed(b"m:1|c\nm:2|c|#host:there")
    assert [row["tags"] for row in rows_of(aggregator.flush(start_ns=0, now_ns=NOW))] == [
        "env=test,host=here",
        "env=test,host=there",
    ]


def test_limits_keep_the_total_and_name_the_culprit() -> None:
    aggregator = Aggregator(max_series=50)
    aggregator.feed(b"\n".join(b"loud.app.user%d:1|c" % at for at in range(5_000)))
    counts = aggregator.counters()
    assert (counts["series_live"], counts["overflowed"]) == (50, 4_950)
    assert counts["refused_series"] == pytest.approx(4_950, rel=0.03)
    assert aggregator.refused_prefixes() == [("loud.app", 4_950)]
    rows = rows_of(aggregator.flush(start_ns=0, now_ns=NOW))
    assert sum(float(str(row["double"])) for row in rows) == 5_000
    assert rows[-1]["name"] == "stathouse.overflow" and rows[-1]["tags"] == "kind=counter,overflow=true"
    assert_books_balance(aggregator)


def test_rejections_use_the_closed_list_and_show_the_line() -> None:
    aggregator = Aggregator(max_line_bytes=300)
    aggregator.feed(b"no line\nm:x|c\nm:1|zzz\n\xff:1|c\n" + b"y" * 301)
    assert aggregator.rejections() == {"bad_line": 1, "bad_value": 1, "bad_type": 1, "bad_utf8": 1, "too_long": 1}
    assert aggregator.rejections().keys() <= REASONS.keys()
    assert aggregator.rejected_lines()["bad_value"] == b"m:x|c"
    assert aggregator.rejected_lines()["too_long"] == b"y" * 256
    assert_books_balance(aggregator)


def test_peek_leaves_the_interval_as_it_is() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"a.x:1|c\na.x:1|c\na.y:1|c\nb:1|ms")
    assert [row["name"] for row in rows_of(aggregator.peek(start_ns=0, limit=1))] == ["a.x"]
    assert [row["name"] for row in rows_of(aggregator.peek(start_ns=0, names=["a.[y-z]", "b"]))] == ["a.y", "b"]
    assert aggregator.counters()["in_flight"] == aggregator.flush(start_ns=0, now_ns=NOW).rows == 3


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"gauge_ttl_seconds": -1.0}, "gauge_ttl_seconds"),
        ({"series_ttl_seconds": float("nan")}, "series_ttl_seconds"),
        ({"global_tags": [("", "x")]}, "no tag"),
        ({"global_tags": [("k", "a\nb")]}, "no tag"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Aggregator(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dialect"):
        Aggregator().feed(b"", dialect="carbon")  # type: ignore[arg-type]


def test_threads_feed_while_another_flushes() -> None:
    aggregator = Aggregator()
    packet = b"\n".join(b"n%d:1|c" % (at % 97) for at in range(5_000))

    def feed() -> None:
        for _ in range(40):
            aggregator.feed(packet)

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    flushes = []
    while any(thread.is_alive() for thread in threads):
        flushes.append(aggregator.flush(start_ns=0, now_ns=NOW))
    flushes.append(aggregator.flush(start_ns=0, now_ns=NOW))
    total = sum(float(str(row["double"])) for flush in flushes for row in rows_of(flush))
    assert total == aggregator.counters()["received"] == 4 * 40 * 5_000
    assert_books_balance(aggregator)
