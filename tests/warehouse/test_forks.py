"""A forked child works by the same warehouse object, with nothing of its parent's in hand."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.engines.locks import FairLock
from promptstudio_lab.warehouse.entities import SubjectKey
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.parts import Place, finish, opened, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.orm import Session

CHILDREN, TURNS = 3, 15
WATCHDOG_S = 30
HOLD_S = 0.7
REFUSED = 7


def add(place: Place, word: str) -> None:
    place.do(lambda session: session.add(SubjectKey(id=new_id(), subject_ref=word)))


def words(place: Place) -> list[str]:
    return sorted(row.subject_ref for row in place.see(lambda session: find(session, SubjectKey)))


def forked(work: Callable[[], None]) -> int:
    """Do some work in a forked child, which a watchdog ends, and return its process id."""
    child = os.fork()
    if child == 0:
        signal.alarm(WATCHDOG_S)
        code = 1
        try:
            work()
            code = 0
        except WarehouseUnavailable as error:
            code = REFUSED if "was forked while" in str(error) else 1
        finally:
            os._exit(code)
    return child


def ended(*children: int) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def write_turns(place: Place, name: str) -> None:
    for turn in range(TURNS):
        add(place, f"{name} {turn}")
        assert f"{name} {turn}" in words(place)


def children_write(url: str) -> None:
    with opened(url) as place:
        add(place, "before")
        words(place)
        children = [
            forked(lambda number=number: write_turns(place, f"child {number}"))  # type: ignore[misc]  # a default binds this turn's number
            for number in range(CHILDREN)
        ]
        write_turns(place, "parent")
        assert ended(*children) == [0] * CHILDREN
        add(place, "after")


def test_children_and_parent_read_and_write(own_place: Place, warehouse_url: str) -> None:
    assert finish([start(children_write, warehouse_url)]) == [0]
    names = ["parent", *(f"child {number}" for number in range(CHILDREN))]
    expected = ["after", "before", *(f"{name} {turn}" for name in names for turn in range(TURNS))]
    assert words(own_place) == sorted(expected)


def fork_while_a_thread_writes(url: str) -> None:
    with opened(url) as place:
        inside = threading.Event()

        def work(session: Session) -> None:
            session.add(SubjectKey(id=new_id(), subject_ref="thread"))
            session.flush()
            inside.set()
            time.sleep(HOLD_S)

        thread = threading.Thread(target=place.do, args=(work,))
        thread.start()
        assert inside.wait(WATCHDOG_S)
        child = forked(lambda: write_turns(place, "child"))
        thread.join()
        write_turns(place, "parent")
        assert ended(child) == [0]


def test_fork_while_another_thread_writes(own_place: Place, warehouse_url: str) -> None:
    assert finish([start(fork_while_a_thread_writes, warehouse_url)]) == [0]
    expected = ["thread", *(f"{name} {n}" for name in ("child", "parent") for n in range(TURNS))]
    assert words(own_place) == sorted(expected)


def fork_while_threads_never_stop(url: str) -> None:
    stop = threading.Event()
    with opened(url) as place:

        def work(name: str) -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                add(place, f"{name} {turn}")
                words(place)

        threads = [threading.Thread(target=work, args=(f"thread {n}",)) for n in range(2)]
        for thread in threads:
            thread.start()
        children = [
            forked(lambda number=number: write_turns(place, f"child {number}"))  # type: ignore[misc]  # a default binds this turn's number
            for number in range(CHILDREN)
        ]
        codes = ended(*children)
        stop.set()
        for thread in threads:
            thread.join(WATCHDOG_S)
        assert codes == [0] * CHILDREN
        assert len([word for word in words(place) if word.startswith("child")]) == CHILDREN * TURNS


def test_fork_while_threads_never_stop(own_place: Place, warehouse_url: str) -> None:
    assert finish([start(fork_while_threads_never_stop, warehouse_url)]) == [0]
    assert words(own_place)


def fork_in_the_middle(url: str) -> None:
    with opened(url) as place:
        add(place, "before")
        with place.warehouse.reading(place.actor) as session:
            session.scalar(text("SELECT 1"))
            child = forked(lambda: add(place, "child"))
        add(place, "after")
        sqlite = place.warehouse.dialect == "sqlite"
        assert ended(child) == [REFUSED if sqlite else 0]


def test_fork_in_the_middle_of_a_read_is_safe(own_place: Place, warehouse_url: str) -> None:
    assert finish([start(fork_in_the_middle, warehouse_url)]) == [0]
    assert {"before", "after"} <= set(words(own_place))


def test_child_that_leaves_the_block_leaves_the_lock(tmp_path: Path) -> None:
    mine = FairLock(tmp_path / "lock")
    with suppress(SystemExit), mine.held():
        child = os.fork()
        if child == 0:
            # What stands in the way out of the block belongs to the parent.
            raise SystemExit
        assert ended(child) == [0]
        with (
            pytest.raises(WarehouseUnavailable, match="waited"),
            FairLock(tmp_path / "lock", HOLD_S).held(),
        ):
            pass
    if child == 0:
        os._exit(0)
    with FairLock(tmp_path / "lock", HOLD_S).held():
        pass
