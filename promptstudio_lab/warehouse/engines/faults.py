"""What SQLite's errors mean for whoever reads or writes a warehouse, and what to do about them."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

from promptstudio_lab.errors import WarehouseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY = 0xFF  # the rest of a code says which kind of its kind
_KEPT = "Nothing of this write was kept"


def told(path: Path, error: BaseException, patience_s: float) -> WarehouseUnavailable | None:
    """Return the error in words if the file is at fault, and nothing if the statement is."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    name = getattr(error, "sqlite_errorname", "")
    if code in _DAMAGED:
        message = (
            f"cannot open the warehouse {path}: it is damaged, or no SQLite database ({error}). "
            "It was left as it is: put it aside and restore a backup"
        )
    elif code in _LOCKED:
        message = (
            f"another program holds a transaction open on {path}, for longer than "
            f"{patience_s:g} s ({error}). {_KEPT}; end that transaction and try again"
        )
    elif code == sqlite3.SQLITE_FULL:
        message = (
            f"no room to write {path} ({error}): {_free(path)}. {_KEPT}; make room and write again"
        )
    elif code == sqlite3.SQLITE_IOERR:
        message = f"the disk refuses {path} ({error}, {name}): {_free(path)}. {_KEPT}"
    elif code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        message = (
            f"cannot open the warehouse {path}: {error}. Look whether the file and its folder "
            "are there and yours to write"
        )
    else:
        return None
    return WarehouseUnavailable(message)


def _free(path: Path) -> str:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        return f"free space unknown, {error.strerror}"
    return f"{free / 2**20:,.1f} MiB free in {path.parent}"
