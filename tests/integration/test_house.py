"""The whole house, as its user meets it."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.houses import RealHouse, running_house, wait_until

FAST = ("--statsd-flush-every-seconds", "1")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RealHouse]:
    with running_house(tmp_path, *FAST) as running:
        yield running


def test_a_line_is_answered_at_once_and_kept_over_a_restart(house: RealHouse) -> None:
    house.send("shop.orders:3|c")
    wait_until(lambda: house.total("shop.orders") == 3, what="the running interval in the answer")
    wait_until(lambda: house.total("shop.orders", unflushed=False) == 3, what="the flushed row in the answer")
    assert house.stop() == 0
    house.start()
    assert house.total("shop.orders", unflushed=False) == 3


def test_every_door_takes_lines(house: RealHouse) -> None:
    house.send("door:1|c")
    with socket.create_connection(("127.0.0.1", house.statsd_port)) as stream:
        stream.sendall(b"door:10|c\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
        local.sendto(b"door:100|c", str(house.socket_path))
    wait_until(lambda: house.total("door") == 111, what="lines of all three doors")


def test_all_kinds_are_folded(house: RealHouse) -> None:
    house.send("k.c:2|c|@0.5", "k.g:7|g", "k.g:-2|g", "k.s:a|s", "k.s:b|s", "k.s:a|s")
    house.send(*(f"k.t:{value}|ms|#route:x" for value in range(1, 101)))
    wait_until(lambda: house.total("k.t", "count", unflushed=False) == 100, what="the flush")
    assert house.total("k.c") == 4
    gauge = house.get("/api/query", series="k.g", last="1h", aggregate="last", step="1h")
    assert gauge["series"][0]["rows"][-1]["value"] == 5
    assert house.total("k.s", "distinct") == 2
    (timer,) = house.get("/api/query", series="k.t", last="1h", aggregate="p95", step="1h")["series"]
    assert timer["tags"] == {"route": "x"}
    assert timer["rows"][-1]["value"] == pytest.approx(95, rel=0.0101)


def test_the_host_and_the_house_are_series_too(house: RealHouse) -> None:
    wait_until(lambda: bool(house.get("/api/series", search="host.memory")["series"]), what="series of the host")
    wait_until(lambda: bool(house.get("/api/series", search="stathouse.")["series"]), what="series of the house")
    found = house.get("/api/query", series="host.memory.total_bytes", last="10m")["series"][0]
    assert found["unit"] == "By"
    assert found["rows"][-1]["value"] > 0


def test_kill_9_loses_no_flushed_row_and_doubles_none(house: RealHouse) -> None:
    sent = 0
    for _ in range(4):
        for _ in range(25):
            house.send("kill:1|c")
            sent += 1
        wait_until(lambda sent=sent: house.total("kill", unflushed=False) == sent, what="the flush before the kill")
        house.kill()
        house.start()
        assert house.total("kill", unflushed=False) == sent
    assert house.status()["ledger"]["residual"] == 0


def test_acknowledged_points_survive_kill_9_at_any_moment(house: RealHouse) -> None:
    chance, acknowledged = random.Random(5), 0
    for round_number in range(3):
        for number in range(chance.randrange(5, 25)):
            point = {"name": "durable", "fields": {"n": 1}, "tags": {"round": str(round_number), "number": str(number)}}
            assert house.post("/api/points", {"points": [point]})["accepted"] == 1
            acknowledged += 1
        house.kill()
        house.start()
    wait_until(lambda: house.total("durable", "count") == acknowledged, what="all acknowledged points")


def test_the_same_idempotency_key_stores_once(house: RealHouse) -> None:
    document = {"points": [{"name": "once", "fields": {"n": 5}, "time": 1_700_000_000}]}
    first = house.post("/api/points", document, Idempotency_Key="a-1")
    house.kill()
    house.start()
    assert house.post("/api/points", document, Idempotency_Key="a-1")["batch"] == first["batch"]
    answer = house.get("/api/query", series="once", start=1_699_999_000, end=1_700_001_000)
    assert [len(found["rows"]) for found in answer["series"]] == [1]


def test_late_and_repeated_events_end_in_one_row(house: RealHouse) -> None:
    def event(state: str, at: int, **payload: object) -> dict[str, object]:
        return {"key": ["builders", 23, "builds", 118], "state": state, "time": at, "payload": payload}

    house.post("/api/events", {"events": [event("finished", 1_700_000_100, result="success")]})
    house.post("/api/events", {"events": [event("started", 1_700_000_000)]})
    house.post("/api/events", {"events": [event("finished", 1_700_000_100, result="success")]})

    def rows() -> list[dict[str, object]]:
        found: list[dict[str, object]] = house.get("/api/events", key=json.dumps(["builders", None, "builds"]))[
            "events"
        ]
        return found

    wait_until(lambda: bool(rows()), what="the event")
    assert [(row["state"], row["payload"]) for row in rows()] == [("finished", {"result": "success"})]


def test_garbage_is_counted_and_harms_nothing(house: RealHouse) -> None:
    house.send(
        "no colon",
        "a:1|zz",
        "b:nan|c",
        "c:1|c|@2",
        b"\xff\xfe:1|c",
        "d\x07:1|c",
        "__proto__:1|c",
        "../../x:1|c",
        "e:1|c",
    )
    house.send(os.urandom(1400).replace(b"\n", b" "))
    wait_until(lambda: house.total("e") == 1, what="the good line between the bad ones")
    status = house.status()
    assert {"bad_line", "bad_type", "bad_value", "bad_rate", "bad_utf8", "bad_name"} <= set(status["rejects"])
    assert house.total("__proto__") == 1
    assert house.total("../../x") == 1
    ledger = status["ledger"]
    assert ledger["received"] == ledger["accepted"] + sum(ledger["rejected"].values())


def test_the_books_balance_under_load_from_many_threads(house: RealHouse) -> None:
    lines = [f"load.{index % 50}:{index}|{'c' if index % 3 else 'ms'}" for index in range(25)]
    for _ in range(2_000):
        house.send(*lines)
        if _ % 200 == 0:
            assert house.status()["ledger"]["residual"] == 0
    wait_until(lambda: house.status()["doors"][0]["datagrams"] + house.status()["kernel_drops"] == 2_000, what="all in")
    status = house.status()
    assert status["ledger"]["received"] == 25 * status["doors"][0]["datagrams"]
    assert status["ledger"]["residual"] == 0


def test_past_the_limit_of_series_totals_stay_exact(tmp_path: Path) -> None:
    with running_house(tmp_path, *FAST, "--statsd-max-series", "100") as house:
        for start in range(0, 1_000, 25):
            house.send(*(f"many.{number}:2|c" for number in range(start, start + 25)))
        wait_until(lambda: house.total("many.*") + house.total("stathouse.overflow") == 2_000, what="all of the sum")
        status = house.status()
        assert status["series_live"] <= 110
        assert status["refused_series"] == pytest.approx(900, rel=0.05)
        assert status["refused_prefixes"]


def test_sigterm_flushes_and_exits_0(tmp_path: Path) -> None:
    with running_house(tmp_path, "--statsd-flush-every-seconds", "600") as house:
        house.send("last:7|c")
        wait_until(lambda: house.total("last") == 7, what="the line")
        assert house.stop() == 0
        house.start()
        assert house.total("last", unflushed=False) == 7


def test_a_second_house_in_the_same_folder_is_sent_to_the_first(house: RealHouse) -> None:
    second = RealHouse(house.folder)
    done = subprocess.run(second.command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert house.url in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("door", ["statsd", "http"])
def test_a_taken_port_is_one_clear_message(tmp_path: Path, door: str) -> None:
    kind = socket.SOCK_DGRAM if door == "statsd" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        house = RealHouse(tmp_path, **{door: port})
        done = subprocess.run(house.command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert f"--{door}-port" in done.stderr and str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_sighup_takes_over_what_can_change(tmp_path: Path) -> None:
    config = tmp_path / "stathouse.toml"
    config.write_text("[statsd]\nflush_every_seconds = 600\n")
    with running_house(tmp_path, "--config", str(config)) as house:
        house.send("reload:1|c")
        wait_until(lambda: house.total("reload") == 1, what="the line")
        config.write_text('[statsd]\nflush_every_seconds = 1\nthreads = 2\n[series.reload]\nunit = "{order}"\n')
        assert house.process is not None
        house.process.send_signal(signal.SIGHUP)
        wait_until(lambda: house.status()["flush"]["every_seconds"] == 1, what="the reload")
        wait_until(lambda: house.total("reload", unflushed=False) == 1, what="the sooner flush")
        assert house.get("/api/query", series="reload", last="1h")["series"][0]["unit"] == "{order}"
        wait_until(lambda: "statsd.threads" in house.log.read_text(), what="the option that needs a restart")
        config.write_text("[statsd]\nflush_every_seconds = 'x'\n")
        house.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "the old one holds" in house.log.read_text(), what="the refused config")
        assert house.status()["flush"]["every_seconds"] == 1


def test_a_foreign_host_name_is_refused(house: RealHouse) -> None:
    import urllib.request

    request = urllib.request.Request(f"{house.url}/api/status", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403


def test_the_damaged_spool_does_not_keep_the_house_from_starting(house: RealHouse) -> None:
    house.send("before:1|c")
    wait_until(lambda: house.total("before", unflushed=False) == 1, what="the flush")
    house.kill()
    (spool,) = (house.folder / "data" / "spool").glob("*.sqlite")
    spool.write_bytes(b"garbage" * 1000)
    house.start()
    house.send("after:1|c")
    wait_until(lambda: house.total("after", unflushed=False) == 1, what="life after the damage")
    assert list((house.folder / "data" / "spool").rglob("quarantine/*"))


@pytest.mark.parametrize("command", [["status"], ["top", "--once"], ["doctor"], ["query", "cli.line", "--last", "10m"]])
def test_the_commands_speak_with_a_real_house(house: RealHouse, command: list[str]) -> None:
    house.send("cli.line:3|c")
    wait_until(lambda: house.total("cli.line", unflushed=False) == 3, what="the line")
    done = subprocess.run(
        [sys.executable, "-m", "stathouse", *command, *(["--url", house.url])],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode in (0, 1 if command == ["doctor"] else 0), done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr
