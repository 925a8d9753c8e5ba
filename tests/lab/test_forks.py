"""A fork knows where it came from, and its changes go back one by one."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from promptstudio_lab.errors import AccessDenied, Conflict, FlowError, NotFound, OperationRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.editing import Editing
from promptstudio_lab.warehouse.entities import Payload
from promptstudio_lab.warehouse.history.verify import verify
from tests.flows.test_history import some_edit
from tests.lab.parts import as_somebody
from tests.lab.test_permissions import person

if TYPE_CHECKING:
    from promptstudio_lab.flows.graph import Edge
    from promptstudio_lab.lab import Flow, Lab
    from promptstudio_lab.lab.forks import Merge
    from promptstudio_lab.values import Json

PATH = "support/triage"


@pytest.fixture
def flow(room: Lab) -> Flow:
    """Return a flow of a ticket, a label, and an answer for it; its newest version is 1."""
    flow = room.flow(PATH)
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt="Label this: {{ ticket }}", ticket=ticket, temperature=0.1)
    said = flow.llm("answer", prompt="Answer a {{ kind }}", kind=kind)
    flow.output(said=said)
    flow.save()
    return flow


def node(flow: Flow, key: str) -> str:
    return flow.head().graph.by_key[key].id


def sets(flow: Flow, key: str, **settings: Json) -> None:
    flow.apply({"type": "configure", "node": node(flow, key), "settings": settings})


def adds(flow: Flow, kind: str, key: str, **more: Json) -> str:
    key_id = new_id()
    place = {"x": 16.0, "y": 32.0}
    flow.apply({"type": "add", "node": key_id, "kind": kind, "key": key, **place, **more})
    return key_id


def wires(flow: Flow, source: str, port: str, target: str, into: str) -> None:
    ends = {"source": node(flow, source), "source_port": port, "target": node(flow, target)}
    flow.apply({"type": "connect", "edge": new_id(), **ends, "target_port": into})


def lines(merge: Merge) -> list[str]:
    return [" | ".join(hunk.lines) for hunk in merge.hunks]


def bindings(flow: Flow) -> set[str]:
    graph = flow.head().graph
    return {
        f"{graph.name(graph.by_id[edge.source])} → {graph.name(graph.by_id[edge.target])}"
        for edge in graph.edges
    }


def test_a_fork_begins_as_a_version_and_remembers_it(room: Lab, flow: Flow) -> None:
    sets(flow, "classify", temperature=0.9)
    fork = flow.fork("support/mine", version=1)
    assert fork.head().graph.semantics == flow.version(1).graph.semantics
    assert not {*fork.head().graph.by_id} & {*flow.head().graph.by_id}
    assert fork.origin is not None
    assert (fork.origin.flow_id, fork.origin.path, fork.origin.version) == (flow.id, PATH, 1)
    assert repr(fork).endswith("forked from support/triage@1>")
    assert repr(room.flow("support/mine")) == repr(fork)
    assert flow.origin is None
    # As it stands: that is saved first. From a saved version: that one.
    assert str(flow.fork("support/newest").origin) == "support/triage@2"
    assert str(room.flow(f"{PATH}@1").fork("support/oldest").origin) == "support/triage@1"
    flow.label("production", version=1)
    assert str(flow.fork("support/live", "production").origin) == "support/triage@1"
    flow.rename("sorting")
    assert str(fork.origin) == "support/sorting@1"
    flow.archive()
    assert str(fork.origin) == "an archived flow@1"
    with pytest.raises(NotFound, match="is archived"):
        fork.merge_back()


def test_a_fork_needs_a_path_of_its_own_and_the_right_to_make_it(room: Lab, flow: Flow) -> None:
    for path in (PATH, "support/x@2"):
        with pytest.raises(OperationRefused, match="a path of its own"):
            flow.fork(path)
    with pytest.raises(NotFound, match="versions 1 to 1"):
        flow.fork("support/mine", version=7)
    with pytest.raises(NotFound, match="no fork"):
        flow.merge_back()
    flow.classify("restricted")
    flow.fork("support/secret")
    kept = room.sql("SELECT data_classification AS c FROM prompt_flow WHERE name = 'secret'")
    assert kept["c"].to_list() == ["restricted"]
    room.undo()
    with pytest.raises(FlowError):
        room.flow(f"{PATH}@1").merge_back()


def test_how_a_fork_or_a_copy_began_is_not_taken_back(room: Lab, flow: Flow) -> None:
    born = [flow.fork("support/mine"), flow.copy("support/twin")]
    for one in born:
        assert one.undo() == []
        assert Editing(one, "canvas").answer({"do": "undo"})["message"] == (
            "there is nothing of yours to undo"
        )
        sets(one, "classify", temperature=0.7)
        assert [done.type for done in one.undo()] == ["undo configure"]
        assert one.undo() == []
        assert one.head().graph.semantics == flow.head().graph.semantics
        assert [done.type for done in one.redo()] == ["configure"]
        assert one.redo() == []
    # What was brought into a flow of one's own can be taken out of it again.
    brought = room.import_flow(flow.to_json(), "support/brought")
    assert brought.undo()
    assert brought.head().graph.nodes == ()


def test_changes_go_back_one_by_one_and_are_undone_together(room: Lab, flow: Flow) -> None:
    fork = flow.fork("support/mine")
    sets(fork, "classify", temperature=0.5, system="Be kind.")
    adds(fork, "guard", "check")
    fork.apply({"type": "remove", "edges": [edge.id for edge in into(fork, "output")]})
    wires(fork, "answer", "text", "check", "value")
    wires(fork, "check", "passed", "output", "said")
    merge = fork.merge_back()
    assert lines(merge) == [
        '~ classify/config/system: added "Be kind."',
        "~ classify/config/temperature: 0.1 → 0.5",
        "+ check (guard) | + answer.text → check.value",
        "+ check.passed → output.said | - answer.text → output.said",
    ]
    assert merge.clashes == ()
    assert merge.theirs.same

    # What is fed by the new node brings it along.
    before = flow.head()
    done = merge.apply(4, 2)
    assert (done.type, done.seq) == ("merge", before.seq + 1)
    now = flow.head().graph
    assert now.by_key["classify"].config["temperature"] == 0.5
    assert "system" not in now.by_key["classify"].config
    assert {"answer → check", "check → output"} <= bindings(flow)
    assert "answer → output" not in bindings(flow)

    # What is merged is not offered again, and what differs later is from there.
    assert lines(fork.merge_back()) == ['~ classify/config/system: added "Be kind."']
    sets(fork, "classify", temperature=0.7)
    again = fork.merge_back()
    assert "~ classify/config/temperature: 0.5 → 0.7" in lines(again)
    assert again.clashes == ()

    flow.undo()
    assert flow.head().graph.semantics == before.graph.semantics
    # A merge that was undone can be done again, whole.
    assert len(fork.merge_back().hunks) == 4
    assert fork.merge_back().clashes == ()
    fork.merge_back().apply()
    assert flow.head().graph.semantics == fork.head().graph.semantics
    assert fork.merge_back().hunks == ()
    assert str(fork.merge_back()).endswith("nothing differs")
    with room.warehouse.reading(room.actor) as session:
        assert verify(session).ok


def test_what_a_merge_remembers_is_reached_by_an_erasure(room: Lab, flow: Flow) -> None:
    fork = flow.fork("support/mine")
    sets(fork, "classify", system="Write to Ada Lovelace.", temperature=0.3)
    adds(fork, "guard", "check")
    fork.merge_back().apply()
    query = "SELECT CAST(merged AS TEXT) AS merged FROM flow_fork WHERE flow_id = :fork"
    kept = room.sql(query, fork=fork.id)["merged"].item()
    assert "check" in kept
    assert "Ada" not in kept
    # Nobody has changed the same since, so what the fork does next is no clash.
    sets(fork, "classify", system="Write to nobody.")
    (hunk,) = fork.merge_back().hunks
    assert (hunk.clash, hunk.lines) == (
        None,
        ('~ classify/config/system: "Write to Ada Lovelace." → "Write to nobody."',),
    )
    sets(flow, "classify", system="Write to somebody.")
    (hunk,) = fork.merge_back().hunks
    assert hunk.clash == ("Write to Ada Lovelace.", "Write to nobody.", "Write to somebody.")
    room.warehouse.transact(room.actor, lambda session: session.execute(delete(Payload)))
    # Without the text it is not known that both had it: two people have set the same.
    found = {hunk.lines: hunk.clash for hunk in fork.merge_back().hunks}
    assert "Ada" not in repr(fork.merge_back())
    assert found[('~ classify/config/system: "Write to somebody." → "Write to nobody."',)] == (
        "nothing",
        "Write to nobody.",
        "Write to somebody.",
    )
    assert len(found) == 1, "what both have alike is no change, and the new node is still common"


def into(flow: Flow, key: str) -> list[Edge]:
    return list(flow.head().graph.into(node(flow, key)))


def test_what_both_changed_is_told_with_both_values_and_never_taken_unasked(
    room: Lab, flow: Flow
) -> None:
    fork = as_somebody(room, "ada").flow(PATH).fork("support/mine")
    sets(fork, "classify", temperature=0.5, seed=1)
    sets(flow, "classify", temperature=0.9)
    sets(flow, "answer", seed=7)
    merge = fork.merge_back()
    (clash,) = merge.clashes
    assert clash.clash == ("0.1", "0.5", "0.9")
    assert "was 0.1, yours 0.5, theirs 0.9" in str(merge)
    assert "~ answer/config/seed: added 7" in str(merge.theirs)
    merge.apply()
    config = flow.head().graph.by_key["classify"].config
    assert (config["temperature"], config["seed"]) == (0.9, 1)
    fork.merge_back().apply(1)
    assert flow.head().graph.by_key["classify"].config["temperature"] == 0.5
    assert fork.merge_back().hunks == ()


def test_a_listed_change_that_is_another_by_now_is_not_taken(flow: Flow) -> None:
    fork = flow.fork("support/mine")
    sets(fork, "classify", temperature=0.5)
    merge = fork.merge_back()
    sets(flow, "classify", temperature=0.9)
    with pytest.raises(Conflict, match="look at them again"):
        merge.apply(1)
    assert flow.head().graph.by_key["classify"].config["temperature"] == 0.9
    for wrong in (0, 2, True):
        with pytest.raises(FlowError, match="changes 1 to 1"):
            merge.apply(wrong)
    with pytest.raises(OperationRefused, match="none of its changes"):
        flow.fork("support/same").merge_back().apply()


def test_removed_here_and_changed_there(flow: Flow) -> None:
    fork = flow.fork("support/mine")
    fork.apply({"type": "remove", "nodes": [node(fork, "classify")]})
    assert lines(fork.merge_back()) == [
        "- classify (llm) | - ticket.value → classify.ticket | - classify.text → answer.kind"
    ]
    assert fork.merge_back().clashes == ()
    sets(flow, "classify", seed=3)
    (clash,) = fork.merge_back().clashes
    assert (clash.clash and clash.clash.theirs) == "changed, or used elsewhere"
    fork.merge_back().apply(1)
    assert {*flow.head().graph.by_key} == {"ticket", "answer", "output"}
    assert bindings(flow) == {"answer → output"}


def test_changed_here_and_removed_there_comes_back_with_its_edges(flow: Flow) -> None:
    fork = flow.fork("support/mine")
    sets(fork, "classify", seed=3)
    flow.apply({"type": "remove", "nodes": [node(flow, "classify")]})
    merge = fork.merge_back()
    (clash,) = merge.clashes
    assert (clash.clash and clash.clash.theirs) == "removed"
    merge.apply(1)
    assert flow.head().graph.semantics == fork.head().graph.semantics


def test_a_container_comes_with_its_body_and_names_never_collide(flow: Flow) -> None:
    fork = flow.fork("support/mine")
    each = adds(fork, "map", "each")
    adds(fork, "input", "item", parent=each)
    adds(fork, "llm", "ask", parent=each)
    wires(fork, "each/item", "value", "each/ask", "text")
    adds(flow, "note", "each")
    merge = fork.merge_back()
    assert len(merge.hunks) == 1
    assert merge.hunks[0].lines[0].startswith("+ each_2 (map")
    merge.apply()
    assert {"each", "each_2", "each_2/ask"} <= {*flow.head().graph.by_key}
    assert fork.merge_back().hunks == ()


def test_a_viewer_of_the_origin_merges_nothing(room: Lab, flow: Flow) -> None:
    fork = flow.fork("elsewhere/mine")
    sets(fork, "classify", seed=3)
    room.library("support").permit("ada", "view").permit(room.actor.id, "manage")
    ada = person(room, "ada")
    theirs = ada.flow("elsewhere/mine").merge_back()
    assert len(theirs.hunks) == 1
    with pytest.raises(AccessDenied):
        theirs.apply(1)
    assert "seed" not in flow.head().graph.by_key["classify"].config


def edited(flow: Flow, random: Random, times: int) -> None:
    """Let somebody edit here and there; what is refused is not done."""
    for _ in range(times):
        with suppress(OperationRefused, Conflict):
            flow.apply(some_edit(random, flow.head().graph))


@pytest.mark.parametrize("seed", range(3))
def test_all_changes_together_make_the_origin_what_the_fork_is(memory: Lab, seed: int) -> None:
    random = Random(seed)
    flow = memory.flow("some/flow")
    edited(flow, random, 60)
    fork = flow.fork("some/fork")
    for _ in range(3):
        edited(fork, random, 30)
        merge = fork.merge_back()
        assert merge.clashes == ()
        if merge.hunks:
            merge.apply()
        assert flow.head().graph.semantics == fork.head().graph.semantics
        assert fork.merge_back().hunks == ()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_both_do_each_change_can_be_taken_or_is_refused_whole(
    memory: Lab, seed: int
) -> None:
    random = Random(seed)
    flow = memory.flow("some/flow")
    edited(flow, random, 60)
    fork = flow.fork("some/fork")
    edited(fork, random, 30)
    edited(flow, random, 30)
    for number in range(len(fork.merge_back().hunks)):
        merge = fork.merge_back()
        if number >= len(merge.hunks):
            break
        before, wanted = flow.head(), merge.hunks[number]
        try:
            merge.apply(wanted)
        except OperationRefused:
            assert flow.head() == before
        else:
            assert flow.head().seq == before.seq + 1
            assert wanted.id not in {hunk.id for hunk in fork.merge_back().hunks}
            flow.undo()
            assert flow.head().graph.semantics == before.graph.semantics
            assert wanted.lines in {hunk.lines for hunk in fork.merge_back().hunks}
