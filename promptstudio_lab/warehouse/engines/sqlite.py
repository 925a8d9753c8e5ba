"""How SQLite is opened and written so that nothing acknowledged is lost.

Python's own `sqlite3` only: a second SQLite library in one process drops the first one's locks.
Writes and checkpoints never overlap: SQLite up to 3.51.2 can corrupt a WAL database when they do.
"""

from __future__ import annotations

import ctypes
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.warehouse.engines import PATIENCE_S, faults, forks, halved, location, moved
from promptstudio_lab.warehouse.engines.guard import Guard, close_unguarded
from promptstudio_lab.warehouse.engines.locks import FairLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL, Connection, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

_CHECKPOINT_BYTES = 16 * 1024 * 1024
_READERS_END_S = 10.0
_POLL_S = 0.01
_LOOK = "SELECT count(*) FROM sqlite_master"
_TO_READ = ("PRAGMA foreign_keys=ON", "PRAGMA cache_size=-65536")
_TO_WRITE = ("PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0")


class SqliteFile:
    """One SQLite file as a warehouse: its engine, its lock and its checkpoints.

    Args:
        url: a `sqlite:///` URL of a file.
        patience_s: how long a write waits, for its turn and then for other programs.

    Attributes:
        read_only: why the file can only be read, or None.

    Raises:
        WarehouseUnavailable: if the file lies on a network file system or cannot be made.
    """

    name = "sqlite"
    login, owned = "", True  # whoever has the file has everything in it

    def __init__(self, url: URL, patience_s: float = PATIENCE_S) -> None:
        """Refuse what cannot be safe; open nothing yet."""
        if not url.database:
            message = f"{url} names no file; write sqlite:///path/warehouse.db, or `memory`"
            raise WarehouseUnavailable(message)
        self.path = location.settle(Path(url.database))
        location.refuse_network(self.path)
        self.read_only = location.read_only(self.path)
        self.patience_s = patience_s
        self._lock = FairLock(self.path.with_name(self.path.name + ".lock"), patience_s)
        self._guard = Guard(self.path)
        self._wal = self.path.with_name(self.path.name + "-wal")
        self.revision: str | None = None
        self._checkpoint_at = _CHECKPOINT_BYTES
        self._log_is_old = False
        self._raw: set[sqlite3.Connection] = set()
        self.engine = self._engine(self._connect)
        self.readers = self._engine(self._connect_to_read)
        # Held while the log is given up, so that nobody opens the old one again meanwhile.
        self._opening = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that holds the write lock; the block ends with its own commit."""
        if self.read_only:
            message = f"{self.path} can only be read: {self.read_only}"
            raise WarehouseUnavailable(message)
        if self._log_is_old:
            self.reopen()
        with (
            self._lock.held(),
            self.engine.connect().execution_options(writing=True) as connection,
        ):
            self._check_log(connection)
            try:
                yield connection
            except (OperationalError, WarehouseError):
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
            still = connection.info["still"]
            yield connection
            if still is not None and still != self._standing():
                connection.invalidate()
                message = f"{self.path} was written while it was read; read again"
                raise WarehouseUnavailable(message)

    def bind(self, connection: Connection, organization_id: str) -> None:  # noqa: ARG002 — the file is the boundary, and nothing inside it is
        """Refuse to work on a schema that another process has moved since this one opened it."""
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if self.revision is not None and found != int(self.revision):
            raise moved(str(self.path), self.revision)

    @contextmanager
    def committing(self, connection: Connection) -> Iterator[None]:  # noqa: ARG002 — both engines' signature
        """Do nothing: whether a file was written is known at once."""
        yield

    def reopen(self) -> None:
        """Let go of a log that another program has replaced, and of everything that shares it.

        Raises:
            WarehouseUnavailable: if a read in this process does not end.
        """
        self._log_is_old = True
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
            # Unguarded, so that whoever opens next builds the log's index anew.
            self._guard.let_go()
            self._dispose()
            self._log_is_old = False

    def forget(self) -> None:
        """Drop, in a forked child, the connections of its parent."""
        self._opening = threading.Lock()
        self._guard.forget()
        for engine in (self.engine, self.readers):
            engine.dispose(close=False)
        if forks.clean():
            # The parent's locks keep this from being taken for the last close of the file.
            for raw in self._raw:
                raw.close()
        else:
            # Closing what is in use may wait for ever, so these stay open even at the exit.
            for raw in self._raw:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(raw))
        self._raw.clear()

    def close(self) -> None:
        """Let every connection go, under the lock: closing the last one is a checkpoint."""
        if self.read_only or not self.path.exists():
            self._end()
            return
        try:
            with self._lock.held():
                self._end()
        except WarehouseUnavailable:
            # Somebody writes for long, so this close is not the last and checkpoints nothing.
            self._end()

    def _end(self) -> None:
        self._guard.let_go()
        self._dispose()
        close_unguarded()

    def _dispose(self) -> None:
        with forks.using():
            self.engine.dispose()
            self.readers.dispose()

    def _engine(self, connect: Callable[[ConnectionPoolEntry], sqlite3.Connection]) -> Engine:
        # The default of an address without a file would share one connection. What another
        # user may write at any time is opened anew for each read.
        pool: dict[str, Any] = (  # options of different types
            {"poolclass": NullPool}
            if self.read_only
            else {"poolclass": QueuePool, "pool_size": 8, "max_overflow": 16}
        )
        engine = create_engine("sqlite://", creator=connect, hide_parameters=True, **pool)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "before_cursor_execute", _refuse_the_rest)
        event.listen(engine, "commit", _refuse_half)
        event.listen(engine, "handle_error", self._tell)
        event.listen(engine, "checkout", _entered)
        event.listen(engine, "checkin", _left)
        event.listen(engine, "close", lambda raw, _: self._raw.discard(raw))
        return engine

    def _connect_to_read(self, entry: ConnectionPoolEntry) -> sqlite3.Connection:
        connection = self._connect(entry)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _connect(self, entry: ConnectionPoolEntry) -> sqlite3.Connection:
        if not forks.clean():
            message = (
                f"this process was forked while another thread, or this one, used {self.path}, "
                "and SQLite does not survive that; fork outside of reads and writes, or start "
                "the process by `spawn`"
            )
            raise WarehouseUnavailable(message)
        entry.info["still"] = None
        try:
            with forks.using():
                connection = self._open_to_read(entry) if self.read_only else self._open()
        except sqlite3.Error as error:
            told = faults.told(self.path, error, self.patience_s)
            message = f"cannot open the warehouse {self.path}: {error}"
            raise told or WarehouseUnavailable(message) from None
        self._raw.add(connection)
        # From now on this log is the one that the connection writes to.
        entry.info["wal"] = _inode(self._wal)
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = self._open_to_write()
        if self._guard.take():
            # Until now another library could have removed the log that was opened.
            connection.close()
            connection = self._open_to_write()
        return connection

    def _open_to_write(self) -> sqlite3.Connection:
        # What is damaged is refused by the first look, before anything could change it.
        connection = self._raw_connection(str(self.path))
        with _closed_after_an_error(connection):
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode != "wal":
                message = (
                    f"cannot open the warehouse {self.path}: SQLite keeps no log there, only "
                    f"{mode!r}; use a local disk"
                )
                raise WarehouseUnavailable(message)
            for pragma in _TO_WRITE:
                connection.execute(pragma)
            connection.execute(_LOOK).fetchall()
        return connection

    def _open_to_read(self, entry: ConnectionPoolEntry) -> sqlite3.Connection:
        address = self.path.as_uri()
        try:
            return self._raw_connection(f"{address}?mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NO_LOG:
                raise
        still = self._standing()
        if still is None:
            message = (
                f"cannot read {self.path}: {self.read_only}, and what its log {self._wal} holds "
                "was not yet merged. Have somebody who may write open the warehouse once, or "
                "copy both files to a folder of your own"
            )
            raise WarehouseUnavailable(message)
        # All is in the one file; each read looks whether that stayed so.
        entry.info["still"] = still
        return self._raw_connection(f"{address}?immutable=1")

    def _raw_connection(self, address: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            address,
            uri=address.startswith("file:"),
            isolation_level=None,
            check_same_thread=False,
            timeout=self.patience_s,
        )
        with _closed_after_an_error(connection):
            connection.execute(_LOOK).fetchall()
            for pragma in _TO_READ:
                connection.execute(pragma)
        return connection

    def _standing(self) -> tuple[int, ...] | None:
        """Return how the file stands while it has no log."""
        if _inode(self._wal) is not None and self._wal.stat().st_size:
            return None
        status = self.path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _tell(self, context: ExceptionContext) -> None:
        told = faults.told(self.path, context.original_exception, self.patience_s)
        if told is not None:
            raise told

    def _check_log(self, connection: Connection) -> None:
        """Say so if another library unlinked the log that this connection writes to."""
        if _inode(self._wal) != connection.info["wal"]:
            connection.invalidate()
            message = f"{self._wal} was replaced by another program while it was written"
            raise LogReplaced(message)

    def _checkpoint(self, connection: Connection) -> None:
        """Merge a log that has grown, as far as readers allow; the commit stands in any case."""
        with suppress(OSError, sqlite3.Error):
            if self._wal.stat().st_size <= self._checkpoint_at:
                return
            raw: Any = (
                connection.connection.driver_connection
            )  # a DB-API connection: no common type
            # A reader may hold an old state for long: the rest of the log waits, not the writers.
            raw.execute("PRAGMA busy_timeout=0")
            try:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                raw.execute(f"PRAGMA busy_timeout={round(self.patience_s * 1000)}")
            self._checkpoint_at = self._wal.stat().st_size + _CHECKPOINT_BYTES


_NO_LOG = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})


def engine_version() -> str:
    """Return the version of the one SQLite library that this process uses."""
    return f"SQLite {sqlite3.sqlite_version}"


class LogReplaced(Exception):
    """The write-ahead log was replaced under us: the group must be written again."""


@contextmanager
def _closed_after_an_error(connection: sqlite3.Connection) -> Iterator[None]:
    with ExitStack() as unless_kept:
        unless_kept.callback(connection.close)
        yield
        unless_kept.pop_all()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _refuse_the_rest(
    connection: Connection,  # noqa: ARG001 — SQLAlchemy's signature
    cursor: sqlite3.Cursor,
    statement: str,
    *_: object,
) -> None:
    # After some errors SQLite has rolled back: what follows would be committed alone.
    if not (cursor.connection.in_transaction or statement.startswith("BEGIN")):
        raise halved()


def _refuse_half(connection: Connection) -> None:
    raw: Any = connection.connection.driver_connection  # a DB-API connection has no common type
    if not raw.in_transaction:
        raise halved()


def _entered(raw: object, entry: ConnectionPoolEntry, *_: object) -> None:  # noqa: ARG001 — SQLAlchemy's signature
    entry.info["thread"] = forks.enter()


def _left(raw: object, entry: ConnectionPoolEntry) -> None:  # noqa: ARG001 — SQLAlchemy's signature
    forks.leave(entry.info.pop("thread"))


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


forks.watch()
