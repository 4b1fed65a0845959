"""Fixtures for all tests, and the rule for what is not installed.

A test that runs a program says so: ``@pytest.mark.requires("chromium")``, or ``requires("chromium")`` with the fixture.
Where it is missing the test is skipped, and the end of the run says how many and why. With ``STATHOUSE_NO_SKIPS=1``,
as in CI, a skipped test fails the run; only a test that is for another user (root, or anyone but root) may be skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest

__all__ = ["Requires", "WaitUntil"]

WaitUntil = Callable[..., None]
Requires = Callable[..., None]

_FOR_ANOTHER_USER = re.compile(r"\broot\b|\bCAP_[A-Z_]+\b")
_SKIPS = pytest.StashKey[Counter[str]]()


@pytest.fixture
def free_port() -> int:
    """Return a port that nothing on 127.0.0.1 uses, neither TCP nor UDP."""
    for _ in range(64):
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free for both TCP and UDP")


@pytest.fixture
def wait_until() -> WaitUntil:
    """Return ``wait_until(condition, deadline=10.0)``: it ends when the condition is true and fails at the deadline.

    It looks again and again with short pauses, so that a test waits for what it needs and not for luck.
    """

    def wait(condition: Callable[[], object], deadline: float = 10.0, *, what: str = "") -> None:
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {deadline:g} s: {what or condition}")
            time.sleep(0.01)

    return wait


@pytest.fixture
def requires() -> Requires:
    """Return ``requires(*programs)``, which skips the test where one of them is not installed."""
    return _require


def _require(*programs: str) -> None:
    # The programs of this environment count too, also when it is not active.
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)))
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the reasons."""
    config.stash[_SKIPS] = Counter()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker names a program that is missing."""
    for marker in item.iter_markers("requires"):
        _require(*marker.args)


class _Skips:
    """Keeps the reasons of the process that reports: with pytest-xdist that is not the one that runs the test."""

    def __init__(self, reasons: Counter[str]) -> None:
        self.reasons = reasons

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._count(report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._count(report.longrepr)

    def _count(self, told: object) -> None:
        reason = told[2] if isinstance(told, tuple) else str(told)
        self.reasons[str(reason).removeprefix("Skipped: ")] += 1


def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen for skipped tests."""
    session.config.pluginmanager.register(_Skips(session.config.stash[_SKIPS]), "stathouse-skips")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for a skipped test where none is allowed."""
    if _forbidden(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _forbidden(config: pytest.Config) -> list[str]:
    """Return the reasons for which no test may be skipped here."""
    if os.environ.get("STATHOUSE_NO_SKIPS", "") in ("", "0"):
        return []
    return [reason for reason in config.stash[_SKIPS] if not _FOR_ANOTHER_USER.search(reason)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests were skipped, and why."""
    skips = config.stash[_SKIPS]
    if not skips:
        return
    terminalreporter.section("not tested here")
    for reason, count in skips.most_common():
        terminalreporter.line(f"{count} skipped: {reason}")
    for reason in _forbidden(config):
        terminalreporter.line(f"STATHOUSE_NO_SKIPS is set, so this run fails: {reason}", red=True)
