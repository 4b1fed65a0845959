"""What the doctor says about the running house and about who may come in."""

from __future__ import annotations

from typing import Any

import pytest

from stathouse.cli.client import Connection
from stathouse.cli.doctor.house import ask, check_exposure, check_running, url_of
from stathouse.config.options import HouseConfig, HttpOptions, StatsdOptions, TokenOptions
from tests.cli.conftest import TinyHouse

pytest.importorskip("stathouse._core", reason="the Rust core is not built")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (HttpOptions(), "http://127.0.0.1:8127"),
        (HttpOptions(host="0.0.0.0", port=80), "http://127.0.0.1:80"),
        (HttpOptions(host="::", tls_cert="c", tls_key="k"), "https://[::1]:8127"),
        (HttpOptions(host="stats.example.org"), "http://stats.example.org:8127"),
    ],
)
def test_url_of(options: HttpOptions, expected: str) -> None:
    assert url_of(HouseConfig(http=options)) == expected


def test_no_house_is_no_failure(free_port: int) -> None:
    answers, status, findings = ask(Connection(url=f"http://127.0.0.1:{free_port}"))
    assert (answers, status) == (False, None)
    assert [finding.level for finding in findings] == ["ok"]


def test_a_house_that_wants_a_token_is_a_warning_and_has_its_ports_rightly(house: TinyHouse) -> None:
    house.answer("/version", {"name": "stathouse"})
    house.answer("/api/status", {"error": {"problem": "a token is needed."}}, status=401)
    answers, status, findings = ask(Connection(url=house.url))
    assert (answers, status) == (True, None)
    assert [finding.level for finding in findings] == ["warn"]
    assert "--token-file" in findings[0].found


def test_a_house_that_is_well(status_document: dict[str, Any]) -> None:
    status_document["kernel_drops"] = 0
    findings = list(check_running(status_document, status_document["now"]))
    assert {finding.level for finding in findings} == {"ok"}


def test_whatever_is_wrong_with_a_house_is_said(status_document: dict[str, Any]) -> None:
    status_document |= {"ready": False, "problems": ["backend local does not take rows"]}
    status_document["ledger"]["residual"] = 3
    status_document["spool"]["shedding"] = True
    status_document["backends"][0] |= {"state": "retrying", "last_error": "no\nroom"}
    findings = list(check_running(status_document, status_document["now"] + 60))
    said = [(finding.level, finding.part) for finding in findings]
    assert said == [
        ("fail", "house"),
        ("fail", "house"),
        ("fail", "accounts"),
        ("warn", "losses"),
        ("fail", "losses"),
        ("warn", "backend"),
        ("warn", "clock"),
    ]
    assert findings[5].found == "local is retrying: no\\nroom"


def test_a_door_that_is_open_to_others_without_a_lock_is_a_failure() -> None:
    config = HouseConfig(statsd=StatsdOptions(host="0.0.0.0"), http=HttpOptions(host="0.0.0.0"))
    findings = list(check_exposure(config))
    assert [finding.level for finding in findings] == ["fail", "fail", "ok"]
    assert all(finding.advice for finding in findings[:2])
    assert {finding.level for finding in check_exposure(HouseConfig())} == {"ok"}


def test_a_token_that_can_be_guessed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ_TOKEN", "short")
    config = HouseConfig(http=HttpOptions(tokens=[TokenOptions(environment="READ_TOKEN")]))
    assert [finding.level for finding in check_exposure(config)] == ["ok", "ok", "fail"]
