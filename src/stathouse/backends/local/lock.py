"""One house for a data folder: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType

from stathouse.errors import StoreLocked

__all__ = ["FolderLock", "hold"]

_NAME = "lock"
_URL_BYTES = 4_096


class FolderLock:
    """A held lock; a context manager. The file says where its holder answers."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def set_url(self, url: str) -> None:
        """Say where the holder answers, for whoever comes second."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, url.encode()[:_URL_BYTES], 0)

    def release(self) -> None:
        """Let go; a second call does nothing. The file stays: to remove it would let two holders in."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def hold(folder: str | os.PathLike[str], url: str = "") -> FolderLock:
    """Take the lock of a data folder; the folder is made when it is not there.

    Args:
        folder: the data folder.
        url: where the holder answers, when that is known already.

    Raises:
        StoreLocked: another process, or another part of this one, holds it.
    """
    path = Path(folder)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # A BSD lock belongs to this open file; a POSIX lock would be lost when any other part of the process
        # closed the same file.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, _URL_BYTES, 0).decode(errors="replace")
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise StoreLocked(str(path), holder) from None
        raise
    lock = FolderLock(descriptor)
    lock.set_url(url)
    return lock
