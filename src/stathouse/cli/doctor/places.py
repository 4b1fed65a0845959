"""Looks at where the house wants to be: its folders and its ports."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from stathouse.cli.doctor.finding import Finding
from stathouse.cli.output import printable, size
from stathouse.config.options import ArchiveOptions, HouseConfig

__all__ = ["check_data_folder", "check_port", "check_ports", "check_runtime_folder", "who_listens"]

_LONGEST_SOCKET_PATH: Final = 107  # sun_path of Linux, without its final zero


def check_data_folder(folder: Path, options: ArchiveOptions) -> Iterator[Finding]:
    """Yield whether the house can keep its data there.

    Args:
        folder: spool and archive.
        options: how much has to stay free.
    """
    yield from _folder("data", folder, "--data")
    disk = shutil.disk_usage(_nearest(folder))
    least = min(disk.total * options.min_free_percent / 100, options.min_free_bytes)
    found = f"{size(disk.free)} of {size(disk.total)} free"
    if disk.free < least:
        yield Finding(
            level="fail",
            part="disk",
            found=f"{found}; below {size(least)} the house sheds what comes in",
            advice="Make room, or choose another folder with --data.",
        )
    elif disk.free < 2 * least:
        yield Finding(
            level="warn",
            part="disk",
            found=f"{found}; below {size(least)} the house sheds what comes in",
            advice="Make room, or lower archive.keep_days.",
        )
    else:
        yield Finding(level="ok", part="disk", found=found)


def check_runtime_folder(folder: Path, *, unix: bool) -> Iterator[Finding]:
    """Yield whether the house can put its sockets there.

    Args:
        folder: the runtime folder.
        unix: whether the Unix socket is wanted.
    """
    yield from _folder("runtime", folder, "--runtime")
    length = len(os.fsencode(folder / "statsd.sock"))
    if unix and length > _LONGEST_SOCKET_PATH:
        yield Finding(
            level="fail",
            part="runtime",
            found=f"the path of the Unix socket has {length} bytes; the kernel takes {_LONGEST_SOCKET_PATH}",
            advice="Choose a shorter folder with --runtime, or --no-statsd-unix.",
        )


def check_ports(config: HouseConfig, *, ours: bool) -> Iterator[Finding]:
    """Yield whether the ports are free.

    Args:
        config: the options.
        ours: whether a house answers there, so that they are rightly taken.
    """
    statsd, http = config.statsd, config.http
    yield from check_port("udp", statsd.host, statsd.port, "--statsd-port", ours=ours)
    if statsd.tcp:
        yield from check_port("tcp", statsd.host, statsd.port, "--statsd-port", ours=ours)
    yield from check_port("tcp", http.host, http.port, "--http-port", ours=ours)


def check_port(kind: Literal["udp", "tcp"], host: str, port: int, option: str, *, ours: bool) -> Iterator[Finding]:
    """Yield whether one port is free, or who has it.

    Args:
        kind: the protocol.
        host: the address.
        port: the port; 0 is always free.
        option: the flag that moves it.
        ours: whether a house answers there.
    """
    shown = f"{kind} {host}:{port}"
    try:
        _bind(kind, host, port)
    except OSError as error:
        yield _not_bound(error, kind, shown, port, option, ours=ours)
    else:
        yield Finding(level="ok", part="port", found=f"{shown} is free")


def who_listens(kind: Literal["udp", "tcp"], port: int) -> str:
    """Return who has a port, as ``nginx (pid 812)``; empty when the system does not tell us."""
    import psutil

    try:
        for connection in psutil.net_connections(kind):
            listening = kind == "udp" or connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{printable(psutil.Process(connection.pid).name())} (pid {connection.pid})"
    except (psutil.Error, OSError):
        return ""  # another user's processes are not shown to us
    return ""


def _not_bound(
    error: OSError, kind: Literal["udp", "tcp"], shown: str, port: int, option: str, *, ours: bool
) -> Finding:
    if error.errno == errno.EADDRINUSE:
        owner = who_listens(kind, port)
        if ours:
            return Finding(level="ok", part="port", found=f"{shown} is used by the running house {owner}".rstrip())
        return Finding(
            level="fail",
            part="port",
            found=f"{shown} is used by {owner or 'another program'}",
            advice=f"Stop that program, or choose another port with {option}.",
        )
    host_option = option.replace("-port", "-host")
    return Finding(
        level="fail",
        part="port",
        found=f"{shown} cannot be used: {error.strerror or error}",
        advice=f"Choose another address with {host_option}, or another port with {option}.",
    )


def _bind(kind: Literal["udp", "tcp"], host: str, port: int) -> None:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=_socket_type(kind))[0]
    with socket.socket(family, _socket_type(kind)) as probe:
        if kind == "tcp":  # as the house does: an old connection in TIME_WAIT does not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        if kind == "tcp":
            probe.listen(1)


def _socket_type(kind: Literal["udp", "tcp"]) -> socket.SocketKind:
    return socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM


def _folder(part: str, folder: Path, option: str) -> Iterator[Finding]:
    """Yield whether a folder is there, ours, private and writable, or can be made."""
    try:
        state = os.stat(folder)
    except FileNotFoundError:
        above = _nearest(folder)
        if os.access(above, os.W_OK | os.X_OK):
            yield Finding(level="ok", part=part, found=f"{folder} is not there yet; it will be made")
        else:
            yield Finding(
                level="fail",
                part=part,
                found=f"{folder} is not there, and {above} may not be written to",
                advice=f"Make it, or choose another folder with {option}.",
            )
        return
    except OSError as error:
        yield Finding(
            level="fail", part=part, found=f"{folder}: {error.strerror}", advice=f"Choose another folder with {option}."
        )
        return
    yield _state(part, folder, state, option)


def _state(part: str, folder: Path, state: os.stat_result, option: str) -> Finding:
    mode = stat.S_IMODE(state.st_mode)
    if not stat.S_ISDIR(state.st_mode):
        return Finding(
            level="fail", part=part, found=f"{folder} is no folder", advice=f"Choose another one with {option}."
        )
    if state.st_uid != os.geteuid() and os.geteuid() != 0:
        return Finding(
            level="fail",
            part=part,
            found=f"{folder} belongs to user {state.st_uid}, not to you",
            advice=f"Run as that user, or choose another folder with {option}.",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            level="fail", part=part, found=f"{folder} may not be written to", advice=f"Run: chmod u+rwx {folder}"
        )
    if mode & 0o022:
        return Finding(
            level="warn",
            part=part,
            found=f"others may write to {folder} (mode {mode:04o})",
            advice=f"Run: chmod go-w {folder}",
        )
    return Finding(level="ok", part=part, found=f"{folder} (mode {mode:04o})")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the first above it that is there."""
    folder = folder.absolute()
    for path in (folder, *folder.parents):
        if path.exists():
            return path
    return Path("/")
