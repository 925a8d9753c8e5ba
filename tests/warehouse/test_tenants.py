"""Whoever acts for one organisation neither sees nor changes another's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import bindparam, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from promptstudio_lab.errors import AccessDenied, NotFound, WarehouseError
from promptstudio_lab.identity import Actor
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import (
    ChangeLog,
    Dataset,
    Entity,
    FlowNode,
    Payload,
    PromptFlow,
    PromptLab,
    WorkflowLibrary,
)
from promptstudio_lab.warehouse.entities.tenancy import Tenant
from promptstudio_lab.warehouse.rows import count_by, find
from promptstudio_lab.warehouse.types import now
from tests.warehouse.parts import Place, log, make_flow, make_node, set_fields

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.orm import Session

TENANTS = [mapper.class_ for mapper in Entity.registry.mappers if issubclass(mapper.class_, Tenant)]


@pytest.fixture
def node(place: Place) -> str:
    """Return a node in a flow of the first organisation."""
    return make_node(place, make_flow(place))


@pytest.fixture
def stranger(place: Place, node: str) -> Place:
    """Return a place in another organisation of the same warehouse."""
    assert node
    return place.elsewhere()


@pytest.mark.parametrize(
    "query",
    [
        lambda: select(FlowNode),
        lambda: select(FlowNode.id),
        lambda: select(func.count()).select_from(FlowNode).having(func.count() > 0),
        lambda: select(FlowNode.id).join(PromptFlow, PromptFlow.id == FlowNode.flow_id),
        lambda: select(select(FlowNode.id).subquery()),
        lambda: select(FlowNode.id).union_all(select(FlowNode.id)),
        lambda: select(FlowNode.id).where(
            FlowNode.flow_id.in_(select(PromptFlow.id).where(PromptFlow.name == "flow"))
        ),
    ],
    ids=["rows", "column", "count", "join", "subquery", "union", "membership"],
)
def test_queries_see_own_rows_only(place: Place, stranger: Place, query: Any) -> None:
    seen = [
        place_.see(lambda session: session.execute(query()).all()) for place_ in (place, stranger)
    ]
    assert [bool(rows) for rows in seen] == [True, False]


def test_keys_of_others_lead_nowhere(place: Place, stranger: Place, node: str) -> None:
    assert place.see(lambda session: session.get(FlowNode, node)).id == node
    assert stranger.see(lambda session: session.get(FlowNode, node)) is None
    assert stranger.do(lambda session: session.get(FlowNode, node)) is None
    assert stranger.see(lambda session: find(session, FlowNode, id=node)) == []
    assert stranger.see(lambda session: count_by(session, FlowNode, "flow_id")) == {}


def test_no_table_shows_rows_of_others(place: Place, stranger: Place) -> None:
    own = place.actor.organization_id
    for entity in TENANTS:
        with stranger.warehouse.reading(stranger.actor) as session:
            rows = session.scalars(select(entity)).all()
            assert own not in {row.organization_id for row in rows}, entity


def test_statements_change_own_rows_only(place: Place, stranger: Place, node: str) -> None:
    def work(session: Session) -> None:
        session.execute(update(FlowNode).values(node_key="taken"))
        session.execute(delete(FlowNode))

    stranger.do(work)
    assert place.see(lambda session: session.get(FlowNode, node)).node_key == f"node_{node}"


def test_rows_cannot_be_put_into_another_organisation(place: Place, stranger: Place) -> None:
    lab = PromptLab(id=new_id(), organization_id=place.actor.organization_id, name="planted")
    with pytest.raises(AccessDenied, match=f"PromptLab {lab.id} belongs to another organisation"):
        stranger.do(lambda session: session.add(lab))
    assert len(place.see(lambda session: find(session, PromptLab))) == 1


@pytest.mark.parametrize("entity", [PromptLab, Payload])
def test_rows_cannot_be_moved_into_another_organisation(
    place: Place, stranger: Place, entity: type[Any]
) -> None:
    stranger.do(lambda session: payloads.put(session, ["mine"]))

    def work(session: Session) -> None:
        row = find(session, entity)[0]
        row.organization_id = place.actor.organization_id

    with pytest.raises(AccessDenied, match="belongs to another organisation"):
        stranger.do(work)


def test_references_stay_inside_the_organisation(place: Place, stranger: Place) -> None:
    dataset = Dataset(id=new_id(), prompt_lab_id=place.lab_id, name="planted")
    with pytest.raises(WarehouseError):
        stranger.do(lambda session: session.add(dataset))
    library = WorkflowLibrary(id=new_id(), prompt_lab_id=place.lab_id, name="planted")
    with pytest.raises(WarehouseError):
        stranger.do(lambda session: session.add(library))
    assert stranger.see(lambda session: find(session, Dataset)) == []


def test_the_log_of_others_takes_nothing(place: Place, stranger: Place, node: str) -> None:
    flow = place.see(lambda session: session.get(FlowNode, node)).flow_id
    with pytest.raises(NotFound, match=f"there is no flow {flow}"):
        log(stranger, flow, set_fields(node, position_x=9.0))
    own = make_flow(stranger)
    done = log(stranger, own, set_fields(node, position_x=9.0))
    assert done.status == "superseded"
    assert place.see(lambda session: session.get(FlowNode, node)).position_x == 0.0


def test_operation_ids_of_others_are_no_oracle(place: Place, stranger: Place, node: str) -> None:
    assert node
    known = place.see(lambda session: find(session, ChangeLog, stream_type="flow"))[0].op_id
    done = log(stranger, make_flow(stranger), op_id=known)
    assert not done.again


def test_nobody_without_an_organisation_gets_in(place: Place) -> None:
    nobody = Actor("x", "Nobody", "user", "")
    with pytest.raises(AccessDenied, match="Nobody belongs to no organisation and may not write"):
        place.warehouse.transact(nobody, lambda session: session.flush())
    with (
        pytest.raises(AccessDenied, match="may not read"),
        place.warehouse.reading(nobody),
    ):
        pass


def test_reading_sessions_refuse_new_rows(place: Place) -> None:
    def work(session: Session) -> None:
        session.add(PromptLab(id=new_id(), name="sneaked in"))
        session.flush()

    with pytest.raises(AccessDenied, match="this session only reads"):
        place.see(work)
    assert len(place.see(lambda session: find(session, PromptLab))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        text("UPDATE prompt_lab SET name = 'x' WHERE id = :key"),
        update(PromptLab).where(PromptLab.id == bindparam("key")).values(name="x"),
    ],
    ids=["text", "entity"],
)
def test_reading_sessions_refuse_statements(place: Place, statement: Any) -> None:
    def work(session: Session) -> None:
        session.execute(statement, {"key": place.lab_id})
        session.commit()

    with pytest.raises((WarehouseError, DBAPIError)):
        place.see(work)
    assert [row.name for row in place.see(lambda session: find(session, PromptLab))] == ["default"]


def test_reading_sessions_see_one_state(place: Place) -> None:
    with place.warehouse.reading(place.actor) as session:
        before = len(find(session, PromptLab))
        place.do(lambda other: other.add(PromptLab(id=new_id(), name="meanwhile")))
        assert len(find(session, PromptLab)) == before
    assert len(place.see(lambda session: find(session, PromptLab))) == before + 1


def test_deleted_rows_are_out_of_sight(place: Place, node: str) -> None:
    place.do(lambda session: setattr(session.get(FlowNode, node), "deleted_at", now()))
    assert place.see(lambda session: find(session, FlowNode)) == []
    query = select(FlowNode).execution_options(deleted_too=True)
    assert [row.id for row in place.see(lambda session: session.scalars(query).all())] == [node]


def test_changes_are_stamped(place: Place, node: str) -> None:
    editor = place.as_somebody("editor")
    editor.do(lambda session: setattr(session.get(FlowNode, node), "position_x", 3.0))
    row = place.see(lambda session: session.get(FlowNode, node))
    assert (row.created_by, row.updated_by, row.row_version) == ("analyst", "editor", 2)
    assert row.updated_at >= row.created_at
