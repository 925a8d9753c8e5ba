"""Names for versions of flows: moved at once, undone, audited, and run by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import FlowError, NotFound, OperationRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.rows import find
from tests.engine.graphs import flow_of, gives, node

if TYPE_CHECKING:
    from promptstudio_lab.lab import Flow, Lab

PATH = "lib/inner"


@pytest.fixture
def flow(room: Lab) -> Flow:
    """Return a flow of two versions: the second trims its answer in another way."""
    parts = {
        "x": node("input", {"type": "text"}),
        "out": gives(first="x.value"),
    }
    flow = flow_of(room, PATH, parts)
    flow.save()
    out = flow.graph_now.by_key["out"]
    wanted = {"type": "configure", "node": out.id, "config": {"fields": ["first", "second"]}}
    flow.apply({**wanted, "op_id": new_id()})
    given = flow.graph_now.by_key["x"].id
    edge = {"source": given, "source_port": "value", "source_path": "", "target": out.id}
    edge = {**edge, "target_port": "second", "edge": new_id(), "op_id": new_id()}
    flow.apply({"type": "connect", **edge})
    flow.save()
    return flow


def test_a_label_names_a_version_and_moves(room: Lab, flow: Flow) -> None:
    flow.label("production", version=1)
    assert room.flow(f"{PATH}@production").run(x="a").outputs == {"first": "a"}
    flow.label("production", version=2)
    assert flow.labels() == {"production": 2}
    assert room.flow(f"{PATH}@production").run(x="a").outputs == {"first": "a", "second": "a"}
    room.undo()
    assert flow.labels() == {"production": 1}
    with room.warehouse.reading(room.actor) as session:
        told = [row.actor_id for row in find(session, ChangeLog, op_type="label flow")]
    assert told == [room.actor.id] * 2
    assert flow.diff("production", 2).same is False


def test_a_subflow_by_label_is_stamped_with_the_version_it_named_then(
    room: Lab, flow: Flow
) -> None:
    flow.label("production", version=1)
    parts = {
        "x": node("input", {"type": "text"}),
        "inner": node("subflow", {"flow": f"{PATH}@production"}, x="x.value"),
        "out": gives(y="inner.first"),
    }
    outer = flow_of(room, "lib/outer", parts)
    run = outer.run(x="tea")
    assert run.outputs == {"y": "tea"}
    query = "SELECT flow_version FROM node_execution WHERE flow_id = :flow"
    assert set(room.sql(query, flow=flow.id)["flow_version"]) == {1}
    flow.label("production", version=2)
    assert outer.run(x="tea").outputs == {"y": "tea"}
    assert set(room.sql(query, flow=flow.id)["flow_version"]) == {1, 2}


def test_a_label_that_leads_nowhere_says_so(room: Lab, flow: Flow) -> None:
    with pytest.raises(NotFound):
        room.flow(f"{PATH}@production")
    with pytest.raises(NotFound):
        flow.label("production", version=3)
    for name in ("1st", "", "a b", "head"):
        with pytest.raises(OperationRefused):
            flow.label(name, version=1)
    with pytest.raises((NotFound, OperationRefused)):
        room.flow("lib/new@production")


def test_a_saved_version_never_changes(room: Lab, flow: Flow) -> None:
    saved = room.flow(f"{PATH}@1")
    for change in (
        lambda: saved.restore_version(2),
        saved.edit,
        saved.undo,
    ):
        with pytest.raises(FlowError, match="never changes"):
            change()
    assert flow.graph_now.by_key.keys() == {"x", "out"}
