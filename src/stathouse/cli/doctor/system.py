"""Looks at this machine: versions, the kernel's receive buffer, open files, the clock."""

from __future__ import annotations

import platform
import re
import resource
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from stathouse.cli.doctor.finding import Finding
from stathouse.config.options import HouseConfig

__all__ = [
    "check_clock",
    "check_files",
    "check_receive_buffer",
    "check_system",
    "check_versions",
    "granted_buffer",
    "numbers",
]

_NEEDED: Final = ("apsw", "duckdb", "litestar", "msgspec", "psutil", "pyarrow", "uvicorn")
_SQLITE_SAFE: Final = (3, 51, 3)
_SQLITE_WHY: Final = "can damage a database that several connections use"
_DUCKDB_LEAST: Final = (2, 0)
_RELEASED: Final = 1_760_000_000  # no clock that is right is before this program was written
_FILES_BESIDE_CONNECTIONS: Final = 256
_INSTALL: Final = "Run: pip install 'stathouse[serve]'"


def check_system(config: HouseConfig, versions: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield what there is to say about this machine.

    Args:
        config: the options of the house.
        versions: part → version, None for what is not installed.
    """
    yield from check_versions(versions)
    wanted = config.statsd.receive_buffer_bytes
    if versions.get("core") is not None:  # the room of the sockets needs it
        yield check_receive_buffer(wanted, granted_buffer(wanted))
    yield from check_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0], config)
    yield check_clock(time.time())


def check_versions(versions: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield whether everything is installed, and new enough."""
    yield Finding(
        level="ok",
        part="python",
        found=f"{platform.python_implementation()} {versions.get('python')} on {sys.platform}",
    )
    if versions.get("core") is None:
        yield Finding(level="fail", part="core", found="the Rust core is not installed", advice=_INSTALL)
    missing = [name for name in _NEEDED if versions.get(name) is None]
    if missing:
        yield Finding(level="fail", part="libraries", found=f"not installed: {', '.join(missing)}", advice=_INSTALL)
    else:
        shown = ", ".join(f"{name} {versions[name]}" for name in _NEEDED)
        yield Finding(level="ok", part="libraries", found=shown)
    yield from _least("sqlite", versions.get("sqlite"), _SQLITE_SAFE, "pip install --upgrade apsw", _SQLITE_WHY)
    yield from _least("duckdb", versions.get("duckdb"), _DUCKDB_LEAST, "pip install --upgrade duckdb", "is too old")


def granted_buffer(wanted: int) -> int:
    """Return the receive buffer that the kernel grants when asked for ``wanted`` bytes, asked as the house asks."""
    from stathouse.statsd.sockets import SO_RCVBUFFORCE

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, wanted)
        except OSError:  # only root may go past the limit
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        # Linux answers with twice what was asked, for its own bookkeeping.
        return probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // (2 if sys.platform == "linux" else 1)


def check_receive_buffer(wanted: int, granted: int) -> Finding:
    """Return whether the kernel grants the receive buffer that the house asks for.

    Args:
        wanted: the option, in bytes.
        granted: what the kernel gave.
    """
    if granted >= wanted:
        return Finding(level="ok", part="buffer", found=f"the kernel grants the {wanted:,} bytes that are asked for")
    return Finding(
        level="warn",
        part="buffer",
        found=f"the kernel grants {granted:,} bytes, {wanted:,} are asked for: bursts of datagrams may be dropped",
        advice=f"Run as root: sysctl -w net.core.rmem_max={wanted}, and put it into /etc/sysctl.d/stathouse.conf.",
    )


def check_files(limit: int, config: HouseConfig) -> Iterator[Finding]:
    """Yield whether the connections that the options allow can be open at one time.

    Args:
        limit: how many files a process may open.
        config: the options.
    """
    needed = config.statsd.max_connections + config.http.max_connections + _FILES_BESIDE_CONNECTIONS
    unlimited = limit == resource.RLIM_INFINITY
    if unlimited or limit >= needed:
        yield Finding(level="ok", part="files", found=f"{'any number' if unlimited else f'{limit:,}'} may be open")
        return
    yield Finding(
        level="warn",
        part="files",
        found=f"{limit:,} may be open, but with all connections it would be {needed:,}",
        advice=f"Raise the limit (ulimit -n {needed}, or LimitNOFILE= in the unit), or lower max_connections.",
    )


def check_clock(now: float) -> Finding:
    """Return whether the clock can be right.

    Args:
        now: Unix time in seconds.
    """
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _RELEASED:
        return Finding(level="fail", part="clock", found=f"it says {shown}", advice="Set it: timedatectl set-ntp true")
    if Path("/run/systemd/timesync").is_dir() and not Path("/run/systemd/timesync/synchronized").exists():
        return Finding(
            level="warn", part="clock", found=f"{shown}, not synchronised", advice="Run: timedatectl set-ntp true"
        )
    return Finding(level="ok", part="clock", found=shown)


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version.

    >>> numbers("3.51.3.0rc1")
    (3, 51, 3, 0)
    """
    return tuple(int(part) for part in re.findall(r"(?:^|\.)([0-9]+)", version))


def _least(part: str, version: str | None, least: tuple[int, ...], command: str, why: str) -> Iterator[Finding]:
    if version is None:  # said with the libraries already
        return
    if numbers(version) >= least:
        yield Finding(level="ok", part=part, found=version)
        return
    wanted = ".".join(map(str, least))
    yield Finding(level="fail", part=part, found=f"{version} {why}; {wanted} is needed", advice=f"Run: {command}")
