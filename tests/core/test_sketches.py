"""Sketch and Distinct through their bindings."""

from __future__ import annotations

import pytest

from stathouse._core import Distinct, Sketch


def sketch_of(*values: float) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


def test_quantiles_are_within_one_percent() -> None:
    sketch = sketch_of(*(float(value) for value in range(1, 10_001)))
    assert (sketch.count, sketch.sum, sketch.min, sketch.max) == (10_000.0, 50_005_000.0, 1.0, 10_000.0)
    for fraction in (0.01, 0.5, 0.95, 0.999):
        assert sketch.quantile(fraction) == pytest.approx(fraction * 10_000, rel=0.01)
    assert (sketch.quantile(0), sketch.quantile(1)) == (1.0, 10_000.0)


def test_an_empty_sketch_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch.from_bytes(Sketch().to_bytes()).count == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_fraction_outside_is_an_error(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        sketch_of(1.0).quantile(fraction)


@pytest.mark.parametrize(
    ("value", "weight"), [(float("inf"), 1.0), (float("nan"), 1.0), (1.0, 0.0), (1.0, float("inf"))]
)
def test_what_is_not_finite_is_an_error(value: float, weight: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Sketch().add(value, weight)


def test_a_sketch_merges_with_others_and_with_itself() -> None:
    one, two = sketch_of(1.0, 2.0), sketch_of(-3.0, 0.0)
    one.merge(two)
    one.merge(one)
    assert (one.count, one.sum, one.min, one.max) == (8.0, 0.0, -3.0, 2.0)
    merged = Sketch.merge_bytes([sketch_of(1.0, 2.0).to_bytes(), two.to_bytes()] * 2)
    assert merged.to_bytes() == one.to_bytes()
    assert Sketch.merge_bytes([]).count == 0


def test_one_value_takes_little_room() -> None:
    assert len(sketch_of(320.5).to_bytes()) <= 45


@pytest.mark.parametrize("kind", [Sketch, Distinct])
@pytest.mark.parametrize("data", [b"", b"\x00", b"garbage", b"\x01", b"\x01\xff\xff\xff"])
def test_damaged_bytes_are_errors(kind: type[Sketch] | type[Distinct], data: bytes) -> None:
    with pytest.raises(ValueError, match=r"damaged|newer"):
        kind.from_bytes(data)
    with pytest.raises(ValueError, match=r"damaged|newer"):
        kind.merge_bytes([kind().to_bytes(), data])


def test_a_newer_version_is_named() -> None:
    with pytest.raises(ValueError, match=r"version 9.*newer"):
        Sketch.from_bytes(b"\x09rest")


def test_distinct_is_exact_while_small_and_close_when_large() -> None:
    small, large = Distinct(), Distinct()
    for member in range(1_024):
        small.add(f"user{member}")
        small.add(f"user{member}")
    assert small.estimate() == 1_024
    for member in range(50_000):
        large.add(f"user{member}")
    assert large.estimate() == pytest.approx(50_000, rel=0.03)
    small.merge(large)
    assert small.estimate() == large.estimate()
    small.merge(small)
    assert Distinct.merge_bytes([small.to_bytes(), Distinct().to_bytes()]).estimate() == large.estimate()
