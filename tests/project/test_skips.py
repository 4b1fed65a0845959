"""The rule for what is not installed, in a test run of its own: skipped and counted, or an error where CI says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.tree import ROOT

TESTS = """
import pytest

@pytest.mark.requires("no-such-program")
def test_by_marker():
    raise AssertionError("this ran")

def test_by_fixture(requires):
    requires("python3", "no-such-program")

@pytest.mark.skipif(True, reason="only root can do it")
def test_of_another_user():
    raise AssertionError("this ran")

def test_that_runs(requires, free_port):
    requires("sh")
    assert 0 < free_port < 65536

@pytest.mark.xfail
def test_known():
    assert False

def test_deadline(wait_until):
    seen = []
    wait_until(lambda: seen.append(1) or len(seen) > 2)
    with pytest.raises(AssertionError, match="not within 0.02 s: the moon"):
        wait_until(lambda: False, 0.02, what="the moon")
"""


def _pytest(folder: Path, allowed: bool, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = requires\n", encoding="utf-8")
    (folder / "test_it.py").write_text(TESTS, encoding="utf-8")
    environment = {**os.environ, "STATHOUSE_NO_SKIPS": "0" if allowed else "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["-n1"]], ids=["plain", "xdist"])
def test_a_missing_program_skips_and_is_counted(tmp_path: Path, arguments: list[str]) -> None:
    done = _pytest(tmp_path, True, *arguments)
    assert done.returncode == 0, done.stdout
    assert "2 skipped: not installed: no-such-program" in done.stdout
    assert "2 passed, 3 skipped, 1 xfailed" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["-n1"]], ids=["plain", "xdist"])
def test_a_skip_fails_the_run_where_it_is_forbidden(tmp_path: Path, arguments: list[str]) -> None:
    done = _pytest(tmp_path, False, *arguments)
    assert done.returncode == 1, done.stdout
    assert "so this run fails: not installed: no-such-program" in done.stdout
    assert "so this run fails: only root" not in done.stdout


def test_a_test_for_another_user_may_be_skipped_anywhere(tmp_path: Path) -> None:
    done = _pytest(tmp_path, False, "-k", "another_user or runs")
    assert done.returncode == 0, done.stdout
    assert "1 skipped: only root can do it" in done.stdout
