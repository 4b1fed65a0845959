"""Merging and retention: fewer files, the same answers, old rows gone; other programs read meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from stathouse.backends.local import merging
from stathouse.model import Event, EventQuery
from tests.backends.local.support import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
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


def live_files(folder: Path, table: str = "points") -> list[str]:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    return [str(folder / entry["path"]) for entry in manifest["files"] if entry["table"] == table]


def test_seals_become_parts_then_hours_then_days(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock, files=FaultyFiles()) as archive:
        levels: set[int] = set()
        sequence = 0
        for _ in range(25 * 12 + 8):
            sequence += 1
            archive.write(points_batch(sequence, [counter(sequence, time_ns=clock.now_ns(), n=str(sequence % 3))]))
            archive.seal()
            clock.go(5 * MINUTE)
            while archive.merge_once():
                pass
            levels |= {entry.level for entry in archive._shelf.manifest.files}
        assert levels == {0, 1, 2, 3}
        # One day, one hour, and the eight seals since.
        assert len(live_files(tmp_path)) == 10
        for _ in range(2):
            clock.go(HOUR)
            while archive.merge_once():
                pass
        assert values(archive) == [float(i) for i in range(1, sequence + 1)]
        on_disk = len(list(tmp_path.glob("points/**/*.parquet")))
        assert on_disk == len(live_files(tmp_path))


def test_merged_files_are_sorted_and_say_what_they_replace(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock) as archive:
        for sequence in range(1, 5):
            rows = [counter(i, time_ns=START + (100 - sequence) * SECOND, n=str(i % 4)) for i in range(20)]
            archive.write(points_batch(sequence, rows))
            archive.seal()
        sources = live_files(tmp_path)
        clock.go(3 * HOUR)
        assert archive.merge_once()
        [merged] = live_files(tmp_path)
        assert all(Path(path).exists() for path in sources)
        table = pq.read_table(merged)
        rows = list(zip(*(table.column(name).to_pylist() for name in ("name", "tags", "field", "time")), strict=True))
        assert rows == sorted(rows)
        footer = json.loads(pq.read_metadata(merged).metadata[b"stathouse.file"])
        assert [str(tmp_path / path) for path in footer["replaces"]] == sources
        clock.go(11 * MINUTE)
        assert archive.merge_once()
        assert not any(Path(path).exists() for path in sources)


def test_a_merge_in_small_stretches_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    monkeypatch.setattr(merging, "_STRETCH_ROWS", 3)
    with open_archive(tmp_path, clock) as archive:
        for sequence in range(1, 4):
            rows = [counter(i, time_ns=START + i, n=f"{i * sequence % 11}") for i in range(25)]
            archive.write(points_batch(sequence, rows))
            archive.seal()
        before = archive.query(everything())
        clock.go(3 * HOUR)
        assert archive.merge_once()
        assert archive.query(everything()) == before
        assert pq.read_metadata(live_files(tmp_path)[0]).num_row_groups > 5


def test_rows_past_the_retention_go_file_by_file_or_out_of_a_file(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock, keep_days=10.0) as archive:
        archive.write(points_batch(1, [counter(1), counter(2, n="only")]))
        archive.write(events_batch(2, [Event(key=("old",), id="1", time_ns=START)]))
        archive.seal()
        straddling = [counter(3, time_ns=START + DAY), counter(4, time_ns=START + 5 * DAY)]
        archive.write(points_batch(3, straddling))
        archive.seal()
        clock.time_ns = START + 10 * DAY
        while archive.merge_once():
            pass
        assert values(archive) == [1.0, 2.0, 3.0, 4.0]
        clock.time_ns = START + 12 * DAY + 1
        while archive.merge_once():
            pass
        assert values(archive) == [4.0]
        assert [one.tags for one in archive.series()] == [()]
        assert archive.events(EventQuery()) == []
        archive.write(points_batch(1, [counter(1)]))
        assert values(archive) == [4.0]


def test_a_series_that_was_forgotten_too_early_does_not_stop_the_retention(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock, keep_days=10.0) as archive:
        archive.write(points_batch(1, [counter(1)]))
        archive.seal()
        archive.write(
            points_batch(2, [counter(2, time_ns=START + DAY, n="late"), counter(3, time_ns=START + 11 * DAY, n="z")])
        )
        archive.seal()
        archive.write(points_batch(3, [counter(4, time_ns=START + 12 * DAY, n="new")]))
        archive.seal()
        # The house was down for some days: the first file goes whole, and with it what is known of the late series.
        clock.time_ns = START + 13 * DAY + 12 * HOUR
        while archive.merge_once():
            pass
        assert values(archive) == [3.0, 4.0]
        assert min(entry.first_ns for entry in archive._shelf.manifest.files) == START + 11 * DAY
        assert archive.stats()["problems"] == []


def test_a_new_series_never_gets_the_rows_of_a_forgotten_one(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(points_batch(1, [counter(1), counter(2, name="gone")]))
        archive.seal()
        archive._shelf.catalogue.expire(START + DAY)
        archive.write(points_batch(2, [counter(3, name="new")]))
        archive.seal()
        assert values(archive, "new") == [3.0]


def test_a_merge_is_given_up_when_the_archive_is_closed(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock) as archive:
        for sequence in (1, 2):
            archive.write(points_batch(sequence, [counter(sequence)]))
            archive.seal()
        clock.go(3 * HOUR)

        def stop() -> None:
            raise merging.Interrupted

        merger = merging.Merger(archive._shelf, pause=stop)
        assert not merger.merge_once()
        assert merger.failures == 0
        assert not list(tmp_path.glob("**/.tmp-*"))
        assert archive.merge_once()
        assert values(archive) == [1.0, 2.0]


def test_late_rows_do_not_rewrite_a_finished_hour_at_once(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock) as archive:
        for sequence in (1, 2):
            archive.write(points_batch(sequence, [counter(sequence)]))
            archive.seal()
        clock.go(2 * HOUR)
        assert archive.merge_once()
        for sequence in range(3, 7):
            assert len(live_files(tmp_path)) == sequence - 2
            archive.write(points_batch(sequence, [counter(sequence)]))
            archive.seal()
            while archive.merge_once():
                pass
        assert len(live_files(tmp_path)) == 1
        assert values(archive) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_a_full_disk_while_merging_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    clock, files = HandClock(), FaultyFiles()
    with open_archive(tmp_path, clock, files=files) as archive:
        for sequence in (1, 2):
            archive.write(points_batch(sequence, [counter(sequence)]))
            archive.seal()
        before = live_files(tmp_path)
        clock.go(3 * HOUR)
        files.refuse = ("write", 28)
        assert not archive.merge_once()
        files.refuse = None
        assert live_files(tmp_path) == before
        assert not list(tmp_path.glob("**/.tmp-*"))
        assert archive.merge_once()
        assert values(archive) == [1.0, 2.0]


def test_duckdb_and_pyarrow_read_true_sums_while_files_are_merged(tmp_path: Path) -> None:
    clock = HandClock()
    archive = open_archive(tmp_path, clock, files=FaultyFiles())
    for sequence in range(1, 121):
        archive.write(points_batch(sequence, [counter(1, time_ns=clock.now_ns(), n=str(i)) for i in range(5)]))
        archive.seal()
        clock.go(3 * MINUTE)
    wrong: list[object] = []
    merged = threading.Event()
    reads = 0

    def read() -> None:
        nonlocal reads
        connection = duckdb.connect()
        while not merged.is_set() or not reads:
            files = live_files(tmp_path)
            found = connection.execute("SELECT count(*), sum(double) FROM read_parquet(?)", [files]).fetchone()
            rows = sum(pq.read_table(path, columns=["double"]).num_rows for path in files)
            reads += 1
            if found != (600, 600.0) or rows != 600:
                wrong.append((found, rows))

    reader = threading.Thread(target=read)
    reader.start()
    while archive.merge_once():
        assert sum(values(archive)) == 600.0  # type: ignore[arg-type]
    merged.set()
    reader.join()
    assert not wrong
    assert reads
    archive.close()
