"""The backends that the contract is checked on: one line for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest

from stathouse.backends import jsonl, local, memory, null
from stathouse.backends.local.archive import LocalArchive
from stathouse.backends.local.options import ArchiveSettings
from stathouse.backends.memory import MemoryWriter
from stathouse.model import EventQuery, Query, Writer
from stathouse.wire.tags import to_text
from tests.backends.contract import Bench, Kept, Store

EVER = 2**63 - 1


def _from_memory(writer: Writer, folder: Path) -> Kept:
    table = cast(MemoryWriter, writer).table("points")
    points = table.set_column(4, "time", table["time"].cast(pa.int64())).to_pylist()
    events = cast(MemoryWriter, writer).table("events").to_pylist()
    return Kept(
        points=[(row["name"], row["tags"], row["time"], row["double"]) for row in points],
        events=[(row["key"], row["state"]) for row in events],
    )


def _from_lines(writer: Writer, folder: Path) -> Kept:
    def rows(ending: str) -> Iterator[dict[str, object]]:
        for file in folder.glob(f"*{ending}"):
            yield from map(json.loads, file.read_text("utf-8").splitlines())

    return Kept(
        points=[
            (str(row["name"]), to_text(tuple(cast(dict[str, str], row["tags"]).items())), row["time_ns"], row["double"])  # type: ignore[misc]
            for row in rows(".points.jsonl")
        ],
        events=[
            (json.dumps(row["key"], separators=(",", ":"), ensure_ascii=False), str(row["state"]))
            for row in rows(".events.jsonl")
        ],
    )


def _from_archive(writer: Writer, folder: Path) -> Kept:
    archive = cast(LocalArchive, writer)
    answer = archive.query(Query(series="*", start_ns=0, end_ns=EVER, limit=1_000_000))
    assert not answer.truncated
    return Kept(
        points=[
            (series.name, to_text(series.tags), row.time_ns, cast(float, row.value))
            for series in answer.series
            for row in series.rows
        ],
        events=[
            (json.dumps(list(event.key), separators=(",", ":"), ensure_ascii=False), event.state)
            for event in archive.events(EventQuery(limit=1_000_000))
        ],
    )


def _archive(folder: Path, **options: float) -> LocalArchive:
    settings = ArchiveSettings(min_free_bytes=0, **options)  # type: ignore[arg-type]
    return local.open(f"local:{folder}", settings, in_background=False)


def _crash(writer: Writer) -> None:
    cast(LocalArchive, writer).abandon()


STORES = [
    Store(name="null", open=lambda folder: null.open("null:"), read=None, survives=False),
    Store(name="memory", open=lambda folder: memory.open("memory:"), read=_from_memory, survives=False),
    Store(name="jsonl", open=lambda folder: jsonl.open(f"jsonl:{folder}"), read=_from_lines),
    Store(name="local", open=_archive, read=_from_archive, crash=_crash),
    Store(
        name="local, sealing always",
        open=lambda folder: _archive(folder, seal_rows=1),
        read=_from_archive,
        crash=_crash,
    ),
]


KEEPING = [store for store in STORES if store.read is not None]
SURVIVING = [store for store in STORES if store.survives]
READING = [store for store in STORES if store.name.startswith("local")]


@pytest.fixture(params=STORES, ids=lambda store: store.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Return every backend in turn, open in an empty folder; it is closed at the end."""
    yield from _opened(request.param, tmp_path)


@pytest.fixture(params=KEEPING, ids=lambda store: store.name)
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Return every backend that can say what it holds."""
    yield from _opened(request.param, tmp_path)


@pytest.fixture(params=SURVIVING, ids=lambda store: store.name)
def surviving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Return every backend that keeps rows over a restart."""
    yield from _opened(request.param, tmp_path)


@pytest.fixture(params=READING, ids=lambda store: store.name)
def reading(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Return every backend that answers questions."""
    yield from _opened(request.param, tmp_path)


def _opened(store: Store, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(store, tmp_path / "store")
    yield bench
    bench.close()
