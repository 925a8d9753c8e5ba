"""Nothing that was acknowledged is lost, whoever else has the file open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from sqlalchemy import text

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.engines import location
from promptstudio_lab.warehouse.types import now
from tests.warehouse.parts import Place, count, file_of, finish, opened, processes, start

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import sqlalchemy
    from sqlalchemy.orm import Session

COLUMNS = ("id", "organization_id", "subject_ref", "created_at", "created_by")
WRITERS, COMMITS = 8, 50
ACKNOWLEDGED = 60
STALL_S = 5.0
LOOK = (
    "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
    "print(connection.execute('SELECT count(*) FROM subject_key').fetchone()[0],"
    "connection.execute('PRAGMA integrity_check').fetchone()[0])"
)


def write(place: Place, *words: str) -> list[str]:
    """Add a row for each word in one commit and return their ids."""
    keys = [new_id() for _ in words]
    own = place.actor.organization_id
    rows = [(key, own, f"{word} {key}", now(), "x") for key, word in zip(keys, words, strict=True)]
    place.write(lambda c: insert_missing(c, "subject_key", COLUMNS, rows))
    return keys


def seen_elsewhere(path: Path) -> tuple[int, str]:
    """Return what a process of its own finds: the number of rows, and whether all is well."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)], capture_output=True, text=True, check=True
    )
    number, health = done.stdout.split()
    return int(number), health


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def replace_log(path: Path) -> None:
    """Do what another library in this process does when it closes what it takes for its own."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink()


def test_connections_are_opened_for_safety(sqlite_place: Place) -> None:
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "wal_autocheckpoint": 0,
    }
    with sqlite_place.warehouse.engine.connect() as connection:
        for name, value in expected.items():
            assert connection.execute(text(f"PRAGMA {name}")).scalar() == value, name


def commit_often(url: str) -> None:
    with opened(url) as place:
        for _ in range(COMMITS):
            write(place, "one")


def test_many_writers_lose_nothing(sqlite_place: Place, sqlite_url: str) -> None:
    running = [start(commit_often, sqlite_url) for _ in range(WRITERS)]
    assert finish(running) == [0] * WRITERS
    assert sqlite_place.warehouse.dialect == "sqlite"
    assert seen_elsewhere(file_of(sqlite_url)) == (WRITERS * COMMITS, "ok")


def test_unit_of_work_keeps_foreign_writers_out(sqlite_place: Place, sqlite_url: str) -> None:
    def work(session: Session) -> None:
        session.scalar(text("SELECT count(*) FROM subject_key"))
        with closing(sqlite3.connect(file_of(sqlite_url), timeout=0)) as foreign:
            foreign.execute("DELETE FROM subject_key")

    write(sqlite_place, "one")
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        sqlite_place.do(work)
    assert count(file_of(sqlite_url), "subject_key") == 1


def write_until_killed(url: str, acknowledged: Connection) -> None:
    with opened(url) as place:
        while True:
            acknowledged.send(write(place, "one")[0])


def test_killed_writer_loses_nothing_acknowledged(sqlite_place: Place, sqlite_url: str) -> None:
    mine, theirs = processes.Pipe()
    writer = start(write_until_killed, sqlite_url, theirs)
    theirs.close()
    keys = [mine.recv() for _ in range(ACKNOWLEDGED)]
    writer.kill()
    finish([writer])
    try:
        while True:
            keys.append(mine.recv())
    except EOFError:
        pass
    query = text("SELECT id FROM subject_key")
    with sqlite_place.warehouse.engine.connect() as connection:
        found = set(connection.scalars(query))
    assert set(keys) <= found
    assert len(found) <= len(keys) + 1
    write(sqlite_place, "after")
    assert seen_elsewhere(file_of(sqlite_url)) == (len(found) + 1, "ok")


def test_other_readers_in_this_process_do_no_harm(sqlite_place: Place, sqlite_url: str) -> None:
    path = file_of(sqlite_url)
    for written in range(1, 21):
        write(sqlite_place, "one")
        assert count(path, "subject_key") == written
        with closing(sqlite3.connect(path)) as other:
            assert len(pd.read_sql("SELECT id FROM subject_key", other)) == written
    sqlite_place.warehouse.close()
    assert seen_elsewhere(path) == (20, "ok")


def test_replaced_log_is_noticed_between_commits(sqlite_place: Place, sqlite_url: str) -> None:
    path = file_of(sqlite_url)
    write(sqlite_place, "before")
    replace_log(path)
    write(sqlite_place, "after")
    assert seen_elsewhere(path) == (2, "ok")
    write(sqlite_place, "later")
    assert seen_elsewhere(path) == (3, "ok")


def test_replaced_log_is_noticed_before_the_first_commit(sqlite_url: str) -> None:
    path = file_of(sqlite_url)
    with opened(sqlite_url) as place:
        write(place, "before")
    with opened(sqlite_url) as place:  # has read, and not yet written
        replace_log(path)
        write(place, "after")
        assert seen_elsewhere(path) == (2, "ok")


def test_replaced_log_is_noticed_while_others_read(sqlite_place: Place, sqlite_url: str) -> None:
    path, engine = file_of(sqlite_url), sqlite_place.warehouse.engine
    write(sqlite_place, "before")
    query = text("SELECT count(*) FROM subject_key")
    with engine.connect() as one, engine.connect() as two:
        assert [one.scalar(query), two.scalar(query)] == [1, 1]
    replace_log(path)
    for written in (2, 3, 4):
        write(sqlite_place, "after")
        assert seen_elsewhere(path) == (written, "ok")
        with engine.connect() as one, engine.connect() as two:
            assert [one.scalar(query), two.scalar(query)] == [written, written]


def test_replaced_log_under_an_open_reader_loses_nothing(
    sqlite_place: Place, sqlite_url: str
) -> None:
    place, path = sqlite_place, file_of(sqlite_url)
    write(place, "before")
    with place.warehouse.reading(place.actor) as session:
        assert session.scalar(text("SELECT count(*) FROM subject_key")) == 1
        replace_log(path)
        try:
            acknowledged = 1 + len(write(place, "after"))
        except WarehouseError:
            acknowledged = 1
        assert seen_elsewhere(path) == (acknowledged, "ok")
    write(place, "later")
    assert seen_elsewhere(path) == (acknowledged + 1, "ok")


def test_log_replaced_in_a_unit_of_work_is_written_again(
    sqlite_place: Place, sqlite_url: str
) -> None:
    path, tries = file_of(sqlite_url), []
    row = (new_id(), sqlite_place.actor.organization_id, "x", now(), "x")
    write(sqlite_place, "before")

    def work(connection: sqlalchemy.Connection) -> None:
        insert_missing(connection, "subject_key", COLUMNS, [row])
        tries.append(1)
        if len(tries) == 1:
            log_of(path).unlink()

    sqlite_place.write(work)
    assert len(tries) == 2
    assert seen_elsewhere(path) == (2, "ok")


def test_log_that_is_always_replaced_is_told(sqlite_place: Place, sqlite_url: str) -> None:
    path = file_of(sqlite_url)
    write(sqlite_place, "before")

    def work(connection: sqlalchemy.Connection) -> None:
        connection.execute(text("UPDATE organization SET name = 'x'"))
        log_of(path).unlink()

    with pytest.raises(WarehouseUnavailable, match="keeps replacing the warehouse's log"):
        sqlite_place.write(work)


def big_rows(place: Place, megabytes: int) -> None:
    body = "x" * 1_000_000
    columns = ("id", "organization_id", "body", "byte_count", "created_at", "created_by")
    own = place.actor.organization_id
    rows = [(new_id(), own, body, len(body), now(), "x") for _ in range(megabytes)]
    place.write(lambda c: insert_missing(c, "payload", columns, rows))


def test_log_does_not_grow_for_ever(sqlite_place: Place, sqlite_url: str) -> None:
    for _ in range(6):
        big_rows(sqlite_place, 9)
    assert log_of(file_of(sqlite_url)).stat().st_size < 3 * 9 * 1024 * 1024


def test_reader_does_not_stall_writers(sqlite_place: Place) -> None:
    place = sqlite_place
    with ThreadPoolExecutor(1) as pool:
        with place.warehouse.reading(place.actor) as session:
            session.execute(text("SELECT count(*) FROM subject_key")).scalar()
            writing = pool.submit(big_rows, place, 18)
            pool.submit(write, place, "small")
            after = pool.submit(write, place, "later")
            _, waiting = wait([after], STALL_S)
        writing.result()
        assert not waiting, "a reader that stays makes every commit wait for it"


MOUNTS = r"""
overlay / overlay rw 0 0
server:/shared /shared nfs4 rw 0 0
/dev/sda1 /shared/local ext4 rw 0 0
server:/team /mnt/team\040share nfs rw 0 0
systemd-1 /mnt/auto autofs rw 0 0
server:/auto /mnt/auto nfs4 rw 0 0
//server/x /mnt/x cifs rw 0 0
/dev/sdb1 /sharedly ext4 rw 0 0
""".lstrip()


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mounts"
    file.write_text(MOUNTS, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/shared/a/warehouse.db", "nfs4"),
        ("/mnt/team share/warehouse.db", "nfs"),
        ("/mnt/auto/deep/er/warehouse.db", "nfs4"),
        ("/mnt/x/warehouse.db", "cifs"),
    ],
)
def test_network_file_systems_are_refused(mounts: Path, place: str, kind: str) -> None:
    with pytest.raises(WarehouseUnavailable, match=rf"network file system \({kind}\).*PostgreSQL"):
        location.refuse_network(Path(place), mounts)


@pytest.mark.parametrize(
    "place", ["/shared/local/warehouse.db", "/sharedly/warehouse.db", "/var/warehouse.db"]
)
def test_local_file_systems_are_fine(mounts: Path, place: str) -> None:
    location.refuse_network(Path(place), mounts)


def test_machine_without_a_list_of_mounts_is_fine(tmp_path: Path) -> None:
    location.refuse_network(tmp_path / "warehouse.db", tmp_path / "nothing")


def test_folder_is_no_warehouse(tmp_path: Path) -> None:
    with pytest.raises(WarehouseUnavailable, match="is a folder; a warehouse is a file"):
        Warehouse(f"sqlite:///{tmp_path}")


def test_other_file_is_no_warehouse(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be looked at closely" * 50)
    with pytest.raises(WarehouseUnavailable, match=r"cannot open the warehouse .*notes\.txt"):
        Warehouse(f"sqlite:///{file}")
    assert file.read_text().startswith("not a database")


def test_address_without_a_file_is_refused() -> None:
    with pytest.raises(WarehouseUnavailable, match="names no file"):
        Warehouse("sqlite://")


def test_folders_are_made(tmp_path: Path) -> None:
    Warehouse(f"sqlite:///{tmp_path / 'new' / 'deep' / 'warehouse.db'}").close()
    assert (tmp_path / "new" / "deep" / "warehouse.db").exists()


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseUnavailable, match="cannot make the folder"):
        Warehouse(f"sqlite:///{tmp_path / 'file' / 'warehouse.db'}")
