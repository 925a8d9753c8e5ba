"""How SQLite is opened and written so that nothing acknowledged is lost.

Python's own `sqlite3` only: a second SQLite library in one process drops the first one's locks.
Writes and checkpoints never overlap: SQLite up to 3.51.2 can corrupt a WAL database when they do.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.warehouse.engines import moved
from promptstudio_lab.warehouse.engines.locks import FairLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL, Connection
    from sqlalchemy.pool import ConnectionPoolEntry

_CHECKPOINT_BYTES = 16 * 1024 * 1024
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "9p", "fuse.sshfs", "afs"}
)
_WAIT = "PRAGMA busy_timeout=30000"
_READERS_END_S = 10.0
_POLL_S = 0.01
_OPENING = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_size=-65536",
    _WAIT,
)


class SqliteFile:
    """One SQLite file as a warehouse: its engine, its lock and its checkpoints.

    Args:
        url: a `sqlite:///` URL of a file.

    Raises:
        WarehouseUnavailable: if the file lies on a network file system or cannot be made.
    """

    name = "sqlite"
    login, owned = "", True  # whoever has the file has everything in it

    def __init__(self, url: URL) -> None:
        """Refuse what cannot be safe; open nothing yet."""
        if not url.database:
            message = f"{url} names no file; write sqlite:///path/warehouse.db, or `memory`"
            raise WarehouseUnavailable(message)
        self.path = Path(url.database)
        _make_folder(self.path)
        _refuse_network(self.path)
        self._lock = FairLock(self.path.with_name(self.path.name + ".lock"))
        self._wal = self.path.with_name(self.path.name + "-wal")
        self.revision: str | None = None
        self.engine = self._engine(self._connect)
        self.readers = self._engine(self._connect_to_read)
        # Held while the log is given up, so that nobody opens the old one again meanwhile.
        self._opening = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that holds the write lock; the block ends with its own commit."""
        with (
            self._lock.held(),
            self.engine.connect().execution_options(writing=True) as connection,
        ):
            self._check_log(connection)
            try:
                yield connection
            except OperationalError:
                # Writing to a log that is gone may also fail at once.
                self._check_log(connection)
                raise
            self._check_log(connection)
            self._checkpoint(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state and cannot write."""
        with self._opening:
            opened = self.readers.connect()
        with opened as connection:
            yield connection

    def bind(self, connection: Connection, organization_id: str) -> None:  # noqa: ARG002 — the file is the boundary, and nothing inside it is
        """Refuse to work on a schema that another process has moved since this one opened it."""
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if self.revision is not None and found != int(self.revision):
            raise moved(str(self.path), self.revision)

    def reopen(self) -> None:
        """Let go of a log that another program has replaced, and of everything that shares it.

        Raises:
            WarehouseUnavailable: if a read in this process does not end.
        """
        deadline = time.monotonic() + _READERS_END_S
        with self._opening:
            while self.readers.pool.checkedout() or self.engine.pool.checkedout():  # type: ignore[attr-defined]  # a queue pool
                if time.monotonic() > deadline:
                    message = (
                        f"another program replaced the log of {self.path} while this process "
                        "reads from it; end the reads and write again"
                    )
                    raise WarehouseUnavailable(message)
                time.sleep(_POLL_S)
            self.engine.dispose()
            self.readers.dispose()

    def close(self) -> None:
        """Let every connection go, under the lock: closing the last one is a checkpoint."""
        if not self.path.exists():
            self._dispose()
            return
        with self._lock.held():
            self._dispose()

    def _dispose(self) -> None:
        self.engine.dispose()
        self.readers.dispose()

    def _engine(self, connect: Callable[[], sqlite3.Connection]) -> Engine:
        engine = create_engine(
            "sqlite://",
            creator=connect,
            hide_parameters=True,
            pool_size=8,
            max_overflow=16,
            # The default of an address without a file would share one connection.
            poolclass=QueuePool,
        )
        event.listen(engine, "begin", _begin)
        event.listen(engine, "connect", self._note_log)
        return engine

    def _note_log(self, raw: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        # A first read opens the log; from now on this is the one that the connection writes to.
        raw.execute("SELECT count(*) FROM sqlite_master").fetchall()
        record.info["wal"] = _inode(self._wal)

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=30
            )
            for pragma in _OPENING:
                connection.execute(pragma)
        except sqlite3.Error as error:
            message = f"cannot open the warehouse {self.path}: {error}"
            raise WarehouseUnavailable(message) from None
        return connection

    def _check_log(self, connection: Connection) -> None:
        """Say so if another library unlinked the log that this connection writes to."""
        if _inode(self._wal) != connection.info["wal"]:
            connection.invalidate()
            message = f"{self._wal} was replaced by another program while it was written"
            raise LogReplaced(message)

    def _checkpoint(self, connection: Connection) -> None:
        if self._wal.stat().st_size <= _CHECKPOINT_BYTES:
            return
        raw: Any = connection.connection.driver_connection  # a DB-API connection has no common type
        # A reader may hold an old state for long: then the rest of the log waits, not the writers.
        raw.execute("PRAGMA busy_timeout=0")
        raw.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        raw.execute(_WAIT)


def engine_version() -> str:
    """Return the version of the one SQLite library that this process uses."""
    return f"SQLite {sqlite3.sqlite_version}"


class LogReplaced(Exception):
    """The write-ahead log was replaced under us: the group must be written again."""


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder of the warehouse {path}: {error.strerror}"
        raise WarehouseUnavailable(message) from None
    if path.is_dir():
        message = f"{path} is a folder; a warehouse is a file, such as {path / 'warehouse.db'}"
        raise WarehouseUnavailable(message)


def _refuse_network(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    if not mounts.exists():
        return
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, place, found, *_ = line.split(" ")
        # The table writes a space as \040.
        place = place.encode("latin-1", "replace").decode("unicode_escape")
        inside = os.path.commonpath([place, path.resolve()]) == place.rstrip("/") or place == "/"
        if inside and len(place) >= len(best):
            best, kind = place, found
    if kind in _NETWORK_FILE_SYSTEMS:
        message = (
            f"{path} lies on a network file system ({kind}), where SQLite loses rows. "
            "Use a local path, or PostgreSQL to share a warehouse."
        )
        raise WarehouseUnavailable(message)
