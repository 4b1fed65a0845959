"""``stathouse top``: plain lines for programs, a live screen on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

from stathouse.cli.exits import Exit
from stathouse.cli.top import Trends, main_value, row
from tests.cli.conftest import RunCommand, TinyHouse

_SOURCE = Path(__file__).parents[2] / "src"
_TOP: dict[str, Any] = {
    "time": 1_763_640_000.0,
    "interval_start": 1_763_639_995.0,
    "series": [
        {"name": "shop.orders", "tags": {}, "kind": "counter", "unit": "", "time": 1.0, "fields": {"sum": 3.0}},
        {
            "name": "shop.checkout",
            "tags": {"shop": "eu"},
            "kind": "timer",
            "unit": "ms",
            "time": 1.0,
            "fields": {"count": 12, "mean": 4.5, "p50": 4.0, "p95": 8.25, "p99": 9.0, "max": 9.5},
        },
    ],
}


def test_once_prints_one_table(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/top", _TOP)
    result = command("top", "--once", "--search", "shop", "--limit", "7", url=house.url)
    assert result.returncode == Exit.OK
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1] == ["shop.orders", "counter", "3"]
    assert lines[2] == ["shop.checkout{shop=eu}", "timer", "12", "4", "8.25", "9", "9.5", "ms"]
    assert house.requests[0].parameters == [("limit", "7"), ("search", "shop")]


def test_for_programs_it_is_one_line_for_each_series_and_look(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/top", _TOP)
    result = command("top", "--count", "2", "--every-seconds", "0.01", url=house.url)
    assert result.returncode == Exit.OK
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0] == "2025-11-20 12:00:00  shop.orders  counter  sum=3"
    assert lines[3].endswith("shop.checkout{shop=eu}  timer  count=12 mean=4.5 p50=4 p95=8.25 p99=9 max=9.5")


def test_json_is_one_document_a_look(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/top", _TOP)
    lines = command("top", "--json", "--count", "2", "--every-seconds", "0.01", url=house.url).stdout.splitlines()
    assert [json.loads(line) for line in lines] == [_TOP, _TOP]


def test_no_series_is_exit_code_4(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/top", _TOP | {"series": []})
    assert command("top", "--once", url=house.url).returncode == Exit.NOTHING


def test_a_value_stands_for_each_kind() -> None:
    assert main_value({"fields": {"last": 2.5}}) == 2.5
    assert main_value({"fields": {"distinct": 17}}) == 17
    assert main_value({"fields": {"temperature": 20}}) == 20
    assert main_value({"fields": None}) is None
    assert row({"name": "a", "kind": None})[2] == "-"


def test_a_gauge_of_bytes_is_shown_in_the_unit_that_people_read() -> None:
    entry = {"name": "memory", "kind": "gauge", "unit": "By", "fields": {"last": 3 * 2**30}}
    assert row(entry)[2:] == ["3.0 GiB", "", "", "", "", ""]
    assert row(entry | {"unit": "1", "fields": {"last": 0.5}})[2:] == ["0.5", "", "", "", "", ""]
    assert row(entry | {"kind": "counter", "fields": {"sum": 3}})[-1] == "By"


def test_trends_remember_a_bounded_number_of_series() -> None:
    trends = Trends()
    assert trends.add({"name": "a", "fields": {"sum": 1}}) == "▅"
    assert trends.add({"name": "a", "fields": {"sum": 5}}) == "▁█"
    assert trends.add({"name": "a", "fields": {"sum": "text"}}) == ""
    for number in range(3_000):
        trends.add({"name": f"n{number}", "fields": {"sum": 1}})
    assert trends.add({"name": "a", "fields": {"sum": 9}}) == "▅"  # forgotten meanwhile


def test_on_a_terminal_it_follows_until_q(house: TinyHouse, status_document: dict[str, Any]) -> None:
    house.answer("/api/top", _TOP)
    house.answer("/api/status", status_document)
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    before = termios.tcgetattr(terminal)
    environ = {"PYTHONPATH": str(_SOURCE), "TERM": "xterm-256color", "PYTHONUTF8": "1", "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [sys.executable, "-m", "stathouse.cli", "top", "--every-seconds", "0.1", "--url", house.url],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environ,
        start_new_session=True,
    )
    try:
        _read_until(controller, "sort: busiest")
        os.write(controller, b"s")
        shown = _read_until(controller, "sort: name")
        assert "shop.checkout{shop=eu}" in shown
        assert "312 series" in shown
        house.answers.clear()  # the house goes away; the last picture stays, with the reason
        shown = _read_until(controller, "no house answers")
        assert "shop.checkout{shop=eu}" in shown
        os.write(controller, b"q")
        _read_until(controller, "\x1b[?1049l")  # back to the screen from before
        assert process.wait(timeout=20) == Exit.OK
        assert termios.tcgetattr(terminal) == before
    finally:
        process.kill()
        process.wait()
        os.close(controller)
        os.close(terminal)


def _read_until(descriptor: int, text: str) -> str:
    """Return what a terminal shows up to a text, from the last picture that has it."""
    shown, end = "", time.monotonic() + 20
    while text not in shown:
        left = end - time.monotonic()
        assert left > 0 and select.select([descriptor], [], [], left)[0], f"{text!r} did not come: {shown[-2000:]!r}"
        shown += os.read(descriptor, 65_536).decode(errors="replace")
    return shown
