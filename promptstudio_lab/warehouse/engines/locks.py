"""The fair lock that every writer of one SQLite file takes, across threads and processes."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.warehouse.engines import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME_BYTES = 80
# The usual commit takes some milliseconds; who holds the lock for longer is looked at less often.
_SOON_S, _LONG_S, _LATER_S = 0.0002, 0.05, 0.005


class FairLock:
    """A lock on a file that whoever waits longest gets next.

    The writer who lets go cannot take the lock again before the one who waits: to ask for the
    lock one must first pass a gate, and the next in line stands in the gate until it has the lock.

    Args:
        path: the lock file, beside the database; a second one, `…-gate`, is made beside it.
        patience_s: how long to stand in line.
    """

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        """Remember the files; they are made on first use."""
        self._lock = str(path)
        self._gate = f"{path}-gate"
        self._patience_s = patience_s

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the length of a `with` block.

        Raises:
            WarehouseUnavailable: if the line does not move for too long; it names the holder.
        """
        turn = _Turn(self._gate, self._lock)
        try:
            if not turn.come(self._patience_s):
                raise self._waited()
            yield
        finally:
            turn.leave()

    def _waited(self) -> WarehouseUnavailable:
        message = (
            f"waited {self._patience_s:g} s to write and gave up: {_holder(self._lock)} holds "
            f"{self._lock}. End what it writes, or try again later"
        )
        return WarehouseUnavailable(message)


class _Turn:
    """One writer's way through the gate to the lock, which it may give up at any point."""

    def __init__(self, gate: str, lock: str) -> None:
        self._gate, self._lock = _File(gate), _File(lock)
        # Between the writer and the thread that stands in line for it.
        self._handing = threading.Lock()
        self._arrived = threading.Event()
        self._in_line = self._left = False
        self._failure: OSError | None = None

    def come(self, patience_s: float) -> bool:
        """Take the lock and tell whether that came about in time."""
        until = time.monotonic() + patience_s
        try:
            self._gate.open()
            self._lock.open()
            if not (self._pass_gate(until) and self._take_over(until)):
                return False
            self._gate.let_go()
            self._lock.write(_own_name())
        except OSError as error:
            message = f"cannot use the lock {self._lock.path}: {error.strerror or error}"
            raise WarehouseUnavailable(message) from None
        return True

    def leave(self) -> None:
        """Let go of everything; a thread that still stands in line does so when it comes up."""
        with self._handing:
            self._left = True
            if not self._in_line:
                self._let_go()

    def _pass_gate(self, until: float) -> bool:
        if self._gate.take(now=True):
            return True
        self._in_line = True
        threading.Thread(target=self._stand_in_line, daemon=True).start()
        arrived = self._arrived.wait(until - time.monotonic())
        if self._failure is not None:
            raise self._failure
        return arrived

    def _stand_in_line(self) -> None:
        # The kernel's own queue keeps the order, and nothing but a thread can stop waiting in it.
        try:
            self._gate.take()
        except OSError as error:
            self._failure = error
        with self._handing:
            self._in_line = False
            if self._left:
                self._let_go()
        self._arrived.set()

    def _take_over(self, until: float) -> bool:
        # Only the next in line looks, so it may look often: a thread would have to be woken first.
        began = time.monotonic()
        while not self._lock.take(now=True):
            now = time.monotonic()
            if now >= until:
                return False
            time.sleep(_SOON_S if now - began < _LONG_S else _LATER_S)
        return True

    def _let_go(self) -> None:
        self._gate.let_go()
        self._lock.let_go()


class _File:
    """A file to lock. A forked child closes its copy, so that it never keeps the parent's lock."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def open(self) -> None:
        with _opening:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)
            _opened.add(self)

    def take(self, *, now: bool = False) -> bool:
        """Lock the file; `now` tells at once whether that is possible."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if now else 0))
        except BlockingIOError:
            return False
        return True

    def write(self, text: bytes) -> None:
        os.pwrite(self._descriptor, text, 0)

    def let_go(self) -> None:
        with _opening:
            if self in _opened:
                _opened.discard(self)
                # A child forked by other means may hold a copy: closing alone would not unlock it.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                os.close(self._descriptor)

    def forget(self) -> None:
        """Close a forked child's copy, which leaves the parent's lock alone."""
        os.close(self._descriptor)


_opened: set[_File] = set()
# Held across a fork, so that no file is open and not yet known in the child.
_opening = threading.RLock()


def _forget_in_child() -> None:
    for file in _opened:
        file.forget()
    _opened.clear()
    _opening.release()


def _own_name() -> bytes:
    program = Path(sys.argv[0]).name if sys.argv else ""
    name = f"process {os.getpid()}" + (f" ({program})" if program else "")
    return name.encode(errors="replace")[:_NAME_BYTES].ljust(_NAME_BYTES)


def _holder(lock: str) -> str:
    with suppress(OSError):
        name = Path(lock).read_bytes()[:_NAME_BYTES].decode(errors="replace").strip()
        if name:
            return name
    return "another process"


os.register_at_fork(
    before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_forget_in_child
)
