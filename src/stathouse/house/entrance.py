"""The first thing that stands when a house starts: the folder's lock, the aggregator, and every socket.

Nothing here needs a third-party package, so doors are open while the heavy parts are still being imported:
what arrives meanwhile is folded, or waits in the kernel.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from stathouse._core import Aggregator
from stathouse.backends.local.lock import FolderLock, hold
from stathouse.config.options import HouseConfig
from stathouse.errors import AddressTaken, ConfigError
from stathouse.model import Tags
from stathouse.statsd.doors import Doors, open_doors
from stathouse.wire.tags import canonical

__all__ = ["Entrance"]

_BACKLOG = 1024


class Entrance:
    """Holds the data folder and the sockets; a context manager.

    Args:
        config: the options.
        data: the data folder.
        runtime: the runtime folder, where the Unix socket is.

    Raises:
        StoreLocked: another house holds the data folder.
        AddressTaken: another program uses an address.
        ConfigError: an address or folder cannot be used.
    """

    def __init__(self, config: HouseConfig, *, data: Path, runtime: Path) -> None:
        self.tags: Tags = canonical(config.tags.items())
        options = config.statsd
        self.aggregator = Aggregator(
            max_series=options.max_series,
            max_series_per_name=options.max_series_per_name,
            max_line_bytes=options.max_line_bytes,
            max_name_bytes=options.max_name_bytes,
            max_tags=options.max_tags,
            gauge_ttl_seconds=options.gauge_ttl_seconds,
            series_ttl_seconds=options.series_ttl_seconds,
            global_tags=self.tags,
        )
        with ExitStack() as stack:
            lock = stack.enter_context(_hold(data))
            self.http_socket = stack.enter_context(_http_socket(config.http.host, config.http.port))
            self.url = _url(config, self.http_socket.getsockname()[1])
            lock.set_url(self.url)
            self.doors: Doors = open_doors(options, runtime, self.aggregator)
            stack.callback(self.doors.stop, 2.0)
            self._close: Callable[[], None] = stack.pop_all().close

    def __enter__(self) -> Entrance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


def _hold(data: Path) -> FolderLock:
    try:
        return hold(data)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or data} cannot be used: {error.strerror}.",
            where="data",
            advice="Choose a folder of your own with --data.",
        ) from error


def _http_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressTaken(f"{host}:{port}", "--http-port") from error
        raise ConfigError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}.",
            where="http.host",
            advice="Choose an address of this machine with --http-host.",
        ) from error
    return listener


def _url(config: HouseConfig, port: int) -> str:
    """Return the address that a browser on this machine opens."""
    host = config.http.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        shown = host
    else:
        shown = "localhost" if address.is_unspecified else f"[{host}]" if address.version == 6 else host
    return f"{'https' if config.http.tls_cert else 'http'}://{shown}:{port}"
