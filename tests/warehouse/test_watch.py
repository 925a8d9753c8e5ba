"""Who waits for others hears of them at once, of everything, and of nobody else's."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.history import watch as watching
from promptstudio_lab.warehouse.history.changelog import (
    Operation,
    Stream,
    channel,
    record,
    since,
)
from promptstudio_lab.warehouse.history.watch import watch
from tests.warehouse.parts import (
    Place,
    finish,
    log,
    make_flow,
    make_node,
    opened,
    set_fields,
    start,
)

if TYPE_CHECKING:
    from promptstudio_lab.warehouse.history.changelog import Recorded

AT_ONCE_S = 0.9  # well under a second, on a busy machine
LONG_S = 30.0


@pytest.fixture
def flow(place: Place) -> str:
    return make_flow(place)


def wait(place: Place, flow: str, after: int, timeout_s: float = LONG_S) -> list[Recorded]:
    return watch(place.warehouse, place.actor, Stream("flow", flow), after, timeout_s)


def sequences(found: list[Recorded]) -> list[int]:
    return [done.seq for done in found]


def test_what_happened_already_is_returned_at_once(place: Place, flow: str) -> None:
    for x in range(3):
        make_node(place, flow, position_x=float(x))
    assert sequences(wait(place, flow, 1)) == [2, 3]
    assert sequences(wait(place, flow, 0, 0.0)) == [1, 2, 3]
    assert wait(place, flow, 3, 0.0) == []


def test_waiting_ends_with_the_timeout(place: Place, flow: str) -> None:
    begun = time.monotonic()
    assert wait(place, flow, 0, 0.3) == []
    assert 0.3 <= time.monotonic() - begun < LONG_S / 2


def act(url: str, flow: str, node: str, turns: int) -> None:
    """Move a node now and then, and say when in where it is moved to."""
    with opened(url) as place:
        for _ in range(turns):
            time.sleep(0.25)
            log(place, flow, set_fields(node, position_x=time.time()))


def test_another_process_is_heard_at_once_and_nothing_is_missed(
    own_place: Place, warehouse_url: str
) -> None:
    flow, turns = make_flow(own_place), 6
    node = make_node(own_place, flow)
    running = [start(act, warehouse_url, flow, node, turns)]
    heard: list[int] = []
    late_s: list[float] = []
    with closing(Warehouse(warehouse_url)) as other:
        place = own_place._replace(warehouse=other)
        while len(heard) < turns:
            found = wait(place, flow, heard[-1] if heard else 1)
            assert found, "nothing was heard"
            moved = place.see(
                lambda session: session.execute(
                    text("SELECT position_x FROM flow_node WHERE id = :id"), {"id": node}
                ).scalar_one()
            )
            late_s.append(time.time() - moved)
            heard += sequences(found)
    assert heard == list(range(2, turns + 2))
    assert finish(running) == [0]
    assert min(late_s) < AT_ONCE_S


def test_an_operation_between_the_look_and_the_wait_is_not_missed(
    place: Place, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def look_then_somebody_acts(*asked: Any) -> list[Recorded]:  # the arguments of `since`
        nonlocal looks
        found = since(*asked)
        looks += 1
        if looks == 2:
            make_node(place, flow)
        return found

    monkeypatch.setattr(watching, "since", look_then_somebody_acts)
    monkeypatch.setattr(watching, "_ASK_ANYWAY_S", LONG_S)
    begun = time.monotonic()
    assert sequences(wait(place, flow, 0)) == [1]
    assert time.monotonic() - begun < LONG_S / 2


def test_what_is_not_committed_is_not_told(place: Place, flow: str) -> None:
    recorded, go = Event(), Event()

    def slow(session: Any) -> None:  # a session
        change = set_fields(node, position_x=5.0)
        record(session, Stream("flow", flow), Operation("move", (change,)))
        recorded.set()
        assert go.wait(LONG_S)

    node = make_node(place, flow)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(place.do, slow)
        assert recorded.wait(LONG_S)
        assert wait(place, flow, 1, 0.3) == []
        go.set()
        assert sequences(wait(place, flow, 1)) == [2]
        work.result()


def test_only_the_stream_that_was_asked_for_is_heard(place: Place, flow: str) -> None:
    other = make_flow(place, "other")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, place, flow, 0, 0.6)
        for _ in range(3):
            time.sleep(0.1)
            make_node(place, other)
        assert waiting.result() == []
        assert wait(place.elsewhere(), flow, 0, 0.0) == []


def test_sqlite_is_asked_ten_times_a_second_at_most(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, flow = [], make_flow(sqlite_place)

    def counted(*arguments: Any) -> list[Recorded]:  # the arguments of `since`
        asked.append(1)
        return since(*arguments)

    monkeypatch.setattr(watching, "since", counted)
    assert wait(sqlite_place, flow, 0, 0.55) == []
    assert 2 <= len(asked) <= 8


def test_a_channel_tells_other_organisations_nothing(postgresql_place: Place) -> None:
    place, other = postgresql_place, postgresql_place.elsewhere()
    flow, theirs = make_flow(place), make_flow(other)
    mine = place.see(channel)
    assert mine != other.see(channel)
    assert place.actor.organization_id.replace("-", "") not in mine
    with place.warehouse.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection  # psycopg's
        connection.detach()
        raw.autocommit = True
        raw.execute(f'LISTEN "{mine}"')
        for whose, key in ((other, theirs), (place, flow)):
            make_node(whose, key)
        told = [(sign.channel, sign.payload) for sign in raw.notifies(timeout=1.0, stop_after=1)]
    assert told == [(mine, flow)]


def test_waiting_takes_no_connection_from_those_who_work(postgresql_place: Place) -> None:
    place, flow = postgresql_place, make_flow(postgresql_place)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(wait, place, flow, 0) for _ in range(20)]
        time.sleep(0.5)
        log(place, flow, op_id=new_id())
        assert [sequences(each.result()) for each in waiting] == [[1]] * 20
