from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import Conflict, FlowInvalid, NotFound, OperationRefused
from promptstudio_lab.warehouse.entities import ChangeLog, NodeExecution
from promptstudio_lab.warehouse.history.changelog import changes_of
from promptstudio_lab.warehouse.rows import find
from tests.lab.parts import as_somebody, classifying

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab

PATH = "support/label"
TEXTS = ["First: {{ ticket }}", "Second: {{ ticket }}", "Third: {{ ticket }}"]


@pytest.fixture
def lab(room: Lab) -> Lab:
    for text in TEXTS:
        room.template(PATH, text)
    return room


def production(lab: Lab) -> int:
    return lab.template(f"{PATH}@production").version


def test_a_label_names_a_version_and_moves(lab: Lab) -> None:
    template = lab.template(PATH)
    template.label("production", version=2)
    assert (production(lab), lab.template(f"{PATH}@production").text) == (2, TEXTS[1])
    template.label("production", version=1).label("canary")
    assert template.labels() == {"canary": 3, "production": 1}
    assert lab.template(f"{PATH}@production").reference == f"{PATH}@1"
    lab.undo()
    lab.undo()
    assert (production(lab), template.labels()) == (2, {"production": 2})
    lab.redo()
    assert production(lab) == 1


def test_the_log_says_who_moved_a_label_from_where_to_where(lab: Lab) -> None:
    lab.template(PATH).label("production", version=1)
    as_somebody(lab, "ada").template(PATH).label("production", version=3)
    lab.template(PATH).label("production", version=3)
    with lab.warehouse.reading(lab.actor) as session:
        rows = find(session, ChangeLog, order=("seq",), op_type="label template")
        told = [
            (
                row.actor_id,
                changes_of(session, row.inverse)[0].fields.get("version"),
                changes_of(session, row.patch)[0].fields["version"],
                changes_of(session, row.patch)[0].fields["name"],
            )
            for row in rows
        ]
    me = lab.actor.id
    assert told == [(me, None, 1, "production"), ("ada", 1, 3, "production")]
    with pytest.raises(Conflict, match="ada has changed the same thing"):
        lab.undo()


def test_a_removed_label_leads_nowhere(lab: Lab) -> None:
    template = lab.template(PATH).label("production", version=2)
    flow = classifying(lab, f"{PATH}@production", "support/triage")
    assert flow.check() == ()
    template.unlabel("production")
    with pytest.raises(NotFound, match=f"'{PATH}' has no label 'production'"):
        lab.template(f"{PATH}@production")
    assert [problem.code for problem in flow.check()] == ["F403"]
    with pytest.raises(FlowInvalid):
        flow.run(ticket="Hi")
    with pytest.raises(NotFound, match="has no label 'production'"):
        template.unlabel("production")
    lab.undo()
    assert production(lab) == 2


def test_a_run_stamps_the_number_that_the_label_named_then(lab: Lab) -> None:
    template = lab.template(PATH).label("production", version=2)
    flow = classifying(lab, f"{PATH}@production", "support/triage")
    first = flow.run(ticket="Hi")
    template.label("production", version=3)
    second = flow.run(ticket="Hi")
    with lab.warehouse.reading(lab.actor) as session:
        rows = find(session, NodeExecution, flow_execution_id=[first.id, second.id])
        stamped = {
            row.flow_execution_id: row.template_version for row in rows if row.template_version
        }
    assert stamped == {first.id: 2, second.id: 3}
    assert lab.trace(f"{PATH}@production")["template_version"].to_list() == [3]


def test_a_label_follows_its_template(lab: Lab) -> None:
    template = lab.template(PATH).label("production", version=2)
    flow = classifying(lab, f"{PATH}@production", "support/triage")
    flow.head()
    template.rename("sort", rewrite=True)
    assert lab.template("support/sort@production").version == 2
    config = lab.flow("support/triage").graph_now.by_key["classify"].config
    assert config["prompt"] == {"ref": "support/sort@production"}


@pytest.mark.parametrize("name", ["", "3", "a b", "a/b", "@x", "a.b", "ä"])
def test_a_label_is_a_word(lab: Lab, name: str) -> None:
    with pytest.raises(OperationRefused, match="is no label"):
        lab.template(PATH).label(name)


def test_a_label_needs_a_version_that_is_there(lab: Lab) -> None:
    with pytest.raises(NotFound, match="has no version 9"):
        lab.template(PATH).label("production", version=9)
