"""The archive as a writer: idempotent, sealed by rows, bytes and time, honest about a full disk."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import apsw
import pytest

from stathouse.backends.local import open as open_url
from stathouse.errors import ConfigError, InputError
from stathouse.model import Batch, BatchName, Event, EventQuery, Reader, SystemClock
from tests.backends.local.support import (
    DISK_FULL,
    MINUTE,
    SECOND,
    START,
    WRITER,
    FaultyFiles,
    HandClock,
    counter,
    events_batch,
    everything,
    open_archive,
    points_batch,
    values,
)


def name(sequence: int) -> BatchName:
    return BatchName(writer=WRITER, epoch=1, sequence=sequence)


def test_a_batch_is_kept_once_recent_and_sealed(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        batch = points_batch(1, [counter(1), counter(2, shop="eu")])
        assert archive.write(batch).accepted == 2
        assert archive.write(batch).accepted == 2
        assert values(archive) == [1.0, 2.0]
        assert archive.seal()
        assert archive.write(batch).accepted == 2
        assert values(archive) == [1.0, 2.0]
        assert archive.stats()["rows_sealed"] == 2


def test_durable_only_when_sealed(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        assert archive.durable_through() is None
        archive.write(points_batch(1, [counter(1)]))
        archive.write(events_batch(2, [Event(key=("a",), id="1", time_ns=START)]))
        assert archive.durable_through() is None
        archive.seal()
        assert archive.durable_through() == name(2)
        archive.write(points_batch(3, [counter(1)]))
        assert archive.durable_through() == name(2)


def test_a_restart_keeps_what_was_sealed_and_only_that(tmp_path: Path) -> None:
    archive = open_archive(tmp_path, HandClock())
    archive.write(points_batch(1, [counter(1)]))
    archive.seal()
    archive.write(points_batch(2, [counter(2)]))
    archive.abandon()
    with open_archive(tmp_path, HandClock()) as again:
        assert again.durable_through() == name(1)
        assert values(again) == [1.0]
        again.write(points_batch(1, [counter(1)]))
        again.write(points_batch(2, [counter(2)]))
        assert values(again) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("option", "value"), [("seal_rows", 10), ("seal_bytes", 3_000), ("seal_seconds", 5.0)], ids=str
)
def test_seals_by_rows_bytes_and_time(tmp_path: Path, option: str, value: float) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock, **{option: value}) as archive:
        archive.write(points_batch(1, [counter(1)]))
        archive.tick()
        assert archive.stats()["files"] == 0
        clock.go(6 * SECOND)
        archive.write(points_batch(2, [counter(i, time_ns=START + i) for i in range(12)]))
        assert archive.stats()["files"] == 1
        assert archive.stats()["rows_recent"] == 0


def test_a_tick_seals_when_the_first_row_has_waited(tmp_path: Path) -> None:
    clock = HandClock()
    with open_archive(tmp_path, clock) as archive:
        archive.write(points_batch(1, [counter(1)]))
        clock.go(59 * SECOND)
        archive.tick()
        assert archive.durable_through() is None
        clock.go(2 * SECOND)
        archive.tick()
        assert archive.durable_through() == name(1)
        clock.go(MINUTE)
        archive.tick()
        assert archive.stats()["files"] == 1


def test_a_nearly_full_disk_keeps_rows_with_the_sender_and_resumes(tmp_path: Path) -> None:
    files = FaultyFiles()
    with open_archive(tmp_path, HandClock(), files=files) as archive:
        archive.write(points_batch(1, [counter(1)]))
        files.free = (100 << 30, 512 << 20)
        assert not archive.room()
        outcome = archive.write(points_batch(2, [counter(2), counter(3)]))
        assert (outcome.keep, outcome.accepted) == (2, 0)
        assert "disk" in outcome.detail
        assert not archive.seal()
        assert values(archive) == [1.0]
        files.free = (100 << 30, 2 << 30)
        assert archive.write(points_batch(2, [counter(2), counter(3)])).accepted == 2
        assert archive.seal()
        assert values(archive) == [1.0, 2.0, 3.0]


def test_a_small_disk_needs_a_tenth_free(tmp_path: Path) -> None:
    files = FaultyFiles()
    with open_archive(tmp_path, HandClock(), files=files) as archive:
        files.free = (48 << 20, 6 << 20)
        assert archive.room()
        files.free = (48 << 20, 4 << 20)
        assert not archive.room()
        files.free = (1 << 40, 1 << 39)


@pytest.mark.parametrize("step", ["create", "write", "sync", "rename", "sync_folder"])
def test_a_failed_seal_leaves_rows_recent_and_no_litter(tmp_path: Path, step: str) -> None:
    clock, files = HandClock(), FaultyFiles()
    with open_archive(tmp_path, clock, files=files) as archive:
        archive.write(points_batch(1, [counter(1)]))
        files.refuse = (step, DISK_FULL)
        assert not archive.seal()
        assert values(archive) == [1.0]
        assert archive.durable_through() is None
        archive.tick()
        files.refuse = None
        assert not list(tmp_path.glob("**/*.parquet"))
        clock.go(2 * MINUTE)
        archive.tick()
        assert archive.durable_through() == name(1)
        assert values(archive) == [1.0]
        assert "sealing failed" in str(archive.stats()["problems"])


def test_a_disk_that_lies_is_found_out_before_the_spool_forgets(tmp_path: Path) -> None:
    clock, files = HandClock(), FaultyFiles()
    with open_archive(tmp_path, clock, files=files) as archive:
        archive.write(points_batch(1, [counter(i, time_ns=START + i) for i in range(5_000)]))
        files.lies = True
        assert not archive.seal()
        files.lies = False
        assert archive.durable_through() is None
        assert len(values(archive)) == 5_000
        assert not list(tmp_path.glob("**/*.parquet"))
        assert archive.seal()
        assert archive.durable_through() == name(1)
        assert len(values(archive)) == 5_000


@pytest.mark.parametrize(
    "body", [b"", b"not arrow", points_batch(1, [counter(1)]).body[:-40], events_batch(1, []).body], ids=len
)
def test_a_body_that_is_no_table_is_rejected_for_good_and_does_not_block(tmp_path: Path, body: bytes) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        outcome = archive.write(Batch(name=name(1), table="points", rows=3, body=body))
        assert [(one.reason, one.rows) for one in outcome.rejected] == [("rejected_by_store", 3)]
        archive.write(points_batch(2, [counter(2)]))
        archive.seal()
        assert archive.durable_through() == name(2)
        assert values(archive) == [2.0]


def test_a_batch_of_nothing_but_rejected_rows_becomes_durable(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(Batch(name=name(1), table="points", rows=3, body=b""))
        assert archive.seal()
        assert archive.durable_through() == name(1)


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with open_archive(folder, HandClock()) as archive:
        archive.write(points_batch(1, [counter(1, name="../../etc/passwd")]))
        archive.seal()
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0 or path.name.startswith("catalogue"), path
        assert "passwd" not in str(path)


def test_a_batch_on_the_way_is_answered_once(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        batch = points_batch(1, [counter(1)])
        running = points_batch(0, [counter(5)]).body

        def answered() -> list[object]:
            answer = archive.query(everything(), unflushed=running, on_the_way=[batch, events_batch(2, [])])
            return [row.value for one in answer.series for row in one.rows]

        assert answered() == [1.0, 5.0]
        archive.write(batch)
        assert answered() == [1.0, 5.0]
        archive.seal()
        assert answered() == [1.0, 5.0]


def test_a_fault_of_the_program_in_a_seal_loses_no_row(tmp_path: Path) -> None:
    class Broken(FaultyFiles):
        fault: Exception | None = None

        def sync_folder(self, folder: Path) -> None:
            if self.fault is not None:
                raise self.fault

    files = Broken()
    with open_archive(tmp_path, HandClock(), files=files) as archive:
        archive.write(points_batch(1, [counter(1)]))
        files.fault = RuntimeError("nobody thought of this")
        with pytest.raises(RuntimeError):
            archive.seal()
        files.fault = None
        archive.write(points_batch(2, [counter(2)]))
        assert values(archive) == [1.0, 2.0]
        assert archive.seal()
        assert archive.durable_through() == name(2)
        assert values(archive) == [1.0, 2.0]


def test_rows_stay_with_the_sender_while_seals_fail(tmp_path: Path) -> None:
    clock, files = HandClock(), FaultyFiles()
    with open_archive(tmp_path, clock, files=files, seal_rows=5) as archive:
        files.refuse = ("create", DISK_FULL)
        outcomes = [archive.write(points_batch(i, [counter(n) for n in range(5)])) for i in range(1, 9)]
        taken = [outcome.accepted for outcome in outcomes]
        assert taken == [5, 5, 5, 0, 0, 0, 0, 0]
        assert "sealing" in outcomes[-1].detail
        files.refuse = None
        clock.go(2 * MINUTE)
        archive.tick()
        assert archive.write(points_batch(4, [counter(1)])).accepted == 1


def test_the_catalogue_is_completed_when_it_can_be_written_again(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive._shelf.catalogue._writer.set_busy_timeout(0)
        other = apsw.Connection(str(tmp_path / "catalogue.sqlite"))
        other.execute("BEGIN IMMEDIATE")
        archive.write(events_batch(1, [Event(key=("a",), id="1", time_ns=START)]))
        archive.write(points_batch(2, [counter(1)]))
        assert archive.seal()
        assert archive.events(EventQuery()) == []
        other.execute("ROLLBACK")
        other.close()
        archive.merge_once()
        assert [event.id for event in archive.events(EventQuery())] == ["1"]
        assert values(archive) == [1.0]


def test_series_and_events_before_and_after_sealing(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        assert isinstance(archive, Reader)
        archive.write(points_batch(1, [counter(1, shop="eu"), counter(1, shop="us", time_ns=START + 5)]))
        archive.write(events_batch(2, [Event(key=("builds", 1), id="x", time_ns=START, state="started", rank=20)]))
        for _ in range(2):
            infos = archive.series(search="shop=e")
            assert [(one.name, one.tags, one.kind, one.fields) for one in infos] == [
                ("hits", (("shop", "eu"),), "counter", ("sum",))
            ]
            assert len(archive.series(search="h?ts")) == 2
            assert len(archive.series(search="h?ts", limit=1)) == 1
            assert [event.state for event in archive.events(EventQuery())] == ["started"]
            archive.seal()
        with pytest.raises(InputError):
            archive.series(limit=0)


def test_many_small_batches_are_kept_whole(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        for sequence in range(1, 301):
            archive.write(points_batch(sequence, [counter(sequence, time_ns=START + sequence)]))
        assert values(archive) == [float(i) for i in range(1, 301)]
        archive.write(points_batch(7, [counter(7, time_ns=START + 7)]))
        archive.seal()
        assert values(archive) == [float(i) for i in range(1, 301)]
        assert archive.durable_through() == name(300)


def test_readers_never_see_a_row_twice_or_not_at_all_while_it_is_sealed(tmp_path: Path) -> None:
    """Reads run beside writes, seals and merges; the number of rows read lies between those before and after."""
    archive = open_archive(tmp_path, HandClock(), seal_rows=50, replaced_minutes=0.0)
    written = 0
    wrong: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            before = written
            count = len(values(archive))
            # One batch may have been taken and not yet counted here.
            if not before <= count <= written + 7:
                wrong.append(f"{before} <= {count} <= {written}")

    reader = threading.Thread(target=read)
    reader.start()
    for sequence in range(1, 120):
        archive.write(points_batch(sequence, [counter(i, time_ns=START + sequence, n=str(i)) for i in range(7)]))
        written += 7
        archive.merge_once()
    stop.set()
    reader.join()
    assert not wrong
    assert len(values(archive)) == written
    archive.close()


def test_the_background_thread_seals_by_itself_and_stops(tmp_path: Path) -> None:
    from stathouse.backends.local.archive import LocalArchive
    from stathouse.backends.local.options import ArchiveSettings

    options = ArchiveSettings(seal_seconds=0.01)
    archive = LocalArchive(tmp_path, options=options, clock=SystemClock(), in_background=True)
    archive.write(points_batch(1, [counter(1)]))
    reached = threading.Event()

    def watch() -> None:
        while archive.durable_through() is None:
            reached.wait(0.02)
        reached.set()

    threading.Thread(target=watch, daemon=True).start()
    assert reached.wait(20)
    archive.close()
    assert not any(thread.name == "archive" for thread in threading.enumerate())


def test_a_url_names_the_folder(tmp_path: Path) -> None:
    with open_url(f"local:{tmp_path}/a", in_background=False) as archive:
        assert archive.folder == tmp_path / "a"
    with open_url("local:", data=tmp_path, in_background=False) as archive:
        assert archive.folder == tmp_path / "archive"
    with pytest.raises(ConfigError, match="names no folder"):
        open_url("local:")
