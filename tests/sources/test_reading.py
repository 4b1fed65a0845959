"""Running totals become rates."""

from stathouse.model import Kind
from stathouse.sources.reading import Rates, Reading, to_points


def test_the_first_reading_has_no_rate() -> None:
    assert Rates().update({"a": 5.0}, 1.0) == {}


def test_rates_are_per_second() -> None:
    rates = Rates()
    rates.update({"a": 100.0}, 10.0)
    assert rates.update({"a": 300.0, "new": 7.0}, 14.0) == {"a": 50.0}


def test_a_total_that_went_back_begins_anew() -> None:
    rates = Rates()
    rates.update({"a": 100.0}, 10.0)
    assert rates.update({"a": 3.0}, 11.0) == {}
    assert rates.update({"a": 4.0}, 12.0) == {"a": 1.0}


def test_two_readings_at_once_have_no_rate() -> None:
    rates = Rates()
    rates.update({"a": 1.0}, 10.0)
    assert rates.update({"a": 9.0}, 10.0) == {}


def test_readings_are_gauges() -> None:
    (point,) = to_points([Reading("host.load1", (("a", "b"),), 0.5)], 7)
    assert (point.kind, point.fields, point.tags, point.time_ns) == (Kind.GAUGE, {"last": 0.5}, (("a", "b"),), 7)
