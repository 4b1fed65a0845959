"""The spool: commits, names, keys, cursors, trimming, and a disk that fails."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stathouse.delivery import DeliveryOptions
from stathouse.delivery.records import Advance, Mark
from stathouse.delivery.spool import Spool
from stathouse.errors import StoreError, StoreFull, StoreLocked
from tests.delivery.helpers import Clock, entry, faulty_disk

MUCH = 1 << 30
SMALL = DeliveryOptions(max_bytes=10_000, max_rows=50, min_free_bytes=0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions())
    yield made
    made.close()


def reopened(spool: Spool, folder: Path, clock: Clock) -> Spool:
    spool.close()
    return Spool(folder / "spool", clock=clock, options=DeliveryOptions())


def test_batches_come_back_in_order_as_they_were(spool: Spool) -> None:
    spool.commit([entry(1, fill=b"a"), entry(2, fill=b"b")])
    spool.commit([entry(3, fill=b"c")])
    batches = [item.batch for item in spool.read(0, MUCH).batches]
    assert [(batch.rows, batch.body[:1], batch.table) for batch in batches] == [
        (1, b"a", "points"),
        (2, b"b", "points"),
        (3, b"c", "points"),
    ]
    assert [(batch.name.epoch, batch.name.sequence) for batch in batches] == [(1, 1), (1, 2), (1, 3)]
    assert len(batches[0].name.writer) == 32


def test_a_reading_ends_where_it_is_large_enough(spool: Spool) -> None:
    spool.commit([entry(size=1_000) for _ in range(5)])
    reading = spool.read(0, 1_500)
    assert (len(reading.batches), reading.through) == (2, Mark(position=2, rows=2))
    assert len(spool.read(2, 1).batches) == 1
    assert spool.read(5, MUCH).batches == ()


def test_a_start_makes_a_new_epoch_and_keeps_the_writer(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    (first,) = spool.commit([entry()])
    again = reopened(spool, tmp_path, clock)
    (second,) = again.commit([entry()])
    again.close()
    assert first.name.writer == second.name.writer
    assert (second.name.epoch, second.name.sequence) == (2, 1)


def test_an_epoch_is_not_given_twice_even_when_the_log_is_lost(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    spool.close()
    folder = tmp_path / "spool"
    before = (folder / "spool.sqlite").read_bytes()
    second = Spool(folder, clock=clock, options=DeliveryOptions())
    (early,) = second.commit([entry()])
    second.close()
    (folder / "spool.sqlite").write_bytes(before)
    third = Spool(folder, clock=clock, options=DeliveryOptions())
    (late,) = third.commit([entry()])
    third.close()
    assert late.name.writer == early.name.writer
    assert late.name.epoch > early.name.epoch


def test_a_key_answers_with_the_first_name(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    first, same_group = spool.commit([entry(5, key="a"), entry(5, key="a")])
    (later,) = spool.commit([entry(5, key="a")])
    assert not first.duplicate
    assert (same_group.duplicate, later.duplicate) == (True, True)
    assert first.name == same_group.name == later.name
    assert spool.end.rows == 5
    again = reopened(spool, tmp_path, clock)
    (after,) = again.commit([entry(5, key="a")])
    again.close()
    assert (after.name, after.duplicate) == (first.name, True)


def test_a_key_is_forgotten_after_its_days(spool: Spool, clock: Clock) -> None:
    (first,) = spool.commit([entry(key="a")])
    clock.now += 8 * 86_400 * 10**9
    spool.commit([entry(key="b")])
    (again,) = spool.commit([entry(key="a")])
    assert not again.duplicate
    assert again.name != first.name


def test_the_slowest_backend_holds_the_spool(spool: Spool) -> None:
    spool.attach(["fast", "slow"])
    spool.commit([entry(size=1_000) for _ in range(10)])
    spool.commit([], advances=[Advance(backend="fast", mark=Mark(position=10, rows=10))])
    assert spool.depth().batches == 10
    spool.commit([], advances=[Advance(backend="slow", mark=Mark(position=4, rows=4))])
    assert (spool.depth().batches, spool.depth().rows, spool.depth().bytes) == (6, 6, 6_000)
    assert spool.read(0, MUCH).batches[0].mark.position == 5


def test_positions_are_never_used_twice(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    spool.attach(["one"])
    spool.commit([entry() for _ in range(3)])
    spool.commit([], advances=[Advance(backend="one", mark=Mark(position=3, rows=3))])
    again = reopened(spool, tmp_path, clock)
    again.commit([entry()])
    assert again.attach(["one"])["one"] == Mark(position=3, rows=3)
    assert again.read(3, MUCH).batches[0].mark == Mark(position=4, rows=4)
    again.close()


def test_a_new_backend_begins_at_the_oldest_and_one_that_is_gone_holds_nothing(
    spool: Spool, tmp_path: Path, clock: Clock
) -> None:
    spool.attach(["stays", "goes"])
    spool.commit([entry() for _ in range(4)])
    steps = [
        Advance(backend="stays", mark=Mark(position=3, rows=3)),
        Advance(backend="goes", mark=Mark(position=1, rows=1)),
    ]
    spool.commit([], advances=steps)
    again = reopened(spool, tmp_path, clock)
    assert again.attach(["stays", "new"]) == {"stays": Mark(position=3, rows=3), "new": Mark(position=1, rows=1)}
    again.attach(["stays"])
    again.commit([])
    assert again.depth().batches == 1
    again.close()


def test_losses_are_kept_over_a_restart(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    spool.attach(["shop"])
    spool.commit([entry()], losses={("door", "queue_full"): 3})
    step = Advance(backend="shop", mark=Mark(position=1, rows=1), losses={"rejected_by_store": 2})
    spool.commit([], losses={("door", "queue_full"): 4}, advances=[step])
    again = reopened(spool, tmp_path, clock)
    assert again.losses == {("door", "queue_full"): 7, ("shop", "rejected_by_store"): 2}
    again.close()


def test_the_file_shrinks_after_a_backlog(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions(keep_free_bytes=1 << 20))
    spool.attach(["shop"])
    for _ in range(20):
        spool.commit([entry(size=1 << 20)])
    spool.commit([], advances=[Advance(backend="shop", mark=spool.end)])
    while spool.tidy():
        pass
    spool.close()
    assert (tmp_path / "spool" / "spool.sqlite").stat().st_size < 3 << 20


def test_age_and_room_are_told(spool: Spool, clock: Clock) -> None:
    assert spool.depth().oldest_seconds == 0
    spool.commit([entry()])
    clock.now += 5 * 10**9
    assert spool.depth().oldest_seconds == 5
    assert spool.depth().free_bytes > 0


def test_the_bounds_of_the_spool(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path / "spool", clock=clock, options=SMALL)
    assert spool.refusal(50, 10_000) == ""
    assert spool.refusal(51, 1) == "queue_full"
    assert spool.refusal(1, 10_001) == "queue_full"
    spool.commit([entry(50, size=1)])
    assert spool.refusal(1, 1) == "queue_full"
    spool.close()


def test_too_little_free_disk_is_no_room(tmp_path: Path, clock: Clock) -> None:
    options = DeliveryOptions(min_free_bytes=1 << 62, min_free_percent=100.0)
    spool = Spool(tmp_path / "spool", clock=clock, options=options)
    assert spool.refusal(1, 1) == "disk_full"
    spool.close()


def test_only_one_holds_a_folder(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(StoreLocked):
        Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions())
    again = reopened(spool, tmp_path, clock)
    again.close()


def test_only_the_owner_can_read_it(spool: Spool, tmp_path: Path) -> None:
    spool.commit([entry()])
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    files = [path for path in (tmp_path / "spool").iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {path.name for path in files} >= {"spool.sqlite", "spool.sqlite-wal", "lock"}


def test_a_newer_spool_is_refused_and_left_alone(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    spool.commit([entry()])
    spool.close()
    file = tmp_path / "spool" / "spool.sqlite"
    with file.open("r+b") as raw:
        raw.seek(60)
        raw.write((0x2_0002).to_bytes(4))
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"version 2.*knows 1.*--data"):
        Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions())
    assert file.read_bytes() == before
    assert not (tmp_path / "spool" / "quarantine").exists()


def test_a_failed_sync_begins_a_new_file_and_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    with faulty_disk() as disk:
        spool = Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions(), vfs="faulty")
        spool.attach(["shop"])
        spool.commit([entry(fill=b"a", key="a")])
        disk.failing_syncs = 1
        (second,) = spool.commit([entry(fill=b"b", key="b")])
        (third,) = spool.commit([entry(fill=b"c")])
        (repeat,) = spool.commit([entry(fill=b"b", key="b")])
        found = [item.batch for item in spool.read(0, MUCH).batches]
        spool.close()
    assert [batch.body[:1] for batch in found] == [b"a", b"b", b"c"]
    assert len({batch.name for batch in found}) == 3
    assert repeat.duplicate
    assert repeat.name == second.name
    assert third.name.epoch >= second.name.epoch
    assert len(list((tmp_path / "spool" / "quarantine").iterdir())) == 1


def test_a_disk_that_goes_on_failing_is_an_error_until_it_works(tmp_path: Path, clock: Clock) -> None:
    with faulty_disk() as disk:
        spool = Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions(), vfs="faulty")
        spool.commit([entry(fill=b"a")])
        disk.failing_syncs = 1_000
        for _ in range(3):
            with pytest.raises(StoreError):
                spool.commit([entry(fill=b"b")])
        disk.failing_syncs = 0
        spool.commit([entry(fill=b"c")])
        found = [item.batch.body[:1] for item in spool.read(0, MUCH).batches]
        spool.close()
    assert found[0] == b"a"
    assert found[-1] == b"c"


def test_a_full_disk_takes_nothing_until_there_is_room(tmp_path: Path, clock: Clock) -> None:
    with faulty_disk() as disk:
        spool = Spool(tmp_path / "spool", clock=clock, options=DeliveryOptions(), vfs="faulty")
        spool.commit([entry(fill=b"a")])
        disk.full = True
        for _ in range(3):
            with pytest.raises(StoreFull):
                spool.commit([entry(fill=b"b")])
        disk.full = False
        spool.commit([entry(fill=b"c")])
        found = [item.batch.body[:1] for item in spool.read(0, MUCH).batches]
        spool.close()
    assert found == [b"a", b"c"]


def test_a_long_backlog_is_forgotten_part_by_part(spool: Spool) -> None:
    spool.attach(["a"])
    spool.commit([entry() for _ in range(5_000)])
    assert not spool.trim()
    spool.commit([], advances=[Advance(backend="a", mark=spool.end)])
    assert spool.depth().batches == 904
    assert spool.trim()
    assert spool.depth().batches == 0
    assert not spool.trim()
