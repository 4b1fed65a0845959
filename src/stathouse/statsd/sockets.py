"""Binds the sockets of the statsd doors: UDP, TCP, and a Unix datagram socket in a folder that only we may enter.

Everything that can be wrong with an address or a folder is found here, before anything is received, and said in one
sentence with the option that helps.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stathouse.errors import AddressTaken, ConfigError

__all__ = ["UnixSocket", "address_text", "allowed_networks", "bind_internet", "bind_unix", "refuse_new_datagrams"]

SO_RCVBUFFORCE: Final = 33
"""The option of Linux that Python does not name: a buffer past the system's limit, for those who may."""

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
BACKLOG: Final = 512
ATTEMPTS: Final = 16
"""How often to look for a free port: one that is free for UDP need not be so for TCP."""

Address = tuple[str, int]


def address_text(address: Address) -> str:
    """Return an address as people write it.

    >>> address_text(("::1", 8125))
    '[::1]:8125'
    """
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def allowed_networks(addresses: Sequence[str], allow: Sequence[str]) -> tuple[str, ...]:
    """Return the networks that may send to these bound addresses; empty when everyone who can reach them may.

    Programs on this machine may always send.

    >>> allowed_networks(["127.0.0.1"], [])
    ()
    >>> allowed_networks(["0.0.0.0"], ["10.0.0.0/8"])
    ('127.0.0.0/8', '::1/128', '10.0.0.0/8')

    Raises:
        ConfigError: an address is not loopback and nobody is named who may send, or a name is no network.
    """
    networks = []
    for index, text in enumerate(allow):
        try:
            networks.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            raise ConfigError(
                f"{text!r} is no network.", where=f"statsd.allow[{index}]", advice="Write it as 10.0.0.0/8 or fd00::/8."
            ) from None
    exposed = [address for address in addresses if not ipaddress.ip_address(address.partition("%")[0]).is_loopback]
    if not exposed:
        return ()
    if not networks:
        raise ConfigError(
            f"{exposed[0]} can be reached from other machines, and statsd knows no passwords.",
            where="statsd.host",
            advice="Say who may send with statsd.allow, as ['10.0.0.0/8'], or keep to 127.0.0.1.",
        )
    return (*LOOPBACK, *networks)


def bind_internet(host: str, port: int, *, tcp: bool, receive_buffer_bytes: int) -> tuple[list[socket.socket], ...]:
    """Bind UDP, and TCP if wanted, at every address of a host, all with the same port.

    Args:
        host: an address or a name.
        port: the port; 0 for a free one.
        tcp: bind TCP too, already listening.
        receive_buffer_bytes: what to ask for as the receive buffer of each UDP socket.

    Returns:
        The UDP sockets and the TCP sockets.

    Raises:
        AddressTaken: another program has the port.
        ConfigError: the host has no address here, or the port may not be bound.
    """
    attempts = ATTEMPTS if port == 0 else 1
    while True:
        attempts -= 1
        with contextlib.ExitStack() as undo:
            try:
                bound = _bind_all(host, port, tcp=tcp, receive_buffer_bytes=receive_buffer_bytes, undo=undo)
            except AddressTaken:
                if attempts:
                    continue
                raise
            undo.pop_all()
            return bound


def _bind_all(
    host: str, port: int, *, tcp: bool, receive_buffer_bytes: int, undo: contextlib.ExitStack
) -> tuple[list[socket.socket], ...]:
    bound: dict[socket.SocketKind, list[socket.socket]] = {socket.SOCK_DGRAM: [], socket.SOCK_STREAM: []}
    missing: OSError | None = None
    for family, address in _addresses(host):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM) if tcp else (socket.SOCK_DGRAM,):
            try:
                opened = undo.enter_context(socket.socket(family, kind | socket.SOCK_CLOEXEC))
                _bind(opened, (address, port))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise _explained(error, (address, port), kind) from error
                missing = error
                break
            bound[kind].append(opened)
            port = opened.getsockname()[1]
            if kind == socket.SOCK_STREAM:
                opened.listen(BACKLOG)
            else:
                _grow_receive_buffer(opened, receive_buffer_bytes)
    if not bound[socket.SOCK_DGRAM]:
        raise ConfigError(
            f"{host} is no address of this machine ({missing}).",
            where="statsd.host",
            advice="Use 127.0.0.1, or one that 'ip address' shows.",
        )
    return bound[socket.SOCK_DGRAM], bound[socket.SOCK_STREAM]


def _addresses(host: str) -> Iterator[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM) if host else []
    except OSError as error:
        raise ConfigError(
            f"{host!r} has no address ({error}).", where="statsd.host", advice="Use 127.0.0.1."
        ) from error
    if not found:
        raise ConfigError("the host is empty.", where="statsd.host", advice="Use 127.0.0.1.")
    for family, _, _, _, address in dict.fromkeys(found):
        yield socket.AddressFamily(family), str(address[0])


