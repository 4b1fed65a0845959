"""Every touch of the disk that must survive a crash goes through here, so that a test can stop it at any step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["TEMPORARY", "Files"]

TEMPORARY = ".tmp-"
"""Names of files that are being written begin with this; whatever has it at start-up is removed."""


class Files:
    """The disk. Private files (0600) in private folders (0700); nothing counts as written before it is synced."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, each entered durably into its parent."""
        missing: list[Path] = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(path.parent)

    def create(self, path: Path) -> BinaryIO:
        """Open a new file for writing; it must not exist."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "wb", buffering=1 << 18)

    def sync(self, file: BinaryIO) -> None:
        """Force what was written to the disk. After an error the file is not to be trusted: write another."""
        file.flush()
        os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name; a file that had it is replaced in one step."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Force a folder's entries to the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is fine."""
        path.unlink(missing_ok=True)

    def room(self, folder: Path) -> tuple[int, int]:
        """Return (bytes of the disk, bytes free)."""
        usage = shutil.disk_usage(folder)
        return usage.total, usage.free

    def walk(self, folder: Path) -> Iterator[Path]:
        """Yield every file below a folder, in order of name."""
        for root, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                yield Path(root, name)

    def write_whole(self, path: Path, body: bytes) -> None:
        """Write a small file so that its name shows either the old bytes or the new ones."""
        temporary = path.with_name(TEMPORARY + path.name)
        self.remove(temporary)
        with self.create(temporary) as file:
            file.write(body)
            self.sync(file)
        self.rename(temporary, path)
        self.sync_folder(path.parent)
