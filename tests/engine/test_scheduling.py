from __future__ import annotations

import asyncio
import pickle
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.plan import CONTROL, compile_steps
from promptstudio_lab.engine.records import NodeEnded, Nowhere, RunEnded, RunStarted
from promptstudio_lab.engine.replay.pinned import pinned, unpinned
from promptstudio_lab.engine.run import run_item
from promptstudio_lab.errors import FlowInvalid
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import Graph
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.scorers import Score
from promptstudio_lab.scorers.exact import Exact
from tests.engine import probe
from tests.engine.parts import Heard, Scripted, item, one, plan_of, reply, run, statuses

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

pytestmark = pytest.mark.usefixtures("scripted", "kind")


def routed() -> Builder:
    f = Builder()
    x = f.input("x", "text")
    with f.switch(x) as s:
        s.case("a").prompt("left", prompt="Left {{ x }}", x=x)
        s.case("b").prompt("right", prompt="Right {{ x }}", x=x)
        s.default.prompt("other", prompt="Other {{ x }}", x=x)
    f.output(answer=s.merge())
    return f


def test_one_node_after_the_other() -> None:
    f = Builder()
    x = f.input("x", "text")
    upper = f.transform("upper", do="upper", value=x)
    f.output(answer=f.prompt("hello", prompt="Hello {{ name }}!", name=upper))
    heard = Heard()
    ended = run(plan_of(f), {"x": "ada"}, heard)
    assert ended.status == "succeeded"
    assert ended.outputs == {"answer": "Hello ADA!"}
    assert [node.step.key for node in ended.nodes] == ["x", "upper", "hello", "output"]
    assert [type(record) for record in heard.all] == [RunStarted, *[NodeEnded] * 4, RunEnded]
    assert ended.nodes[1].inputs == {"value": "ada"}
    assert ended.nodes[1].outputs == {"value": "ADA"}
    assert ended.cost == 0
    assert not ended.simulated
    assert ended.completed_at >= ended.run.started_at


@pytest.mark.parametrize(
    ("value", "branch", "answer"),
    [("a", "left", "Left a"), ("b", "right", "Right b"), ("c", "other", "Other c")],
)
def test_a_switch_runs_one_branch_and_skips_the_others(
    value: str, branch: str, answer: str
) -> None:
    ended = run(plan_of(routed()), {"x": value})
    found = statuses(ended)
    assert ended.outputs == {"answer": answer}
    assert {key for key in ("left", "right", "other") if found[key] == "succeeded"} == {branch}
    assert sorted(found.values()).count("skipped") == 2
    skipped = next(node for node in ended.nodes if node.status == "skipped")
    assert skipped.inputs is None
    assert skipped.outputs is None
    assert skipped.error is None


def test_a_merge_gives_the_first_live_one_or_all() -> None:
    f = Builder()
    handles = [f.input(key, "text") for key in "abc"]
    first = f.merge("first", **{"in": handles})
    every = f.merge("every", strategy="list", **{"in": handles})
    f.output(first=first, every=every)
    assert run(plan_of(f), {"a": "1", "b": "2", "c": "3"}).outputs == {
        "first": "1",
        "every": ["1", "2", "3"],
    }


def test_a_merge_of_nothing_is_skipped_and_so_is_what_follows() -> None:
    f = Builder()
    x = f.input("x", "text")
    with f.switch(x) as s:
        s.case("a").prompt("left", prompt="Left")
    after = f.transform("after", value=s.merge())
    f.output(answer=after, asked=x)
    ended = run(plan_of(f), {"x": "z"})
    found = statuses(ended)
    assert [found[key] for key in ("left", "merge", "after")] == ["skipped"] * 3
    assert ended.outputs == {"asked": "z"}, "an output gives the fields that there are"


def test_a_run_that_answers_nothing_is_partial() -> None:
    f = Builder()
    x = f.input("x", "text")
    with f.switch(x) as s:
        s.case("a").prompt("left", prompt="Left")
    f.output(answer=s.merge())
    ended = run(plan_of(f), {"x": "z"})
    assert ended.status == "partial"
    assert ended.outputs == {}
    assert statuses(ended)["output"] == "skipped"


def test_several_branches_may_be_waited_for() -> None:
    f = Builder()
    x = f.input("x", "text")
    s = f.switch(x)
    with s:
        s.case("a")
        s.case("b")
    document = f.document()
    document["nodes"]["both"] = {
        "kind": "prompt",
        "config": {"prompt": {"text": "Hi"}},
        "in": {"when": ["switch.a", "switch.b"]},
    }
    document["nodes"]["output"] = {
        "kind": "output", "config": {"fields": ["answer"]}, "in": {"answer": ["both.text"]},
    }  # fmt: skip
    f._nodes = document["nodes"]
    plan = plan_of(f)
    assert run(plan, {"x": "b"}).outputs == {"answer": "Hi"}
    assert run(plan, {"x": "c"}).status == "partial"


