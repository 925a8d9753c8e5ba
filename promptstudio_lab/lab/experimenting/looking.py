"""Looking at an experiment: its sums become a report, and the look is counted."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.experiments.behind import Columns, parts_of
from promptstudio_lab.experiments.frames import frame_columns, frame_reports
from promptstudio_lab.experiments.plan.asking import asking
from promptstudio_lab.experiments.plan.looks import read as looks_of
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.experiments.store.looks import record
from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.lab.experimenting.licensed import Judging, judging, licensed
from promptstudio_lab.lab.experimenting.own import measured, taking_part
from promptstudio_lab.lab.faces import face
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.metrics.planned import document, read
from promptstudio_lab.stats.bayes.effect import FLAT, Prior
from promptstudio_lab.stats.sums import Sums, SumsApart
from promptstudio_lab.warehouse.queries.experiments.halves import halves
from promptstudio_lab.warehouse.queries.experiments.looks import look_at
from promptstudio_lab.warehouse.queries.experiments.rows import run_rows
from promptstudio_lab.warehouse.queries.experiments.sums import (
    level_sums,
    paired_sums,
    seen,
    state_of,
    unpaired,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.experiments.plan.asking import Asking
    from promptstudio_lab.experiments.plan.looks import Looks
    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.flows.variants import Patch
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.queries.experiments.sums import Added, Seen


class Sources(NamedTuple):
    """What reports are made from.

    Attributes:
        parts: each treatment's sums.
        columns: those that have any value.
        state: of the data.
    """

    parts: list[Part]
    columns: list[str]
    state: str


class Spread(NamedTuple):
    """What was seen so far.

    Attributes:
        sd: of the difference: its standard error times the root of how many were compared.
        control: the goal's value under the control.
        cost_usd: what a run costs, or None where that is not known.
    """

    sd: float
    control: float
    cost_usd: float | None


class Looking(ABC):
    """What every experiment's report is made by."""

    name: str
    alpha: float
    # What was named before it runs; once it has begun, what its plan says holds.
    metrics: tuple[Metric, ...] = ()
    looks: Looks = "anytime"
    # What meets the variants: the column of it in frames, and in words.
    unit: str = "unit"
    flow: Flow
    variants: Mapping[str, Patch | None] | None
    # Whether each unit belongs to one variant: whoever met two is left out then.
    apart = False
    _environment: Environment

    @property
    def _noun(self) -> Noun:
        return ITEMS

    @property
    def id(self) -> str:
        """The experiment's row in the warehouse.

        Raises:
            AnalysisError: if it has not begun.
        """
        return self._found().id

    @abstractmethod
    def _found(self) -> Started:
        """Return the experiment's rows.

        Raises:
            AnalysisError: if it has not begun.
        """

    @abstractmethod
    def _parts(
        self,
        session: Session,
        started: Started,
        treatments: Sequence[str],
        columns: Sequence[str],
    ) -> Sources:
        """Return what reports on these treatments are made from."""

    @property
    def begun(self) -> dict[str, str]:
        """Return the row of each variant, by name; nothing before the experiment has begun."""
        try:
            return dict(self._found().variants)
        except AnalysisError:
            return {}

    @property
    def patches(self) -> dict[str, list[Json]]:
        """Return what each variant changes, as JSON Patch over the flow; nothing for the control.

        Raises:
            AnalysisError: if the experiment was named without variants and has not begun.
        """
        if self.variants is not None:
            given = self.variants.items()
            return {name: patch.document() if patch else [] for name, patch in given}
        frozen: Any = self._found().plan["variants"]  # JSON of our own
        return dict(frozen)

    def graph(self, by: str | None = None) -> Any:  # the graph widget
        """Show the flow as a graph with what the variants change; click what you mean.

        `.selected` has a row for each chosen node and variant, with its means there.

        Args:
            by: what colours the nodes, at first `changes`: or their mean `cost`, `latency` or
                `errors` over all variants, or their `kind`. The graph's `.by` can be set later.

        Raises:
            FlowError: for any other way to colour it.
        """
        return face("graph")(self, by)

    def report(  # noqa: PLR0913 — of what, what is asked, and how it is judged
        self,
        data: Any = None,  # a treatment's name, or somebody's own rows as `ps.analyze` takes them
        treatment: str | None = None,
        *,
        metrics: Sequence[Metric] | None = None,
        method: str | None = None,
        by: str | None = None,
        cluster: str | None = None,
        paired: bool | None = None,
        prior: Prior = FLAT,
    ) -> Any:  # a Report of one treatment, Comparisons of several
        """Return which variant is better, at what cost, and how surely.

        Each report from the warehouse is kept, and counts as a look if there are runs that no look
        has seen; where nothing can be written it is made all the same. One of somebody's own rows
        is judged by the experiment's plan, and is not kept.

        Args:
            data: rows of your own instead of the warehouse's, such as `results()` with another
                score: a frame of polars, pandas or Dask, or Parquet files, one row a run with its
                variant and its item or unit. Or the name of a treatment.
            treatment: the variant to compare with the control; by default every one, and then all
                comparisons share the error.
            metrics: what to measure besides the goals, costs and guards of the plan, which are
                always told: it is exploratory, and no decision rests on it. Where no metric was
                planned, what to measure: success, cost, latency and cost per success by default.
            method: `anytime`, which allows looking at any time, or `fixed`, which is right for the
                first look only and is answered by `anytime` at any later one; by default what the
                plan's `looks` say. Looks that were planned are not traded for another method.
            by: a field of the items: every goal is told for each of its values, too.
            cluster: a field of the items that belong together, such as the document of a question.
            paired: what you take the data for; they decide for themselves, and the report says so.
            prior: what was believed of every relative effect, as `ps.Prior(0, 0.3)`, for the chance
                to win and the expected loss; they describe, and no decision rests on them.

        Returns:
            A `Report` of one treatment, or `Comparisons` of several.

        Raises:
            AnalysisError: if the experiment has not run, or there is no such variant or field.
        """
        if isinstance(data, str) and not data.endswith(".parquet"):
            data, treatment = None, data
        started = self._found()
        where = Columns("variant", "unit", by, cluster, paired, self._promised(), noun=self._noun)
        judged = judging(started, method, self.alpha, prior)
        if data is None:
            state, reports = self._reports(started, treatment, metrics, where, judged)
            self._looked(started, state, reports)
        else:
            chosen = _chosen(started, treatment)
            reports = self._of_rows(data, started, chosen, metrics, where, judged)
        if len(reports) == 1:
            return reports[0]
        return Comparisons(self.name, reports[0].control, tuple(reports))

    def _reports(
        self,
        started: Started,
        treatment: str | None,
        metrics: Sequence[Metric] | None,
        where: Columns,
        judged: Judging,
    ) -> tuple[str, list[Report]]:
        """Return the state of the data and the reports on them, without counting a look."""
        chosen, control = _chosen(started, treatment), next(iter(started.variants))
        wanted, plan = self._asked(started, metrics)
        with self._environment.warehouse.reading(self._environment.actor) as session:
            if where.needs_rows(wanted):
                state = state_of(seen(session, started.id, (), apart=self.apart))
                frame, sql = self._frame(session, started, where)
                columns = [name for name in frame.columns if frame[name].count()]
                known = [metric for metric in wanted if set(metric.raw) <= set(columns)]
                parts = parts_of(frame, where, control, chosen, known, sql)
            else:
                parts, columns, state = self._parts(session, started, chosen, columns_of(wanted))
                known = [metric for metric in wanted if set(metric.columns) <= set(columns)]
            _check_goals(wanted, known, columns)
            look = look_at(session, started.id, state)
            shares = self._promised() if self.apart else {}
            parts = licensed(session, started, judged.looks, parts, state, shares)
        reports = analyze_all(
            [self._readable(part, started, known, where) for part in parts],
            name=self.name,
            control=control,
            metrics=known,
            alpha=self.alpha,
            method=judged.method,
            look=look,
            paired=where.paired,
            unmeasured=[metric.label for metric in wanted if metric not in known],
            plan=plan,
            prior=judged.prior,
            remarks=judged.remarks,
        )
        return state, reports

    def _of_rows(
        self,
        data: Any,  # as `report` takes it
        started: Started,
        treatments: Sequence[str],
        metrics: Sequence[Metric] | None,
        where: Columns,
        judged: Judging,
    ) -> list[Report]:
        """Return the reports on somebody's own rows, judged by the plan."""
        data = measured(data)
        there = frame_columns(data)
        wanted, plan = self._asked(started, metrics)
        known = [metric for metric in wanted if set(metric.raw) <= set(there)]
        if not any(metric.role == "goal" for metric in known):
            known = list(wanted)  # so that the column of the goal is named
        unit = next((name for name in (self.unit, "unit", "item") if name in there), self.unit)
        if self.apart and unit in there:
            data = taking_part(data, unit)
        fields = {
            name: self._field(name)
            for name in filter(None, (where.by, where.cluster))
            if name not in there
        }
        with self._environment.warehouse.reading(self._environment.actor) as session:
            looks = look_at(session, started.id, "")

        def standing(parts: list[Part]) -> list[Part]:
            shares = self._promised() if self.apart else {}
            with self._environment.warehouse.reading(self._environment.actor) as session:
                return licensed(session, started, judged.looks, parts, "", shares)

        return frame_reports(
            data,
            replace(where, unit=unit, fields=fields),
            metrics=known,
            control=next(iter(started.variants)),
            treatments=treatments,
            name=self.name,
            alpha=self.alpha,
            standing=standing,
            method=judged.method,
            look=looks,
            plan=plan,
            prior=judged.prior,
            remarks=judged.remarks,
            unmeasured=[metric.label for metric in wanted if metric not in known],
        )

    @property
    def _looks(self) -> Looks:
        """How often somebody may look: what the plan says, once there is one."""
        try:
            return looks_of(self._found().plan)
        except AnalysisError:
            return self.looks

    @property
    def _goals(self) -> list[Metric]:
        """The goals that are planned for: success if none was named."""
        return [metric for metric in self.metrics if metric.role == "goal"] or [Rate("success")]

    def _seen(self, goal: Metric) -> Spread | None:
        """Return how a goal varied so far, and what a run costs; None while nothing has run."""
        usual = {metric.name: metric for metric in (Rate("success"), Mean("cost_usd"))}
        try:
            wanted = list({**usual, goal.name: goal}.values())
            once = Judging("fixed")
            _, reports = self._reports(self._found(), None, wanted, Columns(), once)
            effects = [report[goal.name] for report in reports]
        except AnalysisError:
            return None
        costs = [report["cost_usd"] for report in reports if "cost_usd" in report.effects]
        paid = [value for cost in costs for value in (cost.control, cost.treatment)]
        sd = max((effect.se * math.sqrt(effect.n) for effect in effects), default=0.0)
        if not sd > 0:
            return None
        return Spread(sd, effects[0].control, sum(paid) / len(paid) if paid else None)

    def _asked(self, started: Started, metrics: Sequence[Metric] | None) -> Asking:
        """Return what to measure: what the plan says, and what somebody asks for besides."""
        plan = [read(words) for words in started.plan.get("metrics", ())]
        return asking(plan, metrics or self.metrics or None, started.plan_hash)

    def _readable(
        self, part: Part, started: Started, known: Sequence[Metric], where: Columns
    ) -> Part:
        """Let a report read the rows behind its sums when somebody asks for a picture."""
        if part.rows is not None:
            return part

        def rows() -> Rows:
            warehouse, control = self._environment.warehouse, next(iter(started.variants))
            with warehouse.reading(self._environment.actor) as session:
                frame, _ = self._frame(session, started, where)
            (found,) = parts_of(frame, where, control, [part.treatment], known)
            if found.rows is None:
                raise self._none()
            return found.rows

        def halved(metric: Metric) -> list[Sums | SumsApart]:
            control = next(iter(started.variants))
            arms = {name: started.variants[name] for name in (control, part.treatment)}
            return self._halved(started, arms, metric.columns)

        return replace(part, read=rows, halves=halved if self._steady_shares else None)

    @property
    def _steady_shares(self) -> bool:
        """Whether shares stay as they are, so that who came first may be compared with the rest."""
        return True

    def _halved(
        self, started: Started, arms: Mapping[str, str], columns: Sequence[str]
    ) -> list[Sums | SumsApart]:
        with self._environment.warehouse.reading(self._environment.actor) as session:
            shift = near(seen(session, started.id, columns, apart=self.apart), columns)
            found = halves(session, started.id, arms, columns, shift, apart=self.apart)
        if self.apart:
            return [SumsApart({name: sums_of(of) for name, of in half.items()}) for half in found]
        return [sums_of(half[""]) for half in found if half]

    def _frame(
        self, session: Session, started: Started, where: Columns
    ) -> tuple[pl.DataFrame, str]:
        """Return one row a finished run, with the fields that segments and clusters need."""
        import polars as pl

        frame, sql = run_rows(session, started.id)
        names = {key: name for name, key in started.variants.items()}
        frame = frame.with_columns(variant=pl.col("variant_id").replace_strict(names, default=""))
        for name in filter(None, (where.by, where.cluster)):
            if name not in frame.columns:
                fields = self._field(name)
                values = [fields.get(unit) for unit in frame["unit"]]
                frame = frame.with_columns(pl.Series(name, values, dtype=pl.String))
        return frame, sql

    def _promised(self) -> Mapping[str, float]:
        """Return the share of the traffic that each variant was promised; none where all equal."""
        return {}

    def _field(self, name: str) -> dict[str, str]:
        """Return a field of each unit, by its key.

        Raises:
            AnalysisError: if units have no such field.
        """
        message = f"units have no field {name!r}: only the items of a dataset have any"
        raise AnalysisError(message)

    def _looked(self, started: Started, state: str, reports: list[Report]) -> None:
        warehouse, actor = self._environment.warehouse, self._environment.actor
        if warehouse.read_only is None and actor.role != "viewer":
            warehouse.transact(actor, lambda session: record(session, started, state, reports))

    def _none(self) -> AnalysisError:
        return AnalysisError(
            f"the experiment {self.name!r} has no finished runs; call .run() first"
        )


