"""Bounded threads: how many at once, how many wait, deadlines, and errors that come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from litestar.exceptions import HTTPException

from stathouse.errors import Overloaded
from stathouse.web.lanes import Lane


def test_results_and_errors_come_back() -> None:
    async def run() -> None:
        lane = Lane("sums", at_once=2, waiting=2)
        assert await lane.run(lambda: 1 + 1, deadline_seconds=5) == 2
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0, deadline_seconds=5)
        with pytest.raises(TimeoutError):
            await lane.run(_times_out, deadline_seconds=5)
        lane.close()
        with pytest.raises(Overloaded):
            await lane.run(lambda: 1, deadline_seconds=5)

    asyncio.run(run())


def _times_out() -> None:
    raise TimeoutError("the call's own")


def test_only_so_many_run_and_only_so_many_wait(wait_until: Callable[..., None]) -> None:
    free, full, running = threading.Event(), threading.Event(), [0, 0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running[0] += 1
            running[1] = max(running)
            if running[0] == 3:
                full.set()
        assert free.wait(10)
        with lock:
            running[0] -= 1

    async def run() -> list[object]:
        lane = Lane("work", at_once=3, waiting=4)
        asked = [asyncio.ensure_future(lane.run(work, deadline_seconds=10)) for _ in range(9)]
        assert await asyncio.to_thread(full.wait, 10)
        free.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        lane.close()
        return answers

    answers = asyncio.run(run())
    assert [type(answer) for answer in answers] == [type(None)] * 7 + [Overloaded] * 2
    assert running == [0, 3]
    wait_until(lambda: not any(thread.name == "web work" for thread in threading.enumerate()))


def test_a_call_that_waits_at_its_deadline_is_never_begun() -> None:
    free, began = threading.Event(), []

    async def run() -> None:
        lane = Lane("work", at_once=1, waiting=5)
        first = asyncio.ensure_future(lane.run(lambda: free.wait(10), deadline_seconds=10))
        await asyncio.sleep(0)  # a turn of the loop, so that the first call is handed in
        with pytest.raises(HTTPException) as refused:
            await lane.run(lambda: began.append(1), deadline_seconds=0.05)
        assert refused.value.status_code == 503
        free.set()
        assert await first
        assert await lane.run(lambda: 7, deadline_seconds=5) == 7
        lane.close()

    asyncio.run(run())
    assert began == []
