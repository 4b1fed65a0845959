"""Lanes: order, retries, what is refused, what is durable, and holes in the spool."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from stathouse.delivery import DeliveryOptions
from stathouse.delivery.backoff import Backoff
from stathouse.delivery.lane import Lane, LaneReports
from stathouse.delivery.records import Advance, Mark
from stathouse.delivery.spool import Spool
from stathouse.errors import StoreError
from stathouse.model import Batch, BatchName, Outcome, Rejection
from tests.delivery.helpers import Clock, Least, Shop, entry

WAIT = 10.0
OPTIONS = DeliveryOptions(poll_seconds=0.01)


class Yard:
    """A real spool with lanes on it, and what they reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = Spool(folder, clock=Clock(), options=OPTIONS)
        self.steps: list[Advance] = []
        self.damaged = threading.Event()
        self.pauses: list[float] = []
        self.lanes: list[Lane] = []

    def lane(self, shop: Shop, *, begin: Mark | None = None, pause: Callable[[float], object] | None = None) -> Lane:
        made = Lane(
            "shop",
            shop,
            spool=self.spool,
            begin=begin or Mark(),
            backoff=Backoff(Least(), base_seconds=0.5, cap_seconds=60.0),
            reports=LaneReports(advance=self.steps.append, damaged=self.damaged.set),
            options=OPTIONS,
            pause=pause or self.pauses.append,
        )
        self.lanes.append(made)
        made.start()
        return made

    def finish(self, lane: Lane) -> None:
        lane.drain()
        assert lane.join(WAIT)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path / "spool")
    yield made
    for lane in made.lanes:
        lane.drain()
        lane.join(WAIT)
    made.spool.close()


def test_everything_goes_in_order_and_is_reported(yard: Yard) -> None:
    names = [result.name for result in yard.spool.commit([entry(2) for _ in range(5)])]
    shop = Shop()
    lane = yard.lane(shop)
    yard.finish(lane)
    counts = lane.counts(0)
    assert shop.calls == names
    assert yard.steps[-1] == Advance(backend="shop", mark=Mark(position=5, rows=10))
    assert (counts.backlog, counts.spooled, counts.stored, counts.lag_rows, counts.residual) == (10, 0, 10, 0, 0)
    assert counts.state == "stopped"


def test_new_batches_are_noticed(yard: Yard, wait_until: Callable[..., None]) -> None:
    shop = Shop()
    lane = yard.lane(shop)
    yard.spool.commit([entry(4)])
    lane.wake()
    wait_until(lambda: lane.counts(0).stored == 4)
    assert (lane.counts(0).backlog, lane.counts(0).spooled, lane.counts(0).residual) == (0, 4, 0)


def test_what_is_to_be_kept_is_sent_again_under_the_same_name(yard: Yard, wait_until: Callable[..., None]) -> None:
    answers = iter(
        [Outcome(keep=3, detail="busy"), Outcome(accepted=1, keep=2), Outcome(accepted=3), Outcome(accepted=3)]
    )
    names = [result.name for result in yard.spool.commit([entry(3), entry(3)])]
    shop = Shop(lambda batch: next(answers))
    lane = yard.lane(shop)
    wait_until(lambda: lane.counts(0).stored == 6)
    yard.finish(lane)
    assert shop.calls == [names[0]] * 3 + [names[1]]
    counts = lane.counts(0)
    assert (counts.stored, counts.failures, counts.residual) == (6, 2, 0)
    assert yard.pauses == [0.0, 0.0]


def test_the_stores_wish_for_a_pause_is_heard(yard: Yard, wait_until: Callable[..., None]) -> None:
    answers = iter([Outcome(keep=1, retry_after_seconds=1e12), Outcome(accepted=1)])
    yard.spool.commit([entry()])
    lane = yard.lane(Shop(lambda batch: next(answers)))
    wait_until(lambda: lane.counts(0).stored == 1)
    assert yard.pauses == [300.0]


def test_an_exception_keeps_the_batch_and_is_counted(yard: Yard, wait_until: Callable[..., None]) -> None:
    broken = threading.Event()
    broken.set()

    def answer(batch: Batch) -> Outcome:
        if broken.is_set():
            raise ConnectionError("nobody there")
        return Outcome(accepted=batch.rows)

    yard.spool.commit([entry(2)])
    waiting = threading.Event()
    lane = yard.lane(Shop(answer), pause=lambda seconds: waiting.wait(0.001))
    wait_until(lambda: lane.counts(0).failures > 2)
    counts = lane.counts(0)
    assert (counts.state, counts.last_error, counts.lag_rows, counts.residual) == (
        "retrying",
        "ConnectionError: nobody there",
        2,
        0,
    )
    broken.clear()
    wait_until(lambda: lane.counts(0).stored == 2)
    wait_until(lambda: lane.counts(0).state == "ok")


