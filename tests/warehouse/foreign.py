"""What other programs do with the file of a warehouse, each as its users would."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.types import now
from tests.warehouse.parts import Place, file_of, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    Report = Queue[tuple[list[str], list[tuple[float, float]]]]

COLUMNS = ("id", "organization_id", "subject_ref", "created_at", "created_by")
QUERY = "SELECT count(*) FROM subject_key"


def by_sqlite3(path: Path) -> None:
    """Read with Python's own library."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(QUERY).fetchone()


def by_pandas(path: Path) -> None:
    """Read a frame."""
    import pandas as pd

    with closing(sqlite3.connect(path)) as connection:
        pd.read_sql_query(QUERY, connection)


def by_adbc(path: Path) -> None:
    """Read with a library that brings its own SQLite."""
    import adbc_driver_sqlite.dbapi as adbc

    with adbc.connect(str(path)) as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        cursor.fetchall()


def by_duckdb(path: Path) -> None:
    """Attach the file, which brings one more SQLite."""
    import duckdb

    spec = find_spec("duckdb_extension_sqlite_scanner")
    if spec is None or spec.origin is None:
        message = "duckdb's extension for SQLite is not installed"
        raise ModuleNotFoundError(message)
    (extension,) = Path(spec.origin).parent.glob("extensions/*/sqlite_scanner.duckdb_extension")
    with duckdb.connect() as connection:
        # Signed by DuckDB, and refused otherwise.
        connection.execute(f"LOAD '{extension}'")
        connection.execute(f"ATTACH '{path}' AS warehouse (TYPE sqlite)")
        connection.execute("SELECT count(*) FROM warehouse.subject_key").fetchall()
        connection.execute("DETACH warehouse")


PROGRAMS: dict[str, Callable[[Path], None]] = {
    "sqlite3": by_sqlite3,
    "pandas": by_pandas,
    "adbc": by_adbc,
    "duckdb": by_duckdb,
}


def write(place: Place, rows: int = 2) -> str:
    """Write a group of rows, and return the id that they share once they are kept."""
    own, key = place.actor.organization_id, new_id()
    group = [(new_id(), own, f"{key} {number}", now(), "x") for number in range(rows)]
    place.write(lambda c: insert_missing(c, "subject_key", COLUMNS, group))
    return key


def commit_often(
    url: str, rounds: int, commits: int, rows: int, together: Barrier, report: Report
) -> None:
    """Write with others at the same time and report the groups, and from when to when each took."""
    keys, times = [], []
    with opened(url) as place:
        for _ in range(rounds):
            together.wait()
            for _ in range(commits):
                began = time.monotonic()
                keys.append(write(place, rows))
                times.append((began, time.monotonic()))
        report.put((keys, times))
        together.wait()  # processes that end take time from those that still write


def write_while_others_look(url: str, programs: list[str], acknowledged: Connection) -> None:
    """Write until killed, while threads of the same process open and close the file."""
    path = file_of(url)

    def look(program: Callable[[Path], None]) -> None:
        while True:
            program(path)
            time.sleep(0.001)

    with opened(url) as place:
        for name in programs:
            PROGRAMS[name](path)  # what cannot be imported fails here
            Thread(target=look, args=(PROGRAMS[name],), daemon=True).start()
        while True:
            acknowledged.send(write(place))


FOUND = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for (ref,) in connection.execute("SELECT subject_ref FROM subject_key"):
    print(ref)
print(connection.execute("PRAGMA integrity_check").fetchone()[0])
"""


def found(path: Path) -> tuple[list[str], str]:
    """Return what each row says, and whether all is well, as a process of its own sees it."""
    done = subprocess.run(
        [sys.executable, "-c", FOUND, str(path)], capture_output=True, text=True, check=True
    )
    *rows, health = done.stdout.splitlines()
    return rows, health
