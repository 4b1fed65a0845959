"""Bounded threads for calls that block, so that the loop never does.

The threads are daemons: a question that hangs does not keep the process from stopping.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from stathouse.errors import Overloaded
from stathouse.web.refusals import refuse, retry_after

__all__ = ["Lane"]

_T = TypeVar("_T")


class Lane:
    """A few threads and a short queue before them.

    Args:
        what: what is done here, for errors and thread names.
        advice: what to do when it takes too long.
        at_once: how many calls run at a time.
        waiting: how many more may wait; past that a call is refused.
    """

    def __init__(self, what: str, *, at_once: int, waiting: int, advice: str = "Try again.") -> None:
        self._what = what
        self._advice = advice
        self._at_once = at_once
        self._most = at_once + waiting
        self._inside = 0
        self._threads = 0
        self._closed = False
        self._lock = threading.Lock()
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    async def run(self, call: Callable[[], _T], *, deadline_seconds: float) -> _T:
        """Run a call on a thread and return what it returns.

        A call that is still waiting at the deadline is forgotten; one that runs finishes in the background and keeps
        its place until then, so that never more than ``at_once`` run.

        Raises:
            Overloaded: too many are waiting.
            litestar.exceptions.HTTPException: 503, the deadline has passed.
        """
        future = self._submit(call)
        try:
            async with asyncio.timeout(deadline_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if future.done() and not future.cancelled() and isinstance(future.exception(), TimeoutError):
                raise
            problem = f"{self._what} took longer than {deadline_seconds:g} s"
            headers = retry_after(deadline_seconds)
            raise refuse(503, "deadline", problem, advice=self._advice, headers=headers) from None

    def close(self) -> None:
        """Let the threads end after what they do now."""
        with self._lock:
            self._closed = True
            for _ in range(self._threads):
                self._calls.put(None)

    def _submit(self, call: Callable[[], _T]) -> Future[_T]:
        future: Future[_T] = Future()
        with self._lock:
            if self._closed or self._inside >= self._most:
                raise Overloaded(f"the queue for {self._what}")
            self._inside += 1
            if self._threads < min(self._inside, self._at_once):
                self._threads += 1
                threading.Thread(target=self._work, name=f"web {self._what}", daemon=True).start()
        self._calls.put(lambda: self._finish(future, call))
        return future

    def _finish(self, future: Future[_T], call: Callable[[], _T]) -> None:
        try:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = call()
            except BaseException as error:  # handed to the one who waits, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)
        finally:
            with self._lock:
                self._inside -= 1

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
