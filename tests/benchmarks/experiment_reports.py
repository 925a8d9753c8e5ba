"""Reports of ten million executions: from sums, from the warehouse's units, from Parquet.

Beside bare sums of the same columns, in the same minute.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sqlalchemy import text

import promptstudio_lab as ps
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.ids import new_id
from promptstudio_lab.stats.sums import Sums
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.queries.experiments.units import Ended, fold
from promptstudio_lab.warehouse.types import now
from tests.lab.parts import opened
from tests.lab.simulation import guessing
from tests.servers import fresh_database, postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from promptstudio_lab.lab import Lab, OnlineExperiment
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.warehouse.append import Row

EXECUTIONS = int(os.environ.get("PSL_BENCH_RUNS", "10000000"))
UNITS, GROUP, ROUNDS = 100_000, 2_000, 7
VARIANTS = ("a", "b", "c", "d")
COLUMNS = ("success", "cost_usd", "latency_ms", "quality")
METRICS = (
    ps.Rate("success"),
    ps.Mean("cost_usd"),
    ps.Mean("latency_ms"),
    ps.Mean("quality", role="guardrail"),
    ps.RatioOfSums("cost_usd", "success", name="cost_per_success"),
)
RUN = (
    "id", "organization_id", "flow_id", "flow_version", "change_seq", "variant_id",
    "experiment_id", "unit_key", "requested_by", "executed_by", "trigger", "status", "started_at",
    "completed_at", "execution_time_ms", "total_cost", "success", "quality", "simulated",
    "created_at", "created_by",
)  # fmt: skip
UNIT = (
    "id", "organization_id", "experiment_id", "variant_id", "unit_key", "runs", "simulated_runs",
    "success_runs", "success", "cost_runs", "cost", "latency_runs", "latency_ms", "quality_runs",
    "quality", "input_runs", "input_tokens", "output_runs", "output_tokens", "created_at",
    "created_by",
)  # fmt: skip


def main() -> None:
    """Print each figure with its goal."""
    print(f"from sums, 5 metrics x 4 variants: {1e3 * from_sums():.2f} ms (goal 2 ms)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fresh_database(stack.enter_context(postgresql())))
        for address in (
            f"sqlite:///{folder / 'warehouse.db'}",
            url.render_as_string(hide_password=False),
        ):
            with opened(address) as lab:
                from_warehouse(lab)
        path = runs_file(folder / "runs.parquet")
        from_parquet(path)
        from_dask(path)


def from_warehouse(lab: Lab) -> None:
    """Print how long reports take: the first, the next ones, and those after new runs."""
    experiment, name = begun(lab), lab.warehouse.dialect
    fill_units(lab, experiment)
    new, key = groups(lab, experiment, ROUNDS * GROUP, UNITS), experiment._found().id

    def write(connection: Any, rows: list[Row]) -> None:  # a connection
        insert_missing(connection, "flow_execution", RUN, rows)
        fold(connection, [Ended(row[0], key) for row in rows])

    start = time.perf_counter()
    experiment.report(metrics=METRICS)
    first = time.perf_counter() - start
    took: dict[str, list[float]] = {"bare": [], "same": [], "new": []}
    for rows in new:
        took["bare"].append(once(lambda: bare_sums(lab)))
        took["same"].append(once(lambda: experiment.report(metrics=METRICS)))
        lab.warehouse.append(lab.actor, partial(write, rows=rows))
        took["new"].append(once(lambda: experiment.report(metrics=METRICS)))
    bare, same, changed = (median(times) for times in took.values())
    print(
        f"{name}, {UNITS:,} units: a first report {1e3 * first:.0f} ms; warm, after {GROUP:,} new "
        f"runs, {1e3 * changed:.0f} ms, with nothing new {1e3 * same:.0f} ms (goal 100 ms); bare "
        f"sums of {len(COLUMNS)} columns {1e3 * bare:.0f} ms: {changed / bare:.2f} x"
    )


def bare_sums(lab: Lab) -> None:
    """Add up the columns of a report by variant, and nothing else."""
    with lab.warehouse.reading(lab.actor) as session:
        session.execute(text(_BARE)).all()


_BARE = (
    "SELECT variant_id, count(*), sum(success), sum(cost), sum(latency_ms), sum(quality) "
    "FROM experiment_unit GROUP BY variant_id"
)


def once(work: Callable[[], object]) -> float:
    """Return the time of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the median time of some work, after one that does not count."""
    work()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return median(found)


def drawn(count: int) -> dict[str, np.ndarray[Any, Any]]:  # of several types
    """Return measurements of so many runs."""
    random = np.random.default_rng(count)
    return {
        "success": (random.random(count) < 0.6).astype(np.int8),
        "cost_usd": random.lognormal(-8, 0.5, count),
        "latency_ms": random.lognormal(6, 0.5, count),
        "quality": random.beta(4, 2, count),
    }


def from_sums(method: Method = "anytime") -> float:
    """Return how long reports on three treatments take, once the sums are there."""
    n = UNITS // len(VARIANTS)
    arms = {name: drawn(n + at) for at, name in enumerate(VARIANTS)}
    parts = [
        Part(
            name,
            Sums.of(
                {f"{v}.{c}": arms[v][c][:n].astype(float) for v in ("a", name) for c in COLUMNS}
            ),
            {"a": n, name: n},
            {"a": 1.0, name: 1.0},
        )
        for name in VARIANTS[1:]
    ]
    return seconds(
        lambda: analyze_all(parts, name="x", control="a", metrics=METRICS, method=method), 50
    )


def groups(lab: Lab, experiment: OnlineExperiment, runs: int, units: int) -> Iterator[list[Row]]:
    """Give finished runs, in groups as they are written."""
    found, moment, flow_id = experiment._found(), now(), experiment.flow.head().id
    ids, made = list(found.variants.values()), drawn(runs)
    for start in range(0, runs, GROUP):
        yield [
            (
                new_id(), lab.actor.organization_id, flow_id, 1, 1, ids[at % 4], found.id,
                f"unit-{at % units}", "x", "x", "cell", "succeeded", moment, moment,
                float(made["latency_ms"][at]), int(made["cost_usd"][at] * 1e9),
                bool(made["success"][at]), float(made["quality"][at]), False, moment, "x",
            )
            for at in range(start, start + GROUP)
        ]  # fmt: skip


def begun(lab: Lab) -> OnlineExperiment:
    """Return an experiment of four variants."""
    flow = guessing(lab)
    variants = {"a": None, **{v: flow.vary("say.prompt", "{{ says.b }}" + v) for v in "bcd"}}
    return lab.experiment("e", flow=flow, variants=variants, unit="user").start()


def fill_units(lab: Lab, experiment: OnlineExperiment) -> None:
    """Make the units of ten million runs, a hundred each."""
    found, moment, made = experiment._found(), now(), drawn(UNITS)
    ids, each = list(found.variants.values()), EXECUTIONS // UNITS
    rows = [
        (
            new_id(), lab.actor.organization_id, found.id, ids[at % 4], f"unit-{at}", each, 0,
            each, int(made["quality"][at] * each), each, int(made["cost_usd"][at] * 1e9) * each,
            each, float(made["latency_ms"][at]) * each, each, float(made["quality"][at]) * each,
            each, each * 300, each, each * 50, moment, "x",
        )
        for at in range(UNITS)
    ]  # fmt: skip
    lab.warehouse.append(
        lab.actor, lambda connection: insert_missing(connection, "experiment_unit", UNIT, rows)
    )


def runs_file(path: Path) -> Path:
    """Write all executions into a file, and return its path."""
    names = np.array(VARIANTS)[np.random.default_rng(1).integers(0, 4, EXECUTIONS)]
    pl.DataFrame({"variant": names, **drawn(EXECUTIONS)}).write_parquet(path)
    return path


def from_parquet(path: Path) -> None:
    """Print how long a report of the rows takes, beside a bare scan."""

    def bare() -> object:
        sums = [pl.col(name).sum() for name in COLUMNS]
        return pl.scan_parquet(path).group_by("variant").agg(pl.len(), *sums).collect()

    print(
        f"Parquet, {EXECUTIONS:,} rows: {side_by_side(path, bare)} a bare polars scan (goal 1.3 x)"
    )


def from_dask(path: Path) -> None:
    """Print how long a report of a Dask frame takes, beside its bare sums."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dask.dataframe as dd

        frame: Any = dd.read_parquet(
            path, columns=["variant", *COLUMNS], split_row_groups="adaptive"
        )

        def bare() -> object:
            return frame.groupby("variant")[list(COLUMNS)].sum().compute()

        print(f"Dask, {EXECUTIONS:,} rows: {side_by_side(frame, bare)} its bare sums")


def side_by_side(data: Any, bare: Callable[[], object]) -> str:  # whatever `analyze` takes
    """Return how a report of data compares with some bare work, in time and in processor time."""
    took: list[tuple[float, ...]] = []
    for _ in range(ROUNDS):
        start, own = time.perf_counter(), time.process_time()
        bare()
        middle, half = time.perf_counter(), time.process_time()
        ps.analyze(data, control="a", metrics=METRICS)
        took.append(
            (middle - start, time.perf_counter() - middle, half - own, time.process_time() - half)
        )
    floor, mine, floor_own, mine_own = (median(times) for times in zip(*took[1:], strict=True))
    return f"{mine / floor:.2f} x, and {mine_own / floor_own:.2f} x the processor time of,"


if __name__ == "__main__":
    main()
