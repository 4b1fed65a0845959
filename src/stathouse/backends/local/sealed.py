"""Sealed files: sorted rows as Parquet, with a footer that says what is in them, written so that a crash shows.

The checksum of a file is the SHA-256 of its row groups one after the other, each as an Arrow IPC message in the
table's plain schema (no dictionaries, zero under every null, validity as a column of its own).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stathouse.backends.local.arrow import Array
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.files import TEMPORARY, Files
from stathouse.backends.local.ledger import Ranges
from stathouse.backends.local.manifest import FORMAT_VERSION, FileEntry
from stathouse.errors import StoreDamaged, StoreError
from stathouse.model import Table
from stathouse.wire.tables import EVENTS, POINTS

__all__ = [
    "ROW_GROUP_ROWS",
    "SCHEMAS",
    "Draft",
    "Footer",
    "NewerFormat",
    "Written",
    "footer_digest",
    "inspect",
    "reading",
    "verify",
    "write",
]

ROW_GROUP_ROWS: Final = 21_600
"""An hour of six-a-minute rows of sixty series: small enough that one series is read in about a millisecond."""

SCHEMAS: Final[Mapping[str, pa.Schema]] = {"points": POINTS, "events": EVENTS}

_DICTIONARIES = {
    "points": ["name", "tags", "kind", "field", "double", "text", "count", "min", "max"],
    "events": ["state"],
}
_STATISTICS = {"points": ["name", "tags", "time"], "events": ["key", "time"]}
_LEVELS = (3, 3, 6, 9)
_FILLS = {pa.float64(): 0.0, pa.int64(): 0, pa.string(): "", pa.binary(): b""}


class NewerFormat(Exception):
    """The file is of a newer format: left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of a file before its rows are: where it goes, and what it stands for."""

    table: Table
    level: int
    number: int
    order: int
    batches: Ranges
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file under its temporary name: its entry, and the time range and size of each row group."""

    temporary: Path
    entry: FileEntry
    groups: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What a file's own footer says."""

    entry: FileEntry
    metadata: pq.FileMetaData


def write(files: Files, folder: Path, draft: Draft, tables: Iterable[pa.Table]) -> Written | None:
    """Write sorted tables one after the other as one synced file under a temporary name.

    Args:
        files: the disk.
        folder: the archive's folder.
        draft: what the file is.
        tables: sorted rows, each table after the one before.

    Returns:
        None when there were no rows; nothing is left on the disk then, nor after an error.
    """
    temporary = folder / f"{TEMPORARY}{draft.table}-{draft.number:012d}.parquet"
    files.remove(temporary)
    try:
        written = _write(files, temporary, draft, tables)
    except Exception:
        with suppress(OSError):
            files.remove(temporary)
        raise
    if written.entry.rows == 0:
        files.remove(temporary)
        return None
    return written


def _write(files: Files, temporary: Path, draft: Draft, tables: Iterable[pa.Table]) -> Written:
    schema = SCHEMAS[draft.table].remove_metadata()
    digest = hashlib.sha256()
    groups: list[tuple[int, int, int]] = []
    with files.create(temporary) as file:
        with pq.ParquetWriter(file, schema, **_settings(draft)) as writer:
            for group in _row_groups(tables):
                plain = _plain(group, schema)
                digest.update(_canonical(plain))
                writer.write_table(pa.Table.from_batches([plain]), row_group_size=ROW_GROUP_ROWS)
                groups.append((plain.num_rows, *_time_range(plain)))
            rows = sum(count for count, _, _ in groups)
            first = min((low for _, low, _ in groups), default=0)
            last = max((high for _, _, high in groups), default=0)
            said = {"rows": rows, "first_ns": first, "last_ns": last, "checksum": digest.hexdigest()}
            writer.add_key_value_metadata(_footer(draft, said))
        files.sync(file)
    entry = FileEntry(
        path=_path_of(draft, first, last),
        table=draft.table,
        level=draft.level,
        number=draft.number,
        order=draft.order,
        rows=rows,
        bytes=temporary.stat().st_size,
        first_ns=first,
        last_ns=last,
        checksum=digest.hexdigest(),
        footer=footer_digest(temporary),
        batches=draft.batches,
        replaces=draft.replaces,
    )
    return Written(temporary=temporary, entry=entry, groups=tuple(groups))