@pytest.mark.parametrize(
    ("path", "value"),
    [("a", {"b": [1, 2]}), ("a.b", [1, 2]), ("a.b.1", 2), ("a.b.2", None), ("a.c", None)],
)
def test_a_place_inside_a_value_is_followed(path: str, value: Json) -> None:
    f = Builder()
    x = f.input("x", "json")
    place = x
    for part in path.split("."):
        place = getattr(place, part)
    f.output(answer=place)
    ended = run(plan_of(f), {"x": {"a": {"b": [1, 2]}}})
    assert ended.outputs == ({} if value is None else {"answer": value})


@pytest.mark.parametrize("path", ["text", "0", "text.more"])
def test_a_place_inside_a_text_or_a_number_is_a_mistake_and_no_missing_value(path: str) -> None:
    f = Builder()
    x = f.input("x", "any")
    every = f.merge("all", x)
    for part in path.split("."):
        every = every[part]
    f.output(y=every, z=x)
    plan = plan_of(f)
    wrong: list[Json] = ["a word", 5, True]
    for value in wrong:
        ended = run(plan, {"x": value})
        assert (ended.status, ended.failed_node) == ("failed", "output")
        assert f"'y' takes all.value.{path}, and there is no" in str(ended.error)
        assert ended.error_code == "node_failed"
    missing: list[Json] = [None, {}, {"other": 1}, []]
    for value in missing:
        assert run(plan, {"x": value}).outputs == {"z": value}


def test_an_input_without_a_value_takes_its_default() -> None:
    f = Builder()
    f.output(answer=f.input("x", "text", default="usual"))
    assert run(plan_of(f)).outputs == {"answer": "usual"}
    assert run(plan_of(f), {"x": None}).outputs == {"answer": "usual"}
    assert run(plan_of(f), {"x": ""}).outputs == {"answer": ""}


def failing(raises: str, **policy: Json) -> Builder:
    f = Builder()
    x = f.input("x", "text")
    bad = f.probe("bad", raises=raises, a=x, **policy)
    after = f.transform("after", value=bad)
    f.output(answer=after, asked=x)
    return f


@pytest.mark.parametrize(
    ("raises", "said"),
    [
        ("value", "ValueError: no good"),
        ("key", "KeyError: 'lost'"),
        ("recursion", "RecursionError"),
    ],
)
def test_a_failing_node_fails_the_run_and_keeps_its_error(raises: str, said: str) -> None:
    ended = run(plan_of(failing(raises)), {"x": "1"})
    assert ended.status == "failed"
    assert ended.failed_node == "bad"
    assert said in str(ended.error)
    assert ended.error_code == "error"
    assert ended.outputs == {}
    bad = next(node for node in ended.nodes if node.step.key == "bad")
    assert (bad.status, bad.outputs, bad.inputs) == ("failed", None, {"a": ["1"]})
    assert "after" not in statuses(ended)


def test_an_error_of_ours_keeps_its_name_as_its_code() -> None:
    f = Builder()
    f.output(answer=f.prompt("p", prompt="{{ x.y }}", x=f.input("x", "json")))
    ended = run(plan_of(f), {"x": {}})
    assert ended.error_code == "missing_variable"


def test_a_failure_that_may_be_skipped_goes_on_without_it() -> None:
    ended = run(plan_of(failing("value", on_error="skip")), {"x": "1"})
    assert ended.status == "succeeded"
    assert ended.outputs == {"asked": "1"}
    assert statuses(ended) == {
        "x": "succeeded",
        "bad": "failed",
        "after": "skipped",
        "output": "succeeded",
    }
    assert ended.error is None


def test_a_value_without_an_exact_form_fails_the_node_that_made_it() -> None:
    f = Builder()
    f.output(answer=f.probe("bad", gives="nan"))
    ended = run(plan_of(f))
    assert (ended.status, ended.failed_node, ended.error_code) == ("failed", "bad", "value_refused")
    assert "/value: NaN" in str(ended.error)


def test_a_failure_cancels_what_runs_beside_it_and_every_node_is_told() -> None:
    f = Builder()
    slow = f.probe("slow", sleeps=30)
    bad = f.probe("bad", sleeps=0.01, raises="value")
    f.output(answer=slow, other=bad)
    heard = Heard()
    ended = run(plan_of(f), sink=heard)
    assert ended.failed_node == "bad"
    told = {node.step.key: node.status for node in heard.of(NodeEnded)}
    assert told == {"bad": "failed", "slow": "cancelled"}
    assert statuses(ended) == told, "the run's own record holds all its nodes"


