"""The catalogue: every series, where its rows are, and the row that stands for each event key.

It is SQLite, for speed only. Whatever it says can be read again from the sealed files, and is when it is damaged.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import apsw
import pyarrow as pa

from stathouse.backends.local.arrow import Array
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.index import Described, Index, decode, encode, union_names
from stathouse.backends.local.manifest import FileEntry
from stathouse.model import SeriesInfo
from stathouse.wire.globs import TagMatcher, is_glob, to_sqlite
from stathouse.wire.tags import from_text

__all__ = ["CATALOGUE", "Catalogue", "EventRow", "Found", "event_rows"]

CATALOGUE: Final = "catalogue.sqlite"

_VERSION = 1
_CACHED_RUNS = 2_000_000

_SCHEMA = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, tags TEXT NOT NULL, kind TEXT NOT NULL, kinds TEXT NOT NULL,
    fields TEXT NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, UNIQUE (name, tags)) STRICT;
CREATE TABLE IF NOT EXISTS highest (one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, groups TEXT NOT NULL, runs BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
    key TEXT PRIMARY KEY, rank INTEGER NOT NULL, time INTEGER NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL,
    payload TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_by_time ON events (time);
"""

# No id ever comes again, also when its series was forgotten: a file may still have rows under it. (AUTOINCREMENT
# would use up an id with every row that is there already.)
_HIGHEST = "max(ifnull((SELECT max(id) FROM series), 0), ifnull((SELECT id FROM highest), 0))"

_UPSERT_SERIES = f"""
INSERT INTO series (id, name, tags, kind, kinds, fields, first_ns, last_ns) VALUES ({_HIGHEST} + 1, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name, tags) DO UPDATE SET
    kind = CASE WHEN excluded.last_ns >= last_ns THEN excluded.kind ELSE kind END,
    kinds = CASE WHEN excluded.kinds = kinds THEN kinds ELSE union_names(kinds, excluded.kinds) END,
    fields = CASE WHEN excluded.fields = fields THEN fields ELSE union_names(fields, excluded.fields) END,
    first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns)
RETURNING id"""

_UPSERT_EVENT = """
INSERT INTO events (key, rank, time, id, state, payload) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, time = excluded.time, id = excluded.id, state = excluded.state,
    payload = excluded.payload
WHERE (excluded.rank, excluded.time, excluded.id) > (events.rank, events.time, events.id)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A series that a question is about; ``id`` is 0 while no sealed file has it."""

    name: str
    tags: str
    kinds: frozenset[str]
    id: int = 0


EventRow = tuple[str, int, int, str, str, str]
"""(key, rank, time, id, state, payload), texts as they are kept."""


def event_rows(table: pa.Table) -> list[EventRow]:
    """Return rows of the events table as tuples, texts as they are kept."""
    columns = [table.column(name) for name in ("key", "rank", "time", "id", "state", "payload")]
    columns[2] = columns[2].cast(pa.int64())
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


