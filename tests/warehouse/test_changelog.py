"""Every edit is written once, in order, with its inverse, and nobody's work is overwritten."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, select, text

from promptstudio_lab.errors import Conflict, NotFound, WarehouseError
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import (
    ChangeLog,
    FlowNode,
    Payload,
    PromptFlow,
    PromptLibraryPermission,
)
from promptstudio_lab.warehouse.history import patches
from promptstudio_lab.warehouse.history import undo as taking_back
from promptstudio_lab.warehouse.history.chain import HASHED, chained
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record, since
from promptstudio_lab.warehouse.history.verify import verify
from promptstudio_lab.warehouse.rows import find, first
from promptstudio_lab.warehouse.types import CanonicalJson, iso
from tests.warehouse.parts import (
    Place,
    added,
    finish,
    log,
    make_flow,
    make_node,
    opened,
    set_fields,
    start,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.history.changelog import Recorded

PROCESSES, OPERATIONS = 4, 60
CANARY = "kept-apart-7041"
RICH = {
    "prompt": {"text": "né \U0001f600 \0 {{ x }}"},
    "temperature": 0.1,
    "big": 2**70,
    "no": None,
}


@pytest.fixture
def flow(place: Place) -> str:
    return make_flow(place)


def undo(place: Place, flow: str) -> list[Recorded]:
    done: list[Recorded] = place.do(lambda session: taking_back.undo(session, Stream("flow", flow)))
    return done


def redo(place: Place, flow: str) -> list[Recorded]:
    done: list[Recorded] = place.do(lambda session: taking_back.redo(session, Stream("flow", flow)))
    return done


def entries(place: Place, flow: str) -> list[ChangeLog]:
    found: list[ChangeLog] = place.see(
        lambda session: find(session, ChangeLog, order=("seq",), stream_id=flow)
    )
    return found


def state(place: Place, node: str) -> Any:  # a mapping, or None
    """Return what people see of a node, or None when it is gone."""
    row = place.see(lambda session: first(session, FlowNode, id=node))
    names = ("node_key", "kind", "config", "policy", "position_x", "position_y")
    return None if row is None else {name: getattr(row, name) for name in names}


def edit_much(url: str, flow: str, node: str, number: int) -> None:
    with opened(url) as place:
        for turn in range(OPERATIONS):
            done = log(place, flow, set_fields(node, position_x=float(number * 1000 + turn)))
            assert done.status == "applied"


def test_sequence_has_no_gap_however_many_write(own_place: Place, warehouse_url: str) -> None:
    flow = make_flow(own_place)
    node = make_node(own_place, flow, position_x=-1.0)
    running = [start(edit_much, warehouse_url, flow, node, n) for n in range(PROCESSES)]
    assert finish(running) == [0] * PROCESSES
    rows = entries(own_place, flow)
    assert [row.seq for row in rows] == list(range(1, PROCESSES * OPERATIONS + 2))
    head = own_place.see(lambda session: session.get(PromptFlow, flow))
    assert head.head_seq == PROCESSES * OPERATIONS + 1
    values = [row.patch[0]["fields"]["position_x"] for row in rows]
    assert [row.inverse[0]["fields"]["position_x"] for row in rows[1:]] == values[:-1]
    row = own_place.see(lambda session: session.get(FlowNode, node))
    assert (row.position_x, row.row_version) == (values[-1], PROCESSES * OPERATIONS + 1)
    assert [row.hash for row in rows] == chain(rows)


def test_operation_sent_again_is_done_once(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    key = new_id()
    done = log(place, flow, set_fields(node, position_x=1.0), op_id=key)
    again = log(place, flow, set_fields(node, position_x=2.0), op_id=key)
    assert (done.again, again.again) == (False, True)
    assert (again.seq, again.op_id, again.touched) == (done.seq, key, (("flow_node", node),))
    assert state(place, node)["position_x"] == 1.0
    assert len(entries(place, flow)) == 2


def test_operation_sent_at_once_is_done_once(place: Place, flow: str) -> None:
    node, key, gate = make_node(place, flow), new_id(), Barrier(4)

    def send(_: int) -> Recorded:
        gate.wait()
        return log(place, flow, set_fields(node, position_x=1.0), op_id=key)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(send, range(4)))
    assert sorted(each.again for each in done) == [False, True, True, True]
    assert {each.seq for each in done} == {2}
    assert [row.seq for row in entries(place, flow)] == [1, 2]


def send_much(url: str, flow: str, node: str, keys: list[str]) -> None:
    with opened(url) as place:
        for key in keys:
            log(place, flow, set_fields(node, position_x=1.0), op_id=key)


def test_operations_sent_by_two_processes_at_once_are_done_once(
    own_place: Place, warehouse_url: str
) -> None:
    flow = make_flow(own_place)
    node, keys = make_node(own_place, flow), [new_id() for _ in range(OPERATIONS)]
    running = [start(send_much, warehouse_url, flow, node, keys) for _ in range(2)]
    assert finish(running) == [0, 0]
    rows = entries(own_place, flow)
    assert [row.seq for row in rows] == list(range(1, OPERATIONS + 2))
    assert sorted(row.op_id for row in rows[1:]) == sorted(keys)
    assert own_place.see(lambda session: session.get(FlowNode, node)).row_version == OPERATIONS + 1
    assert own_place.see(verify).ok


def test_failed_operation_leaves_no_gap(place: Place, flow: str) -> None:
    with pytest.raises(WarehouseError):
        log(place, flow, added(new_id(), new_id()))
    assert log(place, flow, added(flow, new_id())).seq == 1


def test_stream_must_exist(place: Place) -> None:
    nowhere = new_id()
    with pytest.raises(NotFound, match=f"there is no flow {nowhere}"):
        log(place, nowhere)


def test_newest_rows_are_changed_even_after_older_were_read(postgresql_place: Place) -> None:
    place, flow = postgresql_place, make_flow(postgresql_place)
    node = make_node(place, flow, position_x=1.0)

    def work(session: Session) -> None:
        held = find(session, FlowNode, id=node)[0]
        assert held.position_x == 1.0
        with ThreadPoolExecutor(1) as pool:  # somebody is faster
            pool.submit(log, place, flow, set_fields(node, position_x=2.0)).result()
        operation = Operation("move", (set_fields(node, position_x=3.0),))
        record(session, Stream("flow", flow), operation)

    place.do(work)
    assert entries(place, flow)[-1].inverse[0]["fields"] == {"position_x": 2.0}
    assert place.see(lambda session: session.get(FlowNode, node)).row_version == 3


@pytest.mark.parametrize(
    "change",
    [
        {"config": RICH},
        {"policy": {"retry": 3}, "position_x": 1e-3, "position_y": -1234.5},
        {"node_key": "renamed", "config": {}},
    ],
    ids=["config", "policy", "name"],
)
def test_undo_and_redo_restore_exactly(place: Place, flow: str, change: dict[str, Any]) -> None:
    node = make_node(place, flow, config={"was": [1, "\U0001f600", None]}, node_key="first")
    before = state(place, node)
    log(place, flow, set_fields(node, **change))
    after = state(place, node)
    assert after == {**before, **change}
    for _ in range(2):
        undo(place, flow)
        assert state(place, node) == before
        redo(place, flow)
        assert state(place, node) == after


def test_removal_is_undone(place: Place, flow: str) -> None:
    node = make_node(place, flow, config=RICH)
    before = state(place, node)
    log(place, flow, Change("flow_node", node, "delete"))
    assert state(place, node) is None
    undo(place, flow)
    assert state(place, node) == before
    undo(place, flow)
    assert state(place, node) is None
    assert undo(place, flow) == []
    redo(place, flow)
    redo(place, flow)
    assert state(place, node) is None
    assert redo(place, flow) == []


def test_batch_is_one_step(place: Place, flow: str) -> None:
    node, batch = make_node(place, flow, position_x=0.0), new_id()
    for x in (1.0, 2.0, 3.0):
        log(place, flow, set_fields(node, position_x=x), batch_id=batch)
    undone = undo(place, flow)
    assert [done.seq for done in undone] == [5, 6, 7]
    assert state(place, node)["position_x"] == 0.0
    assert [row.undo_of_seq for row in entries(place, flow)[-3:]] == [4, 3, 2]
    assert len(redo(place, flow)) == 3
    assert state(place, node)["position_x"] == 3.0
    undo(place, flow)
    assert state(place, node)["position_x"] == 0.0
    undo(place, flow)
    assert state(place, node) is None


def test_steps_go_back_and_forth_in_order(place: Place, flow: str) -> None:
    node = make_node(place, flow, position_x=0.0)
    for x in (1.0, 2.0):
        log(place, flow, set_fields(node, position_x=x))
    walk = [undo, undo, redo, redo, undo, redo, undo, undo]
    seen = []
    for step in walk:
        step(place, flow)
        seen.append(state(place, node)["position_x"])
    assert seen == [1.0, 0.0, 1.0, 2.0, 1.0, 2.0, 1.0, 0.0]


def test_steps_keep_their_names(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0), type="configure")
    names = [step(place, flow)[0].type for step in (undo, redo, undo, redo)]
    assert names == ["undo configure", "configure", "undo configure", "configure"]


def test_new_edit_ends_redo(place: Place, flow: str) -> None:
    node = make_node(place, flow, position_x=0.0)
    log(place, flow, set_fields(node, position_x=1.0))
    undo(place, flow)
    log(place, flow, set_fields(node, position_x=5.0))
    assert redo(place, flow) == []
    undo(place, flow)
    assert state(place, node)["position_x"] == 0.0


def test_undo_takes_back_own_steps_only(place: Place, flow: str) -> None:
    colleague = place.as_somebody("colleague")
    node, other = make_node(place, flow), make_node(colleague, flow)
    log(place, flow, set_fields(node, position_x=1.0))
    log(colleague, flow, set_fields(other, position_x=7.0))
    undo(place, flow)
    assert state(place, node)["position_x"] == 0.0
    assert state(place, other)["position_x"] == 7.0


def test_undo_never_overwrites_somebody_else(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0, position_y=1.0))
    log(place.as_somebody("colleague"), flow, set_fields(node, position_x=7.0, node_key="theirs"))
    message = r"colleague has changed the same thing since \(position_x, operation 3\).*operation 2"
    with pytest.raises(Conflict, match=message):
        undo(place, flow)
    assert state(place, node)["position_x"] == 7.0
    assert len(entries(place, flow)) == 3


def test_undo_is_free_where_others_changed_other_fields(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0))
    log(place.as_somebody("colleague"), flow, set_fields(node, config={"theirs": True}))
    undo(place, flow)
    found = state(place, node)
    assert (found["position_x"], found["config"]) == (0.0, {"theirs": True})


def test_undo_of_what_somebody_removed_is_refused(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0))
    log(place.as_somebody("colleague"), flow, Change("flow_node", node, "delete"))
    with pytest.raises(Conflict, match=r"colleague has changed .* \(delete, operation 3\)"):
        undo(place, flow)


def test_undo_never_removes_what_somebody_else_changed(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    log(place.as_somebody("colleague"), flow, set_fields(node, config={"theirs": True}))
    with pytest.raises(Conflict, match="colleague has changed"):
        undo(place, flow)
    assert state(place, node)["config"] == {"theirs": True}


def test_conflicts_are_recorded_and_the_later_wins(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    seen = log(place, flow, set_fields(node, position_x=1.0)).seq
    colleague = place.as_somebody("colleague")
    theirs = log(colleague, flow, set_fields(node, position_x=7.0, position_y=7.0), client_id="b")
    mine = set_fields(node, position_x=2.0, config={"mine": True})
    done = log(place, flow, mine, base_seq=seen, client_id="a")
    expected = {"seq": theirs.seq, "id": node, "field": "position_x", "by": "colleague"}
    assert done.conflicts == (expected,)
    row = entries(place, flow)[-1]
    assert (row.base_seq, row.conflicts, row.status) == (seen, [expected], "applied")
    found = state(place, node)
    assert (found["position_x"], found["position_y"]) == (2.0, 7.0)


@pytest.mark.parametrize(
    ("base", "client", "field"),
    [(None, "a", "position_x"), (3, "a", "position_x"), (2, "b", "position_x"), (2, "a", "kind")],
    ids=["newest", "seen", "own view", "other field"],
)
def test_no_conflict_where_nothing_was_missed(
    place: Place, flow: str, base: int | None, client: str, field: str
) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_y=1.0))
    log(place.as_somebody("colleague"), flow, set_fields(node, position_x=7.0), client_id="b")
    value: object = "prompt" if field == "kind" else 2.0
    done = log(place, flow, set_fields(node, **{field: value}), base_seq=base, client_id=client)
    assert done.conflicts == ()
    assert entries(place, flow)[-1].conflicts is None


def test_edit_of_a_removed_row_is_kept_but_not_done(place: Place, flow: str) -> None:
    node, other = make_node(place, flow), make_node(place, flow)
    before = state(place, other)
    log(place.as_somebody("colleague"), flow, Change("flow_node", node, "delete"))
    changes = [set_fields(other, position_x=9.0), set_fields(node, config={"late": CANARY})]
    done = log(place, flow, *changes, base_seq=2)
    assert (done.status, done.seq) == ("superseded", 4)
    assert state(place, other) == before
    row = entries(place, flow)[-1]
    assert (row.status, row.inverse) == ("superseded", [])
    assert [entry["id"] for entry in row.patch] == [other, node]
    assert [row.op_type for row in entries(place, flow)] == ["edit"] * 4
    log(place.as_somebody("colleague"), flow, Change("flow_node", node, "restore"))
    assert state(place, node)["config"] == {}


def chain(rows: list[ChangeLog]) -> list[str]:
    hashes: list[str] = []
    for row in rows:
        plain = {name: getattr(row, name) for name in HASHED} | {"created_at": iso(row.created_at)}
        hashes.append(chained(hashes[-1] if hashes else None, plain))
    return hashes


def test_hashes_can_be_computed_again(place: Place, flow: str) -> None:
    node = make_node(place, flow, config=RICH, position_x=0.1)
    log(place, flow, set_fields(node, position_x=1e-7, config={"new": CANARY}))
    undo(place, flow)
    rows = entries(place, flow)
    assert [row.hash for row in rows] == chain(rows)
    place.do(lambda session: session.execute(delete(Payload)))
    assert [row.hash for row in entries(place, flow)] == chain(rows)
    rows[1].patch[0]["fields"]["position_x"] = 2e-7
    forged = chain(rows)
    assert forged[0] == rows[0].hash
    assert all(one != row.hash for one, row in zip(forged[1:], rows[1:], strict=True))


@pytest.mark.parametrize("field", ["config", "policy"])
def test_free_text_lies_outside_the_log(place: Place, flow: str, field: str) -> None:
    node = make_node(place, flow, **{field: {"text": CANARY}})
    log(place, flow, set_fields(node, **{field: {"text": f"{CANARY} changed"}}))
    undo(place, flow)
    make_flow(place, f"{CANARY} flow")
    query = "SELECT * FROM change_log WHERE organization_id = :own"
    with place.warehouse.engine.connect() as connection:
        rows = connection.execute(text(query), {"own": place.actor.organization_id}).all()
    assert len(rows) >= 5
    assert CANARY not in json.dumps([[str(part) for part in row] for row in rows])
    assert state(place, node)[field] == {"text": CANARY}


def test_documents_of_every_editable_table_are_free_text() -> None:
    for name, table in patches.TABLES.items():
        documents = {
            column.name for column in table.columns if isinstance(column.type, CanonicalJson)
        }
        written = {"name", "description", "label"} & set(table.columns.keys())
        assert documents | written <= patches.FREE_TEXT[name]
    assert {"config", "policy", "label"} <= patches.FREE_TEXT["flow_node"]
    assert "name" in patches.FREE_TEXT["template_label"]


def test_moments_are_changed_and_come_back(place: Place) -> None:
    stream, key, permission = Stream("lab", place.lab_id), new_id(), new_id()
    library = {"prompt_lab_id": place.lab_id, "parent_id": None, "name": "mine"}
    until = "2027-01-02T03:04:05.000006+00:00"
    given = {
        "library_id": key,
        "principal_kind": "user",
        "principal": CANARY,
        "permission": "view",
        "expires_at": until,
    }
    table = "prompt_library_permission"
    for type_, change in [
        ("create library", Change("prompt_library", key, "insert", library)),
        ("grant", Change(table, permission, "insert", given)),
        ("keep", Change(table, permission, "update", {"expires_at": None})),
    ]:
        place.do(partial(record, stream=stream, operation=Operation(type_, (change,))))

    def expires() -> str | None:
        row = place.see(lambda session: session.get(PromptLibraryPermission, permission))
        return None if row.expires_at is None else iso(row.expires_at)

    assert expires() is None
    place.do(lambda session: taking_back.undo(session, stream))
    assert expires() == until
    assert CANARY not in json.dumps([row.patch for row in entries(place, place.lab_id)])


def test_undo_of_erased_text_says_so(place: Place, flow: str) -> None:
    node = make_node(place, flow, config={"text": CANARY})
    log(place, flow, set_fields(node, config={}))
    place.do(lambda session: session.execute(delete(Payload)))
    with pytest.raises(NotFound, match="erased"):
        undo(place, flow)


def test_followers_read_on_from_where_they_were(place: Place, flow: str) -> None:
    node = make_node(place, flow)
    for x in range(5):
        log(place, flow, set_fields(node, position_x=float(x)), client_id=f"view {x}")
    stream = Stream("flow", flow)
    found = place.see(lambda session: since(session, stream, 2, most=3))
    assert [done.seq for done in found] == [3, 4, 5]
    assert [done.client_id for done in found] == ["view 1", "view 2", "view 3"]
    assert {done.actor_id for done in found} == {"analyst"}
    assert place.see(lambda session: since(session, stream, 6)) == []


def test_first_operation_has_nothing_before_it(place: Place, flow: str) -> None:
    make_node(place, flow)
    query = select(ChangeLog).where(ChangeLog.stream_id == flow)
    (row,) = place.see(lambda session: session.scalars(query).all())
    assert (row.seq, row.base_seq, row.actor_kind, row.hash) == (1, 0, "user", chain([row])[0])
