"""``stathouse version``: what is installed here."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Final

import stathouse
from stathouse.cli.output import Column, write_json, write_table
from stathouse.cli.parameters import JsonFlag

__all__ = ["PACKAGES", "installed", "version"]

PACKAGES: Final = (
    "apsw",
    "cyclopts",
    "duckdb",
    "httpx2",
    "litestar",
    "msgspec",
    "psutil",
    "pyarrow",
    "rich",
    "uvicorn",
)
"""The packages that the command line and the house stand on."""


def version(*, as_json: JsonFlag = False) -> int:
    """Print the versions of Stathouse and of what it stands on.

    Args:
        as_json: print JSON.
    """
    versions = installed()
    if as_json:
        write_json(versions)
    else:
        write_table(
            [Column(title="part"), Column(title="version")],
            [(name, found or "not installed") for name, found in versions.items()],
        )
    return 0


def installed() -> Mapping[str, str | None]:
    """Return part → version; None for what is not installed."""
    versions: dict[str, str | None] = {
        "stathouse": stathouse.__version__,
        "core": _core(),
        "python": platform.python_version(),
        "sqlite": _sqlite(),
    }
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _core() -> str | None:
    try:
        module = importlib.import_module("stathouse._core")
    except ImportError:
        return None
    return str(module.__version__)


def _sqlite() -> str | None:
    """Return the version of the SQLite that the spool uses: the one that apsw brings, not Python's."""
    try:
        import apsw
    except ImportError:
        return None
    return str(apsw.sqlite_lib_version())
