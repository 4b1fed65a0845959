"""Group commit: futures, keys, bounds, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from stathouse.delivery import DeliveryOptions
from stathouse.delivery.commit import Committer
from stathouse.delivery.records import Advance, Mark
from stathouse.delivery.spool import Spool
from stathouse.errors import Overloaded, StoreFull
from stathouse.model import BatchName
from tests.delivery.helpers import Clock, faulty_disk, payload

WAIT = 10.0


class Desk:
    """A committer over a real spool, and how often it told of a commit."""

    def __init__(self, folder: Path, options: DeliveryOptions, *, vfs: str = "") -> None:
        self.spool = Spool(folder, clock=Clock(), options=options, vfs=vfs)
        self.told = 0
        self.committer = Committer(self.spool, clock=Clock(), options=options, committed=self._tell)

    def _tell(self) -> None:
        self.told += 1

    def close(self) -> None:
        self.committer.close(WAIT)
        self.spool.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(*, started: bool = True, vfs: str = "", **options: float) -> Desk:
        desk = Desk(tmp_path / "spool", DeliveryOptions(**options), vfs=vfs)  # type: ignore[arg-type]
        made.append(desk)
        if started:
            desk.committer.start()
        return desk

    yield make
    for one in made:
        one.close()


def test_the_future_is_the_name_and_the_batch_is_in_the_spool(desk: Callable[..., Desk]) -> None:
    one = desk()
    name = one.committer.put(payload(3)).result(WAIT)
    (item,) = one.spool.read(0, 1 << 20).batches
    assert (item.batch.name, item.batch.rows, one.told) == (name, 3, 1)


def test_what_waits_together_is_committed_together(desk: Callable[..., Desk]) -> None:
    one = desk(started=False)
    futures = [one.committer.put(payload()) for _ in range(200)]
    one.committer.start()
    assert [future.result(WAIT).sequence for future in futures] == list(range(1, 201))
    assert one.committer.counts()[0].commits == 1


def test_the_same_key_is_stored_once_and_counted(desk: Callable[..., Desk]) -> None:
    one = desk(started=False)
    early = [one.committer.put(payload(5), key="a") for _ in range(3)]
    one.committer.start()
    first = early[0].result(WAIT)
    assert {future.result(WAIT) for future in early} == {first}
    assert one.committer.put(payload(5), key="a").result(WAIT) == first
    counts = one.committer.counts()[0]
    assert (counts.spooled, counts.duplicates, counts.residual) == (5, 15, 0)


def test_a_full_queue_refuses_and_counts(desk: Callable[..., Desk]) -> None:
    one = desk(started=False, queue_bytes=250)
    one.committer.put(payload(1, size=100))
    one.committer.put(payload(1, size=100))
    with pytest.raises(Overloaded):
        one.committer.put(payload(7, size=100))
    counts = one.committer.counts()[0]
    assert (counts.offered, counts.queued, counts.dropped, counts.residual) == (9, 2, {"queue_full": 7}, 0)


def test_the_queue_is_bounded_in_items_too(desk: Callable[..., Desk]) -> None:
    one = desk(started=False, queue_items=2)
    one.committer.put(payload())
    one.committer.put(payload())
    with pytest.raises(Overloaded, match="queue before the spool"):
        one.committer.put(payload())


def test_a_payload_larger_than_the_queue_goes_alone(desk: Callable[..., Desk]) -> None:
    one = desk(queue_bytes=100)
    assert one.committer.put(payload(1, size=5_000)).result(WAIT).sequence == 1


def test_a_full_spool_sheds_the_newest(desk: Callable[..., Desk]) -> None:
    one = desk(max_rows=10, min_free_bytes=0)
    one.committer.put(payload(8)).result(WAIT)
    with pytest.raises(StoreFull):
        one.committer.put(payload(3)).result(WAIT)
    one.committer.put(payload(2)).result(WAIT)
    counts, _, _ = one.committer.counts()
    assert (counts.spooled, counts.dropped, counts.residual) == (10, {"queue_full": 3}, 0)


def test_losses_are_written_with_the_next_commit(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.committer.drop("kernel_rcvbuf", 40, stage="door")
    one.committer.put(payload()).result(WAIT)
    assert one.spool.losses == {("door", "kernel_rcvbuf"): 40}
    counts = one.committer.counts()[0]
    assert (counts.offered, counts.dropped, counts.residual) == (41, {"kernel_rcvbuf": 40}, 0)


def test_advances_are_joined_and_written(desk: Callable[..., Desk], wait_until: Callable[..., None]) -> None:
    one = desk(started=False)
    one.spool.attach(["shop"])
    for _ in range(3):
        one.committer.put(payload())
    one.committer.start()
    one.committer.advance(Advance(backend="shop", mark=Mark(position=1, rows=1), losses={"rejected_by_store": 1}))
    one.committer.advance(Advance(backend="shop", mark=Mark(position=2, rows=2), losses={"rejected_by_store": 1}))
    wait_until(lambda: one.spool.depth().batches == 1)
    assert one.spool.losses == {("shop", "rejected_by_store"): 2}


def test_a_full_disk_is_told_counted_and_survived(desk: Callable[..., Desk]) -> None:
    with faulty_disk() as disk:
        one = desk(vfs="faulty")
        one.committer.put(payload(1)).result(WAIT)
        disk.full = True
        with pytest.raises(StoreFull):
            one.committer.put(payload(2)).result(WAIT)
        assert "no room" in one.committer.counts()[1]
        disk.full = False
        one.committer.put(payload(4)).result(WAIT)
        counts, problem, last = one.committer.counts()
        assert (counts.spooled, counts.dropped, counts.residual) == (5, {"disk_full": 2}, 0)
        assert problem == ""
        assert last == Clock().now_ns()
        assert one.spool.losses[("spool", "disk_full")] == 2
        one.close()


def test_after_the_end_nothing_is_taken(desk: Callable[..., Desk]) -> None:
    one = desk()
    early = one.committer.put(payload(2))
    assert one.committer.settle(WAIT)
    assert early.done()
    with pytest.raises(Overloaded, match="stopping"):
        one.committer.put(payload(3))
    assert one.committer.counts()[0].dropped == {"shutdown_timeout": 3}


def test_what_is_queued_at_the_end_is_committed(desk: Callable[..., Desk]) -> None:
    one = desk(started=False)
    futures = [one.committer.put(payload()) for _ in range(50)]
    one.committer.start()
    assert one.committer.close(WAIT)
    assert all(future.done() and future.exception() is None for future in futures)


def test_the_accounts_add_up_at_every_moment_under_many_threads(desk: Callable[..., Desk]) -> None:
    one = desk(queue_bytes=2_000, min_free_bytes=0)
    done = threading.Event()
    residuals: set[int] = set()
    futures: list[Future[BatchName]] = []

    def work(number: int) -> None:
        for turn in range(200):
            try:
                key = f"{number % 4}-{turn}" if turn % 3 else ""
                future = one.committer.put(payload(1 + turn % 5), key=key)
                futures.append(future)
                if turn % 20 == 0:
                    future.exception(WAIT)
            except Overloaded:
                one.committer.drop("queue_full", 1, stage="door")

    def watch() -> None:
        while not done.is_set():
            residuals.add(one.committer.counts()[0].residual)

    watcher = threading.Thread(target=watch)
    watcher.start()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for _ in range(2):
        one.committer.put(payload(3), key="twice").result(WAIT)
    one.committer.drop("queue_full", 1, stage="door")
    assert one.committer.settle(WAIT)
    done.set()
    watcher.join()
    counts = one.committer.counts()[0]
    assert residuals == {0}
    assert (counts.residual, counts.queued) == (0, 0)
    assert counts.spooled == one.spool.end.rows
    assert counts.duplicates > 0
    assert sum(counts.dropped.values()) > 0
    assert all(future.done() for future in futures)
