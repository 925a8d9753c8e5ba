"""Opening, closing, forking: one warehouse object a process, and no rows on the way out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, func, select, text, update

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.engines.sqlite import SqliteFile
from promptstudio_lab.warehouse.entities import PromptLab, SubjectKey
from promptstudio_lab.warehouse.organizations import enter
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.parts import Place, finish, opened, start

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

NAMELESS = 9
FORKED = """
import os, sys
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.organizations import enter
warehouse = Warehouse("memory")
enter(warehouse, name="parent")
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
print(os.path.exists(warehouse._database.path))
"""
LEFT_OPEN = """
import sys
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import SubjectKey
from promptstudio_lab.warehouse.organizations import enter
warehouse = Warehouse(sys.argv[1])
actor = enter(warehouse)
warehouse.transact(actor, lambda s: s.add(SubjectKey(id=new_id(), subject_ref="x")))
"""


def add(place: Place, word: str) -> None:
    place.do(lambda session: session.add(SubjectKey(id=new_id(), subject_ref=word)))


def words(place: Place) -> list[str]:
    return sorted(row.subject_ref for row in place.see(lambda session: find(session, SubjectKey)))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://x/y", "a warehouse is SQLite or PostgreSQL, not mysql"),
        ("no address", "'no address' is not the address of a warehouse"),
        ("postgresql://nobody@127.0.0.1:1/x", "cannot reach postgresql"),
    ],
)
def test_what_is_no_warehouse_is_told(url: str, message: str) -> None:
    with pytest.raises(WarehouseUnavailable, match=message):
        Warehouse(url)


def test_password_is_never_shown() -> None:
    with pytest.raises(WarehouseUnavailable) as caught:
        Warehouse("postgresql://nobody:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


def test_memory_warehouses_are_apart_and_end() -> None:
    with closing(Warehouse("memory")) as one, closing(Warehouse("memory")) as two:
        assert enter(one).organization_id != enter(two).organization_id
        assert isinstance(one._database, SqliteFile)
        assert isinstance(two._database, SqliteFile)
        files = [one._database.path, two._database.path]
        assert all(file.exists() for file in files)
    assert not any(file.parent.exists() for file in files)


def test_unit_of_work_is_all_or_nothing(place: Place) -> None:
    def work(session: Session) -> None:
        session.add(SubjectKey(id=new_id(), subject_ref="half"))
        session.flush()
        raise KeyError

    with pytest.raises(KeyError):
        place.do(work)
    assert words(place) == []


def test_group_is_all_or_nothing(place: Place) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(PromptLab).values(description="half"))
        raise KeyError

    with pytest.raises(KeyError):
        place.write(work)
    assert [row.description for row in place.see(lambda s: find(s, PromptLab))] == [None]


def test_broken_rule_is_an_error_of_ours(place: Place) -> None:
    lab = PromptLab(id=new_id(), name="default")
    with pytest.raises(WarehouseError, match=r"(?i)unique"):
        place.do(lambda session: session.add(lab))


def test_statement_that_reads_wrongly_is_an_error_of_ours(place: Place) -> None:
    with pytest.raises(WarehouseError):
        place.see(lambda session: session.scalars(select(func.no_such_function())).all())


def test_losers_of_a_deadlock_try_again(postgresql_place: Place) -> None:
    place = postgresql_place
    keys = [new_id(), new_id()]
    place.do(lambda s: s.add_all([SubjectKey(id=key, subject_ref=key) for key in keys]))
    tries = []

    def cross(first: str, second: str) -> None:
        def work(session: Session) -> None:
            tries.append(first)
            for key in (first, second):
                query = select(SubjectKey).where(SubjectKey.id == key).with_for_update()
                session.scalars(query).one()
                time.sleep(0.2)
            session.add(SubjectKey(id=new_id(), subject_ref=f"{first} done"))

        place.do(work)

    threads = [Thread(target=cross, args=pair) for pair in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 3
    assert words(place) == sorted([*keys, *(f"{key} done" for key in keys)])


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_unit_that_others_keep_crossing_is_told(postgresql_place: Place, state: str) -> None:
    tries = []

    def work(session: Session) -> None:
        tries.append(1)
        session.add(SubjectKey(id=new_id(), subject_ref="half"))
        session.flush()
        session.execute(text(f"DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{state}''; END'"))

    with pytest.raises(WarehouseUnavailable, match=r"change the same rows.*5 tries.*try again"):
        postgresql_place.do(work)
    assert len(tries) == 5
    assert words(postgresql_place) == []


def test_units_that_see_an_old_state_are_done_again(postgresql_place: Place) -> None:
    place = postgresql_place
    place.do(lambda s: s.execute(update(PromptLab).values(description="0")))
    levels = {"isolation_level": "REPEATABLE READ"}
    place.warehouse.engine.update_execution_options(**levels)

    def count_up() -> None:
        def work(session: Session) -> None:
            (lab,) = find(session, PromptLab)
            time.sleep(0.05)
            lab.description = str(int(lab.description or 0) + 1)

        place.do(work)

    threads = [Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [lab.description for lab in place.see(lambda s: find(s, PromptLab))] == ["3"]


def test_options_of_an_address_are_kept(postgresql_url: str) -> None:
    there = f"{postgresql_url}&options=-c%20statement_timeout%3D12345"
    with opened(there) as place:
        found = place.see(lambda s: s.execute(text("SHOW statement_timeout")).scalar_one())
        zone = place.see(lambda s: s.execute(text("SHOW timezone")).scalar_one())
    assert (found, zone) == ("12345ms", "UTC")


def fork_and_write(url: str) -> None:
    with opened(url) as place:
        parents: list[object] = []
        event.listen(place.warehouse.engine, "checkout", lambda raw, *_: parents.append(raw))
        words(place)
        child = os.fork()
        if child == 0:
            known = set(map(id, parents))
            parents.clear()
            add(place, "child")
            os._exit(NAMELESS if known & set(map(id, parents)) else 0)
        add(place, "parent")
        assert os.waitpid(child, 0)[1] == 0
        add(place, "parent later")
        assert words(place) == ["child", "parent", "parent later"]


def test_a_connection_in_use_is_closed_when_it_comes_back(postgresql_url: str) -> None:
    with closing(Warehouse(postgresql_url)) as warehouse:
        held = warehouse.engine.connect()
        raws: list[Any] = [held.connection.driver_connection]
    with held:
        pass
    with warehouse.engine.connect() as late:
        raws.append(late.connection.driver_connection)
    assert [raw.closed for raw in raws] == [True, True]


def test_forked_child_has_connections_of_its_own(own_place: Place, warehouse_url: str) -> None:
    assert finish([start(fork_and_write, warehouse_url)]) == [0]
    assert words(own_place) == ["child", "parent", "parent later"]


def test_forked_child_leaves_the_parents_memory_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")


def test_process_that_ends_keeps_its_rows(own_place: Place, warehouse_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN, warehouse_url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert words(own_place) == ["x"]
