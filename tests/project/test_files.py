"""What must stand in no file, and what the lock files may say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.project.tree import ROOT, text_files

FILES = text_files()

# Taken apart, so that this file does not find itself.
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:" + r"work/(?:main|shared)|" + r"root/|opt/" + r"wheels)")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
# Cargo writes this name for crates.io whatever server it fetched from.
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def _found(pattern: re.Pattern[str], path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        if pattern.search(line)
    ]


def test_the_tree_is_not_empty() -> None:
    assert ROOT / "pyproject.toml" in FILES
    assert len(FILES) > 100


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert [line for path in FILES for line in _found(MACHINE_PATHS, path)] == []


def test_nothing_is_left_for_later() -> None:
    assert [line for path in FILES for line in _found(UNFINISHED, path)] == []


def test_no_file_is_built_output() -> None:
    built = [path for path in FILES if path.suffix in {".so", ".whl", ".pyc"} or "node_modules" in path.parts]
    assert built == []


def test_constraints_pin_names_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 20
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_constraints_cover_what_the_project_asks_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    asked = {name.lower().replace("_", "-") for name in re.findall(r'"([A-Za-z][\w-]*)>=', text)}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    assert len(asked) > 15
    assert asked - pinned == set()


@pytest.mark.parametrize(
    "lock", [path for path in FILES if path.name == "Cargo.lock"], ids=lambda path: path.parent.name
)
def test_the_cargo_lock_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "checksum" in text
    assert [line for line in text.splitlines() if "://" in line and CRATES_IO not in line] == []


def test_the_npm_lock_names_no_host() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    assert len(lock["packages"]) > 1
    assert [name for name, entry in lock["packages"].items() if "://" in entry.get("resolved", "")] == []


@pytest.mark.parametrize("name", ["pyproject.toml", "Makefile", ".ci/run", "rust/Cargo.toml", "web/package.json"])
def test_build_files_name_no_package_server(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"index-url|extra-index|find-links|registry\s*=", text)
