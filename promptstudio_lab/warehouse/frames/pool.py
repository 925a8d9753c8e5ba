"""Reader processes: bulk reads of SQLite without a second SQLite library in this process.

Two SQLite libraries in one process drop each other's file locks, and rows are lost. So a driver
that is quick runs in processes of its own, kept warm, which open a file for one read at a time.
"""

from __future__ import annotations

import atexit
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.warehouse.frames.wire import Message, receive, send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# pyarrow takes numpy along where it finds it, which doubles the time to start.
_PROGRAM = """
import sys
sys.modules["numpy"] = None
from promptstudio_lab.warehouse.frames.reader import main
main(int(sys.argv[1]))
"""
_SNAPSHOT_TRIES = 20
_LIVES = 2
_END_S = 5.0
# What the operating system says of a process that is not there any more.
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True, slots=True)
class Part:
    """One statement to read.

    Attributes:
        sql: with `?` for its parameters.
        parameters: values that JSON has.
        kinds: what the columns hold, for a statement whose first row only shows the types; None
            for one whose last column tells by 1 that a value is not of its column's type.
    """

    sql: str
    parameters: tuple[object, ...]
    kinds: tuple[str, ...] | None = None


class Odd(Exception):
    """The values of a column are of several types: only Python's own driver tells them apart."""


class _Process:
    """A reader process that is warm."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            # Its own session: Ctrl-C in a terminal is for the notebook's process.
            self.popen = subprocess.Popen(  # noqa: S603 — a program of ours, no text from outside
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def ask(self, **request: Any) -> Message:  # JSON values
        """Say something and return the answer."""
        send(self.socket, request)
        return self.answer()

    def answer(self) -> Message:
        """Return the answer to what was said last."""
        return receive(self.socket)[0]

    def version(self, do: str, uri: str = "") -> int:
        """Open a file, or hold its present state; return the state's number in that process."""
        answer = self.ask(do=do, uri=uri)
        if "error" in answer:
            raise WarehouseError(answer["error"])
        found: int = answer["version"]
        return found

    def end(self) -> None:
        """End it, whatever it is doing: it ends when its socket does."""
        self.socket.close()
        try:
            self.popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def forget(self) -> None:
        """Leave it to the parent of a fork."""
        self.socket.close()
        self.popen.returncode = 0  # or the child would complain that it still runs


class Readers:
    """The reader processes of this process: none until the first big read, then kept warm."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._one_at_a_time = Lock()
        self._warm: list[_Process] = []

    @property
    def process_ids(self) -> list[int]:
        """Return the ids of the processes that are warm."""
        return [process.popen.pid for process in self._warm]

    def read(self, path: Path, parts: Sequence[Part]) -> list[Any]:  # pyarrow ships no types
        """Return what the parts of one read give as Arrow tables, all of one state of the file.

        Args:
            path: a SQLite file.
            parts: a process reads each of them.

        Raises:
            Odd: if a column holds values of several types.
            WarehouseError: if the statement is refused, or the processes keep being killed.
        """
        uri = f"file:{quote(str(path))}?mode=ro"
        with self._one_at_a_time:
            for _ in range(_LIVES):
                with suppress(*_GONE):
                    return self._tables(uri, parts)
        message = f"the processes that read {path} were ended {_LIVES} times; is memory short?"
        raise WarehouseError(message)

    def _tables(self, uri: str, parts: Sequence[Part]) -> list[Any]:  # pyarrow ships no types
        tables, refusal, settled = [], None, False
        try:
            while len(self._warm) < len(parts):
                self._warm.append(_Process())
            processes = self._warm[: len(parts)]
            try:
                tables = _answers(_in_one_state(processes, uri), parts)
            except (WarehouseError, Odd) as error:
                refusal = error
            for process in processes:
                process.ask(do="close")
            settled = True
        finally:
            if not settled:
                # Killed, or somebody interrupts: what they are at is no longer known.
                self.end()
        if refusal is not None:
            raise refusal
        return tables

    def end(self) -> None:
        """End the processes; the next read starts new ones."""
        while self._warm:
            self._warm.pop().end()

    def forget(self) -> None:
        """Leave the processes to the parent of a fork, and whoever was waiting for them too."""
        self._one_at_a_time = Lock()
        while self._warm:
            self._warm.pop().forget()


def _in_one_state(processes: list[_Process], uri: str) -> list[_Process]:
    """Return the processes once all hold the same state, or only the first on a busy file.

    The last one knows whether anything was committed between its opening and its beginning, and
    the others begin in between.
    """
    for _ in range(_SNAPSHOT_TRIES):
        opened = [process.version("open", uri) for process in processes]
        begun = [process.version("begin") for process in processes]
        if len(processes) == 1 or opened[-1] == begun[-1]:
            return processes
    return processes[:1]


def _answers(processes: Sequence[_Process], parts: Sequence[Part]) -> list[Any]:  # Arrow tables
    if len(processes) < len(parts):
        return [table for part in parts for table in _answers(processes, [part])]
    sinks = [_memory() for _ in parts]
    try:
        for process, part, sink in zip(processes, parts, sinks, strict=True):
            request: Message = {"do": "read", "sql": part.sql, "parameters": part.parameters}
            if part.kinds is not None:
                request["kinds"] = part.kinds
            send(process.socket, request, (sink,))
        for answer in [process.answer() for process in processes]:
            if "error" in answer:
                raise WarehouseError(answer["error"])
            if answer.get("odd"):
                raise Odd
        return [_loaded(sink) for sink in sinks]
    finally:
        for sink in sinks:
            os.close(sink)


def _memory() -> int:
    """Return a file that has no name, so that nothing of it can stay behind."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("promptstudio-frame")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _loaded(descriptor: int) -> Any:  # pyarrow ships no types
    import pyarrow as pa

    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    return pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()


readers = Readers()


def _end() -> None:
    with suppress(OSError):
        readers.end()


atexit.register(_end)
os.register_at_fork(after_in_child=readers.forget)
