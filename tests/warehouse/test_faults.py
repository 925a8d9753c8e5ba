"""Writers in each other's way, other programs in theirs, and disks that are full."""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from bisect import bisect
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import SubjectKey
from promptstudio_lab.warehouse.rows import find
from promptstudio_lab.warehouse.types import now
from tests.conftest import _missing
from tests.servers import NotHere
from tests.warehouse.foreign import COLUMNS, commit_often, found, write
from tests.warehouse.parts import Place, file_of, finish, opened, processes, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

WRITERS, ROUNDS, COMMITS, ROWS = 32, 3, 25, 4
# Fair, 2, or 5 with other work on the machine; 14 where whoever comes first is served.
QUEUES = 8
PATIENCE_S = 1.0
KIB = 1024
SMALL_DISK = 3 * KIB * KIB


def test_many_kernels_write_at_once_and_none_waits_long(sqlite_url: str) -> None:
    with opened(sqlite_url):
        pass
    together, report = processes.Barrier(WRITERS), processes.Queue()
    work = (ROUNDS, COMMITS, ROWS, together, report)
    running = [start(commit_often, sqlite_url, *work) for _ in range(WRITERS)]
    reports = [report.get(timeout=100) for _ in running]
    assert finish(running) == [0] * WRITERS
    rows, health = found(file_of(sqlite_url))
    written = [f"{key} {row}" for keys, _ in reports for key in keys for row in range(ROWS)]
    assert sorted(rows) == sorted(written)
    assert health == "ok"
    overtaken = []
    for turn in range(ROUNDS):
        this = slice(turn * COMMITS, (turn + 1) * COMMITS)
        times = [span for _, spans in reports for span in spans[this]]
        ends = sorted(end for _, end in times)
        passed = [bisect(ends, end) - bisect(ends, began) for began, end in times]
        overtaken.append(statistics.quantiles(passed, n=100)[98])
    assert min(overtaken) < QUEUES * WRITERS, overtaken


def test_program_that_holds_a_transaction_is_told_of(sqlite_url: str) -> None:
    path = file_of(sqlite_url)
    with opened(sqlite_url, patience_s=PATIENCE_S) as place:
        before = write(place)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for attempt in (write, lambda at: at.do(lambda s: s.execute(text("SELECT 1")))):
                began = time.monotonic()
                with pytest.raises(
                    WarehouseUnavailable,
                    match=rf"another program holds a transaction open on {path}.*1 s",
                ):
                    attempt(place)
                assert time.monotonic() - began < 10 * PATIENCE_S
            other.execute("ROLLBACK")
        after = write(place)
        assert {row.split()[0] for row in found(path)[0]} == {before, after}


def test_writer_that_holds_the_lock_is_named(sqlite_url: str) -> None:
    with opened(sqlite_url, patience_s=PATIENCE_S) as place, ThreadPoolExecutor(1) as pool:

        def work(session: Session) -> None:
            session.execute(text("SELECT 1"))
            with pytest.raises(
                WarehouseUnavailable,
                match=rf"waited 1 s .*process {os.getpid()} .*holds .*warehouse\.db\.lock",
            ):
                pool.submit(write, place).result()

        place.do(work)
        key = write(place)
        assert {row.split()[0] for row in found(file_of(sqlite_url))[0]} == {key}


def rows_of(place: Place) -> list[str]:
    return sorted(row.subject_ref for row in place.see(lambda session: find(session, SubjectKey)))


def fill(place: Place, kilobytes: int = 64) -> list[str]:
    """Write groups of rows until the disk is full and return those that were acknowledged."""
    kept: list[str] = []
    own = place.actor.organization_id
    while True:
        keys = [new_id(), new_id()]
        rows = [(key, own, key + "x" * kilobytes * KIB, now(), "x") for key in keys]
        try:
            place.write(lambda c, rows=rows: insert_missing(c, "subject_key", COLUMNS, rows))  # type: ignore[misc]  # a default binds this turn's rows
        except WarehouseError as error:
            assert isinstance(error, WarehouseUnavailable)  # noqa: PT017 — sooner or later
            assert f"no room to write {file_of(place.warehouse.url)}" in str(error)  # noqa: PT017 — as above
            assert "MiB free in" in str(error)  # noqa: PT017 — as above
            return kept
        kept += [row[2] for row in rows]
        assert len(kept) < 10_000, "the disk is never full"


