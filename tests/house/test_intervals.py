"""Intervals are multiples of the wall clock and only ever begin later."""

from stathouse.house.intervals import Intervals

S = 1_000_000_000


def test_an_interval_begins_at_a_multiple_of_its_length() -> None:
    intervals = Intervals(10, 1_234 * S)
    assert intervals.start_ns == 1_230 * S
    assert not intervals.is_over(1_239 * S)
    assert intervals.is_over(1_240 * S)


def test_the_next_interval_is_the_one_of_now() -> None:
    intervals = Intervals(10, 1_234 * S)
    assert intervals.begin_next(1_271 * S) == 1_230 * S
    assert intervals.start_ns == 1_270 * S


def test_starts_grow_when_the_wall_clock_is_set_back() -> None:
    intervals = Intervals(10, 1_234 * S)
    assert intervals.is_over(1_000 * S)
    intervals.begin_next(1_000 * S)
    assert intervals.start_ns == 1_230 * S + 1


def test_the_house_is_in_step_again_once_the_wall_clock_has_caught_up() -> None:
    intervals = Intervals(10, 1_234 * S)
    for now in (1_228 * S, 1_230 * S, 1_241 * S):
        assert intervals.is_over(now)
        before = intervals.start_ns
        intervals.begin_next(now)
        assert intervals.start_ns > before
    assert intervals.start_ns == 1_240 * S
    assert not intervals.is_over(1_249 * S)


def test_another_length_holds_from_the_next_interval_on() -> None:
    intervals = Intervals(10, 1_234 * S)
    intervals.change_length(60)
    assert intervals.start_ns == 1_230 * S
    intervals.begin_next(1_300 * S)
    assert intervals.start_ns == 1_260 * S
