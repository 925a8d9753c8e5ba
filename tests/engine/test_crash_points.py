"""A crash at every write of a run, and at every write of going on after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.engine import recorder
from promptstudio_lab.errors import WarehouseError
from tests.engine.graphs import ask, flow_of, gives, node
from tests.lab.parts import expire, settled_lab
from tests.warehouse import conftest

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from promptstudio_lab.engine.rows import Rows
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.warehouse.connect import Warehouse
    from tests.engine.graphs import Nodes
    from tests.engine.parts import Scripted

shared = conftest.shared

MODEL = "scripted:small"
SAID = ["Say a", "Say yes", "Item 1", "Item 2"]  # what the flow asks, each once
NODES = 3 + 2 * 3 + 3


def story() -> Nodes:
    return {
        "x": node("input", {"type": "text"}),
        "xs": node("input", {"type": "list"}),
        "one": ask(x="x.value", model=MODEL),
        "two": ask(x="one.text", model=MODEL),
        "each": node("map", {"concurrency": 1}, items="xs.value"),
        "each/item": node("input", {"type": "any"}),
        "each/say": ask("Item {{ x }}", x="item.value", model=MODEL),
        "each/out": gives(y="say.text"),
        "out": gives(ys="each.items", y="two.text"),
    }


class Crash(WarehouseError):
    """The process is gone."""


class Writes:
    """Counts the groups that are written, and crashes for good at some of them.

    Every second crash comes after the group is written and before its commit: it is rolled back.
    """

    def __init__(self, write: Callable[[object, Rows], None]) -> None:
        """Crash nowhere."""
        self._write, self.count, self.at = write, 0, 0
        self.down = False

    def __call__(self, connection: object, rows: Rows) -> None:
        """Write a group, or crash."""
        self.count += 1
        if self.down or self.count == self.at:
            if not self.down and self.count % 2:
                self._write(connection, rows)
            self.down = True
            raise Crash(str(self.count))
        self._write(connection, rows)

    def arm(self, at: int) -> None:
        """Be up again, and crash at the n-th group from now; 0 is never."""
        self.count, self.at, self.down = 0, at, False


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    """Count and crash the recorder's writing; each record is a group of its own."""
    monkeypatch.setattr(recorder, "_GROUP", 1)
    found = Writes(recorder.write)
    monkeypatch.setattr(recorder, "write", found)
    return found


def crashed(work: Callable[[], object]) -> bool:
    try:
        work()
    except WarehouseError:
        return True
    return False


def gone_on(lab: Lab, flow: Flow) -> None:
    """Go on with whatever began; when nothing is on record, nothing was called: run it."""
    expire(lab)
    found = lab.runs().rows(named=True)
    if not found:
        assert flow.run(x="a", xs=[1, 2]).status == "succeeded"
    elif found[0]["status"] != "succeeded":
        assert found[0]["status"] == "interrupted"
        assert lab.resume(found[0]["flow_execution_id"]).status == "succeeded"


def table(lab: Lab, name: str) -> pl.DataFrame:
    """Return the rows of the lab's organisation in a table."""
    return lab.sql(f"SELECT * FROM {name} WHERE organization_id = :organization_id")


def whole(lab: Lab, scripted: Scripted, crashes: int) -> None:
    """Check what must hold however often there was a crash."""
    (run,) = table(lab, "flow_execution").rows(named=True)
    assert run["status"] == "succeeded"
    nodes = table(lab, "node_execution")
    assert nodes.filter(status="succeeded").height == NODES
    assert nodes.select("node_id", "path").is_unique().all(), "rows exactly once"
    calls = table(lab, "prompt_execution")
    asked = [request.messages[-1].content for request in scripted.requests]
    assert set(asked) == set(SAID)
    assert max(map(asked.count, SAID)) <= 1 + crashes
    attempts = table(lab, "node_attempt")
    again = len(asked) - len(SAID)
    unknown = attempts.filter(status="unknown").height
    assert again <= unknown, "every repeated call is flagged"
    # What a call cost that may have been made nobody knows, and so nobody knows the total.
    assert run["total_cost"] == (None if unknown else calls["cost"].sum())
    assert run["total_input_tokens"] == (None if unknown else calls["input_tokens"].sum())
    assert attempts.filter(status="started").is_empty()


def groups(lab: Lab, writes: Writes, scripted: Scripted, path: str) -> int:
    """Return how many groups a run writes when nothing happens to it."""
    writes.arm(0)
    assert flow_of(lab, path, story()).run(x="a", xs=[1, 2]).status == "succeeded"
    scripted.requests.clear()
    return writes.count


@pytest.mark.usefixtures("priced")
def test_a_crash_at_any_write_loses_nothing(
    rooms: Callable[[], Lab], writes: Writes, scripted: Scripted
) -> None:
    most = groups(rooms(), writes, scripted, "a/whole")
    assert most == 2 + NODES + len(SAID), "the run's begin and end, its nodes, its attempts"
    hit = 0
    for at in range(1, most + 2):
        lab = rooms()
        flow = flow_of(lab, "a/crash", story())
        flow.save()
        scripted.requests.clear()
        writes.arm(at)
        hit += crashed(lambda flow=flow: flow.run(x="a", xs=[1, 2]))  # type: ignore[misc]  # bound now
        writes.arm(0)
        gone_on(lab, flow)
        whole(lab, scripted, 1)
    assert hit == most, "and the last time nothing happened"


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("first", [2, 7, 12])
def test_a_crash_while_going_on_loses_nothing_either(
    rooms: Callable[[], Lab], writes: Writes, scripted: Scripted, first: int
) -> None:
    for second in range(1, 17, 3):
        lab = rooms()
        flow = flow_of(lab, "a/twice", story())
        flow.save()
        scripted.requests.clear()
        writes.arm(first)
        crashed(lambda flow=flow: flow.run(x="a", xs=[1, 2]))  # type: ignore[misc]  # bound now
        writes.arm(second)
        crashed(lambda lab=lab, flow=flow: gone_on(lab, flow))  # type: ignore[misc]  # bound now
        writes.arm(0)
        gone_on(lab, flow)
        whole(lab, scripted, 2)


@pytest.fixture
def rooms(shared: Warehouse) -> Callable[[], Lab]:
    """Return what makes labs of organisations of their own, in one warehouse an engine."""
    return lambda: settled_lab(shared)
