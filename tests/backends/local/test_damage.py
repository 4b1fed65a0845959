"""Files that are torn, flipped, missing, doubled, unknown or newer: the archive starts, says so, and is never wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stathouse.backends.local.archive import LocalArchive
from stathouse.errors import StoreError
from stathouse.model import Event, EventQuery
from tests.backends.local.support import (
    DAY,
    HOUR,
    START,
    FaultyFiles,
    HandClock,
    counter,
    events_batch,
    everything,
    open_archive,
    points_batch,
    values,
)


def filled(folder: Path, clock: HandClock) -> LocalArchive:
    """Return an archive with two sealed files of points (1, 2 and 3, 4) and one of events."""
    archive = open_archive(folder, clock, files=FaultyFiles())
    archive.write(points_batch(1, [counter(1), counter(2, time_ns=START + 1)]))
    archive.write(events_batch(2, [Event(key=("e",), id="1", time_ns=START)]))
    archive.seal()
    archive.write(points_batch(3, [counter(3, time_ns=START + 2), counter(4, time_ns=START + 3)]))
    archive.seal()
    return archive


def sealed(folder: Path) -> list[Path]:
    return sorted(folder.glob("points/**/*.parquet"), key=lambda path: path.name.rpartition("-")[2])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero_middle(path: Path) -> None:
    body = path.read_bytes()
    path.write_bytes(body[:100] + bytes(400) + body[500:])


def zero_all(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [truncate, empty, zero_middle, zero_all, remove])
def test_a_damaged_file_is_set_aside_and_the_spool_brings_it_back(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    clock = HandClock()
    filled(tmp_path, clock).close()
    damage(sealed(tmp_path)[0])
    with open_archive(tmp_path, clock) as archive:
        assert values(archive) == [3.0, 4.0]
        stats = archive.stats()
        assert stats["quarantined"] == (0 if damage is remove else 1)
        assert "2 rows are lost, but for those that the spool still holds" in str(stats["problems"])
        assert archive.durable_through() is None
        archive.write(points_batch(1, [counter(1), counter(2, time_ns=START + 1)]))
        archive.write(points_batch(3, [counter(3, time_ns=START + 2), counter(4, time_ns=START + 3)]))
        assert values(archive) == [1.0, 2.0, 3.0, 4.0]
        assert len(archive.events(EventQuery())) == 1


def test_every_flipped_bit_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    """A flip is found out or does not matter: what is answered is right or is not answered."""
    clock = HandClock()
    filled(tmp_path / "sound", clock).close()
    size = sealed(tmp_path / "sound")[0].stat().st_size
    lost = 0
    for place in range(0, size, 41):
        folder = tmp_path / str(place)
        shutil.copytree(tmp_path / "sound", folder)
        path = sealed(folder)[0]
        body = bytearray(path.read_bytes())
        body[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(body))
        archive = open_archive(folder, clock, files=FaultyFiles())
        answered = values(archive)
        assert answered in ([3.0, 4.0], [1.0, 2.0, 3.0, 4.0]), place
        lost += len(answered) == 2
        assert (archive.stats()["quarantined"] == 1) == (len(answered) == 2)
        archive.abandon()
    assert lost > 20


def test_a_damaged_merged_file_is_replaced_by_its_sources_while_they_last(tmp_path: Path) -> None:
    clock = HandClock()
    archive = filled(tmp_path, clock)
    clock.go(3 * HOUR)
    assert archive.merge_once()
    merged = [path for path in sealed(tmp_path) if "-h" in path.name]
    zero_middle(merged[0])
    assert values(archive) == [1.0, 2.0, 3.0, 4.0]
    assert "the files it was made of took its place" in str(archive.stats()["problems"])
    archive.close()
    with open_archive(tmp_path, clock) as again:
        assert values(again) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("manifest", [b"", b'{"format": 1, "torn', b'{"format": 1, "sha256": "0"}', b"[]", None])
def test_a_lost_manifest_is_rebuilt_from_the_footers(tmp_path: Path, manifest: bytes | None) -> None:
    clock = HandClock()
    archive = filled(tmp_path, clock)
    clock.go(3 * HOUR)
    while archive.merge_once():
        pass
    archive.write(points_batch(4, [counter(5)]))
    archive.close()
    if manifest is None:
        (tmp_path / "manifest.json").unlink()
    else:
        (tmp_path / "manifest.json").write_bytes(manifest)
    with open_archive(tmp_path, clock) as again:
        assert values(again) == [1.0, 2.0, 3.0, 4.0, 5.0]
        again.write(points_batch(1, [counter(1), counter(2, time_ns=START + 1)]))
        again.write(points_batch(4, [counter(5)]))
        again.write(points_batch(5, [counter(6)]))
        assert values(again) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        assert again.stats()["quarantined"] == (0 if manifest is None else 1)


@pytest.mark.parametrize("damage", [truncate, empty, zero_middle, zero_all, remove])
def test_a_lost_catalogue_is_rebuilt_from_the_files(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    clock = HandClock()
    archive = filled(tmp_path, clock)
    before = (archive.series(), archive.query(everything()), archive.events(EventQuery()))
    archive.close()
    damage(tmp_path / "catalogue.sqlite")
    for extra in ("-wal", "-shm"):
        (tmp_path / f"catalogue.sqlite{extra}").unlink(missing_ok=True)
    with open_archive(tmp_path, clock) as again:
        assert (again.series(), again.query(everything()), again.events(EventQuery())) == before
        clock.go(2 * DAY)
        while again.merge_once():
            pass
        assert values(again) == [1.0, 2.0, 3.0, 4.0]


def test_unknown_and_doubled_files_are_not_answered(tmp_path: Path) -> None:
    clock = HandClock()
    filled(tmp_path, clock).close()
    first = sealed(tmp_path)[0]
    shutil.copy(first, first.with_name("copy.parquet"))
    (tmp_path / "points" / "notes.txt").write_text("hello")
    (tmp_path / "events" / "half.parquet").write_bytes(b"PAR1 no PAR1")
    with open_archive(tmp_path, clock) as archive:
        assert values(archive) == [1.0, 2.0, 3.0, 4.0]
        assert archive.stats()["quarantined"] == 2
        assert {path.name for path in (tmp_path / "quarantine").iterdir()} == {"notes.txt", "half.parquet"}


def test_a_doubled_file_counts_once_also_without_manifest(tmp_path: Path) -> None:
    clock = HandClock()
    filled(tmp_path, clock).close()
    first = sealed(tmp_path)[0]
    shutil.copy(first, first.with_name("copy.parquet"))
    (tmp_path / "manifest.json").unlink()
    with open_archive(tmp_path, clock) as archive:
        assert values(archive) == [1.0, 2.0, 3.0, 4.0]
        assert archive.stats()["quarantined"] == 1


def test_a_file_of_a_newer_format_stays_untouched_and_is_reported(tmp_path: Path) -> None:
    clock = HandClock()
    filled(tmp_path, clock).close()
    newer = tmp_path / "points" / "newer.parquet"
    table = pq.read_table(sealed(tmp_path)[0])
    pq.write_table(table.replace_schema_metadata({"stathouse.format": "2"}), newer)
    body = newer.read_bytes()
    for _ in range(2):
        with open_archive(tmp_path, clock) as archive:
            assert values(archive) == [1.0, 2.0, 3.0, 4.0]
            assert "newer Stathouse" in str(archive.stats()["problems"])
            assert archive.stats()["quarantined"] == 0
        assert newer.read_bytes() == body


def test_a_manifest_of_a_newer_format_refuses_politely(tmp_path: Path) -> None:
    clock = HandClock()
    filled(tmp_path, clock).close()
    path = tmp_path / "manifest.json"
    from stathouse.backends.local.manifest import _digest

    manifest = json.loads(path.read_bytes())
    manifest["format"] = 2
    del manifest["sha256"]
    manifest["sha256"] = _digest(manifest)
    path.write_text(json.dumps(manifest))
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    with pytest.raises(StoreError, match="newer Stathouse"):
        open_archive(tmp_path, clock)
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before


def test_a_file_that_goes_while_the_house_runs_is_missed_once(tmp_path: Path) -> None:
    archive = filled(tmp_path, HandClock())
    sealed(tmp_path)[0].unlink()
    assert values(archive) == [3.0, 4.0]
    assert "it is missing" in str(archive.stats()["problems"])
    archive.close()


def test_a_file_that_goes_does_not_stop_the_merging_of_the_others(tmp_path: Path) -> None:
    clock = HandClock()
    archive = filled(tmp_path, clock)
    archive.write(points_batch(4, [counter(5, time_ns=START + 4)]))
    archive.seal()
    sealed(tmp_path)[0].unlink()
    clock.go(3 * HOUR)
    assert not archive.merge_once()
    assert archive.merge_once()
    assert values(archive) == [3.0, 4.0, 5.0]
    archive.close()


def test_damage_that_a_question_with_steps_meets_does_not_fail_the_question(tmp_path: Path) -> None:
    archive = filled(tmp_path, HandClock())
    zero_middle(sealed(tmp_path)[0])
    (found,) = archive.query(everything(step_ns=HOUR)).series
    assert [row.value for row in found.rows] == [7.0]
    archive.close()
