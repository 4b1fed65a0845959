"""The folder of the spool: its lock, its file, and how a damaged file is replaced without losing sight of it.

A new file is built complete under another name. Only then is the old one moved to ``quarantine/`` and the new one
renamed into its place, so that a crash or a full disk at any moment leaves one file that is whole.
"""

from __future__ import annotations

import fcntl
import logging
import os
import uuid
from pathlib import Path

import apsw

from stathouse.delivery.records import State
from stathouse.delivery.salvage import Salvage, salvage
from stathouse.delivery.spoolfile import DAMAGE, SIDES, build, check_header, sync_folder, write_state
from stathouse.errors import StoreError, StoreFull, StoreLocked
from stathouse.model import Clock

__all__ = ["SpoolFolder"]

_log = logging.getLogger(__name__)


class SpoolFolder:
    """Holds a spool's folder for this process.

    Args:
        folder: made with mode 0700 when it is missing.
        clock: names what is put into quarantine.
        vfs: SQLite's name of the file system layer; empty for the usual one.

    Raises:
        StoreLocked: another process holds it.
    """

    def __init__(self, folder: Path, *, clock: Clock, vfs: str = "") -> None:
        self._folder = folder
        self._clock = clock
        self._vfs = vfs
        self._rebuilt = folder / "spool.rebuilt"
        self.path = folder / "spool.sqlite"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._lock = _lock(folder)

    @property
    def quarantine(self) -> Path:
        """Where damaged files are kept."""
        return self._folder / "quarantine"

    def prepare(self) -> None:
        """Finish a replacement that was cut off, make the file when there is none, and look at its header.

        Raises:
            StoreError: a newer Stathouse wrote it.
            StoreDamaged: it is no spool.
            StoreFull: there is no room to make one.
        """
        if self._rebuilt.exists():
            self.take_over()
        if not self.path.exists() or self.path.stat().st_size == 0:
            self.path.unlink(missing_ok=True)
            self.rebuild(None)
            self.take_over()
        check_header(self.path)

    def rebuild(self, old: Path | None) -> Salvage:
        """Make the new file complete, with what can be read of the old one, but leave the old one in its place.

        Raises:
            StoreFull: there is no room.
            StoreError: the disk fails.
        """
        new = self._folder / "spool.new"
        try:
            for leftover in (new.with_name(new.name + side) for side in ("", *SIDES)):
                leftover.unlink(missing_ok=True)
            connection = build(new, vfs=self._vfs)
            try:
                if old is None:
                    write_state(connection, State(writer=uuid.uuid4().hex))
                    found = Salvage(kept_batches=0, lost_rows=0, exact=True)
                else:
                    found = salvage(old, connection, vfs=self._vfs)
            finally:
                connection.close()
            new.rename(self._rebuilt)
            sync_folder(self._folder)
        except apsw.FullError as error:
            raise StoreFull(f"{new}: there is no room on the disk.") from error
        except (*DAMAGE, apsw.CantOpenError, OSError) as error:
            raise StoreError(f"{new} cannot be written: {error}.") from error
        return found

    def take_over(self) -> None:
        """Move the old file away and the new one into its place.

        The old write-ahead log goes first: beside the new file SQLite would replay it into the wrong database.
        """
        place = self.quarantine / str(self._clock.now_ns())
        for old in (self.path.with_name(self.path.name + side) for side in (*SIDES, "")):
            if old.exists():
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                old.rename(place / old.name)
        self._rebuilt.rename(self.path)
        sync_folder(self._folder)

    def next_epoch(self, stored: int) -> int:
        """Return the epoch of a start, and note it beside the spool.

        SQLite drops the tail of a spoiled write-ahead log without a word, and with it the last epoch. Were it given
        out again, backends would take new batches for old ones of the same name.

        Args:
            stored: the last epoch that the spool knows.
        """
        try:
            noted = os.pread(self._lock, 32, 0)
            epoch = max(stored, int(noted) if noted.strip().isdigit() and len(noted) < 20 else 0) + 1
            os.pwrite(self._lock, f"{epoch:018d}\n".encode(), 0)
            os.fsync(self._lock)
        except OSError as error:
            _log.warning("the epoch could not be noted: %s", error)
            epoch = stored + 1
        return epoch

    def free_bytes(self) -> tuple[int, int]:
        """Return how many bytes are free on its disk, and how large the disk is."""
        room = os.statvfs(self._folder)
        return room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock(folder: Path) -> int:
    """Take the folder for this process: SQLite would let a second one in, but positions are counted in memory."""
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreLocked(str(folder)) from error
    return descriptor