def verify(path: Path, entry: FileEntry) -> None:
    """Read a file back and compare it with what was meant to be written.

    Raises:
        StoreDamaged: it differs.
    """
    digest = hashlib.sha256()
    rows = 0
    schema = SCHEMAS[entry.table].remove_metadata()
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        for index in range(file.num_row_groups):
            group = file.read_row_group(index, use_threads=False)
            rows += group.num_rows
            digest.update(_canonical(_plain(group, schema)))
    if rows != entry.rows or digest.hexdigest() != entry.checksum:
        raise StoreDamaged(str(path), "its rows are not the rows that were written")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell damage from bad luck while a file is read.

    Raises:
        StoreDamaged: the bytes are wrong.
        StoreError: the machine could not read them (too many open files, an I/O error); the file may be fine.
        FileNotFoundError: it is gone.
    """
    try:
        yield
    except (FileNotFoundError, pa.ArrowMemoryError):
        raise
    except OSError as error:
        # PyArrow reports torn pages as an OSError without a number; the kernel's own errors have one.
        if error.errno is not None:
            raise StoreError(f"{path} could not be read: {_one_line(error)}") from error
        raise StoreDamaged(str(path), _one_line(error)) from error
    except pa.ArrowException as error:
        raise StoreDamaged(str(path), _one_line(error)) from error


def inspect(folder: Path, path: Path) -> Footer:
    """Return what a file says about itself.

    Raises:
        StoreDamaged: it is no sealed file, or it is torn.
        NewerFormat: a newer version wrote it.
    """
    try:
        metadata = pq.read_metadata(path)
        footer = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
        if int(footer["stathouse.format"]) > FORMAT_VERSION:
            raise NewerFormat(f"{path} was written by a newer Stathouse; its rows are not answered, it stays untouched")
        said = json.loads(footer["stathouse.file"])
        entry = FileEntry(
            path=str(path.relative_to(folder)),
            table=said["table"],
            level=said["level"],
            number=said["number"],
            order=said["order"],
            rows=said["rows"],
            bytes=path.stat().st_size,
            first_ns=said["first_ns"],
            last_ns=said["last_ns"],
            checksum=said["checksum"],
            footer=footer_digest(path),
            batches=said["batches"],
            replaces=tuple(said["replaces"]),
        )
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise StoreDamaged(str(path), _one_line(error)) from error
    if metadata.num_rows != entry.rows or entry.table not in SCHEMAS:
        raise StoreDamaged(str(path), "its footer contradicts itself")
    return Footer(entry=entry, metadata=metadata)


def footer_digest(path: Path) -> str:
    """Return the SHA-256 of a Parquet footer, hex; its pages carry checksums, the footer itself has none.

    Raises:
        StoreDamaged: the file does not end like a Parquet file.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little") + 8
        if tail[4:] != b"PAR1" or length > size:
            raise StoreDamaged(str(path), "it does not end like a Parquet file")
        file.seek(size - length)
        return hashlib.sha256(file.read(length)).hexdigest()


def _path_of(draft: Draft, first_ns: int, last_ns: int) -> str:
    """Return where a file belongs: by table, time range and number, never by anything that came from outside."""
    first, last = _stamp(first_ns), _stamp(last_ns)
    day = f"{last[:4]}/{last[4:6]}/{last[6:8]}"
    return f"{draft.table}/{day}/{first}-{last}-{'sphd'[draft.level]}{draft.number:012d}.parquet"


def _stamp(time_ns: int) -> str:
    seconds = pa.scalar(time_ns // 1_000_000_000, pa.timestamp("s"))
    return str(pc.strftime(seconds, format="%Y%m%dT%H%M%SZ").as_py())


def _settings(draft: Draft) -> dict[str, Any]:
    return {
        "compression": "zstd",
        "compression_level": _LEVELS[draft.level],
        "use_dictionary": _DICTIONARIES[draft.table],
        "column_encoding": {"time": "DELTA_BINARY_PACKED"},
        "write_statistics": _STATISTICS[draft.table],
        "write_page_checksum": True,
        "store_schema": False,
    }


def _footer(draft: Draft, said: Mapping[str, object]) -> dict[str, str]:
    whole = {
        "table": draft.table,
        "level": draft.level,
        "number": draft.number,
        "order": draft.order,
        "batches": draft.batches,
        "replaces": draft.replaces,
        **said,
    }
    return {"stathouse.format": str(FORMAT_VERSION), "stathouse.file": json.dumps(whole, separators=(",", ":"))}


def _row_groups(tables: Iterable[pa.Table]) -> Iterable[pa.Table]:
    for table in tables:
        for start in range(0, table.num_rows, ROW_GROUP_ROWS):
            yield table.slice(start, ROW_GROUP_ROWS)


def _plain(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows as one batch in the plain schema."""
    arrays = []
    for field in schema:
        column = table.column(field.name).cast(field.type).combine_chunks()
        arrays.append(pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column)
    return pa.record_batch(arrays, schema=schema)


def _canonical(batch: pa.RecordBatch) -> bytes:
    """Return bytes that are equal exactly when the rows are, whatever path they came along."""
    columns: dict[str, Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count == len(column):
            continue
        if column.null_count:
            columns[f"{name} is set"] = column.is_valid().cast(pa.uint8())
            column = column.fill_null(_FILLS[column.type])
        columns[name] = column
    return bytes(pa.record_batch(list(columns.values()), names=list(columns)).serialize())


def _time_range(batch: pa.RecordBatch) -> tuple[int, int]:
    ends = pc.min_max(batch.column("time").cast(pa.int64()))
    return ends["min"].as_py(), ends["max"].as_py()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
