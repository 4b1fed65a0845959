"""What the tests of the project look at: its files and its modules."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ROOT", "installed", "module_names", "text_files"]

ROOT = Path(__file__).resolve().parents[2]

_NOT_OURS = frozenset(
    {
        ".git",
        ".hypothesis",
        ".import_linter_cache",
        ".make",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
        "__pycache__",
        "_build",
        "build",
        "dist",
        "node_modules",
        "page",
        "target",
        "test-results",
    }
)


def text_files() -> list[Path]:
    """Return the project's own text files: what git would keep, or, without git, what was not built."""
    return sorted(path for path in _candidates() if path.is_file() and b"\0" not in path.read_bytes()[:4096])


def _candidates() -> Iterator[Path]:
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        yield from (ROOT / name for name in listed.split("\0") if name)
        return
    for place, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _NOT_OURS]
        yield from (Path(place, name) for name in names)


def module_names() -> list[str]:
    """Return every Python module of the package, by name."""
    source = ROOT / "src"
    names = []
    for path in sorted((source / "stathouse").rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def installed(module: str) -> bool:
    """Return whether a module can be imported here, without importing it."""
    return importlib.util.find_spec(module) is not None
