"""Opens the statsd doors: UDP, TCP and a Unix datagram socket, all feeding one aggregator.

The sockets belong to :class:`Doors`; the listeners of the core read copies of them on threads of their own.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from stathouse._core import Aggregator, DatagramListener, StreamListener
from stathouse.statsd.sockets import (
    UnixSocket,
    address_text,
    allowed_networks,
    bind_internet,
    bind_unix,
    refuse_new_datagrams,
)

__all__ = ["DoorOptions", "Doors", "open_doors"]

SOCKET_NAME: Final = "statsd.sock"


class DoorOptions(Protocol):
    """What the doors need of ``StatsdOptions``."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tcp(self) -> bool: ...
    @property
    def unix(self) -> bool: ...
    @property
    def dialect(self) -> Literal["statsd", "dogstatsd"]: ...
    @property
    def allow(self) -> Sequence[str]: ...
    @property
    def max_line_bytes(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def receive_buffer_bytes(self) -> int: ...
    @property
    def wait_micros(self) -> int: ...
    @property
    def max_connections(self) -> int: ...
    @property
    def max_connections_per_peer(self) -> int: ...
    @property
    def idle_seconds(self) -> float: ...


class _Listener(Protocol):
    def stats(self) -> dict[str, int]: ...
    def stop(self, timeout_seconds: float = 2.0) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    kind: Literal["udp", "unix", "tcp"]
    address: str
    sockets: tuple[socket.socket, ...]
    listener: _Listener


class Doors:
    """The open doors. They are open until :meth:`stop`, or the end of the ``with`` block."""

    def __init__(self, doors: Sequence[_Door], unix_socket: UnixSocket | None) -> None:
        self._doors = tuple(doors)
        self._unix_socket = unix_socket

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(2.0)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where they listen, as ``127.0.0.1:8125`` or a path."""
        return tuple(door.address for door in self._doors)

    @property
    def port(self) -> int:
        """The port of the first UDP door."""
        port: int = self._doors[0].sockets[0].getsockname()[1]
        return port

    @property
    def receive_buffer_bytes(self) -> int:
        """The receive buffer that the system granted to the first UDP door; less than asked for means drops sooner."""
        granted = self._doors[0].sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        return granted // 2  # Linux doubles what it is asked for, to pay for its own bookkeeping

    def stats(self) -> list[dict[str, str | int]]:
        """Return what came in at each door: the list ``doors`` of ``/api/status``.

        ``datagrams``, ``bytes``, ``kernel_drops`` and ``truncated`` are cumulative, ``connections`` are those open now.
        """
        rows: list[dict[str, str | int]] = []
        for door in self._doors:
            counts = door.listener.stats()
            row: dict[str, str | int] = {"door": door.kind, "address": door.address}
            row |= {key: counts.get(key, 0) for key in ("datagrams", "bytes", "kernel_drops", "truncated")}
            row["connections"] = counts.get("open", 0)
            rows.append(row)
        return rows

    def counters(self) -> list[tuple[str, str, dict[str, int]]]:
        """Return every count of every door: (kind, address, counts of the listener)."""
        return [(door.kind, door.address, door.listener.stats()) for door in self._doors]

    def kernel_drops(self) -> int:
        """Return how many datagrams the kernel has dropped at these doors, exactly, as of now."""
        return sum(door.listener.stats().get("kernel_drops", 0) for door in self._doors)

    def stop(self, timeout: float = 2.0) -> bool:
        """Refuse what is sent from now on, read what has arrived, close; a second call does nothing.

        Args:
            timeout: seconds for all doors together.

        Returns:
            False when the time ran out before everything was read.
        """
        deadline = time.monotonic() + timeout
        in_time = True
        for door in self._doors:
            if door.kind != "tcp":
                for opened in door.sockets:
                    refuse_new_datagrams(opened)
        for door in self._doors:
            in_time &= door.listener.stop(max(0.0, deadline - time.monotonic()))
            for opened in door.sockets:
                opened.close()
        if self._unix_socket is not None:
            self._unix_socket.close()
            self._unix_socket = None
        return in_time


def open_doors(options: DoorOptions, runtime_folder: Path | str, aggregator: Aggregator) -> Doors:
    """Bind the sockets and start the listeners.

    Args:
        options: the fields of ``[statsd]``.
        runtime_folder: where the Unix socket ``statsd.sock`` goes; made with mode 0700 when missing.
        aggregator: takes what comes in.

    Raises:
        AddressTaken: another program has the port or the socket.
        ConfigError: an address that others can reach without ``allow``, a wrong network, host or folder.
    """
    with contextlib.ExitStack() as undo:
        udp, tcp = bind_internet(
            options.host, options.port, tcp=options.tcp, receive_buffer_bytes=options.receive_buffer_bytes
        )
        for opened in (*udp, *tcp):
            undo.enter_context(opened)
        allow = allowed_networks([opened.getsockname()[0] for opened in udp], options.allow)
        unix_socket = None
        if options.unix:
            unix_socket = bind_unix(Path(runtime_folder) / SOCKET_NAME)
            undo.callback(unix_socket.close)
        doors: list[_Door] = []

        def add(door: _Door) -> None:
            undo.callback(door.listener.stop)
            doors.append(door)

        for opened in udp:
            address = address_text(opened.getsockname()[:2])
            add(_datagram_door("udp", opened, address, options, aggregator, allow=allow))
        if tcp:
            add(_stream_door(tcp, options, aggregator, allow=allow))
        if unix_socket is not None:
            add(_datagram_door("unix", unix_socket.opened, str(unix_socket.path), options, aggregator, allow=()))
        undo.pop_all()
        return Doors(doors, unix_socket)


def _datagram_door(
    kind: Literal["udp", "unix"],
    opened: socket.socket,
    address: str,
    options: DoorOptions,
    aggregator: Aggregator,
    *,
    allow: Sequence[str],
) -> _Door:
    listener = DatagramListener(
        aggregator,
        opened.fileno(),
        dialect=options.dialect,
        threads=options.threads if kind == "udp" else 1,
        # A Unix datagram socket holds only a handful of datagrams (net.unix.max_dgram_qlen) and then blocks its
        # senders: nothing may gather there.
        wait_micros=options.wait_micros if kind == "udp" else 0,
        allow=allow,
    )
    return _Door(kind=kind, address=address, sockets=(opened,), listener=listener)


def _stream_door(
    listening: Sequence[socket.socket], options: DoorOptions, aggregator: Aggregator, *, allow: Sequence[str]
) -> _Door:
    listener = StreamListener(
        aggregator,
        [opened.fileno() for opened in listening],
        dialect=options.dialect,
        max_connections=options.max_connections,
        max_connections_per_peer=options.max_connections_per_peer,
        max_line_bytes=options.max_line_bytes,
        idle_seconds=options.idle_seconds,
        allow=allow,
    )
    address = ", ".join(address_text(opened.getsockname()[:2]) for opened in listening)
    return _Door(kind="tcp", address=address, sockets=tuple(listening), listener=listener)
