"""One thread that does what is due: each task once in every slot of its own length, in step with the wall clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stathouse.model import Clock

__all__ = ["Clockwork", "Task"]

_NS: Final = 1_000_000_000
_LONGEST_WAIT_SECONDS: Final = 1.0  # so that a wall clock that was set is noticed
_STUCK_SECONDS: Final = 20.0

_log = logging.getLogger("stathouse.house")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to do again and again.

    Args:
        name: for the log.
        every_seconds: says the length of its slot, asked each time, so that a reload can change it.
        run: does it.
        at_once: run it at the start too, not only when its next slot begins.
    """

    name: str
    every_seconds: Callable[[], float]
    run: Callable[[], None]
    at_once: bool = False


class Clockwork:
    """Runs tasks on one thread. A task that raises is logged and counted; it runs again in its next slot.

    Args:
        tasks: what to do; of tasks due together the first runs first.
        clock: time.
    """

    def __init__(self, tasks: Sequence[Task], clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._done_slots = [None if task.at_once else self._slot(task, clock.now_ns()) for task in tasks]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="stathouse-clockwork", daemon=True)
        self._looked = clock.monotonic()
        self.failures = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        """End the thread after the task it is at; False when the time ran out."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Say whether the thread runs and has looked at its tasks lately."""
        return self._thread.is_alive() and self._clock.monotonic() - self._looked < _STUCK_SECONDS

    def run_due(self) -> None:
        """Run every task whose slot is not the one it last ran in."""
        self._looked = self._clock.monotonic()
        for index, task in enumerate(self._tasks):
            slot = self._slot(task, self._clock.now_ns())
            if slot != self._done_slots[index]:
                self._done_slots[index] = slot
                try:
                    task.run()
                except Exception:
                    self.failures += 1
                    _log.exception("%s failed; it runs again when it is next due", task.name)

    def wait_seconds(self) -> float:
        """Return how long nothing is due."""
        if None in self._done_slots:
            return 0.0
        now_ns = self._clock.now_ns()
        waits = (task.every_seconds() - (now_ns % int(task.every_seconds() * _NS)) / _NS for task in self._tasks)
        return min(_LONGEST_WAIT_SECONDS, *waits)

    def _loop(self) -> None:
        while not self._stop.wait(self.wait_seconds()):
            self.run_due()

    @staticmethod
    def _slot(task: Task, now_ns: int) -> int:
        return now_ns // int(task.every_seconds() * _NS)