def limit(place: Place, pages: int) -> None:
    """Let no connection of the warehouse make the file longer."""
    with place.warehouse.engine.connect() as connection:
        connection.execute(text(f"PRAGMA max_page_count={pages}"))


def test_full_file_keeps_what_was_acknowledged(sqlite_place: Place, sqlite_url: str) -> None:
    limit(sqlite_place, 400)
    kept = fill(sqlite_place)
    assert kept
    assert rows_of(sqlite_place) == sorted(kept)
    limit(sqlite_place, 100_000)
    after = write(sqlite_place)
    rows, health = found(file_of(sqlite_url))
    assert sorted(rows) == sorted([*kept, f"{after} 0", f"{after} 1"])
    assert health == "ok"


@pytest.mark.parametrize("way", ["append", "transact"])
def test_unit_that_goes_on_after_an_error_keeps_nothing(sqlite_place: Place, way: str) -> None:
    """A full disk makes SQLite roll back by itself; what follows would be committed alone."""
    own = sqlite_place.actor.organization_id

    def row(size: int) -> tuple[object, ...]:
        key = new_id()
        return (key, own, key + "x" * size, now(), "x")

    def work(connection: Connection) -> None:
        insert_missing(connection, "subject_key", COLUMNS, [row(1)])
        with pytest.raises(WarehouseError, match="no room"):
            insert_missing(connection, "subject_key", COLUMNS, [row(4_000 * KIB)])
        insert_missing(connection, "subject_key", COLUMNS, [row(1)])

    limit(sqlite_place, 300)
    ways: dict[str, Callable[[], object]] = {
        "append": lambda: sqlite_place.write(work),
        "transact": lambda: sqlite_place.do(lambda session: work(session.connection())),
    }
    with pytest.raises(WarehouseError, match="nothing of it was kept; do the whole unit again"):
        ways[way]()
    assert rows_of(sqlite_place) == []


def test_commit_after_an_error_keeps_nothing(sqlite_place: Place) -> None:
    own = sqlite_place.actor.organization_id

    def work(connection: Connection) -> None:
        row = (new_id(), own, "x" * 4_000 * KIB, now(), "x")
        with pytest.raises(WarehouseError, match="no room"):
            insert_missing(connection, "subject_key", COLUMNS, [row])

    limit(sqlite_place, 300)
    with pytest.raises(WarehouseError, match="nothing of it was kept"):
        sqlite_place.write(work)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system with little room.

    Raises:
        NotHere: if this user may not mount.
    """
    folder.mkdir()
    mounting = ("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "none", str(folder))
    done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"a small file system ({done.stderr.strip()})"
        raise NotHere(message)
    try:
        yield
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def on_a_small_disk(folder: Path) -> None:
    """Fill a real disk, look, make room and go on."""
    url = f"sqlite:///{folder / 'warehouse.db'}"
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * 300 * KIB)
    with opened(url) as place:
        kept = fill(place, 32)
        assert kept
        assert rows_of(place) == sorted(kept)
        ballast.unlink()
        after = write(place)
        expected = sorted([*kept, f"{after} 0", f"{after} 1"])
        assert rows_of(place) == expected
    rows, health = found(folder / "warehouse.db")
    assert (sorted(rows), health) == (expected, "ok")


def test_full_disk_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """Where this user may not mount, in a name space where it may."""
    folder = tmp_path / "small"
    try:
        with small_disk(folder):
            on_a_small_disk(folder)
            return
    except NotHere as error:
        reason = error
    inside = (
        "import sys; from pathlib import Path; from tests.warehouse import test_faults as t\n"
        "with t.small_disk(Path(sys.argv[1])): t.on_a_small_disk(Path(sys.argv[1]))"
    )
    folder.rmdir()
    may = subprocess.run(("unshare", "-rm", "true"), capture_output=True, check=False)
    if may.returncode:
        _missing(reason)
    subprocess.run(("unshare", "-rm", sys.executable, "-c", inside, str(folder)), check=True)
