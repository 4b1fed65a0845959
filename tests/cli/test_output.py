"""Numbers, times and tables as people and programs read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stathouse.cli.output import Column, duration, moment, number, one_line, printable, size, sparkline, write_table


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (3.0, "3"), (-2.5, "-2.5"), (1e20, "1e+20"), (math.nan, "nan"), (math.inf, "inf"), (True, "True")],
)
def test_number(value: object, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.5, "500 ms"),
        (9.99, "9.99 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (86_399, "23 h 59 min"),
        (None, "-"),
    ],
)
def test_duration(seconds: object, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 B"), (1023, "1023 B"), (2**20, "1.0 MiB"), (2**50, "1024.0 TiB"), ("x", "-")]
)
def test_size(count: object, expected: str) -> None:
    assert size(count) == expected


@pytest.mark.parametrize("value", [math.nan, None, "now", 1e300])
def test_a_moment_that_is_none_is_no_error(value: object) -> None:
    assert moment(value) in ("-", "1e+300")


@given(text=st.text())
def test_nothing_from_outside_leaves_its_line_or_steers_the_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert one_line(text).isprintable()


@given(values=st.lists(st.floats(), max_size=50))
def test_a_sparkline_has_a_bar_for_each_of_the_last_values(values: list[float]) -> None:
    finite = [value for value in values if math.isfinite(value)]
    assert len(sparkline(values, 20)) == min(len(finite), 20)


def test_a_plain_table_is_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([Column(title="name"), Column(title="n", right=True)], [("x" * 200, "1"), ("y", "100")])
    assert capsys.readouterr().out.splitlines() == [
        "name" + " " * 196 + "    n",
        "x" * 200 + "    1",
        "y" + " " * 199 + "  100",
    ]


def test_an_empty_table_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([Column(title="name"), Column(title="n", right=True)], [])
    assert capsys.readouterr().out == "name  n\n"
