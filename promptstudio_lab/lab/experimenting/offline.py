"""An experiment in a notebook: run every variant on every item, then read the decision."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.batch import CONCURRENCY
from promptstudio_lab.engine.records import RunInput
from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments import store
from promptstudio_lab.experiments.analysis import analyze_all
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.experiments.sizing import Sizing, size
from promptstudio_lab.flows.variants import Grid
from promptstudio_lab.ids import derived_id
from promptstudio_lab.lab.experimenting.looking import (
    Asked,
    Looking,
    columns_of,
    level_parts,
    paired_parts,
    templates_of,
)
from promptstudio_lab.lab.running import execution
from promptstudio_lab.lab.running.results import results_frame
from promptstudio_lab.metrics import Mean, Rate, default_metrics
from promptstudio_lab.money import to_usd
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.archive.manifest import archived_months
from promptstudio_lab.warehouse.queries.results import experiment_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.lab.datasets import Dataset
    from promptstudio_lab.lab.experimenting.looking import Sources
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

_TWO = 2


class Experiment(Looking):
    """A comparison of variants on the same items.

    Its plan is frozen when it first runs. Running it again only runs what is missing: a run that
    was cut short goes on where it stopped, and a finished one costs nothing.
    """

    def __init__(
        self,
        name: str,
        flow: Flow,
        variants: Mapping[str, Patch | None],
        dataset: Dataset,
        scorer: Scorer,
        alpha: float,
    ) -> None:
        """Bind the parts; use `lab.experiment` to make one.

        Raises:
            AnalysisError: for fewer than two variants.
        """
        if len(variants) < _TWO:
            message = f"an experiment compares at least two variants, not {list(variants)}"
            raise AnalysisError(message)
        self.name, self.flow, self.variants = name, flow, variants
        self.dataset, self.scorer, self.alpha = dataset, scorer, alpha
        self._environment = flow._environment  # noqa: SLF001 — one package, and not for users
        self._started: Started | None = None

    def run(self, *, budget: int | None = None, concurrency: int = CONCURRENCY) -> pl.DataFrame:
        """Run what has not run yet and return one row for every item and variant.

        Args:
            budget: what may be spent at most, as `ps.usd(2)`.
            concurrency: how many items run at once.

        Raises:
            Conflict: if an experiment of this name has begun with another plan.
            AnalysisError: if some of its runs are archived.
        """
        self.flow.check_rows(self.dataset)
        plan = execution.prepare(
            self._environment,
            self.flow.head().id,
            self.variants,
            self.scorer,
            self.dataset.classification,
        )
        started = self._start(plan)
        variants = {
            name: replace(variant, variant_id=started.variants[name])
            for name, variant in plan.variants.items()
        }
        plan = replace(plan, variants=variants, experiment_id=started.id, batch_id=started.id)
        inputs = self._missing(started)
        ended = execution.execute(
            self._environment,
            plan,
            inputs,
            lambda run: run.status,
            budget=budget,
            concurrency=concurrency,
            title=f"{self.name} · {len(self.dataset):,} items under {len(variants)} variants",
        )
        if len(ended) == len(inputs) and "cancelled" not in ended:
            self._environment.warehouse.transact(
                self._environment.actor, lambda session: store.complete(session, started.id)
            )
        return self.results()

    def plan(
        self,
        mde: float,
        *,
        metric: Metric | None = None,
        power: float = 0.8,
        method: str = "anytime",
    ) -> Sizing:
        """Return how many items show a difference, and what running them costs.

        The spread and the price are those of the experiment's own runs where there are some; else
        the widest spread that a share can have, and the price of the flow's earlier runs.

        Args:
            mde: the smallest difference that matters, in the metric's unit: 0.05 is 5 points.
            metric: the goal; success by default.
            power: the chance to see the difference.
            method: `anytime`, which allows looking at any time, or `fixed`.

        Raises:
            AnalysisError: if a number is impossible, or the metric is no share and nothing has run.
        """
        goal = metric or Rate("success")
        seen = self._seen(goal)
        if seen is None and goal.unit != "share":
            message = f"how {goal.name!r} varies is not known yet: run some items first"
            raise AnalysisError(message)
        sd, cost = seen or (None, self._cost_of_a_run())
        return size(
            goal,
            mde,
            have=len(self.dataset),
            treatments=len(self.variants) - 1,
            sd=sd,
            cost_per_run=cost,
            method="fixed" if method == "fixed" else "anytime",
            alpha=self.alpha,
            power=power,
        )

    def _seen(self, goal: Metric) -> tuple[float, float | None] | None:
        """Return the widest spread of a goal's difference so far, and what a run costs."""
        usual = {metric.name: metric for metric in (Rate("success"), Mean("cost_usd"))}
        try:
            wanted = list({**usual, goal.name: goal}.values())
            _, _, reports = self._reports(None, wanted, Asked("fixed"))
        except AnalysisError:
            return None
        effects = [report[goal.name] for report in reports]
        spreads = [effect.se * math.sqrt(effect.n) for effect in effects]
        costs = [report["cost_usd"] for report in reports if "cost_usd" in report.effects]
        paid = [value for cost in costs for value in (cost.control, cost.treatment)]
        sd = max(spreads, default=0.0)
        return (sd, sum(paid) / len(paid) if paid else None) if sd > 0 else None

    def _cost_of_a_run(self) -> float | None:
        expected = self.flow.cost(self.dataset).expected_nano_usd
        return None if expected is None else to_usd(expected) / len(self.dataset)

    def results(self) -> pl.DataFrame:
        """Return every finished run of the experiment, one row an item and variant."""
        started = self._found()
        with self._environment.warehouse.reading(self._environment.actor) as session:
            _require_hot(session, started.id)
            return results_frame(experiment_results(session, started.id))

    def _parts(
        self,
        session: Session,
        started: Started,
        treatments: Sequence[str],
        columns: Sequence[str],
    ) -> Sources:
        found = paired_parts(session, started, treatments, columns)
        if not found.parts:
            raise self._none()
        return found

    def _frame(self, session: Session, started: Started, asked: Asked) -> tuple[pl.DataFrame, str]:
        _require_hot(session, started.id)
        return super()._frame(session, started, asked)

    def _field(self, name: str) -> dict[str, str]:
        fields = {item.key: item.values for item in self.dataset.items}
        if not any(name in values for values in fields.values()):
            known = {word for values in fields.values() for word in values}
            message = f"the items have no field {name!r}.{did_you_mean(name, known)}"
            raise AnalysisError(message)
        return {key: readable(values.get(name)) for key, values in fields.items()}

    def main_effects(
        self, *, metrics: Sequence[Metric] | None = None, method: str = "anytime"
    ) -> dict[str, Any]:  # a Report of each factor of two levels, Comparisons of one with more
        """Return what each factor of a grid does, whatever the others are set to.

        Each level is compared with the factor's first over all combinations of the other factors:
        an item counts with its mean over them, so every run tells about every factor.

        Args:
            metrics: what to measure; success, cost, latency and cost per success by default.
            method: `anytime` or `fixed`.

        Returns:
            A report by factor; the levels of one factor share the error.

        Raises:
            AnalysisError: if the variants are no grid, or nothing has run.
        """
        started = self._found()
        factors = started.plan.get("factors")
        if factors is None:
            message = "the variants are no grid: make them by ps.grid({'node.setting': [...]})"
            raise AnalysisError(message)
        wanted = list(metrics or default_metrics())
        with self._environment.warehouse.reading(self._environment.actor) as session:
            found = {
                factor: level_parts(session, started, levels, columns_of(wanted))
                for factor, levels in factors.items()
            }
        reports: dict[str, Any] = {}  # as above
        for factor, (control, parts, known) in found.items():
            if not parts:
                raise self._none()
            each = analyze_all(
                parts,
                name=f"{self.name}: {factor}",
                control=control,
                metrics=[metric for metric in wanted if set(metric.columns) <= set(known)],
                alpha=self.alpha,
                method="fixed" if method == "fixed" else "anytime",
            )
            several = Comparisons(f"{self.name}: {factor}", control, tuple(each))
            reports[factor] = each[0] if len(each) == 1 else several
        return reports

    def __repr__(self) -> str:
        """Name the experiment and what it compares."""
        return f"<Experiment {self.name!r}: {' vs '.join(self.variants)} on {self.dataset!r}>"

    def _start(self, plan: Plan) -> Started:
        patches = {name: patch.document() if patch else [] for name, patch in self.variants.items()}
        frozen: dict[str, Json] = {
            "flow_version": plan.flow_version,
            "default_model": plan.default_model,
            "templates": templates_of(plan),
            "variants": [[name, patch] for name, patch in patches.items()],
            "dataset": {"name": self.dataset.name, "digest": self.dataset.digest()},
            "scorer": self.scorer.describe(),
            "alpha": self.alpha,
            "design": "every variant on every item",
        }
        if isinstance(self.variants, Grid):
            frozen["factors"] = {name: dict(of) for name, of in self.variants.factors.items()}
        self._started = self._environment.warehouse.transact(
            self._environment.actor,
            lambda session: store.start(
                session, plan.flow_id, self.name, frozen, patches, self.dataset.id
            ),
        )
        return self._started

    def _found(self) -> Started:
        if self._started is None:
            flow_id = self.flow.head().id
            with self._environment.warehouse.reading(self._environment.actor) as session:
                self._started = store.started(session, flow_id, self.name)
        if self._started is None:
            raise self._none()
        return self._started

    def _missing(self, started: Started) -> list[RunInput]:
        mark_interrupted(self._environment.warehouse, self._environment.actor)
        with self._environment.warehouse.reading(self._environment.actor) as session:
            _require_hot(session, started.id)
            before = store.finished_units(session, started.id)
        found = []
        for item in self.dataset.items:
            for name, variant_id in started.variants.items():
                tries = before.get((variant_id, item.key), 0)
                if tries >= 0:
                    key = derived_id(started.id, name, item.key, tries)
                    found.append(RunInput(key, name, item.values, item.key, item.id))
        return found


def readable(value: Json) -> str:
    """Return a field's value as the name of a segment.

    >>> readable("de"), readable(3), readable(None)
    ('de', '3', 'unknown')
    """
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else dumps(value)


def _require_hot(session: Session, experiment_id: str) -> None:
    """Refuse to report on fewer runs than there were, and to pay for them twice."""
    if cold := archived_months(session, experiment_id):
        calls = ", ".join(f"lab.restore_month('{month}')" for month in cold)
        message = (
            f"runs of this experiment are archived in {', '.join(cold)}; restore them: {calls}"
        )
        raise AnalysisError(message)