class Catalogue:
    """Knows every series of the sealed files. Safe for any number of threads.

    Args:
        path: the database.

    Raises:
        apsw.Error: the file is not a sound catalogue of this version; remove it and open again.
    """

    def __init__(self, path: Path) -> None:
        self._writing, self._reading = Lock(), Lock()
        self._cache: OrderedDict[str, Index] = OrderedDict()
        self._cached_runs = 0
        self._writer = _connect(path)
        try:
            if self._writer.execute("PRAGMA quick_check(1)").get != "ok":
                raise apsw.CorruptError("the catalogue is damaged")
            if self._writer.pragma("user_version") not in (0, _VERSION):
                raise apsw.SchemaChangeError("the catalogue is of another version")
            self._writer.execute(_SCHEMA)
            self._reader = _connect(path)
        except BaseException:
            self._writer.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._reader.close()
        self._writer.close()

    def paths(self) -> set[str]:
        """Return the files that are indexed."""
        return {path for (path,) in self._rows("SELECT path FROM files")}

    def add_points(self, entry: FileEntry, series: Iterable[Described], groups: Sequence[tuple[int, int, int]]) -> None:
        """Index a sealed file of points, and take note of its series."""
        counts: list[int] = []

        def rows() -> Iterator[tuple[str, str, str, str, str, int, int]]:
            for one in series:
                counts.append(one.rows)
                yield one.name, one.tags, one.kind, one.kinds, one.fields, one.first_ns, one.last_ns

        with self._writing, self._writer:
            ids = [number for (number,) in self._writer.executemany(_UPSERT_SERIES, rows())]
            self._put_file(entry.path, groups, encode(ids, counts))

    def add_merged(
        self, entry: FileEntry, ids: Sequence[int], counts: Sequence[int], groups: Sequence[tuple[int, int, int]]
    ) -> None:
        """Index a file made of files whose series are known already."""
        with self._writing, self._writer:
            self._put_file(entry.path, groups, encode(ids, counts))

    def add_events(self, entry: FileEntry, rows: Iterable[EventRow]) -> None:
        """Take in the rows of a sealed file of events."""
        with self._writing, self._writer:
            self._writer.executemany(_UPSERT_EVENT, rows)
            self._put_file(entry.path, (), b"")

    def remove(self, path: str) -> None:
        """Forget a file."""
        with self._writing, self._writer:
            self._writer.execute("DELETE FROM files WHERE path = ?", (path,))
        with self._reading:
            self._drop_cached(path)

    def expire(self, before_ns: int) -> None:
        """Forget series and events whose last row is older."""
        with self._writing, self._writer:
            self._writer.execute(f"INSERT OR REPLACE INTO highest VALUES (1, {_HIGHEST})")
            self._writer.execute("DELETE FROM series WHERE last_ns < ?", (before_ns,))
            self._writer.execute("DELETE FROM events WHERE time < ?", (before_ns,))

    def index(self, path: str) -> Index | None:
        """Return a file's index; None when it is not indexed."""
        with self._reading:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
            row = self._reader.execute("SELECT groups, runs FROM files WHERE path = ?", (path,)).fetchone()
            if row is None:
                return None
            groups = tuple((count, first, last) for count, first, last in json.loads(row[0]))
            index = decode(row[1], groups) if row[1] else Index(ids=_numbers(()), ends=_numbers(()), groups=groups)
            self._cache[path] = index
            self._cached_runs += len(index.ids)
            while self._cached_runs > _CACHED_RUNS and len(self._cache) > 1:
                self._drop_cached(next(iter(self._cache)))
            return index

    def order(self, ids: Array) -> Array:
        """Return those of ``ids`` that are known, each once, by name and tags."""
        known = _numbers([number for (number,) in self._rows("SELECT id FROM series ORDER BY name, tags")])
        return known.filter(pc.is_in(known, value_set=ids))

    def find(self, pattern: str, tags: TagMatcher, *, start_ns: int, end_ns: int) -> list[Found]:
        """Return the series whose name and tags match and that may have rows in the range, by name and tags."""
        operator = "GLOB" if is_glob(pattern) else "="
        wanted = to_sqlite(pattern) if is_glob(pattern) else pattern
        sql = (
            f"SELECT id, name, tags, kinds FROM series WHERE name {operator} ? AND last_ns >= ? AND first_ns < ? "
            "ORDER BY name, tags"
        )
        kinds: dict[str, frozenset[str]] = {}
        rows = self._rows(sql, (wanted, start_ns, end_ns))
        return [
            Found(
                name=name,
                tags=text,
                kinds=kinds.get(known) or kinds.setdefault(known, frozenset(json.loads(known))),
                id=number,
            )
            for number, name, text, known in rows
            if tags(text)
        ]

    def search(self, text: str, limit: int) -> list[SeriesInfo]:
        """Return series whose name or tags contain the text (match it when it is a glob), by name and tags."""
        condition = "name GLOB ?1 OR tags GLOB ?1" if is_glob(text) else "instr(name, ?1) OR instr(tags, ?1)"
        sql = f"""SELECT name, tags, kind, fields, first_ns, last_ns FROM series WHERE ?1 = '' OR {condition}
            ORDER BY name, tags LIMIT ?2"""
        rows = self._rows(sql, (to_sqlite(text) if is_glob(text) else text, limit))
        return [
            SeriesInfo(
                name=name,
                tags=from_text(tags),
                kind=kind,
                fields=tuple(json.loads(fields)),
                first_ns=first,
                last_ns=last,
            )
            for name, tags, kind, fields, first, last in rows
        ]

    def count(self) -> int:
        """Return the number of series."""
        [(count,)] = self._rows("SELECT count(*) FROM series")
        return int(count)

    def event(self, key: str) -> EventRow | None:
        """Return the row that stands for a key."""
        sql = "SELECT key, rank, time, id, state, payload FROM events WHERE key = ?"
        rows = self._rows(sql, (key,))
        return rows[0] if rows else None

    def events(self, prefix: str, *, start_ns: int, end_ns: int, state: str, before: tuple[int, str]) -> list[EventRow]:
        """Return up to 1,000 rows whose key begins with ``prefix``, newest first, those after ``before``."""
        sql = """SELECT key, rank, time, id, state, payload FROM events
            WHERE time >= ?1 AND time < ?2 AND (?3 = '' OR state = ?3) AND key >= ?4 AND key < ?5
                AND (time, key) < (?6, ?7)
            ORDER BY time DESC, key DESC LIMIT 1000"""
        above = prefix + "\U0010ffff"
        return self._rows(sql, (start_ns, end_ns, state, prefix, above, *before))

    def _rows(self, sql: str, values: Sequence[str | int] = ()) -> list[Any]:
        with self._reading:
            return self._reader.execute(sql, tuple(values)).fetchall()

    def _put_file(self, path: str, groups: Sequence[tuple[int, int, int]], runs: bytes) -> None:
        self._writer.execute(
            "INSERT OR REPLACE INTO files (path, groups, runs) VALUES (?, ?, ?)",
            (path, json.dumps(groups, separators=(",", ":")), runs),
        )

    def _drop_cached(self, path: str) -> None:
        index = self._cache.pop(path, None)
        if index is not None:
            self._cached_runs -= len(index.ids)


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    connection.pragma("journal_mode", "wal")
    # It can be rebuilt, so a commit need not wait for the disk; NORMAL keeps it sound all the same.
    connection.pragma("synchronous", "normal")
    union: Any = union_names
    connection.create_scalar_function("union_names", union, 2, deterministic=True)
    return connection


def _numbers(values: Sequence[int]) -> Array:
    return pa.array(values, pa.int64())