def _check_goals(wanted: Sequence[Metric], known: Sequence[Metric], there: Sequence[str]) -> None:
    goals = [metric for metric in wanted if metric.role == "goal"]
    if goals and not set(goals) & set(known):
        needed = [name for metric in goals for name in metric.raw]
        lacking = ", ".join(repr(name) for name in dict.fromkeys(needed) if name not in there)
        message = (
            f"no run has a value of {lacking}, which the goal needs, so nothing can be decided."
            " Hint: rows of your own may have it, .report(frame)"
        )
        raise AnalysisError(message)


def _chosen(started: Started, treatment: str | None) -> list[str]:
    others = list(started.variants)[1:]
    if treatment is not None and treatment not in others:
        message = f"there is no variant {treatment!r}.{did_you_mean(treatment, others)}"
        raise AnalysisError(message)
    return [treatment] if treatment else others


def columns_of(metrics: Sequence[Metric]) -> list[str]:
    """Return every column that metrics add up, once."""
    return list(dict.fromkeys(column for metric in metrics for column in metric.columns))


def known_in(found: dict[str, Seen], columns: Sequence[str]) -> list[str]:
    """Return the columns that some unit has a value of: the cost of a model may be unknown."""
    return [name for name in columns if any(arm.known.get(name) for arm in found.values())]


