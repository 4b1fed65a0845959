"""``stathouse status``: everything that came in is accounted for."""

from __future__ import annotations

import json
from typing import Any

from stathouse.cli.exits import Exit
from tests.cli.conftest import RunCommand, TinyHouse


def test_it_says_what_came_in_what_is_stored_and_what_was_lost(
    house: TinyHouse, command: RunCommand, status_document: dict[str, Any]
) -> None:
    house.answer("/api/status", status_document)
    result = command("status", url=house.url)
    assert (result.returncode, result.stderr) == (Exit.OK, "")
    said = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    assert said["house"].endswith("http://127.0.0.1:8127, version 0.1.0, up 1 h 6 min, ready")
    assert said["came"].endswith("1,234,567 samples, 1,234,555 accepted, 310.5 a second now")
    assert said["lost"].endswith("24 (7 dropped by the kernel; 12 rejected: bad_value; 5 dropped: queue_full)")
    assert said["accounts"].endswith("add up (residual 0)")
    assert said["series"].endswith("312 live of 100,000, 400 in sealed files, 9 over the limits (most: user. 8)")
    assert said["udp"].split() == ["udp", "127.0.0.1:8125", "12,345", "999", "7"]
    assert said["local"].split()[2:] == ["ok", "33,376", "0", "0", "624", "9", "s"]


def test_a_residual_and_problems_are_not_hidden(
    house: TinyHouse, command: RunCommand, status_document: dict[str, Any]
) -> None:
    status_document["ledger"]["residual"] = 17
    status_document |= {"ready": False, "problems": ["the spool is more than 80% full"]}
    house.answer("/api/status", status_document)
    said = command("status", url=house.url).stdout
    assert "do NOT add up: residual 17" in said
    assert "not ready" in said
    assert "problem   the spool is more than 80% full" in said


def test_rejects_shows_the_last_lines_escaped(
    house: TinyHouse, command: RunCommand, status_document: dict[str, Any]
) -> None:
    house.answer("/api/status", status_document)
    said = command("status", "--rejects", url=house.url).stdout
    assert "a:\\x1b[31mx|c" in said
    assert "\x1b" not in said
    assert "bad_type" not in said  # nothing was rejected for that


def test_json_is_the_document(house: TinyHouse, command: RunCommand, status_document: dict[str, Any]) -> None:
    house.answer("/api/status", status_document)
    assert json.loads(command("status", "--json", url=house.url).stdout) == status_document


def test_an_empty_document_is_shown_without_a_traceback(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/status", {})
    result = command("status", "--rejects", url=house.url)
    assert (result.returncode, result.stderr) == (Exit.OK, "")
