"""What the doctor says about the machine."""

from __future__ import annotations

import resource

import pytest

from stathouse.cli.doctor.system import check_clock, check_files, check_receive_buffer, check_versions, granted_buffer
from stathouse.config.options import HouseConfig

_ALL = {
    "python": "3.11.7",
    "core": "0.1.0",
    "sqlite": "3.54.1",
    **dict.fromkeys(("apsw", "duckdb", "litestar", "msgspec", "psutil", "pyarrow", "uvicorn"), "9.0"),
}


def test_what_is_installed_and_new_enough_is_fine() -> None:
    assert {finding.level for finding in check_versions(_ALL)} == {"ok"}


def test_what_is_missing_comes_with_the_command_that_brings_it() -> None:
    found = [finding for finding in check_versions(_ALL | {"core": None, "duckdb": None}) if finding.level == "fail"]
    assert [finding.part for finding in found] == ["core", "libraries"]
    assert "duckdb" in found[1].found
    assert all(finding.advice == "Run: pip install 'stathouse[serve]'" for finding in found)


@pytest.mark.parametrize(
    ("version", "level"), [("3.51.2", "fail"), ("3.51.3", "ok"), ("3.7.0", "fail"), ("3.54.1", "ok")]
)
def test_an_sqlite_that_can_damage_the_spool_is_a_failure(version: str, level: str) -> None:
    found = next(finding for finding in check_versions(_ALL | {"sqlite": version}) if finding.part == "sqlite")
    assert found.level == level


def test_a_receive_buffer_that_the_kernel_cuts_is_a_warning_with_the_command() -> None:
    finding = check_receive_buffer(8_388_608, 212_992)
    assert finding.level == "warn"
    assert "sysctl -w net.core.rmem_max=8388608" in finding.advice
    assert check_receive_buffer(8_388_608, 8_388_608).level == "ok"


def test_the_kernel_grants_a_small_buffer() -> None:
    assert granted_buffer(65_536) == 65_536


def test_too_few_open_files_is_a_warning_with_the_number_that_is_needed() -> None:
    (finding,) = check_files(512, HouseConfig())
    assert (finding.level, "ulimit -n 768" in finding.advice) == ("warn", True)
    assert [finding.level for finding in check_files(1024, HouseConfig())] == ["ok"]
    assert [finding.level for finding in check_files(resource.RLIM_INFINITY, HouseConfig())] == ["ok"]


def test_a_clock_before_this_program_is_wrong() -> None:
    assert check_clock(0.0).level == "fail"
    assert check_clock(1_790_000_000.0).level in ("ok", "warn")
