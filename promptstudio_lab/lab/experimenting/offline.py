"""An experiment in a notebook: run every variant on every item, then read the decision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.batch import CONCURRENCY
from promptstudio_lab.engine.records import RunInput
from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments import store
from promptstudio_lab.experiments.analysis import analyze_all
from promptstudio_lab.experiments.plan.looks import Schedule, frozen_looks, named
from promptstudio_lab.experiments.plan.looks import read as looks_of
from promptstudio_lab.experiments.plan.sizing import Sizing, size, smallest
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.flows.variants import Grid
from promptstudio_lab.ids import derived_id
from promptstudio_lab.lab.experimenting.looking import (
    Looking,
    columns_of,
    frozen_metrics,
    level_parts,
    paired_parts,
    templates_of,
)
from promptstudio_lab.lab.running import execution
from promptstudio_lab.lab.running.results import results_frame
from promptstudio_lab.money import to_usd
from promptstudio_lab.shown import card, facts, printable
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.archive.manifest import archived_months
from promptstudio_lab.warehouse.queries.results import experiment_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.experiments.behind import Columns
    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.lab.datasets import Dataset
    from promptstudio_lab.lab.experimenting.looking import Sources
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session

DESIGN = "every variant on every item"
_TWO = 2


class Experiment(Looking):
    """A comparison of variants on the same items.

    Its plan is frozen when it first runs. Running it again only runs what is missing: a run that
    was cut short goes on where it stopped, and a finished one costs nothing.
    """

    variants: Mapping[str, Patch | None]

    def __init__(  # noqa: PLR0913 — what is compared, on what, and how it is judged
        self,
        name: str,
        flow: Flow,
        variants: Mapping[str, Patch | None],
        dataset: Dataset | None,
        scorer: Scorer | None,
        *,
        alpha: float,
        metrics: tuple[Metric, ...] = (),
        looks: Looks = "anytime",
    ) -> None:
        """Bind the parts; use `lab.experiment` to make one.

        Raises:
            AnalysisError: for fewer than two variants.
        """
        if len(variants) < _TWO:
            message = f"an experiment compares at least two variants, not {list(variants)}"
            raise AnalysisError(message)
        self.name, self.flow, self.variants = name, flow, variants
        self._dataset, self.scorer, self.alpha = dataset, scorer, alpha
        self.metrics, self.looks = metrics, looks
        self._environment = flow._environment  # noqa: SLF001 — one package, and not for users
        self._started: Started | None = None

    @property
    def dataset(self) -> Dataset:
        """Return what it runs on.

        Raises:
            AnalysisError: if it was opened by its name and its rows are not kept.
        """
        if self._dataset is None:
            message = (
                f"the rows of {self.name!r} are not kept, so name them again with its flow,"
                " variants and scorer. Hint: lab.dataset(name, rows) keeps rows"
            )
            raise AnalysisError(message)
        return self._dataset

    def run(self, *, budget: int | None = None, concurrency: int = CONCURRENCY) -> pl.DataFrame:
        """Run what has not run yet and return one row for every item and variant.

        Args:
            budget: what may be spent at most, as `ps.usd(2)`.
            concurrency: how many items run at once.

        Raises:
            Conflict: if an experiment of this name has begun with another plan.
            AnalysisError: if some of its runs are archived, or nothing is left to judge them by.
            FlowError: if a row lacks an input, or the scorer could judge nothing.
        """
        if self.scorer is None:
            message = f"nothing here judges {self.name!r}: give its scorer when you open it"
            raise AnalysisError(message)
        self.flow.check_rows(self.dataset, self.scorer)
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
        inputs, items = self._missing(started), ITEMS.counted(len(self.dataset))
        ended = execution.execute(
            self._environment,
            plan,
            inputs,
            lambda run: run.status,
            budget=budget,
            concurrency=concurrency,
            title=f"{self.name} · {items} under {len(variants)} variants",
        )
        if len(ended) == len(inputs) and "cancelled" not in ended:
            self._environment.warehouse.transact(
                self._environment.actor, lambda session: store.complete(session, started.id)
            )
        return self.results()

    def plan(
        self,
        mde: float | str,
        *,
        metric: Metric | None = None,
        power: float = 0.8,
        method: Looks | None = None,
    ) -> Sizing:
        """Return how many items show a difference, and what running them costs.

        The spread and the price are those of the experiment's own runs where there are some; else
        the widest spread that a share can have, and the price of the flow's earlier runs.

        Args:
            mde: the smallest difference that matters, in the metric's unit: 0.05 is 5 points; or in
                words: "5pp", "200 ms", or "2%" of what the control had so far.
            metric: the goal; the first of the plan by default, or success.
            power: the chance to see the difference.
            method: `anytime`, which allows looking at any time, `fixed`, or `ps.Schedule(5)`; the
                experiment's own `looks` by default.

        Raises:
            AnalysisError: if a number is impossible, or the metric is no share and nothing has run.
        """
        goals = self._goals
        goal = metric or goals[0]
        known = self._seen(goal)
        if known is None and goal.unit != "share":
            message = f"how {goal.name!r} varies is not known yet: run some items first"
            raise AnalysisError(message)
        return size(
            goal,
            smallest(mde, goal, None if known is None else known.control),
            have=len(self.dataset),
            treatments=len(self.variants) - 1,
            goals=len(goals),
            sd=None if known is None else known.sd,
            cost_per_run=self._cost_of_a_run() if known is None else known.cost_usd,
            method=self._looks if method is None else named(method),
            alpha=self.alpha,
            power=power,
        )

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
        if not found.state:
            raise self._none()
        return found

    def _frame(
        self, session: Session, started: Started, where: Columns
    ) -> tuple[pl.DataFrame, str]:
        _require_hot(session, started.id)
        return super()._frame(session, started, where)

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
            metrics: as `report` takes them.
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
        wanted, plan = self._asked(started, metrics)
        with self._environment.warehouse.reading(self._environment.actor) as session:
            found = {
                factor: level_parts(session, started, levels, columns_of(wanted))
                for factor, levels in factors.items()
            }
        beside = "main effects stand beside the looks that were planned, and decide nothing of them"
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
                plan=plan,
                remarks=(beside,) if isinstance(looks_of(started.plan), Schedule) else (),
            )
            several = Comparisons(f"{self.name}: {factor}", control, tuple(each))
            reports[factor] = each[0] if len(each) == 1 else several
        return reports

    def __repr__(self) -> str:
        """Name the experiment and what it compares."""
        names = printable(" vs ".join(self.variants))
        return f"<Experiment {self.name!r}: {names} on {self._dataset or 'rows not kept'!s}>"

    def _repr_html_(self) -> str:
        rows = self._dataset
        told = {
            "compares": " vs ".join(self.variants),
            "of": self.flow.path,
            "on": "rows that are not kept" if rows is None else _named(rows),
            "alpha": f"{self.alpha:g}",
            "then": ".run(), and .report() for the decision",
        }
        return card(self.name, facts(told), tag="experiment")

    def _start(self, plan: Plan) -> Started:
        patches = {name: patch.document() if patch else [] for name, patch in self.variants.items()}
        frozen: dict[str, Json] = {
            "flow_version": plan.flow_version,
            "default_model": plan.default_model,
            "templates": templates_of(plan),
            "variants": [[name, patch] for name, patch in patches.items()],
            "dataset": {"name": self.dataset.name, "digest": self.dataset.digest()},
            "scorer": self.scorer.describe() if self.scorer else None,
            "alpha": self.alpha,
            "design": DESIGN,
            **frozen_metrics(self.metrics),
            **frozen_looks(self.looks, len(self.dataset)),
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


def _named(rows: Dataset) -> str:
    return f"{rows.name or 'rows that are not kept'}, {ITEMS.counted(len(rows))}"


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
