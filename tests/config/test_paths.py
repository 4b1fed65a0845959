"""Where data and sockets are when nothing is configured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from stathouse.config.paths import data_folder, runtime_folder


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        ("", {"HOME": "/home/ada"}, "/home/ada/.local/state/stathouse"),
        ("", {"HOME": "/home/ada", "XDG_STATE_HOME": "/var/state"}, "/var/state/stathouse"),
        ("", {"HOME": "/home/ada", "XDG_STATE_HOME": "relative"}, "/home/ada/.local/state/stathouse"),
        ("/srv/stats", {"HOME": "/home/ada", "XDG_STATE_HOME": "/var/state"}, "/srv/stats"),
    ],
)
def test_data_folder(configured: str, environ: Mapping[str, str], expected: str) -> None:
    assert data_folder(configured, environ) == Path(expected)


@pytest.mark.parametrize(
    ("configured", "environ", "uid", "expected"),
    [
        ("", {"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000, "/run/user/1000/stathouse"),
        ("", {"XDG_RUNTIME_DIR": "relative"}, 1000, "/dev/shm/stathouse-1000"),
        ("", {}, 0, "/run/stathouse"),
        ("", {}, 1000, "/dev/shm/stathouse-1000"),
        ("/srv/run", {"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000, "/srv/run"),
    ],
)
def test_runtime_folder(configured: str, environ: Mapping[str, str], uid: int, expected: str) -> None:
    assert runtime_folder(configured, environ, uid=uid) == Path(expected)


def test_without_a_user_it_is_the_one_that_runs_this() -> None:
    assert runtime_folder("", {}) == runtime_folder("", {}, uid=os.geteuid())
