"""Pauses between retries."""

from __future__ import annotations

import math
from random import Random

import pytest

from stathouse.delivery.backoff import Backoff
from tests.delivery.helpers import Least


class _Most:
    def uniform(self, a: float, b: float, /) -> float:
        return b


def test_the_longest_pause_doubles_up_to_the_cap() -> None:
    backoff = Backoff(_Most(), base_seconds=0.5, cap_seconds=60.0)
    assert [backoff.fail() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_success_begins_anew() -> None:
    backoff = Backoff(_Most(), base_seconds=0.5, cap_seconds=60.0)
    backoff.fail()
    backoff.fail()
    backoff.succeed()
    assert (backoff.failures, backoff.fail()) == (0, 0.5)


def test_pauses_are_spread_over_the_whole_range() -> None:
    backoff = Backoff(Random(7), base_seconds=60.0, cap_seconds=60.0)
    pauses = [backoff.fail() for _ in range(200)]
    assert min(pauses) < 6 < 54 < max(pauses) <= 60


@pytest.mark.parametrize(
    ("wish", "pause"),
    [(None, 0), (0.0, 0), (-1.0, 0), (5.0, 5), (1e12, 300), (math.inf, 300), (-math.inf, 0), (math.nan, 0)],
)
def test_a_wish_of_the_store_is_clamped(wish: float | None, pause: float) -> None:
    assert Backoff(Least(), base_seconds=0.5, cap_seconds=60.0).fail(wish) == pause


def test_jitter_is_added_to_the_wish() -> None:
    assert Backoff(_Most(), base_seconds=0.5, cap_seconds=60.0).fail(5.0) == 5.5


def test_a_long_outage_overflows_nothing() -> None:
    backoff = Backoff(_Most(), base_seconds=0.5, cap_seconds=60.0)
    assert {backoff.fail() for _ in range(2_000)} >= {60.0}
