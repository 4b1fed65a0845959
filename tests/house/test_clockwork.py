"""Tasks run once in each slot, whatever the clock does, and a failing one harms nobody."""

from __future__ import annotations

import pytest

from stathouse.house.clockwork import Clockwork, Task
from tests.house.clocks import HandClock


def _task(name: str, every: float, ran: list[str]) -> Task:
    return Task(name=name, every_seconds=lambda: every, run=lambda: ran.append(name))


def test_a_task_runs_once_in_each_slot() -> None:
    clock, ran = HandClock(), list[str]()
    works = Clockwork([_task("second", 1, ran), _task("ten", 10, ran)], clock)
    works.run_due()
    assert ran == []
    for _ in range(20):
        clock.move(0.5)
        works.run_due()
    assert ran.count("second") == 10
    assert ran.count("ten") == 1


def test_a_clock_set_back_does_not_stop_the_tasks() -> None:
    clock, ran = HandClock(), list[str]()
    works = Clockwork([_task("second", 1, ran)], clock)
    clock.wall -= 5_000
    works.run_due()
    clock.move(1)
    works.run_due()
    assert ran == ["second", "second"]


def test_a_failing_task_is_counted_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    clock, ran = HandClock(), list[str]()

    def fail() -> None:
        raise ValueError("broken")

    works = Clockwork([Task(name="bad", every_seconds=lambda: 1, run=fail), _task("good", 1, ran)], clock)
    clock.move(1)
    works.run_due()
    assert works.failures == 1
    assert ran == ["good"]
    assert "bad failed" in caplog.text


def test_the_wait_ends_when_the_next_task_is_due() -> None:
    clock = HandClock(1_000_000.75)
    works = Clockwork([_task("second", 1, []), _task("ten", 10, [])], clock)
    assert works.wait_seconds() == pytest.approx(0.25)


def test_a_task_that_is_wanted_at_once_does_not_wait_for_its_slot() -> None:
    clock, ran = HandClock(), list[str]()
    works = Clockwork(
        [Task(name="first", every_seconds=lambda: 10, run=lambda: ran.append("first"), at_once=True)], clock
    )
    assert works.wait_seconds() == 0
    works.run_due()
    works.run_due()
    assert ran == ["first"]
    assert works.wait_seconds() > 0


def test_it_stops() -> None:
    works = Clockwork([_task("second", 1, [])], HandClock())
    works.start()
    assert works.stop(5.0)
