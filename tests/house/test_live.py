"""Readers see finished rows once, and the running interval each time."""

from __future__ import annotations

import pytest

from stathouse._core import Aggregator
from stathouse.house import live as live_room
from stathouse.house.live import Live
from stathouse.model import Kind, Payload, Point
from stathouse.wire.tables import read_stream
from tests.house.clocks import HandClock


def _live(aggregator: Aggregator, clock: HandClock) -> Live:
    return Live(
        aggregator=aggregator,
        interval_start_ns=lambda: 10_000_000_000,
        unit=lambda name: f"unit of {name}",
        clock=clock,
    )


def _gauge(name: str, value: float) -> Point:
    return Point(name=name, time_ns=7, kind=Kind.GAUGE, fields={"last": value})


def test_a_finished_row_is_seen_once_by_each_reader() -> None:
    live = _live(Aggregator(), HandClock())
    live.read(["host.*"])
    live.offer_points([_gauge("host.load1", 1), _gauge("other", 2)])
    (row,) = live.read(["host.*"])
    assert (row["name"], row["value"], row["partial"], row["unit"]) == ("host.load1", 1, False, "unit of host.load1")
    assert live.read(["host.*"]) == []


def test_the_running_interval_is_shown_without_being_reset() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"shop.orders:3|c|#shop:eu")
    live = _live(aggregator, HandClock())
    for _ in range(2):
        (row,) = live.read(["shop.*"])
        assert (row["value"], row["partial"], row["time"], row["tags"]) == (3, True, 10, {"shop": "eu"})


def test_a_timer_is_shown_by_its_percentiles() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"\n".join(b"t:%d|ms" % value for value in range(1, 101)))
    rows = {row["field"]: row["value"] for row in _live(aggregator, HandClock()).read(["t"])}
    assert set(rows) == {"count", "mean", "p50", "p95", "p99", "max"}
    assert (rows["count"], rows["max"], rows["mean"]) == (100, 100, 50.5)


def test_flushed_rows_are_kept_only_while_somebody_looks() -> None:
    aggregator, clock = Aggregator(), HandClock()
    live = _live(aggregator, clock)
    live.read(["a"])
    aggregator.feed(b"a:1|c\nb:1|c")
    flushed = aggregator.flush(start_ns=5, now_ns=5)
    live.offer_payload(Payload(table="points", rows=flushed.rows, body=flushed.body), is_flush=True)
    assert [row["name"] for row in live.read(["a"])] == ["a"]
    clock.move(60)
    live.offer_points([_gauge("x", 1)])
    assert live.read(["b"]) == []


def test_what_is_kept_for_readers_has_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_room, "_KEPT_BYTES", 1)
    aggregator = Aggregator()
    live = _live(aggregator, HandClock())
    live.read(["*"])
    for line in (b"a:1|c", b"b:1|c"):
        aggregator.feed(line)
        flushed = aggregator.flush(start_ns=5, now_ns=5)
        live.offer_payload(Payload(table="points", rows=flushed.rows, body=flushed.body))
    assert [row["name"] for row in live.read(["*"])] == ["b"]


def test_the_busiest_come_first_and_idle_ones_of_the_last_interval_after_them() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"idle:1|c")
    live = _live(aggregator, HandClock())
    flushed = aggregator.flush(start_ns=5, now_ns=5)
    live.offer_payload(Payload(table="points", rows=flushed.rows, body=flushed.body), is_flush=True)
    aggregator.feed(b"busy:1|c\nbusy:1|c")
    live.offer_points([_gauge("host.load1", 1)])
    document = live.top(limit=10)
    assert [series["name"] for series in document["series"]] == ["busy", "idle", "host.load1"]
    assert [series["name"] for series in live.top(limit=10, search="id")["series"]] == ["idle"]
    assert len(live.top(limit=1)["series"]) == 1


def test_waiting_points_join_the_running_interval() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"a:1|c")
    live = _live(aggregator, HandClock())
    running = aggregator.peek(start_ns=5).body
    joined = live.join(running, [_gauge("a", 2), _gauge("b", 3)], "a")
    assert joined is not None
    assert read_stream(joined)["double"].to_pylist() == [1, 2]
    assert live.join(b"", [], "a") is None


def test_series_that_are_not_flushed_yet_are_listed() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"shop.orders:1|c|#shop:eu\nother:1|g")
    live = _live(aggregator, HandClock())
    live.offer_points([_gauge("host.load1", 1)])
    assert sorted(info.name for info in live.series("")) == ["host.load1", "other", "shop.orders"]
    (found,) = live.series("shop=e")
    assert (found.name, found.tags, found.kind, found.fields) == ("shop.orders", (("shop", "eu"),), "counter", ("sum",))
    assert [info.name for info in live.series("*.load?")] == ["host.load1"]
