"""``stathouse query`` and ``stathouse events``."""

from __future__ import annotations

import json

import pytest

from stathouse.cli.events import key_pattern
from stathouse.cli.exits import Exit
from stathouse.errors import ConfigError
from tests.cli.conftest import RunCommand, TinyHouse

_NOON = 1_763_640_000.0
_ANSWER = {
    "series": [
        {
            "name": "shop.checkout",
            "tags": {"shop": "eu"},
            "field": field,
            "unit": "ms",
            "kind": "timer",
            "rows": [{"time": _NOON, "value": value}, {"time": _NOON + 60, "value": value * 2}],
        }
        for field, value in (("p50", 12.5), ("p99", 40.0))
    ],
    "truncated": False,
}


def test_a_table_has_the_fields_of_a_series_as_columns(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", _ANSWER)
    result = command("query", "shop.*", url=house.url)
    assert (result.returncode, result.stderr) == (Exit.OK, "")
    assert result.stdout.splitlines() == [
        "shop.checkout{shop=eu}",
        "time                 p50 [ms]  p99 [ms]",
        "2025-11-20 12:00:00      12.5        40",
        "2025-11-20 12:01:00        25        80",
    ]


def test_every_flag_reaches_the_house(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", _ANSWER)
    command(
        *("query", "shop.*", "--start", "2026-11-20T00:00:00Z", "--end", "1763640000", "--step", "1m"),
        *("--aggregate", "p50,p99.9", "--by", "host,shop", "--tag", "shop=eu*", "--tag", "host=a", "--limit", "5"),
        url=house.url,
    )
    assert house.requests[0].parameters == [
        ("series", "shop.*"),
        ("start", "2026-11-20T00:00:00Z"),
        ("end", "1763640000"),
        ("limit", "5"),
        ("tag", "shop:eu*"),
        ("tag", "host:a"),
        ("step", "1m"),
        ("aggregate", "p50,p99.9"),
        ("by", "host,shop"),
    ]


def test_without_a_time_it_is_the_last_ten_minutes_and_by_may_be_empty(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", _ANSWER)
    command("query", "a", "--by", "", url=house.url)
    assert house.requests[0].parameters == [("series", "a"), ("last", "10m"), ("limit", "100"), ("by", "")]


def test_json_is_the_houses_answer(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", _ANSWER)
    result = command("query", "shop.*", "--json", url=house.url)
    assert json.loads(result.stdout) == _ANSWER
    assert result.stdout.count("\n") == 1


def test_csv_is_the_houses_answer(house: TinyHouse, command: RunCommand) -> None:
    text = b"time,name,value\r\n2026-11-20T12:00:00Z,shop.orders,3\r\n"
    house.answer("/api/query", text)
    result = command("query", "shop.orders", "--csv", url=house.url)
    assert result.returncode == Exit.OK
    assert result.stdout == text.decode().replace("\r\n", "\n")  # read as text
    assert ("format", "csv") in house.requests[0].parameters


def test_csv_with_nothing_but_the_heading_is_exit_code_4(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", b"time,name,value\r\n")
    assert command("query", "a", "--csv", url=house.url).returncode == Exit.NOTHING


def test_a_summary_is_one_line_for_each_series(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", _ANSWER)
    lines = command("query", "shop.*", "--summary", url=house.url).stdout.splitlines()
    assert lines[1].split() == ["shop.checkout{shop=eu}", "p50", "[ms]", "2", "12.5", "25", "25", "▁█"]
    assert len(lines) == 3


def test_nothing_found_is_exit_code_4(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", {"series": [], "truncated": False})
    result = command("query", "no.such", url=house.url)
    assert (result.returncode, result.stdout) == (Exit.NOTHING, "")
    assert "nothing is kept for 'no.such'" in result.stderr


def test_an_unknown_series_is_exit_code_4(house: TinyHouse, command: RunCommand) -> None:
    error = {"reason": "not_found", "problem": "no series matches 'x'", "where": "series"}
    house.answer("/api/query", {"error": error}, status=404)
    result = command("query", "no.such", url=house.url)
    assert result.returncode == Exit.NOTHING
    assert "no series matches 'no.such'" in result.stderr


def test_a_cut_answer_says_so(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/query", _ANSWER | {"truncated": True})
    assert "--limit moves the limit" in command("query", "*", url=house.url).stderr


def test_names_from_outside_cannot_steer_the_terminal(house: TinyHouse, command: RunCommand) -> None:
    entry = {
        "name": "a\x1b]0;owned\x07",
        "tags": {"k": "v\u202e"},
        "field": "sum\x1b[2J",
        "unit": "\x9b31m",
        "kind": "",
    }
    house.answer("/api/query", {"series": [entry | {"rows": [{"time": _NOON, "value": "x\x1b[1m\ny"}]}]})
    shown = command("query", "a", url=house.url).stdout
    assert "a\\x1b]0;owned\\x07{k=v\\u202e}" in shown
    assert "x\\x1b[1m\\ny" in shown
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown)


def test_events_are_listed_with_key_state_and_payload(house: TinyHouse, command: RunCommand) -> None:
    event = {
        "key": ["builders", 23],
        "state": "finished",
        "rank": 40,
        "id": "1",
        "time": _NOON,
        "payload": {"ok": True},
    }
    house.answer("/api/events", {"events": [event]})
    result = command("events", "builders/23/*", "--state", "finished", "--last", "1d", url=house.url)
    assert result.returncode == Exit.OK
    assert result.stdout.splitlines()[1].split() == ["2025-11-20", "12:00:00", "builders/23", "finished", '{"ok":true}']
    assert dict(house.requests[0].parameters) == {
        "limit": "100",
        "last": "1d",
        "key": '["builders", 23, null]',
        "state": "finished",
    }


def test_no_event_is_exit_code_4(house: TinyHouse, command: RunCommand) -> None:
    house.answer("/api/events", {"events": []})
    result = command("events", "--json", url=house.url)
    assert (result.returncode, json.loads(result.stdout)) == (Exit.NOTHING, {"events": []})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("builders", ["builders"]),
        ("builders/*/builds/7", ["builders", None, "builds", 7]),
        ('["a", "7", null]', ["a", "7", None]),
        ("a/٣", ["a", "٣"]),
    ],
)
def test_key_pattern(text: str, expected: list[str | int | None]) -> None:
    assert key_pattern(text) == expected


@pytest.mark.parametrize("text", ["[", "[1.5]", "[true]", '[["a"]]'])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        key_pattern(text)
