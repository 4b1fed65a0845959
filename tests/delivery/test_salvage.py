"""Damaged spools: what can be read goes on, the rest is counted, and the house starts."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from stathouse.delivery import DeliveryOptions
from stathouse.delivery.records import Advance, Mark
from stathouse.delivery.spool import Spool
from tests.delivery.helpers import Clock, entry

MUCH = 1 << 30
BATCHES = 60
ROWS = 7


def opened(folder: Path) -> Spool:
    return Spool(folder, clock=Clock(), options=DeliveryOptions())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a closed spool: 60 batches of 7 rows, of which a backend has ten for good."""
    folder = tmp_path_factory.mktemp("written") / "spool"
    spool = opened(folder)
    spool.attach(["shop"])
    for number in range(BATCHES):
        spool.commit([entry(ROWS, key=f"key-{number}", size=3_000 + 200 * number, fill=bytes([number]))])
    spool.commit([], advances=[Advance(backend="shop", mark=Mark(position=10, rows=10 * ROWS))])
    spool.close()
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """Return a copy to spoil."""
    return Path(shutil.copytree(written, tmp_path / "spool"))


def survey(spool: Spool) -> tuple[list[int], int]:
    """Return which batches can be read, each checked against what was written, and the rows that are known lost."""
    found = []
    for item in spool.read(0, MUCH).batches:
        number = item.mark.position - 1
        assert item.batch.body == bytes([number]) * (3_000 + 200 * number)
        assert (item.batch.rows, item.mark.rows) == (ROWS, ROWS * item.mark.position)
        found.append(number)
    return found, spool.losses.get(("spool", "corrupt_spool"), 0)


def spoil(folder: Path, change: Callable[[bytearray], bytearray]) -> None:
    file = folder / "spool.sqlite"
    file.write_bytes(change(bytearray(file.read_bytes())))


def zeroed(data: bytearray) -> bytearray:
    middle = len(data) // 2
    data[middle : middle + 16_384] = bytes(16_384)
    return data


