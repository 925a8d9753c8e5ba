"""The fair lock that every writer of one SQLite file takes, across threads and processes."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FairLock:
    """A lock on a file that whoever waits longest gets next.

    The writer who lets go cannot take the lock again before the one who waits: to ask for the
    lock one must first pass a gate, and the next in line stands in the gate until it has the lock.

    Args:
        path: the lock file, beside the database; a second one, `…-gate`, is made beside it.
    """

    def __init__(self, path: Path) -> None:
        """Remember the files; they are made on first use."""
        self._lock = str(path)
        self._gate = f"{path}-gate"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the length of a `with` block."""
        gate = _open(self._gate)
        lock = -1
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            lock = _open(self._lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            _close(gate)
            gate = -1
            yield
        finally:
            for descriptor in (gate, lock):
                if descriptor >= 0:
                    _close(descriptor)


def _close(descriptor: int) -> None:
    # Closing alone would leave the lock with a child that was forked meanwhile.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
