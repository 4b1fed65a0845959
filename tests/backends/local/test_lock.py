"""One house for a folder: the second is refused and told where the first one answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stathouse.backends.local.lock import hold
from stathouse.errors import StoreLocked
from tests.backends.local.support import HandClock, open_archive


def test_the_second_is_refused_and_learns_the_url(tmp_path: Path) -> None:
    with hold(tmp_path / "data") as lock:
        lock.set_url("http://127.0.0.1:8127")
        with pytest.raises(StoreLocked) as refused:
            hold(tmp_path / "data")
        assert refused.value.url == "http://127.0.0.1:8127"
    with hold(tmp_path / "data", "http://other"), pytest.raises(StoreLocked, match="http://other"):
        hold(tmp_path / "data")


def test_it_is_let_go_when_its_holder_is_killed(tmp_path: Path) -> None:
    program = (
        f"from stathouse.backends.local.lock import hold\nlock = hold({str(tmp_path)!r})\n"
        "print('held', flush=True)\ninput()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreLocked):
        hold(tmp_path)
    holder.kill()
    holder.communicate()
    hold(tmp_path).release()


def test_opening_and_closing_the_file_elsewhere_does_not_let_go(tmp_path: Path) -> None:
    with hold(tmp_path):
        (tmp_path / "lock").read_bytes()
        with pytest.raises(StoreLocked):
            hold(tmp_path)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        hold(tmp_path / "data")
    assert victim.read_text() == "precious"


def test_taking_the_lock_needs_no_other_package() -> None:
    program = (
        "import sys\nimport stathouse.backends.local.lock\n"
        "print([name for name in ('duckdb', 'pyarrow', 'apsw') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_archive_is_open_once(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()), pytest.raises(StoreLocked):
        open_archive(tmp_path, HandClock())
    open_archive(tmp_path, HandClock()).close()
