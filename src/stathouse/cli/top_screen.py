"""The screen of ``stathouse top``: a table that follows every second, and the keys that steer it."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stathouse.cli.client import HouseClient
from stathouse.cli.exits import Exit
from stathouse.cli.output import duration, number, printable, size
from stathouse.cli.top import COLUMNS, Trends, main_value, row
from stathouse.errors import HouseUnreachable, Overloaded

__all__ = ["Screen"]

_HEAD_LINES: Final = 5  # tiles, blank, headings, blank, keys
_WIDE: Final = 110  # columns from which the curves fit
_SORTS: Final = ("busiest", "name", "value")

_Entry: TypeAlias = tuple[Mapping[str, Any], str]
"""A series and its curve."""


class Screen:
    """Shows the live table until ``q``.

    Args:
        house: where to ask.
        parameters: of ``/api/top``.
        every_seconds: how often to look.
        count: stop after so many looks; None for never.
    """

    def __init__(
        self, house: HouseClient, parameters: list[tuple[str, str]], *, every_seconds: float, count: int | None
    ) -> None:
        self._house = house
        self._parameters = parameters
        self._every_seconds = every_seconds
        self._count = count
        self._trends = Trends()
        self._sort = 0
        self._problem = ""
        self._document: dict[str, Any] = {}
        self._curves: list[str] = []
        self._status: dict[str, Any] = {}

    def run(self) -> int:
        """Show the table until it is left; the exit code."""
        looks = 0
        self._ask()  # a house that never answered is an error; one that goes away is shown as such
        with _keys(), Live(self._picture(), console=Console(), screen=True, auto_refresh=False) as live:
            while True:
                live.update(self._picture(), refresh=True)
                looks += 1
                if self._count is not None and looks >= self._count:
                    return Exit.OK
                if self._pressed_quit(live):
                    return Exit.OK
                self._look()

    def _look(self) -> None:
        """Ask the house; when it does not answer the last picture stays, with the reason under it."""
        try:
            self._ask()
            self._problem = ""
        except (HouseUnreachable, Overloaded) as error:
            self._problem = str(error)

    def _ask(self) -> None:
        self._status = self._house.get("/api/status")
        self._document = self._house.get("/api/top", self._parameters)
        self._curves = [self._trends.add(entry) for entry in self._document.get("series", ())]

    def _pressed_quit(self, live: Live) -> bool:
        """Wait for the next look; True when a key ended it all."""
        end = time.monotonic() + self._every_seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([sys.stdin], [], [], left)[0]:
                break
            key = os.read(sys.stdin.fileno(), 1)  # past Python's buffer, which select does not see
            if key in (b"q", b"Q", b""):
                return True
            if key in (b"s", b"S"):
                self._sort = (self._sort + 1) % len(_SORTS)
                live.update(self._picture(), refresh=True)
        return False

    def _picture(self) -> Group:
        width, height = shutil.get_terminal_size()
        entries = self._sorted(list(zip(self._document.get("series", ()), self._curves, strict=True)))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in COLUMNS:
            align: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(Text(column.title), justify=align, no_wrap=True, overflow="ellipsis")
        if width >= _WIDE:
            table.add_column(Text("course"), no_wrap=True)
        for entry, curve in entries[: max(1, height - _HEAD_LINES)]:
            table.add_row(*(Text(cell) for cell in (*row(entry), curve)[: len(table.columns)]))
        keys = f"q quit   s sort: {_SORTS[self._sort]}   {len(entries)} series"
        foot = Text(printable(self._problem), style="bold red") if self._problem else Text(keys, style="dim")
        return Group(_tiles(self._status), Text(), table, Text(), foot)

    def _sorted(self, entries: list[_Entry]) -> list[_Entry]:
        match _SORTS[self._sort]:
            case "name":
                return sorted(entries, key=lambda entry: row(entry[0])[0])
            case "value":
                return sorted(entries, key=lambda entry: _size_of(entry[0]), reverse=True)
            case _:
                return entries


def _size_of(entry: Mapping[str, Any]) -> float:
    value = main_value(entry)
    return float(value) if isinstance(value, int | float) else float("-inf")


def _tiles(status: Mapping[str, Any]) -> Text:
    ledger = status.get("ledger") or {}
    lost = status.get("lost", 0)
    text = Text()
    for name, value, style in (
        ("live", f"{number(status.get('series_live'), grouped=True)} series", ""),
        ("in", f"{number(status.get('samples_per_second'), grouped=True)}/s", ""),
        ("lost", number(lost, grouped=True), "bold red" if lost else ""),
        ("stored", f"{number(ledger.get('stored'), grouped=True)} rows", ""),
        ("memory", size(status.get("memory_bytes")), ""),
        ("up", duration(status.get("uptime_seconds")), ""),
    ):
        text.append(f"{name} ", style="dim").append(value, style=style or "bold").append("   ")
    return text


@contextmanager
def _keys() -> Iterator[None]:
    """Take keys one by one, without Enter, and put the terminal back afterwards."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
