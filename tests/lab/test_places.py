"""Libraries, flows and templates have one API: where they are, what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import Conflict, FlowError, NotFound, OperationRefused
from promptstudio_lab.lab.browsing import tree
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.rows import find
from tests.lab.parts import as_somebody, classifying

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.places import Placed
    from promptstudio_lab.values import Json

TEXT = "Label this: {{ ticket }}"


@pytest.fixture
def lab(room: Lab) -> Lab:
    return room


def paths(lab: Lab, kind: str | None = None) -> list[str]:
    return sorted(lab.find(kind=kind).items["path"])


def log(lab: Lab) -> list[str]:
    with lab.warehouse.reading(lab.actor) as session:
        rows = find(session, ChangeLog, order=("seq",), stream_id=lab.id)
        return [row.op_type for row in rows]


def config(lab: Lab, path: str) -> Json:
    return lab.flow(path).graph_now.by_key["classify"].config["prompt"]


def furnished(lab: Lab) -> None:
    """Put a flow, its template and a library inside into `support`."""
    lab.template("support/label", TEXT)
    lab.template("support/label", "Which? {{ ticket }}")
    lab.template("support/answers/polite", TEXT)
    classifying(lab, "support/label@1", "support/triage").head()


def test_library_is_made_for_flows_and_templates_in_one_step(lab: Lab) -> None:
    library = lab.library("support/answers").create()
    assert lab.libraries()["library"].to_list() == ["support", "support/answers"]
    assert log(lab) == ["create library"]
    library.create()
    assert len(log(lab)) == 1
    lab.undo()
    assert lab.libraries().height == 0
    with pytest.raises(NotFound, match=r"lab.library\('support/answers'\).create\(\) makes it"):
        library.describe("x")


def test_the_sidebar_shows_how_things_look_in_their_order(lab: Lab) -> None:
    lab.library("support").create().color("teal").icon("book").tag("nlp")
    for name in "abc":
        lab.flow(f"support/{name}")
    lab.template("support/t", TEXT).icon("star").tag("y", "x")
    lab.flow("support/c").pin().color("#112233")
    lab.flow("support/b").order(before="a")
    (support,) = tree(lab)["labs"][0]["libraries"]
    shown = {name: support[name] for name in ("color", "icon", "tags", "pinned")}
    assert shown == {"color": "teal", "icon": "book", "tags": ["nlp"], "pinned": False}
    flows = [(each["name"], each["color"], each["pinned"]) for each in support["flows"]]
    assert flows == [("c", "#112233", True), ("b", None, False), ("a", None, False)]
    (template,) = support["templates"]
    assert (template["icon"], template["tags"]) == ("star", ["x", "y"])


def test_both_kinds_of_a_library_move_in_one_operation(lab: Lab) -> None:
    furnished(lab)
    before = len(log(lab))
    moved = lab.library("support").move("team/a", rewrite=True)
    assert moved.path == "team/a/support"
    assert log(lab)[before:] == ["move library"]
    assert paths(lab, "flow") == ["team/a/support/triage"]
    assert paths(lab, "template") == ["team/a/support/answers/polite", "team/a/support/label"]
    lab.undo()
    assert paths(lab, "flow") == ["support/triage"]
    assert paths(lab, "library") == ["support", "support/answers"]
    lab.redo()
    assert paths(lab, "flow") == ["team/a/support/triage"]
    assert moved.move("", rewrite=True).path == "support"


def test_flow_and_template_move_and_are_renamed(lab: Lab) -> None:
    flow, template = lab.flow("support/triage"), lab.template("support/label", TEXT)
    assert flow.move("other").rename("sort").path == "other/sort"
    assert template.move("other").rename("sort").reference == "other/sort@1"
    assert lab.flow("other/sort").id == flow.id
    assert lab.template("other/sort").text == TEXT
    for _ in range(4):
        lab.undo()
    assert (paths(lab, "flow"), paths(lab, "template")) == (["support/triage"], ["support/label"])


def test_library_never_lies_in_itself(lab: Lab) -> None:
    library = lab.library("a/b").create()
    lab.library("a/b/c").create()
    for library_path in ("a/b", "a/b/c"):
        with pytest.raises(OperationRefused, match="cannot lie inside itself"):
            library.move(library_path)
    with pytest.raises(OperationRefused, match="cannot lie inside itself"):
        library.copy("a/b/c/d")


@pytest.mark.parametrize("kind", ["library", "flow", "template"])
def test_taken_name_is_refused(lab: Lab, kind: str) -> None:
    thing: Placed
    if kind == "library":
        thing = lab.library("a/x").create()
        lab.library("b/x").create()
        lab.library("a/y").create()
    elif kind == "flow":
        thing = lab.flow("a/x")
        lab.flow("b/x"), lab.flow("a/y")
    else:
        thing = lab.template("a/x", TEXT)
        lab.template("b/x", TEXT), lab.template("a/y", TEXT)
    steps = len(log(lab))
    changes: list[Callable[[], Placed]] = [
        lambda: thing.move("b"),
        lambda: thing.rename("y"),
        lambda: thing.copy("b/x"),
    ]
    for change in changes:
        with pytest.raises(OperationRefused, match=f"there is a {kind} '[ab]/[xy]' already"):
            change()
    assert len(log(lab)) == steps
    thing.rename("x")
    assert len(log(lab)) == steps


def test_a_name_is_taken_by_either_kind_of_library(lab: Lab) -> None:
    lab.flow("of_flows/f")
    lab.template("of_templates/t", TEXT)
    with pytest.raises(OperationRefused, match="there is a library 'of_templates' already"):
        lab.library("of_flows").rename("of_templates")


@pytest.mark.parametrize("name", ["a/b", "", " ", "x@production", "x@2"])
def test_template_is_called_by_a_plain_name(lab: Lab, name: str) -> None:
    template = lab.template("support/label", TEXT)
    with pytest.raises(OperationRefused):
        template.rename(name)
    assert lab.template("support/label").text == TEXT


def test_references_stand_in_the_way_or_follow(lab: Lab) -> None:
    furnished(lab)
    template = lab.template("support/label")
    for change in (
        lambda: template.rename("sort"),
        lambda: template.move("other"),
        lambda: lab.library("support").rename("help"),
        template.archive,
    ):
        with pytest.raises(OperationRefused, match=r"is used by support/triage \(classify\)"):
            change()
    assert config(lab, "support/triage") == {"ref": "support/label@1"}
    template.rename("sort", rewrite=True)
    assert config(lab, "support/triage") == {"ref": "support/sort@1"}
    lab.library("support").rename("help", rewrite=True)
    assert config(lab, "help/triage") == {"ref": "help/sort@1"}
    assert lab.flow("help/triage").check() == ()
    assert lab.undo() == ("undo rename library",)
    lab.undo()
    assert config(lab, "support/triage") == {"ref": "support/label@1"}
    lab.redo()
    assert config(lab, "support/triage") == {"ref": "support/sort@1"}


def test_a_rewritten_flow_is_one_step_of_its_own_undo(lab: Lab) -> None:
    furnished(lab)
    lab.template("support/label").rename("sort", rewrite=True)
    flow = lab.flow("support/triage")
    assert [done.type for done in flow.undo()] == ["undo configure"]
    assert config(lab, "support/triage") == {"ref": "support/label@1"}


def test_library_is_copied_with_all_that_is_in_it(lab: Lab) -> None:
    furnished(lab)
    lab.flow("support/triage").tag("nlp").describe("Sorts tickets")
    before = len(log(lab))
    copied = lab.library("support").copy("team/second")
    assert log(lab)[before:] == ["copy library"]
    assert copied.path == "team/second"
    assert set(paths(lab)) >= {
        "team/second/triage",
        "team/second/label",
        "team/second/answers",
        "team/second/answers/polite",
    }
    old, new = lab.flow("support/triage"), lab.flow("team/second/triage")
    assert old.graph_now.hash == new.graph_now.hash
    assert not set(old.graph_now.by_id) & set(new.graph_now.by_id)
    assert {edge.id for edge in old.graph_now.edges}.isdisjoint(
        edge.id for edge in new.graph_now.edges
    )
    assert paths(lab, "flow") == lab.find(tag="nlp").items["path"].sort().to_list()
    one = lab.template("team/second/label")
    assert (one.version, one.text) == (1, "Which? {{ ticket }}")
    lab.undo()
    assert paths(lab, "library") == ["support", "support/answers"]
    lab.redo()
    assert lab.flow("team/second/triage").id == new.id
    assert len(new.graph_now.nodes) == 3


def test_the_cell_of_a_copied_flow_goes_on_where_it_was(lab: Lab) -> None:
    furnished(lab)
    flow = lab.flow("support/triage")
    node = flow.graph_now.by_key["classify"]
    flow.apply({"type": "rename", "node": node.id, "key": "sort"})
    flow.copy("support/other")
    copied = lab.flow("support/other").head()
    assert classifying(lab, "support/label@1", "support/other").head().seq == copied.seq
    changed = classifying(lab, "support/label@2", "support/other").head().graph
    assert set(changed.by_id) == set(copied.graph.by_id)
    assert changed.by_key["sort"].config["prompt"] == {"ref": "support/label@2"}


def test_template_is_copied_with_its_current_or_all_versions(lab: Lab) -> None:
    furnished(lab)
    template = lab.template("support/label")
    current = template.copy("support/one")
    everything = template.copy("support/all", versions="all")
    assert (current.version, everything.version) == (1, 2)
    assert lab.template("support/all@1").text == TEXT
    assert current.text == everything.text == "Which? {{ ticket }}"
    with pytest.raises(OperationRefused, match="'current' or 'all', not 'some'"):
        template.copy("support/none", versions="some")


@pytest.mark.parametrize("kind", ["library", "flow", "template"])
def test_looks_are_set_and_taken_away(lab: Lab, kind: str) -> None:
    makers: dict[str, Callable[[], Placed]] = {
        "library": lambda: lab.library("support/x").create(),
        "flow": lambda: lab.flow("support/x"),
        "template": lambda: lab.template("support/x", TEXT),
    }
    thing = makers[kind]()
    thing.describe("What it is for").categorise("Kinds").color("#1e88e5").icon("star")
    thing.tag("a", "b ", "a").pin()
    (row,) = lab.find("is FOR", kind=kind).items.rows(named=True)
    assert (row["description"], row["category"], row["pinned"]) == ("What it is for", "Kinds", True)
    assert row["tags"] == ["a", "b"]
    thing.untag("b").unpin().describe(None).categorise(None)
    (row,) = [each for each in lab.find(kind=kind).items.rows(named=True) if each["name"] == "x"]
    assert (row["description"], row["category"], row["pinned"]) == (None, None, False)
    assert row["tags"] == ["a"]
    for _ in range(4):
        lab.undo()
    assert lab.find(category="Kinds", tag="b").items["pinned"].to_list() == [True]
    with pytest.raises(NotFound, match="has no tag 'c'"):
        thing.untag("c")
    for color in ("red;", "#12", "</style>"):
        with pytest.raises(OperationRefused, match="is no color"):
            thing.color(color)
    with pytest.raises(OperationRefused, match="is no icon"):
        thing.icon("x" * 41)
    with pytest.raises(OperationRefused, match="a tag is a word"):
        thing.tag(" ")


def test_a_pin_is_for_me_or_for_everybody(lab: Lab) -> None:
    lab.flow("support/b").pin()
    lab.flow("support/c").pin(everybody=True)
    lab.flow("support/a")
    other = as_somebody(lab, "ada")
    assert lab.find(kind="flow").items["name"].to_list() == ["b", "c", "a"]
    assert other.find(kind="flow").items["name"].to_list() == ["c", "a", "b"]


def test_siblings_are_put_in_order(lab: Lab) -> None:
    for name in "abcde":
        lab.flow(f"support/{name}")

    def order() -> str:
        return "".join(lab.find(kind="flow").items["name"])

    lab.flow("support/d").order(before="b")
    assert order() == "adbce"
    lab.flow("support/a").order(after="support/e")
    assert order() == "dbcea"
    lab.flow("support/c").order(before="d")
    assert order() == "cdbea"
    lab.flow("support/c").order(after="b")
    assert order() == "dbcea"
    for expected in ("cdbea", "dbcea", "adbce", "abcde"):
        lab.undo()
        assert order() == expected
    for asked in ({}, {"before": "a", "after": "b"}):
        with pytest.raises(OperationRefused, match="say what it shall stand before"):
            lab.flow("support/c").order(**asked)
    with pytest.raises(NotFound, match="no flow 'z' beside"):
        lab.flow("support/c").order(before="z")


def test_libraries_of_both_kinds_are_ordered_together(lab: Lab) -> None:
    lab.library("a").create()
    lab.flow("b/f")
    lab.template("c/t", TEXT)
    lab.library("c").order(before="a")
    lab.library("b").order(before="a")
    names = [each["name"] for each in tree(lab)["labs"][0]["libraries"]]
    assert names == ["c", "b", "a"]


def test_subtree_is_archived_and_restored_whole(lab: Lab) -> None:
    furnished(lab)
    lab.template("support/answers/gone", TEXT).archive()
    before, steps = paths(lab), len(log(lab))
    lab.library("support").archive()
    assert (paths(lab), log(lab)[steps:]) == ([], ["archive"])
    rows = lab.archived().select("kind", "path", "archived_by").rows()
    me = lab.actor.id
    gone = "support/answers/gone"
    assert rows == [("library", "support", me), ("template", gone, me)]
    with pytest.raises(OperationRefused, match="was in 'support/answers', which is archived too"):
        lab.restore("support/answers/gone")
    lab.library("support").restore()
    assert paths(lab) == before
    assert lab.archived()["path"].to_list() == [gone]
    assert lab.flow("support/triage").check() == ()
    lab.undo()
    assert paths(lab) == []
    lab.undo()
    assert paths(lab) == before
    lab.redo()
    assert lab.archived().height == 2


def test_restore_refuses_a_taken_name(lab: Lab) -> None:
    old = lab.template("support/label", TEXT).archive()
    lab.template("support/label", "Another: {{ ticket }}")
    with pytest.raises(OperationRefused, match="there is a template 'support/label' already"):
        old.restore()
    lab.template("support/label").rename("newer")
    assert old.restore().path == "support/label"
    assert lab.template("support/label").text == TEXT
    with pytest.raises(NotFound, match="no flow 'support/label' is archived here"):
        lab.restore("support/label", "flow")


def test_what_had_one_path_is_restored_by_kind_or_id(lab: Lab) -> None:
    lab.template("support/x", TEXT).archive()
    flow = lab.flow("support/x").archive()
    with pytest.raises(OperationRefused, match="a flow and a template 'support/x' are archived"):
        lab.restore("support/x")
    assert lab.restore(str(flow.id)) == "support/x"
    assert lab.restore("support/x") == "support/x"
    assert paths(lab) == ["support", "support/x", "support/x"]


def test_a_thing_comes_back_into_the_library_that_took_its_place(lab: Lab) -> None:
    flow = lab.flow("support/triage").archive()
    lab.library("support").archive()
    lab.library("support").create()
    assert flow.restore().path == "support/triage"
    assert lab.libraries().select("library", "flows").rows() == [("support", 1)]


def test_archived_template_that_is_used_can_be_archived_anyway(lab: Lab) -> None:
    furnished(lab)
    lab.template("support/label").archive(anyway=True)
    (problem,) = lab.flow("support/triage").check()
    assert problem.code == "F403"


def test_undo_never_leaves_a_thing_nowhere(lab: Lab) -> None:
    lab.library("support").create()
    as_somebody(lab, "ada").flow("support/triage")
    with pytest.raises(Conflict, match="would leave a prompt flow of ada without it"):
        lab.undo()
    assert paths(lab) == ["support", "support/triage"]


def test_undo_never_puts_a_library_into_itself(lab: Lab) -> None:
    lab.library("a/b").create()
    lab.library("a/b").move("")
    as_somebody(lab, "ada").library("a").move("b")
    with pytest.raises(Conflict, match="would lie nowhere"):
        lab.undo()
    assert paths(lab) == ["b", "b/a"]


def test_undo_says_that_a_name_is_taken(lab: Lab) -> None:
    lab.flow("support/a").rename("b")
    as_somebody(lab, "ada").flow("support/a")
    with pytest.raises(Conflict, match="something else has its name"):
        lab.undo()
    assert paths(lab, "flow") == ["support/a", "support/b"]


def test_undo_is_ones_own(lab: Lab) -> None:
    lab.library("mine").create()
    as_somebody(lab, "ada").library("hers").create()
    lab.undo()
    assert paths(lab) == ["hers"]
    assert lab.undo() == ()


def test_a_draft_has_no_place(lab: Lab) -> None:
    with pytest.raises(FlowError, match="kept nowhere, so it has no place"):
        lab.draft().tag("x")


def test_inline_prompt_is_no_template_of_a_library(lab: Lab) -> None:
    flow = classifying(lab, TEXT, "support/triage")
    flow.run(ticket="Hi")
    assert paths(lab, "template") == []
    assert lab.find("label this").items["path"].to_list() == []
