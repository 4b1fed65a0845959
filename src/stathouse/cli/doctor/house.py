"""Looks at the config and at the running house."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from stathouse.cli.client import Connection, HouseClient
from stathouse.cli.doctor.finding import Finding
from stathouse.cli.output import duration, number, printable
from stathouse.config.options import HouseConfig
from stathouse.errors import ConfigError, HouseUnreachable, StathouseError

__all__ = ["ask", "check_exposure", "check_running", "url_of"]

_CLOCKS_APART_SECONDS: Final = 2.0


def url_of(config: HouseConfig) -> str:
    """Return the address at which a house with this config answers on this machine.

    >>> url_of(HouseConfig())
    'http://127.0.0.1:8127'
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.http.host, config.http.host)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if config.http.tls_cert else 'http'}://{shown}:{config.http.port}"


def ask(connection: Connection) -> tuple[bool, dict[str, Any] | None, list[Finding]]:
    """Return whether a house answers, its status if we may know that, and what is wrong with asking."""
    answers = False
    try:
        with HouseClient(connection) as house:
            answers = house.get("/version").get("name") == "stathouse"  # the one question that needs no token
            return answers, house.get("/api/status"), []
    except HouseUnreachable:
        found = f"no house answers at {connection.url}"
        return answers, None, [Finding(level="ok", part="house", found=f"{found}; it is not running, or elsewhere")]
    except StathouseError as error:
        return answers, None, [Finding(level="warn", part="house", found=printable(str(error)))]


def check_running(status: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Yield how a running house does.

    Args:
        status: its status document.
        now: our Unix time in seconds.
    """
    url, version = status.get("url"), status.get("version")
    shown = f"{printable(f'{url}, version {version}')}, up {duration(status.get('uptime_seconds'))}"
    problems = [str(problem) for problem in status.get("problems", ())]
    if status.get("ready"):
        yield Finding(level="ok", part="house", found=f"{shown}, ready")
    else:
        yield Finding(
            level="fail",
            part="house",
            found=f"{shown}, not ready",
            advice="See below, and the log of the house." if problems else "See the log of the house.",
        )
    yield from (Finding(level="fail", part="house", found=printable(problem)) for problem in problems)
    ledger = status.get("ledger") or {}
    residual = ledger.get("residual", 0)
    if residual:
        yield Finding(
            level="fail",
            part="accounts",
            found=f"they do not add up: {number(residual)} are unaccounted for",
            advice="This is a bug in Stathouse: please report it with the output of 'stathouse status --json'.",
        )
    else:
        yield Finding(level="ok", part="accounts", found="they add up (residual 0)")
    yield from _losses(status)
    apart = abs(float(status.get("now", now)) - now)
    if apart > _CLOCKS_APART_SECONDS:
        yield Finding(
            level="warn", part="clock", found=f"the clock of the house is {duration(apart)} away from this one"
        )


def check_exposure(config: HouseConfig) -> Iterator[Finding]:
    """Yield whether a door is open to others without a lock; the rooms of these doors say what is enough."""
    from stathouse.statsd.sockets import allowed_networks
    from stathouse.web.guard import check_exposure as check_http
    from stathouse.web.guard import load_tokens

    def check_statsd() -> None:
        found = socket.getaddrinfo(config.statsd.host, None, type=socket.SOCK_DGRAM)
        allowed_networks([str(entry[4][0]) for entry in found], config.statsd.allow)

    checks: tuple[tuple[str, Callable[[], object]], ...] = (
        (f"statsd on {config.statsd.host}", check_statsd),
        (f"HTTP on {config.http.host}", lambda: check_http(config.http)),
        (f"{len(config.http.tokens)} tokens", lambda: load_tokens(config.http)),
    )
    for what, check in checks:
        try:
            check()
        except ConfigError as error:
            place = f"{error.where}: " if error.where else ""
            yield Finding(level="fail", part="access", found=f"{place}{error.problem}", advice=error.advice)
        except OSError as error:
            yield Finding(level="fail", part="access", found=f"{what}: {error.strerror or error}")
        else:
            yield Finding(level="ok", part="access", found=what)


def _losses(status: Mapping[str, Any]) -> Iterator[Finding]:
    drops = status.get("kernel_drops", 0)
    if drops:
        yield Finding(
            level="warn",
            part="losses",
            found=f"the kernel has dropped {number(drops, grouped=True)} datagrams: the receive buffer was full",
            advice="Raise statsd.receive_buffer_bytes, and net.core.rmem_max with it.",
        )
    if (status.get("spool") or {}).get("shedding"):
        yield Finding(
            level="fail",
            part="losses",
            found="the house sheds what comes in: the disk or the spool is full",
            advice="Make room on the disk, or see why a backend does not take its rows.",
        )
    for backend in status.get("backends", ()):
        if backend.get("state") not in ("ok", None):
            yield Finding(
                level="warn",
                part="backend",
                found=printable(f"{backend.get('name')} is {backend.get('state')}: {backend.get('last_error')}"),
                advice="What it does not take stays in the spool.",
            )