def near(found: dict[str, Seen], columns: Sequence[str]) -> dict[str, float]:
    """Return a number near the mean of each column, to subtract before squaring."""
    means = {
        name: [arm.means[name] or 0.0 for arm in found.values() if arm.known[name]]
        for name in columns
    }
    return {name: sum(values) / len(values) for name, values in means.items()}


def paired_parts(
    session: Session, started: Started, treatments: Sequence[str], columns: Sequence[str]
) -> Sources:
    """Return each treatment's sums over the items that it and the control ran on."""
    found = seen(session, started.id, columns)
    known = known_in(found, columns)
    if not known:
        return Sources([], [], state_of(found) if found else "")
    shift, control = near(found, known), next(iter(started.variants))
    parts = []
    for treatment in treatments:
        arms = {name: started.variants[name] for name in (control, treatment)}
        added = paired_sums(session, started.id, arms, known, shift)
        there = {name: found.get(arms[name]) for name in arms}
        units = [arm.units if arm else 0 for arm in there.values()]
        # Only where the numbers differ is it worth asking for the keys.
        whole = units == [added.n, added.n]
        parts.append(
            Part(
                treatment,
                sums_of(added),
                counts={name: arm.runs if arm else 0 for name, arm in there.items()},
                expected=dict.fromkeys(arms, 1.0),
                unpaired=() if whole else unpaired(session, started.id, arms, known),
                simulated=any(arm.simulated for arm in there.values() if arm),
                sql=added.sql,
            )
        )
    return Sources(parts, known, state_of(found))