def test_cancelling_a_run_is_told_and_passed_on() -> None:
    f = Builder()
    f.output(answer=f.probe("slow", sleeps=30))
    heard = Heard()

    async def work() -> None:
        task = asyncio.create_task(one(plan_of(f), sink=heard))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert [node.status for node in heard.of(NodeEnded)] == ["cancelled"]
    (ended,) = heard.of(RunEnded)
    assert ended.status == "cancelled"
    assert ended.score is None


def test_an_unbalanced_flow_takes_as_long_as_its_longest_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = probe.Clock()
    monkeypatch.setattr(probe, "CLOCK", clock)
    f = Builder()
    a = f.probe("a", ticks=1)
    b = f.probe("b", ticks=10)
    a2 = f.probe("a2", ticks=10, a=a)
    b2 = f.probe("b2", ticks=1, a=b)
    a3 = f.probe("a3", ticks=1, a=a2)
    f.output(answer=f.probe("end", ticks=1, a=[a3, b2]))

    async def work() -> int:
        task = asyncio.create_task(run_item(plan_of(f), item(), Nowhere(), Budget()))
        await clock.run(task)
        assert task.result().status == "succeeded"
        return clock.now

    # Level by level it would be 10 + 10 + 1 + 1.
    assert asyncio.run(work()) == 13


def test_a_node_starts_as_soon_as_what_it_waits_for_is_there(scripted: Scripted) -> None:
    gates = {text: asyncio.Event() for text in ("slow", "fast")}

    async def behave(request: Any) -> Any:  # the provider's own types
        text = request.messages[-1].content
        if text in gates:
            if text == "slow":
                await gates["slow"].wait()
            return reply(text)
        gates["slow"].set()
        return reply(text)

    scripted.behave = behave
    f = Builder()
    slow = f.llm("slow", prompt="slow")
    fast = f.llm("fast", prompt="fast")
    after = f.llm("after", prompt="after {{ x }}", x=fast)
    f.output(slow=slow, after=after)
    assert run(plan_of(f)).status == "succeeded", "`slow` waits for what comes after `fast`"


def test_a_flow_that_cannot_run_is_not_compiled() -> None:
    f = Builder()
    f.prompt("p", prompt="{{ x }}")
    with pytest.raises(FlowInvalid) as caught:
        plan_of(f)
    assert {problem.code for problem in caught.value.problems} == {"F202", "F106"}  # type: ignore[attr-defined]  # problems of a flow
    with pytest.raises(FlowInvalid, match="no nodes"):
        compile_steps(Graph(), Facts(), {})


def test_a_plan_can_be_sent_away() -> None:
    plan = plan_of(routed(), scorer=Exact("answer"))
    again = pickle.loads(pickle.dumps(plan))  # noqa: S301 — pickled in this line
    assert pinned(again) == pinned(plan)
    told = unpinned(
        pinned(plan),
        asked=plan.requested_by,
        runs=plan.executed_by,
        trigger=plan.trigger,
        origin=plan.origin,
    )
    assert asdict(told.variants[CONTROL]) == asdict(plan.variants[CONTROL])
    assert pinned(told) == pinned(plan)
    assert run(again, {"x": "a"}).outputs == {"answer": "Left a"}


def test_a_run_is_scored_by_the_items_own_fields() -> None:
    plan = plan_of(routed(), scorer=Exact("answer"))
    assert run(plan, {"x": "a", "answer": "left A"}).score == Score(
        1.0, "pass", "answer is 'left A'"
    )
    missing = run(plan, {"x": "a"}).score
    assert missing is not None
    assert missing.value is None


class Broken:
    """A scorer with a mistake in it."""

    def score(self, outputs: Json, expected: Json) -> Score:
        """Fail by accident."""
        raise ZeroDivisionError

    def lacks(self, outputs: Json, fields: Json) -> None:
        """Lack nothing."""

    def describe(self) -> dict[str, Json]:
        """Return its name."""
        return {"scorer": "broken"}


def test_a_scorer_with_a_mistake_does_not_lose_the_run() -> None:
    heard = Heard()
    run(plan_of(routed(), scorer=Broken()), {"x": "a"}, heard)
    (ended,) = heard.of(RunEnded)
    assert ended.outputs == {"answer": "Left a"}
    assert ended.score is None or ended.score.value is None


def test_text_is_heard_as_it_comes(scripted: Scripted) -> None:
    scripted.script.append(reply("streamed"))
    f = Builder()
    f.output(answer=f.llm("ask", prompt="Hi"))
    heard: list[tuple[str, str]] = []
    run(plan_of(f), on_text=lambda key, text: heard.append((key, text)))
    assert heard == [("ask", "streamed")]


def test_two_thousand_nodes_in_a_row_run() -> None:
    f = Builder()
    last = f.input("x", "text")
    for number in range(2_000):
        last = f.transform(f"n{number}", value=last)
    f.output(answer=last)
    assert run(plan_of(f), {"x": "1"}).outputs == {"answer": "1"}
