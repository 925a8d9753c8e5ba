"""Adding finished runs to their units, in the transaction that wrote them, on each engine.

Beside a bare `INSERT … SELECT … GROUP BY` of the same runs, which finds no unit and keeps no key.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.queries.experiments import units
from tests.benchmarks.experiment_reports import GROUP, RUN, begun, groups
from tests.lab.parts import opened
from tests.servers import fresh_database, postgresql

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.lab import Lab, OnlineExperiment
    from promptstudio_lab.warehouse.append import Row

RUNS, UNITS, GOAL_US = 200_000, 10_000, 3.0


def main() -> None:
    """Print what a run costs on each engine, and a bare statement beside it."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(fresh_database(stack.enter_context(postgresql())))
        for address in (
            f"sqlite:///{Path(folder) / 'warehouse.db'}",
            url.render_as_string(hide_password=False),
        ):
            lab = stack.enter_context(opened(address))
            ours, cpu, bare = folding(lab, begun(lab))
            print(
                f"{lab.warehouse.dialect}: {RUNS:,} new runs of {UNITS:,} units folded, {GROUP:,} "
                f"at a time: {1e6 * ours:.1f} us a run, {1e6 * cpu:.1f} of them this thread's own "
                f"(goal {GOAL_US:g}); {ours / bare:.2f} x a bare INSERT … SELECT … GROUP BY"
            )


def folding(lab: Lab, experiment: OnlineExperiment) -> tuple[float, float, float]:
    """Return the time of one new run, the thread's own part of it, and a bare statement's time."""
    key = experiment._found().id
    took: dict[str, list[float]] = {"ours": [], "own": [], "bare": []}
    bare = _bare(lab.warehouse.dialect)

    def ours(connection: Any, ids: list[str]) -> None:  # a connection
        own = time.thread_time()
        units.fold(connection, [units.Ended(each, key) for each in ids])
        took["own"].append(time.thread_time() - own)

    def theirs(connection: Any, ids: list[str]) -> None:  # as above
        connection.exec_driver_sql(bare, units._bound(connection, ids))

    def make(connection: Any) -> None:  # as above
        connection.exec_driver_sql(_MAKE)

    def work(connection: Any, group: list[Row], turn: int) -> None:  # as above
        insert_missing(connection, "flow_execution", RUN, group)
        both: list[tuple[str, Callable[..., None]]] = [("ours", ours), ("bare", theirs)]
        for name, fold in both if turn % 2 else reversed(both):
            start = time.perf_counter()
            fold(connection, [row[0] for row in group])
            took[name].append(time.perf_counter() - start)

    lab.warehouse.append(lab.actor, make)
    for turn, group in enumerate(groups(lab, experiment, RUNS, UNITS)):
        lab.warehouse.append(lab.actor, partial(work, group=group, turn=turn))
    return sum(took["ours"]) / RUNS, sum(took["own"]) / RUNS, sum(took["bare"]) / RUNS


_MAKE = (
    "CREATE TABLE bare (organization_id TEXT, experiment_id TEXT, variant_id TEXT, unit_key TEXT, "
    + ", ".join(f"s{at} DOUBLE PRECISION" for at in range(len(units._SUMS)))
    + ")"
)


def _bare(dialect: str) -> str:
    keys = ", ".join(f"CAST({key} AS text)" for key in units._KEY.split(", "))
    sums = ", ".join(
        f"count({column}), sum({'CAST(success AS int)' if column == 'success' else column})"
        for column in units._MEASURES
    )
    these = units._THESE[dialect]
    return (
        f"INSERT INTO bare SELECT {keys}, count(*), sum(CAST(simulated AS int)), {sums} "
        f"FROM flow_execution WHERE {these} GROUP BY {units._KEY}"
    )


if __name__ == "__main__":
    main()
