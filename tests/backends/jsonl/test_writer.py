"""The files of the JSON lines backend."""

import os
import stat
from pathlib import Path

import pyarrow as pa
import pytest

from stathouse.backends import jsonl
from stathouse.backends.jsonl import JsonlWriter
from stathouse.errors import ConfigError, StoreError
from stathouse.model import Payload
from stathouse.wire.tables import EVENTS, write_stream
from tests.backends.contract import WRITER, made, numbered


def test_a_batch_is_one_file_named_after_it(tmp_path: Path) -> None:
    JsonlWriter(tmp_path / "out").write(numbered(3))
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == f"{WRITER}-1-3.points.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().splitlines()) == 3


def test_what_a_crash_left_half_is_removed(tmp_path: Path) -> None:
    half = tmp_path / f"{WRITER}-1-1.points.jsonl.part"
    half.write_text('{"na')
    writer = JsonlWriter(tmp_path)
    assert not half.exists()
    assert writer.durable_through() is None


def test_files_of_others_are_left_alone_and_name_no_batch(tmp_path: Path) -> None:
    for name in ("notes.txt", "a-b-c.points.jsonl", "x-1.points.jsonl", "..jsonl"):
        (tmp_path / name).write_text("mine")
    writer = JsonlWriter(tmp_path)
    assert writer.durable_through() is None
    assert len(list(tmp_path.iterdir())) == 4


def test_after_a_restart_the_last_batch_is_known(tmp_path: Path) -> None:
    first = JsonlWriter(tmp_path)
    for number, epoch in enumerate((1, 1, 2), start=1):
        batch = numbered(number, epoch=epoch)
        first.write(batch)
        file = tmp_path / f"{batch.name}.points.jsonl"
        os.utime(file, ns=(number, number))  # the disk's own times may be too coarse to tell them apart
    assert JsonlWriter(tmp_path).durable_through() == numbered(3, epoch=2).name


def test_a_disk_that_fails_keeps_the_batch_with_the_sender(tmp_path: Path) -> None:
    writer = JsonlWriter(tmp_path / "out")
    (tmp_path / "out").rmdir()
    outcome = writer.write(numbered(1))
    assert (outcome.keep, outcome.accepted) == (3, 0)
    assert "No such file" in outcome.detail
    (tmp_path / "out").mkdir()
    assert writer.write(numbered(1)).accepted == 3


def test_an_event_that_is_no_json_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    row = [["no json"], ["s"], pa.array([0], pa.int32()), ["id"], pa.array([0], EVENTS.field("time").type), ["{}"]]
    body = write_stream(pa.record_batch(row, schema=EVENTS))
    outcome = JsonlWriter(tmp_path).write(made(1, Payload(table="events", rows=1, body=body)))
    assert [item.reason for item in outcome.rejected] == ["rejected_by_store"]
    assert list(tmp_path.iterdir()) == []


def test_the_url_is_a_folder(tmp_path: Path) -> None:
    jsonl.open(f"jsonl:{tmp_path}/with%20space", None).close()
    assert (tmp_path / "with space").is_dir()


@pytest.mark.parametrize("url", ["jsonl:", "jsonl://host/folder", "jsonl:/a?b=c", "jsonl:/a%00b", "memory:"])
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="jsonl:"):
        jsonl.open(url)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        JsonlWriter(tmp_path / "file" / "out")
