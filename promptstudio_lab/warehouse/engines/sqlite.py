"""How SQLite is opened and written so that nothing acknowledged is lost.

Python's own `sqlite3` only: a second SQLite library in one process drops the first one's locks.
Writes and checkpoints never overlap: SQLite up to 3.51.2 can corrupt a WAL database when they do.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.warehouse.engines.locks import FairLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection

_CHECKPOINT_BYTES = 16 * 1024 * 1024
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "9p", "fuse.sshfs", "afs"}
)
_OPENING = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_size=-65536",
    "PRAGMA busy_timeout=30000",
)


class SqliteFile:
    """One SQLite file as a warehouse: its engine, its lock and its checkpoints.

    Args:
        url: a `sqlite:///` URL of a file.

    Raises:
        WarehouseUnavailable: if the file lies on a network file system or cannot be made.
    """

    name = "sqlite"

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
        self.engine: Engine = create_engine(
            "sqlite://",
            creator=self._connect,
            hide_parameters=True,
            pool_size=8,
            max_overflow=16,
            # The default of an address without a file would share one connection.
            poolclass=QueuePool,
        )
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that holds the write lock; the block ends with its own commit."""
        with (
            self._lock.held(),
            self.engine.connect().execution_options(writing=True) as connection,
        ):
            yield connection
            self._check_acknowledged(connection)
            self._checkpoint(connection)

    def close(self) -> None:
        """Let every connection go, under the lock: closing the last one is a checkpoint."""
        if not self.path.exists():
            self.engine.dispose()
            return
        with self._lock.held():
            self.engine.dispose()

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

    def _check_acknowledged(self, connection: Connection) -> None:
        """Say so if another library unlinked the log that this connection has just written to."""
        raw: Any = connection.connection.driver_connection  # a DB-API connection has no common type
        held = connection.info.setdefault("wal", None)
        seen = _inode(self._wal)
        if held is not None and seen != held:
            connection.invalidate()
            message = f"{self._wal} was replaced by another program while it was written"
            raise LogReplaced(message)
        if held is None and raw is not None:
            connection.info["wal"] = seen

    def _checkpoint(self, connection: Connection) -> None:
        if self._wal.exists() and self._wal.stat().st_size > _CHECKPOINT_BYTES:
            raw: Any = (
                connection.connection.driver_connection
            )  # a DB-API connection has no common type
            raw.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()


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
        inside = os.path.commonpath([place, path.resolve()]) == place.rstrip("/") or place == "/"
        if inside and len(place) > len(best):
            best, kind = place, found
    if kind in _NETWORK_FILE_SYSTEMS:
        message = (
            f"{path} lies on a network file system ({kind}), where SQLite loses rows. "
            "Use a local path, or PostgreSQL to share a warehouse."
        )
        raise WarehouseUnavailable(message)