def test_what_is_refused_for_good_is_counted_once_and_passed(yard: Yard) -> None:
    def answer(batch: Batch) -> Outcome:
        return Outcome(accepted=1, rejected=(Rejection(reason="rejected_by_store", rows=2, detail="no"),))

    yard.spool.commit([entry(3), entry(3)])
    lane = yard.lane(Shop(answer))
    yard.finish(lane)
    counts = lane.counts(0)
    assert (counts.stored, counts.rejected, counts.residual) == (2, {"rejected_by_store": 4}, 0)
    assert sum(step.losses.get("rejected_by_store", 0) for step in yard.steps) == 4


def test_a_wholly_refused_batch_does_not_hold_the_spool(yard: Yard) -> None:
    def answer(batch: Batch) -> Outcome:
        return Outcome(rejected=(Rejection(reason="rejected_by_store", rows=batch.rows),))

    yard.spool.commit([entry(3)])
    yard.finish(yard.lane(Shop(answer)))
    assert yard.steps[-1].mark == Mark(position=1, rows=3)


def test_a_backend_that_miscounts_shows_as_a_residual(yard: Yard) -> None:
    yard.spool.commit([entry(3)])
    lane = yard.lane(Shop(lambda batch: Outcome(accepted=1)))
    yard.finish(lane)
    assert lane.counts(0).residual == 2


def test_only_what_is_durable_is_reported(yard: Yard, wait_until: Callable[..., None]) -> None:
    shop = Shop(durable_at_once=False)
    lane = yard.lane(shop)
    yard.spool.commit([entry() for _ in range(4)])
    lane.wake()
    wait_until(lambda: lane.counts(0).stored == 4)
    assert yard.steps == []
    shop.durable = shop.calls[1]
    wait_until(lambda: yard.steps)
    assert yard.steps[-1].mark.position == 2
    shop.sync()
    wait_until(lambda: yard.steps[-1].mark.position == 4)


def test_after_a_restart_what_the_backend_had_already_is_let_go(yard: Yard) -> None:
    names = [result.name for result in yard.spool.commit([entry() for _ in range(6)])]
    shop = Shop(durable_at_once=False)
    shop.durable = names[3]
    lane = yard.lane(shop, begin=Mark(position=2, rows=2))
    yard.finish(lane)
    assert shop.calls == names[2:]
    assert yard.steps[-1].mark.position == 4


def test_a_strangers_name_reports_nothing(yard: Yard) -> None:
    yard.spool.commit([entry() for _ in range(3)])
    shop = Shop(durable_at_once=False)
    shop.durable = BatchName(writer="f" * 32, epoch=99, sequence=99)
    yard.finish(yard.lane(shop))
    assert yard.steps == []


def test_draining_gives_up_at_a_batch_that_cannot_be_taken(yard: Yard) -> None:
    yard.spool.commit([entry(5)])
    lane = yard.lane(Shop(lambda batch: Outcome(keep=batch.rows, detail="down")))
    yard.finish(lane)
    counts = lane.counts(0)
    assert (counts.stored, counts.lag_rows, counts.residual) == (0, 5, 0)
    assert yard.steps == []


def test_a_write_that_hangs_does_not_hold_up_the_end(yard: Yard) -> None:
    gate = threading.Event()
    begun = threading.Event()

    def answer(batch: Batch) -> Outcome:
        begun.set()
        gate.wait(WAIT)
        return Outcome(accepted=batch.rows)

    yard.spool.commit([entry(), entry()])
    shop = Shop(answer)
    lane = yard.lane(shop)
    assert begun.wait(WAIT)
    lane.drain()
    assert not lane.join(0.0)
    gate.set()
    assert lane.join(WAIT)
    assert len(shop.calls) == 1


def test_batches_that_cannot_be_read_are_counted_as_dropped(yard: Yard) -> None:
    yard.spool.commit([entry(3) for _ in range(6)])
    yard.spool.close()
    with apsw.Connection(str(yard.folder / "spool.sqlite")) as raw:
        raw.execute("UPDATE batches SET body = zeroblob(100) WHERE position IN (2, 3)")
        raw.execute("DELETE FROM batches WHERE position = 6")
    yard.spool = Spool(yard.folder, clock=Clock(), options=OPTIONS)
    lane = yard.lane(Shop())
    yard.finish(lane)
    counts = lane.counts(0)
    assert (counts.backlog, counts.stored, counts.dropped, counts.lag_rows, counts.residual) == (18, 9, 9, 0, 0)
    assert yard.steps[-1].mark == Mark(position=6, rows=18)
    assert sum(step.losses.get("corrupt_spool", 0) for step in yard.steps) == 9


def test_a_closed_spool_ends_the_lane(yard: Yard) -> None:
    lane = yard.lane(Shop())
    yard.spool.close()
    lane.wake()
    lane._thread.join(WAIT)
    assert lane.counts(0).state == "stopped"
    with pytest.raises(StoreError):
        yard.spool.read(0, 1)
