from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from promptstudio_lab.errors import AccessDenied, OperationRefused
from promptstudio_lab.lab import Lab
from promptstudio_lab.warehouse.access import require_at, require_on
from tests.lab.parts import classifying

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.identity import Role

TEXT = "Label: {{ ticket }}"


@pytest.fixture
def lab(room: Lab) -> Lab:
    """Return a lab with a flow and a template in `support`, as an admin sees it."""
    room.template("support/label", TEXT)
    classifying(room, "support/label@1", "support/triage").head()
    room.library("support/answers").create()
    return room


def person(lab: Lab, name: str, role: Role = "analyst") -> Lab:
    actor = replace(lab.actor, id=name, name=name, role=role)
    return Lab(lab.warehouse, actor, lab.id, lab.name, lab.choice)


def edit(lab: Lab) -> None:
    flow = lab.flow("support/triage")
    node = flow.graph_now.by_key["classify"]
    flow.apply({"type": "move", "nodes": {node.id: {"x": 1, "y": 2}}})


def run(lab: Lab) -> None:
    lab.flow("support/triage").run(ticket="Hi")


def save(lab: Lab) -> None:
    lab.template("support/label", f"{TEXT} {lab.actor.id}")


def manage(lab: Lab) -> None:
    lab.library("support").permit("somebody", "view")


EDITS: list[Callable[[Lab], object]] = [
    edit,
    save,
    lambda lab: lab.template("support/fresh", TEXT),
    lambda lab: lab.flow("support/fresh"),
    lambda lab: lab.flow("support/new/fresh"),
    lambda lab: classifying(lab, TEXT, "support/triage").head(),
    lambda lab: lab.flow("support/triage").undo(),
    lambda lab: lab.library("support/fresh").create(),
    lambda lab: lab.library("support/answers").move(""),
    lambda lab: lab.library("support/answers").rename("replies"),
    lambda lab: lab.library("open").create().move("support"),
    lambda lab: lab.flow("support/triage").move("open"),
    lambda lab: lab.flow("open/f").move("support"),
    lambda lab: lab.flow("open/f").copy("support/f"),
    lambda lab: lab.flow("support/triage").tag("x"),
    lambda lab: lab.flow("support/triage").describe("x"),
    lambda lab: lab.flow("support/triage").pin(everybody=True),
    lambda lab: lab.template("support/label").archive(anyway=True),
    lambda lab: lab.template("support/label").label("production"),
]


def denied(work: Callable[[Lab], object], lab: Lab) -> bool:
    try:
        work(lab)
    except AccessDenied:
        return True
    return False


def rights(lab: Lab) -> tuple[bool, bool, bool]:
    """Tell whether a person may run, edit and manage."""
    return not denied(run, lab), not denied(edit, lab), not denied(manage, lab)


def test_without_permissions_everybody_works_by_role(lab: Lab) -> None:
    assert rights(person(lab, "eve", "viewer")) == (False, False, False)
    assert rights(person(lab, "ada")) == (True, True, False)
    assert rights(person(lab, "root", "admin")) == (True, True, True)


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        ("view", (False, False, False)),
        ("run", (True, False, False)),
        ("edit", (True, True, False)),
        ("manage", (True, True, True)),
    ],
)
def test_each_permission_includes_those_before_it(
    lab: Lab, permission: str, expected: tuple[bool, bool, bool]
) -> None:
    lab.library("support").permit("ada", permission)
    assert rights(person(lab, "ada")) == expected
    assert rights(person(lab, "bob")) == (False, False, False)
    assert rights(person(lab, "root", "admin")) == (True, True, True)


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_whoever_may_only_run_changes_nothing(lab: Lab, number: int) -> None:
    lab.library("support").permit("ada", "run")
    ada = person(lab, "ada")
    with pytest.raises(AccessDenied, match="may only run in 'support'"):
        EDITS[number](ada)


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_whoever_may_edit_does_all_of_that(lab: Lab, number: int) -> None:
    lab.library("support").permit("ada", "edit")
    EDITS[number](person(lab, "ada"))


def test_running_and_pinning_for_oneself_need_no_right_to_edit(lab: Lab) -> None:
    lab.library("support").permit("ada", "run")
    ada = person(lab, "ada")
    run(ada)
    assert ada.flow("support/triage").pin().unpin().path == "support/triage"


def test_nearest_library_that_has_permissions_decides(lab: Lab) -> None:
    lab.library("support").permit("ada", "edit").permit("bob", "view")
    inner = lab.library("support/answers").permit("bob", "edit")
    ada, bob = person(lab, "ada"), person(lab, "bob")
    ada.library("support").describe("x")
    bob.library("support/answers").describe("x")
    for somebody, path in ((bob, "support"), (ada, "support/answers")):
        with pytest.raises(AccessDenied, match=f"in '{path}'"):
            somebody.library(path).describe("y")
    inner.inherit()
    ada.library("support/answers").describe("y")
    assert inner.permissions()["library"].unique().to_list() == ["support"]


