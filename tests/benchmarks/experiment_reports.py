"""Reports of ten million executions: from sums, from the warehouse's units, from Parquet.

Beside a bare polars scan of the same columns, and tea-tasting where it is installed.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import promptstudio_lab as ps
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.ids import new_id
from promptstudio_lab.stats.sums import Sums
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.queries.experiments.units import fold
from promptstudio_lab.warehouse.types import now
from tests.lab.parts import opened
from tests.lab.simulation import guessing

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.lab import Lab, OnlineExperiment

EXECUTIONS, UNITS, FOLDED, GROUP = 10_000_000, 100_000, 200_000, 2_000
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
    with tempfile.TemporaryDirectory() as folder:
        with opened(f"sqlite:///{Path(folder) / 'warehouse.db'}") as lab:
            experiment = begun(lab)
            print(
                f"folding a new run into its unit: {1e6 * folding(lab, experiment):.2f} us (3 us)"
            )
            fill_units(lab, experiment)
            warm = seconds(lambda: experiment.report(metrics=METRICS))
            print(f"SQLite, {UNITS:,} units, warm: {1e3 * warm:.0f} ms (goal 100 ms)")
        from_parquet(Path(folder) / "runs.parquet")


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


def from_sums() -> float:
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
    return seconds(lambda: analyze_all(parts, name="x", control="a", metrics=METRICS), 50)


def begun(lab: Lab) -> OnlineExperiment:
    """Return an experiment of four variants."""
    flow = guessing(lab)
    variants = {"a": None, **{v: flow.vary("say.prompt", "{{ says.b }}" + v) for v in "bcd"}}
    return lab.experiment("e", flow=flow, variants=variants, unit="user").start()


def folding(lab: Lab, experiment: OnlineExperiment) -> float:
    """Return how long one new run takes to be added to its unit, in groups as they are written."""
    found, moment, flow_id = experiment._found(), now(), experiment.flow.head().id
    ids, made = list(found.variants.values()), drawn(FOLDED)
    rows = [
        (
            new_id(), lab.actor.organization_id, flow_id, 1, 1, ids[at % 4], found.id,
            f"u{at % (UNITS // 10)}", "x", "x", "cell", "succeeded", moment, moment,
            float(made["latency_ms"][at]), int(made["cost_usd"][at] * 1e9),
            bool(made["success"][at]), float(made["quality"][at]), False, moment, "x",
        )
        for at in range(FOLDED)
    ]  # fmt: skip
    lab.warehouse.append(
        lab.actor, lambda connection: insert_missing(connection, "flow_execution", RUN, rows)
    )
    took: list[float] = []

    def work(connection: Any) -> None:  # a connection
        for start in range(0, FOLDED, GROUP):
            group = [row[0] for row in rows[start : start + GROUP]]
            begin = time.perf_counter()
            fold(connection, group)
            took.append(time.perf_counter() - begin)

    lab.warehouse.append(lab.actor, work)
    return sum(took) / FOLDED


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


def from_parquet(path: Path) -> None:
    """Print how long a report of the rows takes, beside a bare scan and tea-tasting."""
    names = np.array(VARIANTS)[np.random.default_rng(1).integers(0, 4, EXECUTIONS)]
    pl.DataFrame({"variant": names, **drawn(EXECUTIONS)}).write_parquet(path)

    def bare() -> object:
        sums = [pl.col(name).sum() for name in COLUMNS]
        return pl.scan_parquet(path).group_by("variant").agg(pl.len(), *sums).collect()

    def ours() -> object:
        return ps.analyze(path, control="a", metrics=METRICS)

    floor, mine = seconds(bare), seconds(ours)
    print(f"Parquet, {EXECUTIONS:,} rows: {mine / floor:.2f} x a bare polars scan (goal 1.3 x)")
    try:
        theirs: Any = importlib.import_module("tea_tasting")  # not installed with us
    except ImportError:
        print("tea-tasting: could not run, it is not installed")
        return
    asked = theirs.Experiment(
        **{name: theirs.Mean(name) for name in COLUMNS},
        ratio=theirs.RatioOfMeans("cost_usd", "success"),
    )
    other = seconds(lambda: asked.analyze(pl.scan_parquet(path), control="a", all_variants=True))
    print(f"Parquet, beside tea-tasting: {other / mine:.1f} x as quick")


if __name__ == "__main__":
    main()
