"""A copy of a SQLite warehouse before its schema moves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from promptstudio_lab.errors import WarehouseError

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = 3


def back_up(source: sqlite3.Connection, path: Path, revision: str) -> Path:
    """Copy a database beside itself, check the copy, and return where it lies.

    The three newest copies are kept.

    Args:
        source: a connection to it, outside a transaction, while nobody else writes.
        path: its file.
        revision: the schema that it will have next.

    Raises:
        WarehouseError: if the copy cannot be written or is not sound.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = path.with_name(f"{path.name}.before-{revision}-{moment}")
    try:
        with closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        target.unlink(missing_ok=True)
        message = f"cannot back up {path} before its upgrade, so it stays as it is: {verdict}"
        raise WarehouseError(message)
    for old in sorted(path.parent.glob(f"{path.name}.before-*"))[:-_KEPT]:
        old.unlink(missing_ok=True)
    return target
