"""The validator of names, tags, times and integers."""

from __future__ import annotations

import pytest

from stathouse.errors import InputError
from stathouse.wire.names import FUTURE_NS, check_integer, check_name, check_tags, check_time

NOW = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "__proto__",
        "../../etc/passwd",
        "CON",
        "'; drop table points; --",
        "<img src=x onerror=alert(1)>",
        "caf\u00e9",
        "\u5024",
        "x" * 512,
        "=1+1",
        "a b",
    ],
)
def test_names_are_data(name: str) -> None:
    assert check_name(name, where="name") == name


@pytest.mark.parametrize(
    "name", ["", "a\nb", "a\0", "\x7f", "\x85", "a\u202eb", "\u2066", "\u200f", "\u2028", "x" * 513, "\u00e9" * 257]
)
def test_names_that_lie_are_refused(name: str) -> None:
    with pytest.raises(InputError) as refused:
        check_name(name, where="points[0].name")
    assert (refused.value.reason, refused.value.where) == ("bad_name", "points[0].name")


def test_tags_are_sorted_and_bounded() -> None:
    assert check_tags({"b": "", "a": "1"}, where="tags") == (("a", "1"), ("b", ""))
    assert len(check_tags({str(i): "" for i in range(32)}, where="tags")) == 32
    for tags, reason in (
        ({str(i): "" for i in range(33)}, "too_many_tags"),
        ({"": "x"}, "bad_tags"),
        ({"a\n": "x"}, "bad_tags"),
        ({"a": "\x1b[31m"}, "bad_tags"),
        ({"a": "x" * 513}, "bad_tags"),
    ):
        with pytest.raises(InputError) as refused:
            check_tags(tags, where="tags")
        assert refused.value.reason == reason


def test_times_have_a_window() -> None:
    assert check_time(0, where="time", now_ns=NOW) == 0
    assert check_time(NOW + FUTURE_NS, where="time", now_ns=NOW) == NOW + FUTURE_NS
    for time_ns in (-1, NOW + FUTURE_NS + 1):
        with pytest.raises(InputError) as refused:
            check_time(time_ns, where="time", now_ns=NOW)
        assert refused.value.reason == "bad_time"
    with pytest.raises(InputError, match="another unit"):
        check_time(NOW * 1_000, where="time", now_ns=NOW)


def test_integers_fit_64_bits() -> None:
    assert [check_integer(value, where="") for value in (2**63 - 1, -(2**63))] == [2**63 - 1, -(2**63)]
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(InputError):
            check_integer(value, where="")
