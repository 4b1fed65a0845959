"""The file of the spool: its tables, its version, and how a connection to it is opened."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final, TypeAlias, cast

import apsw

from stathouse.delivery.records import Mark, Spooled, State
from stathouse.errors import StoreDamaged, StoreError, StoreFull
from stathouse.model import Batch, BatchName, Table

__all__ = [
    "DAMAGE",
    "FORMAT",
    "SIDES",
    "build",
    "check_header",
    "connect",
    "insert",
    "read_state",
    "spooled",
    "sync_folder",
    "write_state",
]

FORMAT: Final = 1
"""The version of the tables; a spool of a higher one is left alone."""

DAMAGE: Final = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.IOError,
    apsw.SQLError,  # a spoiled schema: our statements fit the tables that we made
    apsw.ConstraintError,  # a spoiled index
    UnicodeDecodeError,  # a spoiled text
)
"""What is raised when the bytes, or the disk under them, cannot be trusted any more."""

SIDES: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside its file."""

_Head: TypeAlias = tuple[int, str, int, int, Table, int, int, int]
_Row: TypeAlias = tuple[int, str, int, int, Table, int, int, int, int, bytes]

_APPLICATION: Final = 0x53544853  # "STHS", in the file's header
_MAGIC: Final = b"SQLite format 3\x00"
_CHECKED_BYTES: Final = 64 << 20  # a full check reads the whole file: 64 MiB in about 50 ms

# 8 KiB pages: a batch of a quiet house is one or two pages, one of a busy house a short chain.
_BEFORE_TABLES: Final = "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL"

_TABLES: Final = f"""
    PRAGMA application_id = {_APPLICATION};
    PRAGMA user_version = {FORMAT * 0x1_0001};
    CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), checksum INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
    -- `through` is the running total of rows: a hole that damage left shows as a jump, and its rows can be counted.
    CREATE TABLE batches (
        position INTEGER PRIMARY KEY,
        writer TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
        tbl TEXT NOT NULL, rows INTEGER NOT NULL, through INTEGER NOT NULL, made_ns INTEGER NOT NULL,
        checksum INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE keys (
        key TEXT PRIMARY KEY, writer TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
        made_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_by_age ON keys (made_ns);
"""


def insert(connection: apsw.Connection, item: Spooled) -> None:
    """Write a batch."""
    name, batch = item.batch.name, item.batch
    head = (
        item.mark.position,
        name.writer,
        name.epoch,
        name.sequence,
        batch.table,
        batch.rows,
        item.mark.rows,
        item.made_ns,
    )
    row = (*head, _checksum(head, batch.body), batch.body)
    connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def spooled(row: tuple[apsw.SQLiteValue, ...]) -> Spooled | None:
    """Return the batch of a row of the table; None when its bytes are not what was written."""
    position, writer, epoch, sequence, table, rows, through, made_ns, check, body = cast(_Row, row)
    head = (position, writer, epoch, sequence, table, rows, through, made_ns)
    # A spoiled row can have values of any type.
    if not isinstance(body, bytes) or _checksum(head, body) != check:
        return None
    name = BatchName(writer=writer, epoch=epoch, sequence=sequence)
    batch = Batch(name=name, table=table, rows=rows, body=body)
    return Spooled(batch=batch, mark=Mark(position=position, rows=through), made_ns=made_ns)


def read_state(connection: apsw.Connection) -> State:
    """Return the state that the last commit wrote.

    Raises:
        StoreDamaged: it is not what was written.
    """
    for check, text in connection.execute("SELECT checksum, text FROM state"):
        if isinstance(text, str) and zlib.crc32(text.encode()) == check:
            return State.from_text(text)
    raise StoreDamaged(connection.filename, "its state is gone")


def write_state(connection: apsw.Connection, state: State) -> None:
    """Write the state."""
    text = state.to_text()
    connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (zlib.crc32(text.encode()), text))


def check_header(path: Path) -> None:
    """Read the file's header without SQLite, so that a file that is not ours to touch is not touched.

    Raises:
        StoreError: a newer Stathouse wrote it.
        StoreDamaged: it is no spool.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StoreDamaged(str(path), "this is no SQLite file")
    if int.from_bytes(header[68:72]) != _APPLICATION:
        raise StoreDamaged(str(path), "this is no spool of Stathouse")
    _check_version(path, int.from_bytes(header[60:64]))


def connect(path: Path, *, vfs: str = "", checked: bool = False) -> apsw.Connection:
    """Open the spool's file.

    Args:
        path: the file; it has to exist.
        vfs: SQLite's name of the file system layer; empty for the usual one.
        checked: look for damage first.

    Raises:
        StoreError: a newer Stathouse wrote it.
        StoreDamaged: damage was found.
        StoreFull: there is no room to open it.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs or None)
        connection.set_busy_timeout(10_000)
        _settle(connection)
        _check_version(path, _number(connection, "PRAGMA user_version"))
        if checked and path.stat().st_size <= _CHECKED_BYTES:
            found = connection.execute("PRAGMA quick_check(1)").get
            if found != "ok":
                connection.close()
                raise StoreDamaged(str(path), str(found))
    except apsw.FullError as error:
        raise StoreFull(f"{path}: there is no room on the disk to open the spool.") from error
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError) as error:
        raise StoreError(f"{path} cannot be opened: {error}. Look at its owner and mode.") from error
    except DAMAGE as error:
        raise StoreDamaged(str(path), str(error)) from error
    return connection


def build(path: Path, *, vfs: str = "") -> apsw.Connection:
    """Make a new file with empty tables, in rollback mode and readable by its owner only."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs or None)
    connection.execute(_BEFORE_TABLES)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(_TABLES)
    return connection


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settle(connection: apsw.Connection) -> None:
    # FULL: a commit returns after its fsync. No mmap: an I/O error would be a SIGBUS.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF")
    # 16 MiB between checkpoints; a write-ahead log that an outage has made long is cut back to 64 MiB.
    connection.execute("PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -8192")


def _check_version(path: Path, stored: int) -> None:
    # It stands there twice, so that a spoiled byte is not taken for a newer version.
    version = stored & 0xFFFF
    if stored >> 16 != version or version == 0:
        raise StoreDamaged(str(path), "its version is spoiled")
    if version > FORMAT:
        raise StoreError(
            f"{path} was written by a newer Stathouse (spool version {version}; this one knows {FORMAT}). "
            "Nothing was changed. Start that version, or choose another folder with --data."
        )


def _number(connection: apsw.Connection, statement: str) -> int:
    value = connection.execute(statement).get
    return value if isinstance(value, int) else 0


def _checksum(head: _Head, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32("|".join(map(str, head)).encode()))
