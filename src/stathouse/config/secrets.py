"""Secrets: read from a file that only its owner may read, or from an environment variable; never from the config."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from stathouse.errors import ConfigError

__all__ = ["read_secret_file", "read_secret_variable"]

_LONGEST = 4096


def read_secret_file(path: str, *, where: str, source: str = "") -> str:
    """Return the first line of a secret file.

    Args:
        path: the file; ``~`` is the user's home.
        where: the option that named it, for the error.
        source: where that option was set.

    Raises:
        ConfigError: the file is missing, empty, or others may read it.
    """
    place = os.path.expanduser(path)
    try:
        with open(place, "rb") as file:
            state = os.fstat(file.fileno())  # of the open file, so that nobody can swap it after the check
            if not stat.S_ISREG(state.st_mode):
                raise ConfigError(f"{path} is not a file.", where=where, source=source)
            if _others_may_read(state):
                raise ConfigError(
                    f"others may read {path} (mode {stat.S_IMODE(state.st_mode):04o}).",
                    where=where,
                    source=source,
                    advice=f"Run: chmod 600 {path}",
                )
            line = file.readline(_LONGEST)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", where=where, source=source) from error
    return _clean(line.decode("utf-8", "replace"), path, where, source)


def read_secret_variable(name: str, environ: Mapping[str, str], *, where: str, source: str = "") -> str:
    """Return the secret in an environment variable.

    Args:
        name: the variable.
        environ: the environment.
        where: the option that named it, for the error.
        source: where that option was set.

    Raises:
        ConfigError: the variable is not set or empty.
    """
    return _clean(environ.get(name, ""), f"the environment variable {name}", where, source)


def _others_may_read(state: os.stat_result) -> bool:
    # systemd hands a credential over as root:root 0440, with an access list for the service's own user.
    roots_own = state.st_uid == 0 and state.st_gid == 0
    return bool(state.st_mode & (0o037 if roots_own else 0o077))


def _clean(text: str, what: str, where: str, source: str) -> str:
    secret = text.strip()
    if not secret:
        raise ConfigError(f"{what} holds no token.", where=where, source=source)
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ConfigError(f"{what} holds characters that no token has.", where=where, source=source)
    return secret
