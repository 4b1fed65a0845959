"""The process dies at every step of sealing, merging and starting; afterwards every row is there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from stathouse.backends.local.archive import LocalArchive
from stathouse.model import Batch, Event, EventQuery
from tests.backends.local.support import (
    DAY,
    HOUR,
    START,
    FaultyFiles,
    HandClock,
    Killed,
    counter,
    events_batch,
    open_archive,
    points_batch,
    values,
)


def spool(count: int) -> list[Batch]:
    """Return what the spool holds: points and events in one sequence."""
    batches: list[Batch] = []
    for sequence in range(1, count + 1):
        if sequence % 3 == 0:
            batches.append(events_batch(sequence, [Event(key=("b", sequence), id=str(sequence), time_ns=START)]))
        else:
            batches.append(points_batch(sequence, [counter(sequence, time_ns=START + sequence, n=str(sequence % 2))]))
    return batches


def deliver(archive: LocalArchive, batches: list[Batch]) -> None:
    """Send, as the spool does after a start, what came after the last durable batch."""
    durable = archive.durable_through()
    for batch in batches:
        if durable is None or batch.name > durable:
            assert archive.write(batch).accepted == batch.rows


def check(archive: LocalArchive, batches: list[Batch]) -> None:
    assert values(archive) == [float(b.name.sequence) for b in batches if b.table == "points"]
    events = archive.events(EventQuery())
    assert sorted(event.id for event in events) == sorted(str(b.name.sequence) for b in batches if b.table == "events")
    assert archive.stats()["quarantined"] == 0


def live(archive: LocalArchive, batches: list[Batch], clock: HandClock) -> None:
    """Seal twice and merge, as a day would."""
    durable = archive.durable_through()
    for index, batch in enumerate(batches):
        if durable is None or batch.name > durable:
            archive.write(batch)
        if index % 4 == 3:
            archive.seal()
    clock.time_ns = START + 3 * HOUR
    while archive.merge_once():
        pass
    clock.time_ns = START + 2 * DAY
    while archive.merge_once():
        pass


def steps_of_a_life(folder: Path) -> int:
    clock, files = HandClock(), FaultyFiles()
    archive = open_archive(folder, clock, files=files)
    live(archive, spool(8), clock)
    archive.abandon()
    return len(files.steps)


@pytest.mark.parametrize("share", range(6))
def test_killed_at_every_step_of_seals_and_merges(tmp_path: Path, share: int) -> None:
    batches = spool(8)
    steps = steps_of_a_life(tmp_path / "whole")
    assert steps > 60
    for die_at in range(share, steps, 6):
        folder = tmp_path / str(die_at)
        clock = HandClock()
        archive = None
        try:
            archive = open_archive(folder, clock, files=FaultyFiles(die_at=die_at))
            live(archive, batches, clock)
        except Killed:
            pass
        if archive is not None:
            archive.abandon()
        with open_archive(folder, clock, files=FaultyFiles()) as again:
            deliver(again, batches)
            check(again, batches)
            again.seal()
            check(again, batches)
            while again.merge_once():
                check(again, batches)
            for _ in range(2):
                clock.go(3 * DAY)
                while again.merge_once():
                    pass
            check(again, batches)
            assert len(list(folder.glob("points/**/*.parquet"))) <= 2, die_at
            assert not list(folder.glob("**/.tmp-*"))


def test_killed_at_every_step_of_a_start(tmp_path: Path) -> None:
    """A start that has orphans to place and a manifest to rebuild is itself killed, at every step."""
    batches = spool(8)

    def prepare(folder: Path) -> None:
        clock = HandClock()
        archive = open_archive(folder, clock, files=FaultyFiles())
        live(archive, batches, clock)
        archive.abandon()
        (folder / "manifest.json").write_bytes(b'{"torn')
        (folder / ".tmp-points.parquet").write_bytes(b"half")
        (folder / "points" / "stranger").write_bytes(b"?")

    prepare(tmp_path / "whole")
    files = FaultyFiles()
    open_archive(tmp_path / "whole", HandClock(START + 2 * DAY), files=files).abandon()
    assert len(files.steps) > 5
    for die_at in range(len(files.steps)):
        folder = tmp_path / str(die_at)
        prepare(folder)
        with pytest.raises(Killed):
            open_archive(folder, HandClock(START + 2 * DAY), files=FaultyFiles(die_at=die_at))
        with open_archive(folder, HandClock(START + 2 * DAY), files=FaultyFiles()) as again:
            deliver(again, batches)
            assert values(again) == [float(b.name.sequence) for b in batches if b.table == "points"]
            assert len(again.events(EventQuery())) == 2


def test_a_sealed_file_that_the_manifest_does_not_name_is_adopted(tmp_path: Path) -> None:
    clock = HandClock()
    archive = open_archive(tmp_path, clock)
    archive.write(points_batch(1, [counter(1)]))
    archive.seal()
    before = (tmp_path / "manifest.json").read_bytes()
    archive.write(points_batch(2, [counter(2)]))
    archive.seal()
    archive.abandon()
    (tmp_path / "manifest.json").write_bytes(before)
    with open_archive(tmp_path, clock) as again:
        assert values(again) == [1.0, 2.0]
        again.write(points_batch(2, [counter(2)]))
        assert values(again) == [1.0, 2.0]
