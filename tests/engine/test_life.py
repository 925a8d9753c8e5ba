"""The life of runs as a machine that does anything in any order, held against a plain model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from promptstudio_lab.engine import recorder
from promptstudio_lab.errors import Conflict, RunError, WarehouseError
from promptstudio_lab.lab.running.recorded import run_again
from promptstudio_lab.providers import provider_of
from tests.engine.graphs import ask, flow_of, gives, node
from tests.lab.parts import expire, settled_lab
from tests.warehouse import conftest

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.engine.rows import Rows
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.providers.chat import ChatRequest
    from promptstudio_lab.warehouse.connect import Warehouse
    from tests.engine.graphs import Nodes

MODEL = "simulated:small"
shared = conftest.shared


def story() -> Nodes:
    return {
        "x": node("input", {"type": "text"}),
        "one": ask(x="x.value", model=MODEL),
        "rate": node("human", {"schema": {"type": "integer"}}, value="one.text"),
        "two": ask("Use {{ n }}", n="rate.answer", model=MODEL),
        "out": gives(n="rate.answer", y="two.text"),
    }


class Life(RuleBasedStateMachine):
    """Runs begin, wait, crash, are answered, go on and run again."""

    runs = Bundle("runs")
    warehouse: Warehouse

    def __init__(self) -> None:
        """Open an empty lab: the one of a new organisation."""
        super().__init__()
        self.lab = settled_lab(self.warehouse)
        self.flow: Flow = flow_of(self.lab, "a/life", story())
        self.flow.save()
        self.model: dict[str, str] = {}
        self.acknowledged: set[str] = set()

    @rule(target=runs)
    def start(self) -> str:
        """Begin a run, which waits for a person."""
        found = self.flow.run(x="a")
        self.model[found.id] = found.status
        assert found.status == "waiting"
        return found.id

    @rule(target=runs)
    def cancel(self) -> str:
        """Begin a run and cancel it while a model answers."""

        async def hangs(_: ChatRequest, on_text: Callable[[str], None]) -> None:
            on_text("It")
            await asyncio.sleep(60)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(provider_of("simulated"), "complete", hangs)
            stream = self.flow.stream(x="a")
            for _ in stream:
                break
            with pytest.raises(RunError):
                _ = stream.run
        (new,) = set(self.lab.runs(1000)["flow_execution_id"]) - set(self.model)
        self.model[new] = "cancelled"
        return str(new)

    @rule(target=runs, at=st.integers(1, 6))
    def crash(self, at: int) -> object:
        """Begin a run whose process is gone at some write."""
        before = set(self.model)
        count, write = [0], recorder.write

        def dies(connection: object, rows: Rows) -> None:
            count[0] += 1
            if count[0] >= at:
                message = "gone"
                raise WarehouseError(message)
            write(connection, rows)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorder, "write", dies)
            patch.setattr(recorder, "_GROUP", 1)
            with pytest.raises(WarehouseError):
                self.flow.run(x="a")
        expire(self.lab)
        new = set(self.lab.runs(1000)["flow_execution_id"]) - before
        assert len(new) == (at > 1), "a run that was not written has not begun"
        self.model |= dict.fromkeys(new, "interrupted")
        return multiple(*new)

    @rule(run=runs)
    def go_on(self, run: str) -> None:
        """Go on with a run, or be told that it is over."""
        if self.model[run] == "succeeded":
            with pytest.raises(Conflict):
                self.lab.resume(run)
            return
        self.model[run] = self.lab.resume(run).status
        answered = self.lab.sql(
            "SELECT count(*) AS n FROM node_attempt WHERE flow_execution_id = :run "
            "AND answer_payload_id IS NOT NULL",
            run=run,
        )
        assert self.model[run] == ("succeeded" if answered["n"].item() else "waiting")

    @precondition(lambda self: "waiting" in self.model.values())
    @rule(value=st.integers(0, 9))
    def answer(self, value: int) -> None:
        """Answer the oldest question."""
        questions = self.lab.questions().rows(named=True)
        run = questions[0]["flow_execution_id"]
        done = self.lab.answer(questions[0]["question_id"], value)
        assert (done.id, done.status) == (run, "succeeded")
        assert done.outputs["n"] == value
        self.model[run] = "succeeded"
        with pytest.raises(Conflict):
            self.lab.answer(questions[0]["question_id"], value)

    @rule(target=runs, run=runs)
    def again(self, run: str) -> object:
        """Run the last call again, where there was one."""
        if self.model[run] != "succeeded":
            return multiple()
        again = run_again(self.lab.environment, run, "two")
        assert again.status == "succeeded"
        key = again.run.input.run_id
        self.model[key] = again.status
        return key

    @invariant()
    def nothing_is_lost(self) -> None:
        """No row that was ever seen is missing."""
        here = set(self.lab.sql("SELECT id FROM node_execution")["id"])
        assert self.acknowledged <= here
        self.acknowledged = here

    @invariant()
    def all_stand_as_they_should(self) -> None:
        """No run is under way, and each stands as the model says."""
        found = dict(self.lab.runs(1000).select("flow_execution_id", "status").iter_rows())
        assert found == self.model

    @invariant()
    def each_node_is_there_once(self) -> None:
        """A node that succeeded in a run did so once."""
        twice = self.lab.sql(
            "SELECT node_id FROM node_execution WHERE status = 'succeeded' "
            "GROUP BY flow_execution_id, node_id, path HAVING count(*) > 1"
        )
        assert twice.is_empty()

    @invariant()
    def the_total_is_the_sum_of_the_calls(self) -> None:
        """A run that has come to a stand costs what its calls cost."""
        wrong = self.lab.sql(
            "SELECT r.id FROM flow_execution AS r WHERE r.status <> 'interrupted' AND "
            "r.total_cost <> (SELECT coalesce(sum(p.cost), 0) FROM prompt_execution AS p "
            "WHERE p.flow_execution_id = r.id)"
        )
        assert wrong.is_empty()

    @invariant()
    def each_who_waits_has_one_question(self) -> None:
        """Whoever waits has asked once, however often it went on."""
        asked = list(self.lab.questions()["flow_execution_id"])
        assert len(asked) == len(set(asked))
        assert {run for run, status in self.model.items() if status == "waiting"} <= set(asked)


def test_whatever_happens_to_runs_their_record_stays_true(shared: Warehouse) -> None:
    class Here(Life):
        warehouse = shared

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=6,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
