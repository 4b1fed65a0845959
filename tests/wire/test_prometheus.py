"""Prometheus text, read by a parser that was written from the format's description."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from stathouse.wire.prometheus import Metric, encode
from tests.wire.prometheus_parser import parse


def test_counters_end_in_total_and_names_are_bent() -> None:
    families = parse(
        encode(
            [
                Metric(name="a.b-c", kind="counter", help="One\nline \\ more.", samples=(({}, 1),)),
                Metric(name="9lives_total", kind="counter", help="", samples=(({"a-b": "x", "9": "y"}, 2.5),)),
                Metric(name="empty", kind="gauge", help="None.", samples=()),
            ]
        ).decode()
    )
    assert families["a_b_c_total"].samples == {(): 1.0}
    assert families["a_b_c_total"].help == "One\\nline \\\\ more."
    assert families["_9lives_total"].samples == {(("a_b", "x"), ("_9", "y")): 2.5}
    assert families["empty"].samples == {}


@given(st.text(), st.floats(), st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))
def test_any_label_and_value_comes_back(label: str, value: float, other: str) -> None:
    label = label.encode(errors="ignore").decode()
    samples = (({"reason": label, "other": other}, value), ({}, 1))
    families = parse(encode([Metric(name="m", kind="gauge", help="Any.", samples=samples)]).decode())
    found = families["m"].samples[(("reason", label), ("other", other))]
    assert found == value or (math.isnan(found) and math.isnan(value))
