"""``stathouse top``: what comes in, live."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from cyclopts import Parameter

from stathouse.cli.client import DEFAULT_CONNECTION, Connection, HouseClient
from stathouse.cli.exits import Exit
from stathouse.cli.output import (
    Column,
    is_terminal,
    moment,
    number,
    printable,
    series_label,
    size,
    sparkline,
    write_json,
    write_table,
)
from stathouse.cli.parameters import JsonFlag

__all__ = ["COLUMNS", "Trends", "main_value", "row", "top"]

COLUMNS: Final = (
    Column(title="series"),
    Column(title="kind"),
    Column(title="value", right=True),
    Column(title="p50", right=True),
    Column(title="p95", right=True),
    Column(title="p99", right=True),
    Column(title="max", right=True),
    Column(title="unit"),
)

_MAIN_FIELDS: Final = ("sum", "last", "count", "distinct")
_BYTES: Final = "By"  # units are written in UCUM, https://ucum.org
_NO_UNIT: Final = "1"
_TREND_SERIES: Final = 2_000
_TREND_LENGTH: Final = 20


def top(
    *,
    search: Annotated[str, Parameter(help="Only series whose name or tags contain this.", show_default=False)] = "",
    limit: Annotated[int, Parameter(help="At most this many series.")] = 50,
    every_seconds: Annotated[float, Parameter(help="How often to look.")] = 1.0,
    count: Annotated[int | None, Parameter(help="Stop after so many looks.")] = None,
    once: Annotated[bool, Parameter(help="Print one table and stop.", negative=(), show_default=False)] = False,
    as_json: JsonFlag = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Show what comes in, live.

    Args:
        search: only series whose name or tags contain this.
        limit: at most this many series.
        every_seconds: how often to look.
        count: stop after so many looks; None for never.
        once: print one table and stop.
        as_json: print one JSON document a look.
        connection: how to reach the house.
    """
    parameters = [("limit", str(limit)), ("search", search)]
    with HouseClient(connection) as house:
        if once:
            document = house.get("/api/top", parameters)
            if as_json:
                write_json(document)
            else:
                write_table(COLUMNS, [row(entry) for entry in document.get("series", ())])
            return Exit.OK if document.get("series") else Exit.NOTHING
        if is_terminal() and sys.stdin.isatty() and not as_json:
            from stathouse.cli.top_screen import Screen

            return Screen(house, parameters, every_seconds=max(every_seconds, 0.1), count=count).run()
        for document in _looks(house, parameters, max(every_seconds, 0.01), count):
            if as_json:
                write_json(document)
            else:
                _write_lines(document)
            sys.stdout.flush()
    return Exit.OK


def row(entry: Mapping[str, Any]) -> list[str]:
    """Return a series as the cells of :data:`COLUMNS`."""
    fields, unit = _fields(entry), str(entry.get("unit") or "")
    value = main_value(entry)
    in_bytes = unit == _BYTES and "last" in fields
    cells = [series_label(entry.get("name"), entry.get("tags")), printable(str(entry.get("kind") or "-"))]
    cells.append(size(value) if in_bytes else number(value))
    cells += [number(fields[name]) if name in fields else "" for name in ("p50", "p95", "p99", "max")]
    return [*cells, "" if in_bytes or unit == _NO_UNIT else printable(unit)]


def main_value(entry: Mapping[str, Any]) -> object:
    """Return the value that stands for a series: a counter's sum, a gauge's last, a timer's count, a set's members."""
    fields = _fields(entry)
    for name in _MAIN_FIELDS:
        if name in fields:
            return fields[name]
    return next(iter(fields.values()), None)


class Trends:
    """Remembers the last values of the series that were seen, for a small curve of each."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, entry: Mapping[str, Any]) -> str:
        """Take a series' value and return the curve of its last ones."""
        label, value = series_label(entry.get("name"), entry.get("tags")), main_value(entry)
        if not isinstance(value, int | float):
            return ""
        values = self._values.setdefault(label, deque(maxlen=_TREND_LENGTH))
        self._values.move_to_end(label)
        while len(self._values) > _TREND_SERIES:
            self._values.popitem(last=False)
        values.append(value)
        return sparkline(values, _TREND_LENGTH)


def _looks(
    house: HouseClient, parameters: list[tuple[str, str]], every_seconds: float, count: int | None
) -> Iterator[dict[str, Any]]:
    """Yield the house's document again and again."""
    pause = threading.Event()  # never set: Ctrl-C ends the wait
    done = 0
    while count is None or done < count:
        if done:
            pause.wait(every_seconds)
        yield house.get("/api/top", parameters)
        done += 1


def _write_lines(document: Mapping[str, Any]) -> None:
    """Write one line for each series: time, name, kind, ``field=value``."""
    at = moment(document.get("time"))
    for entry in document.get("series", ()):
        fields = " ".join(f"{printable(str(name))}={number(value)}" for name, value in _fields(entry).items())
        print(f"{at}  {series_label(entry.get('name'), entry.get('tags'))}  {entry.get('kind') or '-'}  {fields}")


def _fields(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = entry.get("fields")
    return fields if isinstance(fields, dict) else {}