def level_parts(
    session: Session, started: Started, levels: Mapping[str, str], columns: Sequence[str]
) -> tuple[str, list[Part], list[str]]:
    """Return a factor's first level, the others' sums beside it, and the columns that are known.

    Args:
        session: a reading session.
        started: the experiment.
        levels: the factor's level by variant.
        columns: what is wanted.
    """
    found = seen(session, started.id, columns)
    known = known_in(found, columns)
    first, *others = dict.fromkeys(levels.values())
    if not known:
        return first, [], []
    shift = near(found, known)
    ids = {
        level: [started.variants[name] for name, of in levels.items() if of == level]
        for level in (first, *others)
    }
    runs = {
        level: sum(found[key].runs for key in keys if key in found) for level, keys in ids.items()
    }
    simulated = any(arm.simulated for arm in found.values())
    parts = []
    for level in others:
        both = {name: ids[name] for name in (first, level)}
        added = level_sums(session, started.id, both, known, shift)
        counts = {name: runs[name] for name in both}
        parts.append(Part(level, sums_of(added), counts, simulated=simulated, sql=added.sql))
    return first, parts, known


def sums_of(added: Added) -> Sums:
    """Return what the database added up as the statistics take it."""
    return Sums(added.n, added.columns, added.shift, added.totals, added.products)


def frozen_metrics(metrics: Sequence[Metric]) -> dict[str, Json]:
    """Return what a plan says about metrics: nothing if none were named."""
    return {"metrics": [document(metric) for metric in metrics]} if metrics else {}


def templates_of(plan: Plan) -> dict[str, Json]:
    """Return the version of each template that a plan's prompts refer to."""
    return {
        step.config["prompt"]["ref"]: step.prompt.version
        for variant in plan.variants.values()
        for step in variant.steps
        if step.prompt and "ref" in step.config["prompt"]
    }
