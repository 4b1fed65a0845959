"""Where the house keeps its data and its sockets when nothing is configured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["data_folder", "runtime_folder"]


def data_folder(configured: str, environ: Mapping[str, str]) -> Path:
    """Return the folder of spool and archive.

    Args:
        configured: the option ``data``; empty for the XDG state folder.
        environ: the environment.

    >>> data_folder("", {"XDG_STATE_HOME": "/var/state"})
    PosixPath('/var/state/stathouse')
    """
    if configured:
        return Path(configured).expanduser()
    return _xdg(environ, "XDG_STATE_HOME", _home(environ) / ".local" / "state") / "stathouse"


def runtime_folder(configured: str, environ: Mapping[str, str], *, uid: int | None = None) -> Path:
    """Return the folder of sockets.

    Args:
        configured: the option ``runtime``; empty for the default.
        environ: the environment.
        uid: the user; None for the one that runs this.

    >>> runtime_folder("", {}, uid=1000)
    PosixPath('/dev/shm/stathouse-1000')
    """
    if configured:
        return Path(configured).expanduser()
    user = os.geteuid() if uid is None else uid
    named = environ.get("XDG_RUNTIME_DIR", "")
    if named.startswith("/"):
        return Path(named) / "stathouse"
    return Path("/run/stathouse") if user == 0 else Path(f"/dev/shm/stathouse-{user}")


def _xdg(environ: Mapping[str, str], name: str, default: Path) -> Path:
    value = environ.get(name, "")
    return Path(value) if value.startswith("/") else default  # the XDG rules say to ignore a relative path


def _home(environ: Mapping[str, str]) -> Path:
    value = environ.get("HOME", "")
    return Path(value) if value.startswith("/") else Path.home()
