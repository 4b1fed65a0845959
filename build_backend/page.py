"""Builds the web page with npm, but only when its sources are newer than what was built.

"Newer" is decided by content, not by file times: the hash of all sources is kept in ``build/page.sha256``.
Run as a program it builds the page of the project it stands in.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PageError", "build_page", "main"]

_NOT_SOURCES = frozenset({"node_modules", "dist", "coverage", "test-results", ".vite"})


class PageError(Exception):
    """The page cannot be built; the message says what to do."""


def build_page(root: Path) -> bool:
    """Build the page of the project in ``root``; return whether anything had to be built.

    A tree without ``web/package.json`` (an unpacked sdist) and a machine without npm use the page that is there.

    Raises:
        PageError: there is no page and it cannot be built, or npm failed.
    """
    sources = root / "web"
    page = root / "src" / "stathouse" / "web" / "page" / "index.html"
    stamp = root / "build" / "page.sha256"
    if not (sources / "package.json").is_file():
        if page.is_file():
            return False
        raise PageError(f"{page} is missing, and so are the sources in web/: this copy of Stathouse is not complete.")
    digest = _digest(sources)
    if page.is_file() and stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return False
    npm = shutil.which("npm")
    if npm is None:
        if page.is_file():
            print("npm is not installed: using the page that was built before.")
            return False
        raise PageError("npm is not installed: install Node.js with npm, or install Stathouse from its sdist or wheel.")
    _install_modules(npm, sources)
    _npm(npm, sources, "run", "build")
    if not page.is_file():
        raise PageError(f"'npm run build' in {sources} ended well but did not write {page}.")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest, encoding="ascii")
    return True


def _install_modules(npm: str, sources: Path) -> None:
    """Run ``npm ci``, unless the modules that are there came from the same lock file."""
    lock = hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()
    stamp = sources / "node_modules" / ".stathouse-lock"
    if stamp.is_file() and stamp.read_text(encoding="ascii") == lock:
        return
    _npm(npm, sources, "ci", "--no-audit", "--no-fund")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(lock, encoding="ascii")


def _npm(npm: str, folder: Path, *arguments: str) -> None:
    # npm's output goes to stderr: PEP 517 front ends may read this process's stdout.
    done = subprocess.run([npm, *arguments], cwd=folder, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise PageError(f"'npm {' '.join(arguments)}' in {folder} failed with exit code {done.returncode}.")


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(_files(folder)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\n{content}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES]
        for name in names:
            yield Path(place, name)


def main() -> int:
    """Build the page of this project; return the exit code."""
    try:
        build_page(Path(__file__).resolve().parent.parent)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
