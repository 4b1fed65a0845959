"""``stathouse doctor``: what is wrong on this machine, in the config and with the running house, and what to do."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Final

from cyclopts import Parameter

from stathouse.cli.client import DEFAULT_CONNECTION, DEFAULT_URL, Connection, is_loopback
from stathouse.cli.config_flags import Flags, with_config_flags
from stathouse.cli.doctor import Finding, house, places, system
from stathouse.cli.exits import Exit
from stathouse.cli.output import is_terminal, printable, write_json
from stathouse.cli.parameters import JsonFlag
from stathouse.cli.version import installed
from stathouse.config.load import load
from stathouse.config.options import HouseConfig
from stathouse.config.paths import data_folder, runtime_folder
from stathouse.errors import ConfigError

__all__ = ["doctor"]

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def _doctor(
    *,
    config: Annotated[str | None, Parameter(env_var="STATHOUSE_CONFIG", help="The TOML file.", metavar="FILE")] = None,
    as_json: JsonFlag = False,
    connection: Connection = DEFAULT_CONNECTION,
    flags: Flags,
) -> int:
    """Check ports, folders, versions and config: what is wrong and what to do.

    Args:
        config: the TOML file.
        as_json: print JSON.
        connection: how to reach the running house; without an address the one that the config names.
        flags: options given as flags.
    """
    options, found = _config(config, flags)
    if connection.url == DEFAULT_URL:
        connection = replace(connection, url=house.url_of(options))
    answers, status, troubles = house.ask(replace(connection, timeout_seconds=min(connection.timeout_seconds, 5.0)))
    here = answers and is_loopback(connection.url)
    findings = [*found, *_findings(options, ours=here), *troubles]
    if status is not None:
        findings += house.check_running(status, time.time())
    if as_json:
        write_json({"findings": [asdict(finding) for finding in findings]})
    else:
        _write(findings)
    return Exit.FAILURE if any(finding.level == "fail" for finding in findings) else Exit.OK


doctor = with_config_flags(_doctor)


def _config(path: str | None, flags: Flags) -> tuple[HouseConfig, list[Finding]]:
    """Return the config and how it is; with a wrong one the checks go on over the defaults."""
    try:
        options = load(path, os.environ, flags)
    except ConfigError as error:
        place = ": ".join(part for part in (error.source, error.where) if part)
        found = f"{place}: {error.problem}" if place else error.problem
        return HouseConfig(), [Finding(level="fail", part="config", found=printable(found), advice=error.advice)]
    source = path or os.environ.get("STATHOUSE_CONFIG", "") or "defaults, environment and flags"
    return options, [Finding(level="ok", part="config", found=printable(source))]


def _findings(options: HouseConfig, *, ours: bool) -> Iterator[Finding]:
    versions = installed()
    yield from system.check_system(options, versions)
    yield from places.check_data_folder(data_folder(options.data, os.environ), options.archive)
    runtime = runtime_folder(options.runtime, os.environ)
    yield from places.check_runtime_folder(runtime, unix=options.statsd.unix)
    yield from places.check_ports(options, ours=ours)
    if versions["core"] is not None and versions["litestar"] is not None:
        yield from house.check_exposure(options)


def _write(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    width = max(len(finding.part) for finding in findings)
    console = Console(highlight=False) if is_terminal() else None
    for finding in findings:
        line = f"{finding.part:<{width}}  {finding.found}"
        indent = " " * (width + 8)
        if console is None:
            print(f"{finding.level:<4}  {line}")
        else:
            console.print(Text.assemble((f"{finding.level:<4}", _STYLES[finding.level]), f"  {line}"))
        if finding.advice:
            print(f"{indent}{finding.advice}")
    counts = Counter(finding.level for finding in findings)
    print(f"{counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failures")
