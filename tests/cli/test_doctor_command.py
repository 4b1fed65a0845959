"""``stathouse doctor`` as a program."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from stathouse.cli.exits import Exit
from tests.cli.conftest import RunCommand


def _flags(tmp_path: Path) -> list[str]:
    return ["--data", str(tmp_path / "data"), "--runtime", str(tmp_path / "run"), "--archive-min-free-bytes", "0"]


def test_each_line_says_how_it_is_and_what_to_do(command: RunCommand, tmp_path: Path, free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        flags = [*_flags(tmp_path), "--http-port", str(free_port), "--statsd-port", "0", "--url", "http://127.0.0.1:1"]
        result = command("doctor", *flags)
    assert result.returncode == Exit.FAILURE
    lines = result.stdout.splitlines()
    assert any(line.startswith("fail") and f"tcp 127.0.0.1:{free_port} is used by" in line for line in lines)
    assert any("choose another port with --http-port" in line for line in lines)
    assert lines[-1].endswith("failures")
    assert not (tmp_path / "data").exists()


def test_json_has_the_findings(command: RunCommand, tmp_path: Path) -> None:
    result = command("doctor", "--json", *_flags(tmp_path), "--http-port", "0", "--statsd-port", "0")
    findings = json.loads(result.stdout)["findings"]
    assert {"config", "python", "data", "runtime", "disk", "port", "house"} <= {finding["part"] for finding in findings}
    failed = [finding for finding in findings if finding["level"] == "fail"]
    assert result.returncode == (Exit.FAILURE if failed else Exit.OK)


def test_a_wrong_config_is_a_finding_and_the_other_checks_go_on(command: RunCommand, tmp_path: Path) -> None:
    path = tmp_path / "stathouse.toml"
    path.write_text("[statsd]\nprot = 1\n")
    result = command("doctor", "--config", str(path), "--url", "http://127.0.0.1:1")
    assert result.returncode == Exit.FAILURE
    assert f"fail  config     {path}: statsd.prot: unknown option." in result.stdout
    assert "Did you mean `port`?" in result.stdout
    assert "python" in result.stdout