@pytest.mark.parametrize("kind", ["flow", "template"])
def test_permissions_hold_for_the_kind_of_library_that_came_later(lab: Lab, kind: str) -> None:
    if kind == "flow":
        lab.template("one/t", TEXT)
    else:
        lab.flow("one/f")
    lab.library("one").permit("bob", "edit")
    ada = person(lab, "ada")
    for path in ("one/x", "one/two/x"):
        with pytest.raises(AccessDenied, match="in 'one'"):
            ada.flow(path) if kind == "flow" else ada.template(path, TEXT)
    bob = person(lab, "bob")
    bob.flow("one/x") if kind == "flow" else bob.template("one/x", TEXT)
    made = ada.flow("one/x") if kind == "flow" else ada.template("one/x")
    with pytest.raises(AccessDenied, match="in 'one'"):
        made.describe("x")


def test_role_is_permitted_like_a_person(lab: Lab) -> None:
    lab.library("support").permit(role="analyst", permission="run").permit("ada", "edit")
    assert rights(person(lab, "ada")) == (True, True, False)
    assert rights(person(lab, "bob")) == (True, False, False)


def test_a_viewer_changes_nothing_whatever_is_permitted(lab: Lab) -> None:
    lab.library("support").permit("eve", "manage").permit(role="viewer", permission="edit")
    assert rights(person(lab, "eve", "viewer")) == (False, False, False)


def test_whoever_is_forbidden_may_do_nothing(lab: Lab) -> None:
    library = lab.library("support").permit(role="analyst", permission="edit").forbid("ada")
    assert rights(person(lab, "ada")) == (False, False, False)
    assert rights(person(lab, "bob")) == (True, True, False)
    shown = library.permissions().select("principal_kind", "principal", "permission").rows()
    assert shown == [("role", "analyst", "edit"), ("user", "ada", "none")]
    lab.undo()
    assert rights(person(lab, "ada")) == (True, True, False)
    library.forbid("ada").permit("ada", "run")
    assert rights(person(lab, "ada")) == (True, True, False)


def test_a_permission_ends_and_nothing_opens_by_that(lab: Lab) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    past = datetime.now(UTC) - timedelta(seconds=1)
    library = lab.library("support").permit("ada", "edit", expires_at=soon)
    assert rights(person(lab, "ada")) == (True, True, False)
    assert library.permissions()["expires_at"].to_list() == [soon]
    library.permit("ada", "edit", expires_at=past)
    assert rights(person(lab, "ada")) == (False, False, False)
    assert rights(person(lab, "bob")) == (False, False, False)
    with pytest.raises(OperationRefused, match="has no time zone"):
        library.permit("ada", "edit", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001 — what is refused


def test_permissions_are_given_and_taken_back_by_the_log(lab: Lab) -> None:
    ada = person(lab, "ada")
    lab.library("support").permit("bob", "edit")
    assert rights(ada) == (False, False, False)
    assert lab.undo() == ("undo permit",)
    assert rights(ada) == (True, True, False)
    lab.redo()
    assert rights(ada) == (False, False, False)


def test_whoever_lost_the_right_cannot_take_back_either(lab: Lab) -> None:
    ada = person(lab, "ada")
    ada.flow("support/triage").describe("x")
    lab.library("support").permit("bob", "edit")
    with pytest.raises(AccessDenied):
        ada.undo()


def test_nonsense_is_refused(lab: Lab) -> None:
    library = lab.library("support")
    with pytest.raises(OperationRefused, match="no permission 'write'"):
        library.permit("ada", "write")
    with pytest.raises(OperationRefused, match="no role 'boss'"):
        library.permit(role="boss", permission="view")
    with pytest.raises(OperationRefused, match="say whom to permit"):
        library.permit(permission="view")


def test_permissions_of_another_lab_or_organisation_say_nothing_here(lab: Lab) -> None:
    lab.library("support").permit("bob", "edit")
    ada = person(lab, "ada")
    with ada.warehouse.reading(ada.actor) as session:
        with pytest.raises(AccessDenied):
            require_at(session, "edit", lab.id, ["support", "not", "there"])
        require_at(session, "edit", lab.id, ["elsewhere", "support"])
        require_at(session, "edit", lab.id, [])
    elsewhere = replace(ada.actor, organization_id="01900000-0000-7000-8000-000000000000")
    with ada.warehouse.reading(elsewhere) as session:
        require_at(session, "edit", lab.id, ["support"])


def test_a_check_is_one_query(lab: Lab) -> None:
    lab.library("support").permit("ada", "edit")
    ada = person(lab, "ada")
    flow_id = str(lab.flow("support/triage").id)
    with ada.warehouse.reading(ada.actor) as session:
        asked: list[str] = []
        engine = session.connection().engine
        hear = lambda *call: asked.append(call[2])  # noqa: E731 — the same object listens and stops
        event.listen(engine, "before_cursor_execute", hear)
        require_on(session, "edit", "prompt_flow", flow_id)
        event.remove(engine, "before_cursor_execute", hear)
    assert len(asked) == 1
