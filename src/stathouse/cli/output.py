"""How commands write: tables, numbers and times; plain where nobody looks, never an escape sequence from outside."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "Column",
    "duration",
    "is_terminal",
    "moment",
    "number",
    "one_line",
    "printable",
    "series_label",
    "size",
    "sparkline",
    "write_json",
    "write_table",
]

_BARS: Final = "▁▂▃▄▅▆▇█"
_ASCII_BARS: Final = "_.-=+*#@"
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; numbers stand at the right."""

    title: str
    right: bool = False


def is_terminal() -> bool:
    """Tell whether a person looks at stdout."""
    return sys.stdout.isatty()


def printable(text: str) -> str:
    r"""Return a text that comes from outside so that a terminal shows it and does not obey it.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def one_line(text: str) -> str:
    """Return a text on one line, without control characters."""
    return printable(" ".join(text.split()))


def series_label(name: object, tags: object) -> str:
    """Return a series as ``name{key=value}``.

    >>> series_label("shop.orders", {"shop": "eu"})
    'shop.orders{shop=eu}'
    """
    pairs = tags.items() if isinstance(tags, Mapping) else ()
    inner = ",".join(f"{key}={value}" for key, value in pairs)
    return printable(f"{name}{{{inner}}}" if inner else str(name))


def number(value: object, *, grouped: bool = False) -> str:
    """Return a number as people read it: no ``.0``, six figures; other values as text.

    >>> number(3.0), number(1234567.0, grouped=True), number(0.1234567), number(None)
    ('3', '1,234,567', '0.123457', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return printable(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}" if grouped else str(int(value))
    return f"{value:.6g}"


def size(count: object) -> str:
    """Return a count of bytes.

    >>> size(1536), size(12)
    ('1.5 KiB', '12 B')
    """
    if not isinstance(count, int | float):
        return "-"
    if count < 1024:
        return f"{count:.0f} B"
    value = float(count)
    for unit in _UNITS:
        value /= 1024
        if value < 1024 or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}"


def duration(seconds: object) -> str:
    """Return a length of time in its two largest units.

    >>> duration(0.0042), duration(75), duration(90_000)
    ('4.2 ms', '1 min 15 s', '1 d 1 h')
    """
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = int(seconds)
    for above, below, upper, lower in ((86_400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= above:
            rest = whole % above // below
            return f"{whole // above} {upper}" + (f" {rest} {lower}" if rest else "")
    return f"{whole} s"


def moment(unix: object) -> str:
    """Return a Unix time in seconds as local date and time."""
    if not isinstance(unix, int | float) or not math.isfinite(unix):
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix))
    except (OverflowError, OSError, ValueError):
        return number(unix)


def sparkline(values: Iterable[float], width: int = 20) -> str:
    """Return the last ``width`` values as a row of bars, in ASCII where stdout cannot show others.

    >>> len(sparkline([1, 2, 3]))
    3
    """
    shown = [value for value in values if math.isfinite(value)][-width:]
    if not shown:
        return ""
    bars = _BARS if (sys.stdout.encoding or "").lower().startswith("utf") else _ASCII_BARS
    low, high = min(shown), max(shown)
    if high == low:
        return bars[0 if high == 0 else len(bars) // 2] * len(shown)
    # Halved first: the range of two finite numbers may not be one.
    scale = (len(bars) - 1) / (high / 2 - low / 2)
    return "".join(bars[round((value / 2 - low / 2) * scale)] for value in shown)


def write_json(value: object) -> None:
    """Write a value as JSON: indented for people, on one line for programs."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2 if is_terminal() else None)
    sys.stdout.write("\n")


def write_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write a table: coloured headings on a terminal, else aligned columns that are never cut."""
    if is_terminal():
        _write_rich(columns, rows)
        return
    widths = [
        max(len(column.title), *(len(row[index]) for row in rows), 0) if rows else len(column.title)
        for index, column in enumerate(columns)
    ]
    for row in ([column.title for column in columns], *rows):
        cells = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _write_rich(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column.title), justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: names from outside are no markup
    Console(highlight=False).print(table)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
