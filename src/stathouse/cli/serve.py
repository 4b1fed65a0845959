"""Runs a house until it is told to stop: sockets first, then the heavy parts, then the page."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final

from stathouse.config import data_folder, runtime_folder
from stathouse.config.options import HouseConfig, LogOptions
from stathouse.errors import StathouseError
from stathouse.house.entrance import Entrance
from stathouse.house.memory import return_freed_memory
from stathouse.house.notify import Notifier
from stathouse.model import SystemClock

if TYPE_CHECKING:
    from stathouse.house.house import House

__all__ = ["run"]

_INTERRUPTED: Final = 130

_log = logging.getLogger("stathouse.serve")


def run(config: HouseConfig, config_path: str | None, reload: Callable[[], HouseConfig]) -> int:
    """Run a house until SIGTERM or SIGINT; a second signal stops at once. SIGHUP reads the config again.

    Args:
        config: the options.
        config_path: the file they came from, None when there was none.
        reload: reads the options again.

    Returns:
        The exit code: 0 after an orderly stop.

    Raises:
        ConfigError: an option cannot be used.
        StoreLocked: another house holds the data folder.
    """
    return_freed_memory()
    _set_up_log(config.log)
    signals = _Signals()
    data = data_folder(config.data, os.environ)
    runtime = runtime_folder(config.runtime, os.environ)
    with Entrance(config, data=data, runtime=runtime) as entrance:
        # Imported here: the doors are open by now, and what arrives meanwhile is already folded.
        from stathouse.house.house import House
        from stathouse.web.app import create_app
        from stathouse.web.counters import WebCounters
        from stathouse.web.guard import check_exposure, load_tokens
        from stathouse.web.serve import run_server

        check_exposure(config.http)
        tokens = load_tokens(config.http)
        with (
            House(entrance, config, data=data, clock=SystemClock()) as house,
            Notifier(os.environ, alive=house.clockwork.is_alive) as notifier,
        ):
            counters = WebCounters()
            house.http_counts = counters.counts
            app = create_app(house, config.http, tokens=tokens, counters=counters)
            signals.on_reload = lambda: _reload(house, reload, config_path or "the environment", notifier)

            def announce() -> None:
                notifier.ready(f"serving {entrance.url}")
                print(_greeting(house), flush=True)

            run_server(app, [entrance.http_socket], config.http, stop=signals.stop, on_ready=announce)
            notifier.stopping()
    return 0


class _Signals:
    """Takes the process' signals: the first SIGTERM or SIGINT asks to stop, the second ends the process."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.on_reload: Callable[[], None] = lambda: None
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._again)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            os._exit(_INTERRUPTED)  # what was acknowledged is in the spool
        self.stop.set()

    def _again(self, number: int, frame: FrameType | None) -> None:
        threading.Thread(target=self.on_reload, name="stathouse-reload", daemon=True).start()


def _reload(house: House, reload: Callable[[], HouseConfig], source: str, notifier: Notifier) -> None:
    notifier.reloading()
    try:
        waiting = house.reload(reload())
    except StathouseError as error:
        _log.error("the config was not reloaded, the old one holds: %s", error)
    else:
        _log.info("reloaded %s", source)
        if waiting:
            _log.warning("these options need a restart: %s", ", ".join(waiting))
    notifier.ready(f"serving {house.entrance.url}")


def _greeting(house: House) -> str:
    doors = {str(door["door"]): str(door["address"]) for door in house.entrance.doors.stats()}
    statsd = ", ".join(f"{door} {address}" for door, address in doors.items())
    host, _, port = doors.get("udp", "127.0.0.1:8125").rpartition(":")
    return f"""stathouse is up: {house.entrance.url}
  statsd  {statsd}
  data    {house.data}
  try     echo "shop.orders:3|c" | nc -u -w1 {host.strip("[]")} {port}
  stop    Ctrl-C"""


def _set_up_log(options: LogOptions) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if options.format == "json" else _TextLines())
    root = logging.getLogger("stathouse")
    root.handlers[:] = [handler]
    root.setLevel(options.level.upper())
    root.propagate = False


class _TextLines(logging.Formatter):
    """One line for a person; control characters of what is quoted are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        text = f"{at} {record.levelname.lower():7} {_escaped(record.getMessage())}"
        if not record.exc_info:
            return text
        return "\n".join([text, *map(_escaped, self.formatException(record.exc_info).split("\n"))])


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": record.created,
            "level": record.levelname.lower(),
            "room": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["error"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=True)


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
