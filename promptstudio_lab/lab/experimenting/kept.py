"""Experiments that have begun: all of a lab in a table, and one by its name in any session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments import store
from promptstudio_lab.experiments.plan.looks import read as looks_of
from promptstudio_lab.flows import store as flow_store
from promptstudio_lab.flows.variants import Grid, patch_of
from promptstudio_lab.lab.datasets import Dataset
from promptstudio_lab.lab.experimenting.offline import DESIGN, Experiment
from promptstudio_lab.lab.experimenting.online import OnlineExperiment, Shares
from promptstudio_lab.lab.flows import Flow
from promptstudio_lab.metrics.planned import read as metric_of
from promptstudio_lab.scorers import scorers
from promptstudio_lab.warehouse.frames.query import query as read

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.scorers import Scorer

# Offline an item has a row a variant; online only who met several has, and those are few. Each
# experiment is found by itself, so that no engine sorts the units of all of them.
_RUNS = """
SELECT counted.experiment_id, runs, cost_usd, coalesce(items, met - coalesce(again, 0)) AS units
FROM (
    SELECT experiment_id, count(*) AS met, sum(runs) AS runs,
        CAST(sum(cost) AS DOUBLE PRECISION) / 1e9 AS cost_usd
    FROM experiment_unit
    WHERE experiment_id IN (SELECT id FROM experiment WHERE organization_id = :organization_id)
    GROUP BY experiment_id
) AS counted
LEFT JOIN (
    SELECT experiment_id, count(DISTINCT unit_key) AS items
    FROM experiment_unit
    WHERE experiment_id IN (
        SELECT id FROM experiment
        WHERE organization_id = :organization_id AND plan_payload_id IS NULL
    )
    GROUP BY experiment_id
) AS offline ON offline.experiment_id = counted.experiment_id
LEFT JOIN (
    SELECT e.id AS experiment_id, count(*) - count(DISTINCT u.unit_key) AS again
    FROM experiment AS e CROSS JOIN experiment_exposure AS x CROSS JOIN experiment_unit AS u
    WHERE e.organization_id = :organization_id AND x.experiment_id = e.id AND x.multi
        AND u.organization_id = e.organization_id AND u.experiment_id = x.experiment_id
        AND u.variant_id = x.variant_id AND u.unit_key = x.unit_key
    GROUP BY e.id
) AS twice ON twice.experiment_id = counted.experiment_id
"""
# All that one look said of a variant it said together.
_DECISIONS = """
SELECT a.experiment_id, v.name AS variant, a.look AS looks, a.decision
FROM (
    SELECT experiment_id, variant_id, look, decision, row_number() OVER (
        PARTITION BY variant_id ORDER BY look DESC, created_at DESC, id
    ) AS place
    FROM experiment_analysis
    WHERE organization_id = :organization_id AND role = 'goal'
) AS a
JOIN flow_variant AS v ON v.id = a.variant_id AND v.deleted_at IS NULL
WHERE a.place = 1
"""


def experiments(environment: Environment) -> pl.DataFrame:
    """Return the lab's experiments that have begun, one a row, the newest first."""
    import polars as pl

    paths, found = _all(environment)
    rows = [
        (
            each.name,
            paths[each.flow_id],
            "offline" if each.plan["design"] == DESIGN else "online",
            each.status,
            list(each.variants),
            each.started_at,
            each.started_by,
            each.id,
        )
        for each in found
    ]
    schema: dict[str, Any] = {  # polars' own union of types
        "experiment": pl.String,
        "flow": pl.String,
        "design": pl.String,
        "status": pl.String,
        "variants": pl.List(pl.String),
        "started_at": pl.Datetime("us", "UTC"),
        "started_by": pl.String,
        "experiment_id": pl.String,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    for more in (_counted(environment), _decided(environment)):
        frame = frame.join(more, on="experiment_id", how="left", maintain_order="left")
    told = ("units", "runs", "cost_usd", "looks", "decision")
    first = ("experiment", "flow", "design", "status", "variants")
    return frame.with_columns(pl.col("units", "runs", "looks").fill_null(0)).select(
        *first, *told, "started_at", "started_by", "experiment_id"
    )


def opened(
    environment: Environment,
    name: str,
    flow: Flow | None,
    scorer: Scorer | None = None,
    *,
    changed: bool = False,
) -> Experiment | OnlineExperiment:
    """Return an experiment that has begun, as its plan says it was.

    Args:
        environment: the lab's room.
        name: of the experiment.
        flow: whose experiment it is; any of the lab's by default.
        scorer: judges further runs; the plan's own by default.
        changed: whether something was asked for that only a new plan could have.

    Raises:
        AnalysisError: if there is none, flows of the lab have one each, or its plan would change.
    """
    if changed:
        message = f"the plan of {name!r} is frozen if it has begun; to begin, name variants"
        raise AnalysisError(message)
    paths, found = _all(environment)
    own = None if flow is None else flow.head().id
    there = [each for each in found if own in (None, each.flow_id)]
    named = [each for each in there if each.name == name]
    if not named:
        message = (
            f"no experiment {name!r} has begun.{did_you_mean(name, [one.name for one in there])}"
            " To begin one, name its flow, its variants and, offline, its data and its scorer."
        )
        raise AnalysisError(message)
    if len(named) > 1:
        flows = ", ".join(sorted(paths[each.flow_id] for each in named))
        message = f"{name!r} is an experiment of several flows: {flows}. Say which: flow=…"
        raise AnalysisError(message)
    (begun,) = named
    there_is = flow or Flow(environment, begun.flow_id, paths[begun.flow_id])
    return _again(environment, begun, there_is, scorer)


def _again(
    environment: Environment, begun: Started, flow: Flow, scorer: Scorer | None
) -> Experiment | OnlineExperiment:
    plan: Any = begun.plan  # JSON of our own
    metrics = tuple(metric_of(words) for words in plan.get("metrics", ()))
    judge = scorer or _scorer(plan["scorer"])
    if plan["design"] != DESIGN:
        unit, alpha = plan["unit"], plan["alpha"]
        return OnlineExperiment(
            *(begun.name, flow, None, Shares()),
            unit=unit,
            scorer=judge,
            alpha=alpha,
            metrics=metrics,
            looks=looks_of(plan),
        )
    name = plan["dataset"]["name"]
    dataset = Dataset.at(environment, name) if name else None
    variants = {name: patch_of(patch) if patch else None for name, patch in plan["variants"]}
    return Experiment(
        begun.name,
        flow,
        _grid(variants, plan.get("factors")),
        dataset,
        judge,
        alpha=plan["alpha"],
        metrics=metrics,
        looks=looks_of(plan),
    )


def _grid(variants: dict[str, Patch | None], factors: Any) -> Any:  # JSON of our own
    if factors is None:
        return variants
    return Grid.again({name: patch for name, patch in variants.items() if patch}, factors)


def _scorer(described: Any) -> Scorer | None:  # JSON of our own
    """Return the scorer that a plan describes, or None where it is not installed here."""
    words = dict(described or {})
    kind = scorers.get(str(words.pop("scorer", "")))
    return None if kind is None else kind(**words)


def _all(environment: Environment) -> tuple[dict[str, str], list[Started]]:
    with environment.warehouse.reading(environment.actor) as session:
        flows = flow_store.listed(session, environment.lab_id)
        paths = {row.id: path for path, row, _ in flows}
        return paths, store.all_started(session, paths)


def _counted(environment: Environment) -> pl.DataFrame:
    import polars as pl

    found = read(environment.warehouse, environment.actor, _RUNS)
    return found.with_columns(
        pl.col("experiment_id").cast(pl.String),
        pl.col("units", "runs").cast(pl.Int64),
        pl.col("cost_usd").cast(pl.Float64),
    )


def _decided(environment: Environment) -> pl.DataFrame:
    """Return what the newest look said: the decision, or each treatment's where there are more."""
    import polars as pl

    found = read(environment.warehouse, environment.actor, _DECISIONS).with_columns(
        pl.col("experiment_id", "variant", "decision").cast(pl.String),
        pl.col("looks").cast(pl.Int64),
    )
    each = pl.concat_str("variant", pl.lit(": "), "decision").sort_by("variant").str.join(", ")
    alone = pl.col("decision").first()
    told = pl.when(pl.len() == 1).then(alone).otherwise(each)
    return found.group_by("experiment_id").agg(pl.col("looks").max(), told.alias("decision"))
