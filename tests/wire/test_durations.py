"""Lengths of time and moments as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stathouse.errors import InputError
from stathouse.wire.durations import duration_ns, duration_text, moment_ns, rfc3339

NS = 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("6h", 21_600),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1h30m", 5_400),
        ("1.5s", 1.5),
        ("250ms", 0.25),
    ],
)
def test_lengths_are_read(text: str, seconds: float) -> None:
    assert duration_ns(text) == seconds * NS


@pytest.mark.parametrize(
    "text", ["", "0s", "10", "s", "-1s", "1y", "1 m", "1e3s", "\uff11s", "1s ", "999999999999w", "1s" + "1" * 5000]
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        duration_ns(text, where="last")
    assert refused.value.where == "last"


@given(st.integers(1, 10**15))
def test_lengths_come_back(nanoseconds: int) -> None:
    assert duration_ns(duration_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (0, 0),
        (1_700_000_000, 1_700_000_000 * NS),
        (1_700_000_000.123456, 1_700_000_000_123_456_000),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("-1.5", -1_500_000_000),
        ("1970-01-01T00:00:01Z", NS),
        ("1970-01-01t01:00:00.000000001+01:00", 1),
        ("2026-01-31 12:00:00.5Z", 1_769_860_800_500_000_000),
    ],
)
def test_moments_are_read(value: float | str, nanoseconds: int) -> None:
    assert moment_ns(value) == nanoseconds


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "now",
            "2026-01-31",
            "2026-02-30T00:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T00:00:00",
            "1e9",
            "nan",
            "1_000",
        ),
        *(float("nan"), float("inf"), 1e300, 10**30, "9" * 20, "0000-01-01T00:00:00Z", "2026-01-31T00:00:00+99:99"),
    ],
)
def test_what_is_no_moment_is_refused(value: float | str) -> None:
    with pytest.raises(InputError) as refused:
        moment_ns(value)
    assert refused.value.reason == "bad_time"


@given(st.integers(0, 2**62))
def test_moments_come_back(nanoseconds: int) -> None:
    assert moment_ns(rfc3339(nanoseconds)) == nanoseconds