def cut(data: bytearray) -> bytearray:
    return data[: len(data) // 2 + 1_000]


def test_the_copy_is_whole_before_it_is_spoiled(folder: Path) -> None:
    spool = opened(folder)
    assert survey(spool) == (list(range(10, BATCHES)), 0)
    spool.close()


@pytest.mark.parametrize("change", [zeroed, cut])
def test_most_batches_outlive_a_lost_part_of_the_file(folder: Path, change: Callable[[bytearray], bytearray]) -> None:
    spoil(folder, change)
    spool = opened(folder)
    found, lost = survey(spool)
    kept = len(found)
    assert kept >= 10
    unreadable = spool.end.rows - 10 * ROWS - kept * ROWS
    assert unreadable > 0
    assert lost in (0, unreadable)  # 0: the file still opened, and the lanes will count the holes as they pass them
    (again,) = spool.commit([entry(key="after")])
    assert spool.read(0, MUCH).batches[-1].batch.name == again.name
    spool.close()


def test_a_spoiled_body_is_found_and_left_out(folder: Path) -> None:
    def flip(data: bytearray) -> bytearray:
        place = data.index(bytes([30]) * 2_000)
        data[place + 5] ^= 1
        return data

    spoil(folder, flip)
    spool = opened(folder)
    found, _ = survey(spool)
    assert 30 not in found
    assert len(found) == BATCHES - 10 - 1
    spool.close()


@pytest.mark.parametrize("content", [b"", b"x", b"garbage " * 5_000, bytes(100_000)])
def test_a_file_that_is_no_spool_is_put_away(folder: Path, content: bytes) -> None:
    (folder / "spool.sqlite").write_bytes(content)
    spool = opened(folder)
    spool.attach(["shop"])
    spool.commit([entry(fill=b"n")])
    assert [item.batch.body[:1] for item in spool.read(0, MUCH).batches] == [b"n"]
    if content:
        assert spool.losses[("spool", "corrupt_spool")] >= 1
        (kept,) = (folder / "quarantine").glob("*/spool.sqlite")
        assert kept.read_bytes() == content
    spool.close()


def test_another_programs_database_is_put_away_whole(folder: Path) -> None:
    file = folder / "spool.sqlite"
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()
    spool = opened(folder)
    assert spool.read(0, MUCH).batches == ()
    spool.close()
    (kept,) = (folder / "quarantine").glob("*/spool.sqlite")
    assert sqlite3.connect(kept).execute("SELECT count(*) FROM notes").fetchone() == (0,)


def test_without_its_state_the_spool_gets_a_new_writer(folder: Path) -> None:
    def lose_state(data: bytearray) -> bytearray:
        place = data.index(b'{"writer"')
        data[place + 4] ^= 0xFF
        return data

    writer = _writer(folder)
    spoil(folder, lose_state)
    spool = opened(folder)
    found, lost = survey(spool)
    assert found == list(range(10, BATCHES))
    assert lost >= 1  # it cannot be known that nothing is missing
    (fresh,) = spool.commit([entry()])
    assert fresh.name.writer != writer
    assert spool.attach(["shop"])["shop"].position == 10
    spool.close()


def test_keys_are_known_after_a_repair(folder: Path) -> None:
    spool = opened(folder)
    spool.repair()
    (repeat,) = spool.commit([entry(ROWS, key="key-20")])
    assert repeat.duplicate
    assert repeat.name.sequence == 21
    spool.close()


def test_a_repair_while_it_runs_loses_nothing(folder: Path) -> None:
    spool = opened(folder)
    spool.attach(["shop"])
    (before,) = spool.commit([entry(ROWS)])
    spool.repair()
    (after,) = spool.commit([entry(ROWS)])
    names = [item.batch.name for item in spool.read(0, MUCH).batches]
    assert names[-2:] == [before.name, after.name]
    assert len(names) == BATCHES - 10 + 2
    spool.close()


@pytest.mark.parametrize("moved", [(), ("spool.sqlite-wal",), ("spool.sqlite-wal", "spool.sqlite")])
def test_a_repair_that_was_cut_off_is_finished(folder: Path, tmp_path: Path, moved: tuple[str, ...]) -> None:
    rebuilt = Path(shutil.copytree(folder, tmp_path / "other"))
    shutil.copy(rebuilt / "spool.sqlite", folder / "spool.rebuilt")
    (folder / "spool.sqlite-wal").write_bytes(b"of the old file")
    spoil(folder, lambda data: bytearray(b"damaged" * 1_000))
    for name in moved:
        (folder / name).unlink()
    spool = opened(folder)
    assert survey(spool) == (list(range(10, BATCHES)), 0)
    assert not (folder / "spool.rebuilt").exists()
    spool.close()


def test_any_flipped_byte_is_survived_and_never_gives_a_wrong_batch(written: Path, tmp_path: Path) -> None:
    random = Random(11)
    size = (written / "spool.sqlite").stat().st_size
    for turn in range(60):
        folder = Path(shutil.copytree(written, tmp_path / f"spool{turn}"))
        places = [random.randrange(size) for _ in range(random.choice([1, 1, 8, 64]))]

        def flip(data: bytearray, places: list[int] = places) -> bytearray:
            for place in places:
                data[place] ^= 1 << random.randrange(8)
            return data

        spoil(folder, flip)
        spool = opened(folder)
        spool.attach(["shop"])
        survey(spool)
        (fresh,) = spool.commit([entry(fill=b"n")])
        assert spool.read(0, MUCH).batches[-1].batch.name == fresh.name
        spool.close()
        shutil.rmtree(folder)


def _writer(folder: Path) -> str:
    spool = opened(folder)
    writer = spool.read(0, 1).batches[0].batch.name.writer
    spool.close()
    return writer