def _bind(opened: socket.socket, address: Address) -> None:
    if opened.type == socket.SOCK_STREAM:
        # Only against connections of an earlier run in TIME_WAIT. UDP must not have it: it would let a second house
        # bind silently beside the first.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
    opened.bind(address)


def _grow_receive_buffer(opened: socket.socket, wanted: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, wanted)
            return
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)


def _explained(error: OSError, address: Address, kind: socket.SocketKind) -> ConfigError:
    name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    if error.errno == errno.EADDRINUSE:
        return AddressTaken(f"{address_text(address)} ({name})", "--statsd-port")
    if error.errno == errno.EACCES:
        problem = f"{address_text(address)} ({name}) may not be bound by this user."
        return ConfigError(problem, where="statsd.port", advice="Choose a port above 1023 with --statsd-port.")
    return ConfigError(f"{address_text(address)} ({name}) cannot be bound ({error}).", where="statsd.host")


def refuse_new_datagrams(opened: socket.socket) -> None:
    """Have the kernel refuse what is sent from now on, and keep what it already holds.

    Senders are told (connection refused, broken pipe), and what is left to read has an end, whatever is being sent.
    """
    with contextlib.suppress(OSError):
        if opened.family == socket.AF_UNIX:
            opened.shutdown(socket.SHUT_RD)
            return
        # A connected UDP socket takes datagrams from its peer only; its own address sends none.
        host, port = opened.getsockname()[:2]
        opened.connect(({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket:
    """A bound Unix datagram socket and its name in the file system.

    Args:
        opened: the socket.
        path: where clients find it.
        inode: device and inode of the name, so that only our own is removed.
    """

    opened: socket.socket
    path: Path
    inode: tuple[int, int]

    def close(self) -> None:
        """Close the socket and remove its name, unless somebody else has taken the name meanwhile."""
        self.opened.close()
        with contextlib.suppress(OSError, ConfigError), _folder(self.path.parent) as folder:
            found = os.stat(self.path.name, dir_fd=folder, follow_symlinks=False)
            if (found.st_dev, found.st_ino) == self.inode:
                os.unlink(self.path.name, dir_fd=folder)


def bind_unix(path: Path) -> UnixSocket:
    """Bind a Unix datagram socket, mode 0600, in a folder that is ours alone; the folder is made when missing.

    A name left behind by a house that died is replaced: a socket, ours, and nobody answers.

    Raises:
        AddressTaken: a running house answers there.
        ConfigError: the folder or what stands at the name is not ours alone.
    """
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        with _folder(path.parent) as folder:
            # Two houses that start at once must not both find the other's name stale.
            fcntl.flock(folder, fcntl.LOCK_EX)
            reachable = _through(folder, path)
            _remove_stale(path, folder, reachable)
            os.fchmod(opened.fileno(), 0o600)  # on Linux the name gets the mode of the socket
            opened.bind(reachable)
            found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
            if stat.S_IMODE(found.st_mode) != 0o600:
                os.chmod(path.name, 0o600, dir_fd=folder)
            return UnixSocket(opened=opened, path=path, inode=(found.st_dev, found.st_ino))
    except OSError as error:
        opened.close()
        raise ConfigError(
            f"{path} cannot be bound ({error}).", where="runtime", advice="Choose another folder with --runtime."
        ) from error
    except BaseException:
        opened.close()
        raise


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    """Open a folder, made when missing, and check by the open descriptor that it is ours alone."""
    with contextlib.suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        problem = f"{path} is a link or no folder."
        raise ConfigError(problem, where="runtime", advice="Remove it, or choose another with --runtime.") from error
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            problem = f"{path} belongs to another user (uid {found.st_uid})."
            raise ConfigError(problem, where="runtime", advice="Choose a folder of your own with --runtime.")
        if found.st_mode & 0o022:
            problem = f"others may write to {path} (mode {stat.S_IMODE(found.st_mode):04o})."
            advice = f"Run 'chmod 700 {path}', or choose another with --runtime."
            raise ConfigError(problem, where="runtime", advice=advice)
        yield descriptor
    finally:
        os.close(descriptor)


def _through(folder: int, path: Path) -> str:
    """Return a path to the name that goes through the checked descriptor: nobody can swap the folder in between.

    It also has room for any folder, where a socket's own path may have no more than 107 bytes.
    """
    through = f"/proc/self/fd/{folder}"
    return f"{through}/{path.name}" if os.path.isdir(through) else str(path)


def _remove_stale(path: Path, folder: int, reachable: str) -> None:
    try:
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        problem = f"{path} exists and is no socket of ours."
        raise ConfigError(problem, where="runtime", advice="Remove it, or choose another folder with --runtime.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        answer = probe.connect_ex(reachable)
    if answer != errno.ECONNREFUSED:
        raise AddressTaken(str(path), "--runtime")
    os.unlink(path.name, dir_fd=folder)
