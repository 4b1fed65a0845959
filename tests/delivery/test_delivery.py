"""Delivery as a whole: to several backends, over restarts, with every row accounted for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stathouse.delivery import Delivery, DeliveryOptions
from stathouse.errors import Overloaded, StoreError, StoreLocked
from stathouse.model import Batch, Outcome, Rejection, Sink, SystemClock, Writer
from tests.delivery.helpers import Least, Shop, payload

WAIT = 20.0
OPTIONS = DeliveryOptions(poll_seconds=0.02, min_free_bytes=0)


def delivery(folder: Path, shops: Mapping[str, Writer], options: DeliveryOptions = OPTIONS) -> Delivery:
    return Delivery(folder / "spool", shops, clock=SystemClock(), random=Least(), options=options)


def test_it_is_a_sink(tmp_path: Path) -> None:
    sink: Sink = delivery(tmp_path, {})
    with pytest.raises(StoreError, match="not started"):
        sink.put(payload())


def test_rows_reach_every_backend_and_leave_the_spool(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    shops = {"one": Shop(), "two": Shop()}
    with delivery(tmp_path, shops) as house:
        names = [house.put(payload(3)).result(WAIT) for _ in range(10)]
        wait_until(lambda: house.counts().depth.batches == 0)
    assert [list(shop.stored) for shop in shops.values()] == [names, names]
    counts = house.counts()
    assert (counts.entry.spooled, counts.residual, counts.depth.rows) == (30, 0, 0)


def test_a_dead_backend_starves_no_other(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    gate = threading.Event()

    def hang(batch: Batch) -> Outcome:
        gate.wait(WAIT)
        return Outcome(keep=batch.rows, detail="down")

    quick = Shop()
    house = delivery(tmp_path, {"dead": Shop(hang), "quick": quick})
    with house:
        for _ in range(50):
            house.put(payload(2)).result(WAIT)
        wait_until(lambda: quick.rows == 100)
        dead, _ = house.counts().lanes
        assert (dead.lag_batches, dead.lag_rows, dead.residual) == (50, 100, 0)
        assert house.counts().depth.batches == 50
        gate.set()


def test_what_a_backend_did_not_take_waits_for_the_next_start(tmp_path: Path) -> None:
    with delivery(tmp_path, {"shop": Shop(lambda batch: Outcome(keep=batch.rows))}) as house:
        names = [house.put(payload(2)).result(WAIT) for _ in range(5)]
    assert house.counts().lanes[0].lag_rows == 10
    shop = Shop()
    with delivery(tmp_path, {"shop": shop}) as house:
        pass
    (lane,) = house.counts().lanes
    assert list(shop.stored) == names
    assert (lane.backlog, lane.spooled, lane.stored, lane.residual) == (10, 0, 10, 0)


def test_what_was_not_durable_comes_again_under_the_same_names(tmp_path: Path) -> None:
    shop = Shop(durable_at_once=False)
    with delivery(tmp_path, {"shop": shop}) as house:
        names = [house.put(payload()).result(WAIT) for _ in range(4)]
    again = Shop()
    with delivery(tmp_path, {"shop": again}) as house:
        pass
    assert shop.calls == again.calls == names


def test_a_full_spool_sheds_and_resumes_by_itself(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    down = threading.Event()
    down.set()
    shop = Shop(lambda batch: Outcome(keep=batch.rows) if down.is_set() else Outcome(accepted=batch.rows))
    options = DeliveryOptions(
        poll_seconds=0.02, min_free_bytes=0, max_rows=10, retry_base_seconds=0.01, retry_cap_seconds=0.01
    )
    with delivery(tmp_path, {"shop": shop}, options) as house:
        house.put(payload(10)).result(WAIT)
        with pytest.raises(StoreError):
            house.put(payload(1)).result(WAIT)
        wait_until(lambda: house.counts().losses == {("spool", "queue_full"): 1})
        down.clear()
        wait_until(lambda: house.counts().depth.rows == 0)
        assert not house.counts().shedding
        house.put(payload(10)).result(WAIT)
    assert house.counts().entry.dropped == {"queue_full": 1}
    assert house.counts().residual == 0


def test_losses_outlive_a_restart(tmp_path: Path) -> None:
    with delivery(tmp_path, {"shop": Shop()}) as house:
        house.drop("kernel_rcvbuf", 12)
    with delivery(tmp_path, {"shop": Shop()}) as house:
        assert house.counts().losses == {("door", "kernel_rcvbuf"): 12}
        assert house.counts().entry.dropped == {}


def test_two_cannot_have_the_same_spool(tmp_path: Path) -> None:
    with delivery(tmp_path, {}), pytest.raises(StoreLocked):
        delivery(tmp_path, {}).start()


def test_it_stops_in_time_although_a_backend_hangs(tmp_path: Path) -> None:
    gate, begun = threading.Event(), threading.Event()

    def hang(batch: Batch) -> Outcome:
        begun.set()
        gate.wait(WAIT)
        return Outcome(accepted=batch.rows)

    house = delivery(tmp_path, {"shop": Shop(hang)})
    house.start()
    house.put(payload()).result(WAIT)
    assert begun.wait(WAIT)
    assert house.stop(deadline_seconds=0.2) == ("shop",)
    assert house.stop() == ()
    with pytest.raises(Overloaded):
        house.put(payload())
    gate.set()


def test_it_runs_once(tmp_path: Path) -> None:
    house = delivery(tmp_path, {})
    with house, pytest.raises(StoreError):
        house.start()


def test_every_row_is_accounted_for_under_eight_threads(tmp_path: Path) -> None:
    def refuse_some(batch: Batch) -> Outcome:
        refused = batch.rows // 3
        return Outcome(
            accepted=batch.rows - refused,
            rejected=(Rejection(reason="rejected_by_store", rows=refused),) if refused else (),
        )

    flaky_calls = iter(range(1_000_000))
    shops = {
        "good": Shop(),
        "picky": Shop(refuse_some),
        "flaky": Shop(
            lambda batch: Outcome(accepted=batch.rows) if next(flaky_calls) % 3 else Outcome(keep=batch.rows)
        ),
    }
    done = threading.Event()
    residuals: set[int] = set()

    def work(number: int) -> None:
        for turn in range(150):
            future = house.put(payload(1 + turn % 7), key=f"{number % 2}-{turn}" if turn % 4 == 0 else "")
            if turn % 10 == 0:
                future.result(WAIT)
            if turn % 50 == 0:
                house.drop("queue_full", 1)

    def watch() -> None:
        while not done.is_set():
            residuals.add(house.counts().residual)

    with delivery(tmp_path, shops) as house:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        watcher = threading.Thread(target=watch)
        for thread in (*threads, watcher):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        watcher.join()
    counts = house.counts()
    assert residuals == {0}
    assert counts.entry.duplicates > 0
    assert counts.entry.spooled == shops["good"].rows == counts.lanes[0].stored
    picky = counts.lanes[1]
    assert picky.stored + sum(picky.rejected.values()) == counts.entry.spooled
    assert counts.losses[("picky", "rejected_by_store")] == picky.rejected["rejected_by_store"]


def test_a_spool_that_is_spoiled_while_it_runs_is_repaired(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    down = threading.Event()
    down.set()
    shop = Shop(lambda batch: Outcome(keep=batch.rows) if down.is_set() else Outcome(accepted=batch.rows))
    with delivery(tmp_path, {"shop": shop}) as house:
        for _ in range(30):
            house.put(payload(2, size=20_000)).result(WAIT)
    assert house.counts().lanes[0].lag_rows == 60
    file = tmp_path / "spool" / "spool.sqlite"
    data = bytearray(file.read_bytes())
    data[200_000:300_000] = bytes(100_000)
    file.write_bytes(data)
    down.clear()
    with delivery(tmp_path, {"shop": shop}) as house:
        wait_until(lambda: house.counts().lanes[0].lag_rows == 0)
        house.put(payload(2)).result(WAIT)
        wait_until(lambda: house.counts().lanes[0].lag_rows == 0)
    (lane,) = house.counts().lanes
    assert (lane.residual, house.counts().residual) == (0, 0)
    assert lane.dropped > 0
    assert lane.stored + lane.dropped == 62
