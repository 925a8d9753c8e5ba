"""A server that crashes loses nothing acknowledged and makes nothing twice."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import PromptLab, SubjectKey
from promptstudio_lab.warehouse.rows import find
from promptstudio_lab.warehouse.types import now
from tests.conftest import _missing
from tests.lab import parts as labs
from tests.servers import NotHere, fresh_database
from tests.warehouse.crashing import CrashingServer, Line, crashing
from tests.warehouse.parts import Place, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session

COLUMNS = ("id", "organization_id", "subject_ref", "created_at", "created_by")
WRITERS, RESTARTS = 3, 3
BETWEEN_S = 0.5
PATIENCE_S = 2.0
ITEMS = 200


@pytest.fixture(scope="module")
def server() -> Iterator[CrashingServer]:
    with ExitStack() as stack:
        try:
            yield stack.enter_context(crashing())
        except NotHere as error:
            _missing(error)


@pytest.fixture
def url(server: CrashingServer) -> Iterator[str]:
    with fresh_database(server.url) as fresh:
        yield fresh.render_as_string(hide_password=False)


@pytest.fixture
def place(url: str) -> Iterator[Place]:
    with opened(url) as found:
        yield found


def crossed_by_restarts(server: CrashingServer, write: Callable[[int], None]) -> int:
    """Have writers write without a pause while the server crashes; return how often they did."""
    stop, failures = threading.Event(), []
    done = [0] * WRITERS

    def work(writer: int) -> None:
        try:
            while not stop.is_set():
                write(writer)
                done[writer] += 1
        except Exception as error:  # noqa: BLE001 — whatever a writer meets is the finding
            failures.append(error)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for _ in range(RESTARTS):
        time.sleep(BETWEEN_S)
        server.restart()
    time.sleep(BETWEEN_S)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    return sum(done)


def test_groups_of_rows_survive_crashes(server: CrashingServer, place: Place) -> None:
    acknowledged: list[str] = []
    own = place.actor.organization_id

    def write(_: int) -> None:
        keys = [new_id(), new_id()]
        rows = [(key, own, key, now(), "x") for key in keys]
        place.write(lambda connection: insert_missing(connection, "subject_key", COLUMNS, rows))
        acknowledged.extend(keys)

    written = crossed_by_restarts(server, write)
    found = [row.id for row in place.see(lambda session: find(session, SubjectKey))]
    assert written > RESTARTS
    assert sorted(found) == sorted(acknowledged)


def count_up(session: Session) -> int:
    lab = session.scalars(select(PromptLab).with_for_update()).one()
    lab.description = str(int(lab.description or 0) + 1)
    return int(lab.description)


def counted(place: Place) -> int:
    (lab,) = place.see(lambda session: find(session, PromptLab))
    return int(lab.description or 0)


def test_units_of_work_are_done_once_whatever_crashes(server: CrashingServer, place: Place) -> None:
    answers: list[int] = []
    written = crossed_by_restarts(server, lambda _: answers.append(place.do(count_up)))
    assert written > RESTARTS
    assert sorted(answers) == list(range(1, written + 1))
    assert counted(place) == written


def test_run_survives_crashes(server: CrashingServer, url: str) -> None:
    with labs.opened(url) as lab:
        flow = lab.flow("support/crossed")
        ticket = flow.input("ticket", "text")
        flow.output(answer=flow.llm("ask", prompt="Answer {{ ticket }}", ticket=ticket))
        crash = threading.Timer(BETWEEN_S, server.restart)
        crash.start()
        for _ in range(3):
            flow.batch([{"ticket": str(number)} for number in range(ITEMS)])
        crash.join()
        assert lab.runs(10_000)["status"].to_list() == ["succeeded"] * 3 * ITEMS
        calls = lab.sql(
            "SELECT count(*) AS n, count(DISTINCT node_execution_id) AS d FROM prompt_execution"
        )
        assert calls.row(0) == (3 * ITEMS, 3 * ITEMS)


def test_read_that_breaks_is_told_and_the_next_one_works(
    server: CrashingServer, place: Place
) -> None:
    def read_twice(session: Session) -> None:
        session.scalar(text("SELECT 1"))
        server.restart()
        session.scalar(text("SELECT 1"))

    with pytest.raises(WarehouseUnavailable, match=r"connection to postgresql.*broke.*try again"):
        place.see(read_twice)
    assert place.see(lambda session: session.scalar(text("SELECT 1"))) == 1


def test_server_that_stays_away_is_told(server: CrashingServer, url: str) -> None:
    with opened(url, patience_s=PATIENCE_S) as place:
        server.crash()
        try:
            began = time.monotonic()
            with pytest.raises(WarehouseUnavailable, match=r"postgresql.*broke"):
                place.do(count_up)
            assert PATIENCE_S <= time.monotonic() - began < 5 * PATIENCE_S
            with pytest.raises(WarehouseUnavailable, match=r"postgresql.*broke"):
                place.see(lambda session: session.scalar(text("SELECT 1")))
        finally:
            server.start()
        assert place.do(count_up) == 1


@pytest.mark.parametrize(("cut", "works"), [("after", 1), ("before", 2), ("silent", 2)], ids=str)
def test_commit_without_an_answer_is_looked_up(
    server: CrashingServer, url: str, cut: str, works: int
) -> None:
    tries = []

    def work(session: Session) -> PromptLab:
        tries.append(count_up(session))
        return session.scalars(select(PromptLab)).one()

    with closing(Line(server.socket)) as line, opened(url):
        there = url.partition("?")[0].replace("@/", f"@127.0.0.1:{line.port}/")
        with opened(there) as place:
            line.cut = cut
            lab = place.do(work)
            assert line.cuts == 1
            assert lab.description == "1", "the rows it returns stay readable"
            assert counted(place) == 1
            assert len(tries) == works
            line.cut = cut
            row = (new_id(), place.actor.organization_id, "x", now(), "x")
            place.write(lambda c: insert_missing(c, "subject_key", COLUMNS, [row]))
            assert line.cuts == 2
            assert len(place.see(lambda session: find(session, SubjectKey))) == 1


def test_failed_transaction_is_never_taken_for_kept(place: Place) -> None:
    def work(connection: object) -> None:
        connection.execute(update(PromptLab).values(description="half"))  # type: ignore[attr-defined]  # SQLAlchemy's
        with pytest.raises(Exception, match="division by zero"):
            connection.execute(text("SELECT 1/0"))  # type: ignore[attr-defined]  # SQLAlchemy's

    with pytest.raises(WarehouseError, match="do the whole unit again"):
        place.write(work)
    assert counted(place) == 0
