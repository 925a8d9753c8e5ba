"""A batch on a Dask cluster of real processes, one of which dies."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client, LocalCluster

import promptstudio_lab as ps
from promptstudio_lab.errors import FlowError, RunError
from tests.engine.graphs import ask, flow_of, gives, node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Return a client of two workers, each a process."""
    with (
        LocalCluster(  # type: ignore[no-untyped-call]  # Dask has no types
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as found,  # type: ignore[no-untyped-call]  # likewise
    ):
        yield found


def asking(lab: Lab, path: str = "a/ask") -> Flow:
    x = node("input", {"type": "text"})
    said = ask(x="x.value", model="simulated:small")
    return flow_of(lab, path, {"x": x, "say": said, "out": gives(y="say.text")})


def items(count: int) -> list[dict[str, str]]:
    return [{"id": f"i{n}", "x": f"item {n}"} for n in range(count)]


def counted(lab: Lab) -> tuple[int, int, int]:
    """Return how many runs, nodes that succeeded, and calls that succeeded there are."""
    found = lab.sql(
        "SELECT (SELECT count(*) FROM flow_execution) AS runs, "
        "(SELECT count(*) FROM node_execution WHERE status = 'succeeded') AS nodes, "
        "(SELECT count(*) FROM prompt_execution WHERE status = 'succeeded') AS calls"
    )
    return tuple(map(int, found.row(0)))  # type: ignore[return-value]  # three of them


def test_a_cluster_gives_what_this_process_gives(lab: Lab, client: Client) -> None:
    flow = asking(lab)
    here = flow.batch(items(230), concurrency=20)
    there = flow.batch(items(230), on=client, name="there", concurrency=20)
    same = ["item", "variant", "status", "y", "input_tokens", "output_tokens", "cost_usd"]
    assert there.select(same).equals(here.select(same))
    assert counted(lab) == (460, 460 * 3, 460)
    again = flow.batch(items(230), on=client, name="there")
    assert again.equals(there)
    assert counted(lab)[0] == 460, "what is over is not run again"


def test_a_worker_that_dies_loses_and_repeats_nothing(lab: Lab, client: Client) -> None:
    flow = asking(lab, "a/killed")
    flow.save()
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(flow.batch, items(200), on=client, concurrency=4)
        while lab.sql("SELECT id FROM node_execution LIMIT 40").height < 40:
            time.sleep(0.05)
        victim = min(client.run(os.getpid).values())
        os.kill(victim, signal.SIGKILL)
        rows = batch.result(120)
    assert rows["item"].to_list() == [item["id"] for item in items(200)]
    assert set(rows["status"]) == {"succeeded"}
    runs, nodes, calls = counted(lab)
    assert (runs, nodes, calls) == (200, 600, 200), "rows exactly once"
    epochs = lab.sql("SELECT max(lease_epoch) AS most FROM flow_execution")["most"].item()
    assert epochs > 1, "what the dead worker had in hand was gone on with"


def test_a_budget_holds_over_all_tasks(lab: Lab, client: Client) -> None:
    flow = asking(lab, "a/dear")
    flow.batch(items(20))
    costs = flow.cost(items(200))
    assert costs.expected_nano_usd is not None
    # Each of the two tasks can pay for some fifty of its hundred calls, and has to stop then.
    budget = costs.expected_nano_usd // 2 + 2 * costs.worst_nano_usd // 200
    rows = flow.batch(items(200), on=client, budget=budget, concurrency=1)
    assert 0 < rows.height < 200
    spent: Any = rows["cost_usd"].sum()
    assert ps.usd(spent) <= budget


def test_only_a_client_will_do_and_only_what_is_kept(lab: Lab, client: Client) -> None:
    with pytest.raises(RunError, match=r"distributed\.Client, not str"):
        asking(lab).batch(items(2), on="cluster")
    draft = lab.draft()
    draft.output(y=draft.input("x", "text"))
    with pytest.raises(FlowError, match="draft"):
        draft.batch(items(2), on=client)
