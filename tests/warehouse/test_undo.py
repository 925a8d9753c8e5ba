"""Steps are taken back and done again, whoever else works, from any face, or not at all."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select

from promptstudio_lab.errors import Conflict, NotFound
from promptstudio_lab.ids import new_id
from promptstudio_lab.templates import store
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import (
    FlowNode,
    PromptLibrary,
    PromptLibraryPermission,
    PromptTemplate,
    WorkflowLibrary,
)
from promptstudio_lab.warehouse.history import undo as taking_back
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record, since
from promptstudio_lab.warehouse.history.verify import verify
from promptstudio_lab.warehouse.libraries import find_or_make
from promptstudio_lab.warehouse.rows import find, first
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
    from promptstudio_lab.warehouse.history.changelog import Recorded


@pytest.fixture
def flow(place: Place) -> str:
    return make_flow(place)


@pytest.fixture
def ben(place: Place) -> Place:
    return place.as_somebody("ben")


def undo(place: Place, key: str, type_: Any = "flow") -> list[Recorded]:  # a stream's type
    done: list[Recorded] = place.do(lambda session: taking_back.undo(session, Stream(type_, key)))
    return done


def redo(place: Place, key: str, type_: Any = "flow") -> list[Recorded]:  # a stream's type
    done: list[Recorded] = place.do(lambda session: taking_back.redo(session, Stream(type_, key)))
    return done


def x_of(place: Place, node: str) -> float | None:
    row = place.see(lambda session: first(session, FlowNode, id=node))
    return None if row is None else float(row.position_x)


def live(place: Place, entity: Any) -> list[str]:  # a table with names
    return sorted(row.name for row in place.see(lambda session: find(session, entity)))


def library(place: Place, name: str, kind: Any = PromptLibrary) -> str:  # either kind
    found: str = place.do(lambda s: find_or_make(s, kind, place.lab_id, [name]).id)
    return found


def test_what_a_colleague_took_back_stands_in_nobodys_way(
    place: Place, ben: Place, flow: str
) -> None:
    node = make_node(place, flow, position_x=0.0)
    log(place, flow, set_fields(node, position_x=1.0))
    log(ben, flow, set_fields(node, position_x=7.0))
    with pytest.raises(Conflict, match=r"ben has changed .* \(position_x, operation 3\)"):
        undo(place, flow)
    undo(ben, flow)
    assert [done.type for done in undo(place, flow)] == ["undo edit"]
    assert x_of(place, node) == 0.0


def test_what_a_colleague_did_again_stands_in_the_way_again(
    place: Place, ben: Place, flow: str
) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0))
    log(ben, flow, set_fields(node, position_x=7.0))
    for step in (undo, redo, undo, redo):
        step(ben, flow)
    with pytest.raises(Conflict, match=r"ben has changed .* \(position_x, operation 3\)"):
        undo(place, flow)
    undo(ben, flow)
    undo(place, flow)
    assert x_of(place, node) == 0.0


def test_redo_is_refused_and_freed_the_same_way(place: Place, ben: Place, flow: str) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0))
    undo(place, flow)
    log(ben, flow, set_fields(node, position_x=7.0))
    with pytest.raises(Conflict, match=r"ben has changed .* \(position_x, operation 4\)"):
        redo(place, flow)
    undo(ben, flow)
    redo(place, flow)
    assert x_of(place, node) == 1.0


def test_a_row_that_a_colleague_removed_and_brought_back_can_be_undone(
    place: Place, ben: Place, flow: str
) -> None:
    node = make_node(place, flow)
    log(place, flow, set_fields(node, position_x=1.0))
    log(ben, flow, Change("flow_node", node, "delete"))
    with pytest.raises(Conflict, match=r"\(delete, operation 3\)"):
        undo(place, flow)
    undo(ben, flow)
    undo(place, flow)
    undo(place, flow)
    assert x_of(place, node) is None


def test_undo_works_after_a_restart_and_from_another_face(
    own_place: Place, warehouse_url: str
) -> None:
    flow = make_flow(own_place)
    node = make_node(own_place, flow, position_x=0.0)
    for x in (1.0, 2.0):
        log(own_place, flow, set_fields(node, position_x=x))
    with closing(Warehouse(warehouse_url)) as other:
        undo(own_place._replace(warehouse=other), flow)
    assert x_of(own_place, node) == 1.0
    assert finish([start(undo_elsewhere, warehouse_url, flow)]) == [0]
    assert x_of(own_place, node) == 0.0
    redo(own_place, flow)
    redo(own_place, flow)
    assert x_of(own_place, node) == 2.0


def undo_elsewhere(url: str, flow: str) -> None:
    with opened(url) as place:
        assert len(undo(place, flow)) == 1


def test_a_batch_is_taken_back_whole_or_not_at_all(place: Place, ben: Place, flow: str) -> None:
    nodes = [make_node(place, flow, position_x=0.0) for _ in range(3)]
    batch = new_id()

    def work(session: Any) -> None:  # a session
        for node in nodes:
            change = set_fields(node, position_x=1.0)
            operation = Operation("arrange", (change,), batch_id=batch)
            record(session, Stream("flow", flow), operation)

    place.do(work)
    log(ben, flow, set_fields(nodes[0], position_x=7.0))
    before = len(place.see(lambda session: since(session, Stream("flow", flow), 0)))
    with pytest.raises(Conflict, match=r"ben has .* operation 7\); undoing operation 4"):
        undo(place, flow)
    assert [x_of(place, node) for node in nodes] == [7.0, 1.0, 1.0]
    assert len(place.see(lambda session: since(session, Stream("flow", flow), 0))) == before
    undo(ben, flow)
    assert [done.type for done in undo(place, flow)] == ["undo arrange"] * 3
    assert [x_of(place, node) for node in nodes] == [0.0] * 3
    assert [done.type for done in redo(place, flow)] == ["arrange"] * 3
    assert [x_of(place, node) for node in nodes] == [1.0] * 3


def test_a_step_whose_rows_are_gone_is_refused_and_changes_nothing(place: Place, flow: str) -> None:
    one, other = make_node(place, flow), make_node(place, flow)
    changes = (set_fields(one, position_x=1.0), set_fields(other, position_x=1.0))
    log(place, flow, *changes)

    def vanish(session: Any) -> None:  # a session
        session.get(FlowNode, other).deleted_at = session.get(FlowNode, other).created_at

    place.do(vanish)
    with pytest.raises(Conflict, match="operation 3 cannot be taken back now"):
        undo(place, flow)
    assert x_of(place, one) == 1.0
    assert place.see(lambda session: since(session, Stream("flow", flow), 3)) == []


def test_undo_reads_only_the_end_of_a_long_log(place: Place, flow: str) -> None:
    node, stream = make_node(place, flow, position_x=-1.0), Stream("flow", flow)
    for x in range(30):
        log(place, flow, set_fields(node, position_x=float(x)))
    for _ in range(10):
        undo(place, flow)
    asked: list[str] = []

    def note(*executed: Any) -> None:  # SQLAlchemy's arguments
        asked.append(executed[2])

    event.listen(place.warehouse.engine, "after_cursor_execute", note)
    try:
        place.do(lambda session: taking_back.undo(session, stream))
    finally:
        event.remove(place.warehouse.engine, "after_cursor_execute", note)
    assert x_of(place, node) == 18.0
    scans = [statement for statement in asked if "op_type NOT IN" in statement]
    assert len(scans) == 2, "the last undo, then the step below what that took back"


def test_steps_are_a_stack_with_a_way_back(place: Place, ben: Place, flow: str) -> None:
    node, random = make_node(ben, flow, position_x=0.0), Random(7041)
    past: list[float] = []
    future: list[float] = []
    now = 0.0
    for turn in range(1, 90):
        what = random.choice(["edit", "batch", "undo", "undo", "redo"])
        if what in {"undo", "redo"}:
            step, there, back = (undo, past, future) if what == "undo" else (redo, future, past)
            assert bool(step(place, flow)) == bool(there)
            if there:
                back.append(now)
                now = there.pop()
        else:
            past.append(now)
            future.clear()
            batch, parts = (new_id(), 3) if what == "batch" else (None, 1)
            for part in range(parts):
                now = turn + part / 4
                log(place, flow, set_fields(node, position_x=now), batch_id=batch)
        assert x_of(place, node) == now, f"{what} in turn {turn}"
    assert len(place.see(lambda session: since(session, Stream("flow", flow), 0))) > 90
    assert place.see(verify).ok


def test_what_a_run_keeps_is_no_step(place: Place, flow: str) -> None:
    node = make_node(place, flow, position_x=0.0)
    log(place, flow, set_fields(node, position_x=1.0))
    place.do(lambda session: store.save_inline(session, flow, node, "ask", "Hi {{ x }}"))
    undo(place, flow)
    assert x_of(place, node) == 0.0
    place.do(lambda session: store.save_inline(session, flow, node, "ask", "Ho {{ x }}"))
    redo(place, flow)
    assert x_of(place, node) == 1.0
    (template,) = place.see(lambda session: find(session, PromptTemplate, flow_id=flow))
    assert template.current_version == 2


def test_everything_in_a_lab_is_undone_and_done_again(place: Place) -> None:
    lab, path = place.lab_id, "support/classify"
    for text in ("one", "two"):
        place.do(partial(store.save, lab_id=lab, path=path, text=text))
    key = library(place, "support")
    fields = {"library_id": key, "principal_kind": "user", "principal": "ben"}
    grant = Change(
        "prompt_library_permission",
        new_id(),
        "insert",
        {**fields, "permission": "view", "expires_at": None},
    )
    place.do(lambda session: record(session, Stream("lab", lab), Operation("grant", (grant,))))
    steps = [
        (["undo grant"], [["support"], ["classify"], 2, 0]),
        (["undo save version"], [["support"], ["classify"], 1, 0]),
        (["undo save version", "undo create template"], [["support"], [], None, 0]),
        (["undo create library"], [[], [], None, 0]),
        ([], [[], [], None, 0]),
    ]

    def state() -> list[Any]:  # names and numbers
        rows = place.see(lambda session: find(session, PromptTemplate))
        allowed = place.see(lambda session: find(session, PromptLibraryPermission))
        current = rows[0].current_version if rows else None
        return [live(place, PromptLibrary), [row.name for row in rows], current, len(allowed)]

    full, states = state(), []
    for types, expected in steps:
        assert [done.type for done in undo(place, lab, "lab")] == types
        states.append(state())
        assert states[-1] == expected
    for expected in [*reversed(states[:-2]), full]:
        assert redo(place, lab, "lab")
        assert state() == expected
    assert redo(place, lab, "lab") == []
    assert place.see(verify).ok


@pytest.mark.parametrize("kind", [PromptLibrary, WorkflowLibrary])
def test_a_library_in_which_a_colleague_put_something_stays(
    place: Place, ben: Place, kind: Any
) -> None:  # either table
    library(place, "mine", kind)
    if kind is PromptLibrary:
        ben.do(lambda session: store.save(session, ben.lab_id, "mine/theirs", "x"))
        what = "prompt template"
    else:
        ben.do(lambda s: find_or_make(s, kind, ben.lab_id, ["mine", "theirs"]))
        what = "workflow library"
    with pytest.raises(Conflict, match=f"would leave a {what} of ben without it"):
        undo(place, place.lab_id, "lab")
    assert "mine" in live(place, kind)
    undo(ben, place.lab_id, "lab")
    undo(place, place.lab_id, "lab")
    assert live(place, kind) == []


def test_a_flow_in_which_a_colleague_worked_stays(place: Place, ben: Place) -> None:
    flow = make_flow(place)
    make_node(ben, flow)
    with pytest.raises(Conflict, match=r"ben has worked in the flow since \(operation 1"):
        undo(place, place.lab_id, "lab")
    assert x_of(place, make_node(place, flow)) == 0.0


def test_a_flow_goes_with_its_nodes_and_comes_back_with_them(place: Place) -> None:
    flow = make_flow(place)
    node = make_node(place, flow, position_x=3.0)
    undo(place, place.lab_id, "lab")
    with pytest.raises(NotFound, match="there is no flow"):
        log(place, flow, set_fields(node, position_x=4.0))
    redo(place, place.lab_id, "lab")
    assert x_of(place, node) == 3.0
    log(place, flow, set_fields(node, position_x=4.0))


def test_what_would_come_back_into_nothing_stays_away(place: Place, ben: Place) -> None:
    key = library(place, "shared")
    place.do(lambda session: store.save(session, place.lab_id, "shared/mine", "x"))
    undo(place, place.lab_id, "lab")
    gone = Operation("delete library", (Change("prompt_library", key, "delete"),))
    ben.do(lambda session: record(session, Stream("lab", ben.lab_id), gone))
    with pytest.raises(Conflict, match="its prompt library is gone"):
        redo(place, place.lab_id, "lab")


def test_a_name_that_is_taken_by_now_is_told(place: Place, ben: Place) -> None:
    key = library(place, "name")
    gone = Operation("delete library", (Change("prompt_library", key, "delete"),))
    place.do(lambda session: record(session, Stream("lab", place.lab_id), gone))
    library(ben, "name")
    with pytest.raises(Conflict, match=r"operation 2 cannot be taken back now: .* has its name"):
        undo(place, place.lab_id, "lab")
    assert live(place, PromptLibrary) == ["name"]


def test_a_row_that_came_twice_goes_back_to_what_it_was(place: Place, flow: str) -> None:
    node = make_node(place, flow, position_x=1.0)
    log(place, flow, Change("flow_node", node, "delete"))
    log(place, flow, added(flow, node, position_x=2.0))
    undo(place, flow)
    undo(place, flow)
    assert x_of(place, node) == 1.0
    query = select(FlowNode.row_version).where(FlowNode.id == node)
    assert place.see(lambda session: session.scalars(query).one()) == 5
