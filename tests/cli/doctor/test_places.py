"""What the doctor says about folders and ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from stathouse.cli.doctor.places import check_data_folder, check_port, check_ports, check_runtime_folder
from stathouse.config.options import ArchiveOptions, HouseConfig, HttpOptions, StatsdOptions


def test_a_folder_that_can_be_made_is_fine_and_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    findings = list(check_data_folder(folder, ArchiveOptions(min_free_bytes=0)))
    assert [finding.level for finding in findings] == ["ok", "ok"]
    assert not (tmp_path / "a").exists()


def test_a_folder_that_others_may_write_to_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    finding = next(iter(check_data_folder(tmp_path, ArchiveOptions())))
    assert (finding.level, finding.advice) == ("warn", f"Run: chmod go-w {tmp_path}")


def test_a_file_in_place_of_the_folder_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("")
    finding = next(iter(check_data_folder(path, ArchiveOptions())))
    assert (finding.level, finding.found) == ("fail", f"{path} is no folder")
    finding = next(iter(check_runtime_folder(path / "below", unix=True)))
    assert finding.level == "fail"


def test_a_folder_that_may_not_be_written_to_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *arguments: False)  # root, who runs the tests too, may write everywhere
    assert next(iter(check_data_folder(tmp_path, ArchiveOptions()))).advice == f"Run: chmod u+rwx {tmp_path}"
    finding = next(iter(check_data_folder(tmp_path / "below", ArchiveOptions())))
    assert (finding.level, f"{tmp_path} may not be written to" in finding.found) == ("fail", True)


def test_a_folder_of_another_user_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    finding = next(iter(check_runtime_folder(tmp_path, unix=True)))
    assert (finding.level, "not to you" in finding.found) == ("fail", True)


def test_a_disk_without_the_room_that_is_to_stay_free_is_a_failure(tmp_path: Path) -> None:
    options = ArchiveOptions(min_free_percent=100, min_free_bytes=2**40)
    disk = list(check_data_folder(tmp_path, options))[-1]
    assert (disk.part, disk.level) == ("disk", "fail")
    assert "sheds" in disk.found


def test_a_path_too_long_for_a_unix_socket_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    assert [finding.level for finding in check_runtime_folder(folder, unix=True)] == ["ok", "fail"]
    assert [finding.level for finding in check_runtime_folder(folder, unix=False)] == ["ok"]


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_taken_port_names_the_program_and_the_option(kind: str, free_port: int) -> None:
    datagram = kind == "udp"
    with socket.socket(type=socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", free_port))
        if not datagram:
            other.listen()
        (finding,) = check_port("udp" if datagram else "tcp", "127.0.0.1", free_port, "--statsd-port", ours=False)
        assert finding.level == "fail"
        assert f"(pid {os.getpid()})" in finding.found
        assert "--statsd-port" in finding.advice
        (finding,) = check_port("udp" if datagram else "tcp", "127.0.0.1", free_port, "--statsd-port", ours=True)
        assert finding.level == "ok"
    (finding,) = check_port("udp" if datagram else "tcp", "127.0.0.1", free_port, "--statsd-port", ours=False)
    assert (finding.level, finding.found) == ("ok", f"{kind} 127.0.0.1:{free_port} is free")


def test_an_address_of_another_machine_names_the_option(free_port: int) -> None:
    (finding,) = check_port("tcp", "192.0.2.1", free_port, "--http-port", ours=False)
    assert finding.level == "fail"
    assert "--http-host" in finding.advice


def test_only_the_ports_that_are_wanted_are_looked_at() -> None:
    config = HouseConfig(statsd=StatsdOptions(port=0, tcp=False), http=HttpOptions(port=0))
    assert [finding.found for finding in check_ports(config, ours=False)] == [
        "udp 127.0.0.1:0 is free",
        "tcp 127.0.0.1:0 is free",
    ]
