"""The host is read for real; files of the kernel that this machine lacks are laid out in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from stathouse.sources.host import DESCRIPTIONS, HostSource, Processes
from stathouse.sources.host.kernel import ControlGroup, Pressure
from stathouse.sources.host.processor import Processor, file_descriptors
from stathouse.sources.host.transfer import _is_partition


def test_this_host_is_read() -> None:
    source = HostSource()
    source.read(1.0, 0)
    sum(range(2_000_000))  # some processor time between the readings
    points = source.read(2.0, 5)
    by_name = {point.name: point for point in points}
    assert by_name["host.memory.total_bytes"].fields["last"] == psutil.virtual_memory().total
    assert "host.load1" in by_name
    assert {point.time_ns for point in points} == {5}


def test_every_series_of_the_host_is_described() -> None:
    source = HostSource()
    names = {point.name for at in (1.0, 20.0) for point in source.read(at, 0)}
    assert names
    assert names <= set(DESCRIPTIONS)
    assert all(description.unit and description.text for description in DESCRIPTIONS.values())


def test_states_of_a_processor_make_a_whole() -> None:
    processor = Processor()
    processor.read()
    until = os.times().elapsed + 0.05
    while os.times().elapsed < until:  # the kernel counts in hundredths of a second
        pass
    readings = processor.read()
    for cpu in {dict(reading.tags)["cpu"] for reading in readings}:
        assert sum(r.value for r in readings if ("cpu", cpu) in r.tags) == pytest.approx(100)


def test_pressure_is_the_growth_of_the_totals(tmp_path: Path) -> None:
    def stalled(some: int, full: int) -> None:
        (tmp_path / "io").write_text(
            f"some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\nfull avg10=0.00 avg60=0.00 total={full}\n"
        )

    pressure = Pressure(tmp_path)
    stalled(1_000_000, 0)
    assert pressure.read(10.0) == []
    stalled(1_500_000, 100_000)
    readings = {reading.name: reading.value for reading in pressure.read(11.0)}
    assert readings == {"host.pressure.some_percent": 50.0, "host.pressure.full_percent": 10.0}


def test_limits_of_the_control_group(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/house\n")
    group = tmp_path / "house"
    group.mkdir()
    (group / "memory.max").write_text("1048576\n")
    (group / "memory.current").write_text("4096\n")
    (group / "cpu.max").write_text("150000 100000\n")
    (group / "cpu.stat").write_text("usage_usec 1000000\nthrottled_usec 0\n")
    control_group = ControlGroup(tmp_path, own)
    control_group.read(1.0)
    (group / "cpu.stat").write_text("usage_usec 2000000\nthrottled_usec 250000\n")
    readings = {reading.name: reading.value for reading in control_group.read(2.0)}
    assert readings == {
        "host.cgroup.memory_limit_bytes": 1048576.0,
        "host.cgroup.memory_used_bytes": 4096.0,
        "host.cgroup.cpu_limit_cores": 1.5,
        "host.cgroup.cpu_used_cores": 1.0,
        "host.cgroup.throttled_percent": 25.0,
    }


def test_no_limit_is_no_reading(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert ControlGroup(tmp_path, tmp_path / "own").read(1.0) == []
    assert ControlGroup(tmp_path, tmp_path / "missing").read(1.0) == []


def test_open_files(tmp_path: Path) -> None:
    path = tmp_path / "file-nr"
    path.write_text("1500\t100\t9000\n")
    assert [reading.value for reading in file_descriptors(path)] == [1400, 9000]
    path.write_text("garbage")
    assert file_descriptors(path) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sda1", True), ("sda", False), ("nvme0n1p2", True), ("nvme0n1", False), ("vda", False), ("md0", False)],
)
def test_partitions_are_told_from_disks(name: str, expected: bool) -> None:
    assert _is_partition(name, dict.fromkeys(["sda", "sda1", "nvme0n1", "nvme0n1p2", "vda", "md0"])) is expected


def test_the_busiest_process_is_found() -> None:
    processes = Processes(top=3)
    processes.read(1.0, 0)
    sum(range(5_000_000))
    table = processes.read(2.0, 9)
    assert table.time_ns == 9
    assert len(table.by_memory) == 3
    assert any(process.pid == os.getpid() and process.cpu_percent > 0 for process in table.by_cpu)
    assert table.by_memory[0].memory_bytes >= table.by_memory[1].memory_bytes
