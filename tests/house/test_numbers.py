"""The house's own numbers become points."""

from stathouse.house.numbers import DESCRIPTIONS, Number, OwnPoints
from stathouse.model import Kind


def test_counters_are_growth_and_gauges_values() -> None:
    own = OwnPoints()
    first = own.make([Number(name="samples.received", value=5), Number(name="series.live", value=2)], 1)
    second = own.make([Number(name="samples.received", value=9), Number(name="series.live", value=2)], 2)
    third = own.make([Number(name="samples.received", value=9)], 3)
    assert [(point.kind, point.fields) for point in first] == [(Kind.COUNTER, {"sum": 5}), (Kind.GAUGE, {"last": 2})]
    assert next((point.name, point.fields) for point in second) == ("stathouse.samples.received", {"sum": 4})
    assert third == []


def test_counters_with_other_tags_are_apart() -> None:
    own = OwnPoints()
    points = own.make(
        [Number(name="samples.rejected", value=n, tags=(("reason", reason),)) for n, reason in ((1, "a"), (2, "b"))], 1
    )
    assert [point.fields["sum"] for point in points] == [1, 2]


def test_every_number_says_what_it_means() -> None:
    assert all(item.unit and item.text for item in DESCRIPTIONS.values())
