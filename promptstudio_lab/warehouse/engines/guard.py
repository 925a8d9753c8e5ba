"""A lock that other SQLite libraries in this process cannot drop.

SQLite's own locks belong to the process: a second library (in pandas' driver, ADBC, DuckDB) that
closes the file drops them for everybody in it, takes itself for the last and removes the log
with whatever was just acknowledged. A lock that belongs to an open file stays. This one reads
like one more connection, so nobody takes himself for the last while a warehouse is open.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path

# Where SQLite locks: a connection of the database, a user of the log's index.
_DATABASE = (0x40000002, 510)
_INDEX = (128, 1)
_AVAILABLE = sys.platform == "linux" and sys.maxsize > 2**32

_Inode = tuple[int, int]


class Guard:
    """The lock on one database file, for as long as a warehouse of this process is open.

    Args:
        path: the database; its `-shm` is guarded with it.
    """

    def __init__(self, path: Path) -> None:
        """Remember the files; `take` opens them."""
        self._places = ((path, _DATABASE), (path.with_name(f"{path.name}-shm"), _INDEX))
        self._taken: dict[Path, _Inode] = {}

    def take(self) -> bool:
        """Guard the files as they are now, and tell whether they were not guarded before."""
        if not _AVAILABLE:
            return False
        with _taking:
            taken = [self._take(path, region) for path, region in self._places]
        return any(taken)

    def _take(self, path: Path, region: tuple[int, int]) -> bool:
        try:
            inode = _inode(path)
        except FileNotFoundError:
            return False
        if self._taken.get(path) == inode:
            return False
        if path in self._taken:
            _leave(self._taken.pop(path))
        held = _held.get(inode) or _Held(path, region)
        held.lock(fcntl.F_RDLCK)
        held.users += 1
        _held[inode] = held
        self._taken[path] = inode
        return True

    def let_go(self) -> None:
        """Unlock what no other warehouse of this process guards; the files stay open."""
        with _taking:
            for inode in self._taken.values():
                _leave(inode)
            self._taken.clear()

    def forget(self) -> None:
        """Start anew in a forked child."""
        self._taken.clear()


class _Held:
    """One guarded file."""

    def __init__(self, path: Path, region: tuple[int, int]) -> None:
        self._region = region
        self.users = 0
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def lock(self, kind: int) -> None:
        start, length = self._region
        wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
        fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLK, wanted)


_held: dict[_Inode, _Held] = {}
_taking = threading.RLock()


def close_unguarded() -> None:
    """Close the files that nobody guards any more.

    Closing one drops this process's own locks on it, so it waits until no connection, be it of
    a warehouse or a user's own, has the file open.
    """
    with _taking:
        left = {inode: held for inode, held in _held.items() if not held.users}
        if not left:
            return
        open_elsewhere = _open_inodes({held.descriptor for held in left.values()})
        for inode, held in left.items():
            if inode not in open_elsewhere:
                del _held[inode]
                os.close(held.descriptor)


def _leave(inode: _Inode) -> None:
    held = _held[inode]
    held.users -= 1
    if not held.users:
        held.lock(fcntl.F_UNLCK)


def _open_inodes(but: set[int]) -> set[_Inode]:
    found: set[_Inode] = set()
    for place in Path("/proc/self/fd").iterdir():
        descriptor = int(place.name)
        if descriptor not in but:
            with suppress(OSError):
                status = os.fstat(descriptor)
                found.add((status.st_dev, status.st_ino))
    return found


def _inode(path: Path) -> _Inode:
    status = path.stat()
    return status.st_dev, status.st_ino


def _forget_in_child() -> None:
    # The lock stays with the parent, whose open file it belongs to.
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()
    _taking.release()


os.register_at_fork(
    before=_taking.acquire, after_in_parent=_taking.release, after_in_child=_forget_in_child
)
