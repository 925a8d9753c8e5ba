"""Looking at an experiment: its sums become a report, and the look is counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.experiments.rows import Rows, rows_of
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.experiments.store.looks import record
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.sums import Sums
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
    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.queries.experiments.sums import Added, Seen


@dataclass(frozen=True, slots=True)
class Asked:
    """How somebody wants to look.

    Attributes:
        method: `anytime` or `fixed`.
        by: a field whose values are segments.
        cluster: a field of items that belong together.
        paired: what the data are taken for.
        promised: the share of the traffic that each variant was promised, where they differ.
    """

    method: str = "anytime"
    by: str | None = None
    cluster: str | None = None
    paired: bool | None = None
    promised: Mapping[str, float] = field(default_factory=dict)

    def needs_rows(self, metrics: Sequence[Metric]) -> bool:
        """Return whether sums alone cannot answer."""
        made = any(metric.raw != metric.columns for metric in metrics)
        return made or bool(self.by or self.cluster)


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


class Looking(ABC):
    """What every experiment's report is made by."""

    name: str
    alpha: float
    # Whether each unit belongs to one variant: whoever met two is left out then.
    apart = False
    _environment: Environment

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

    def report(
        self,
        treatment: str | None = None,
        *,
        metrics: Sequence[Metric] | None = None,
        method: str = "anytime",
        by: str | None = None,
        cluster: str | None = None,
        paired: bool | None = None,
    ) -> Any:  # a Report of one treatment, Comparisons of several
        """Return which variant is better, at what cost, and how surely.

        Each report is kept, and counts as a look if there are runs that no look has seen; where
        nothing can be written it is made all the same.

        Args:
            treatment: the variant to compare with the control; by default every one, and then all
                comparisons share the error.
            metrics: what to measure; success, cost, latency and cost per success by default.
            method: `anytime`, which allows looking at any time, or `fixed`, which is right for the
                first look only and is answered by `anytime` at any later one.
            by: a field of the items: every goal is told for each of its values, too.
            cluster: a field of the items that belong together, such as the document of a question.
            paired: what you take the data for; they decide for themselves, and the report says so.

        Returns:
            A `Report` of one treatment, or `Comparisons` of several.

        Raises:
            AnalysisError: if the experiment has not run, or there is no such variant or field.
        """
        asked = Asked(method, by, cluster, paired, self._promised())
        started, state, reports = self._reports(treatment, metrics, asked)
        self._looked(started, state, reports)
        if len(reports) == 1:
            return reports[0]
        return Comparisons(self.name, reports[0].control, tuple(reports))

    def _reports(
        self, treatment: str | None, metrics: Sequence[Metric] | None, asked: Asked
    ) -> tuple[Started, str, list[Report]]:
        """Return the reports without counting a look, and the state of the data they rest on."""
        rule(asked.method, self.alpha)
        started = self._found()
        control, *others = list(started.variants)
        if treatment is not None and treatment not in others:
            message = f"there is no variant {treatment!r}.{did_you_mean(treatment, others)}"
            raise AnalysisError(message)
        wanted = list(metrics or default_metrics())
        chosen = [treatment] if treatment else others
        with self._environment.warehouse.reading(self._environment.actor) as session:
            if asked.needs_rows(wanted):
                state = state_of(seen(session, started.id, (), apart=self.apart))
                frame, sql = self._frame(session, started, asked)
                parts, known = parts_of(frame, sql, started, chosen, wanted, asked)
            else:
                parts, columns, state = self._parts(session, started, chosen, columns_of(wanted))
                known = [metric for metric in wanted if set(metric.columns) <= set(columns)]
            look = look_at(session, started.id, state)
        reports = analyze_all(
            [self._readable(part, started, wanted, asked) for part in parts],
            name=self.name,
            control=control,
            metrics=known,
            alpha=self.alpha,
            method="fixed" if asked.method == "fixed" else "anytime",
            look=look,
            paired=asked.paired,
            unmeasured=[metric.label for metric in wanted if metric not in known],
        )
        return started, state, [self._worded(report) for report in reports]

    def _readable(
        self, part: Part, started: Started, wanted: Sequence[Metric], asked: Asked
    ) -> Part:
        """Let a report read the rows behind its sums when somebody asks for a picture."""
        if part.rows is not None:
            return part

        def read() -> Rows:
            warehouse = self._environment.warehouse
            with warehouse.reading(self._environment.actor) as session:
                frame, sql = self._frame(session, started, asked)
            (found,), _ = parts_of(frame, sql, started, [part.treatment], wanted, asked)
            if found.rows is None:
                raise self._none()
            return found.rows

        return replace(part, read=read)

    def _frame(self, session: Session, started: Started, asked: Asked) -> tuple[pl.DataFrame, str]:
        """Return one row a finished run, with the fields that segments and clusters need."""
        import polars as pl

        frame, sql = run_rows(session, started.id)
        names = {key: name for name, key in started.variants.items()}
        frame = frame.with_columns(variant=pl.col("variant_id").replace_strict(names, default=""))
        for name in filter(None, (asked.by, asked.cluster)):
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

    def _worded(self, report: Report) -> Report:
        """Say of a report what only this kind of experiment knows."""
        return report

    def _looked(self, started: Started, state: str, reports: list[Report]) -> None:
        warehouse, actor = self._environment.warehouse, self._environment.actor
        if warehouse.read_only is None and actor.role != "viewer":
            warehouse.transact(actor, lambda session: record(session, started, state, reports))

    def _none(self) -> AnalysisError:
        return AnalysisError(
            f"the experiment {self.name!r} has no finished runs; call .run() first"
        )


def columns_of(metrics: Sequence[Metric]) -> list[str]:
    """Return every column that metrics add up, once."""
    return list(dict.fromkeys(column for metric in metrics for column in metric.columns))


def parts_of(
    frame: pl.DataFrame,
    sql: str,
    started: Started,
    treatments: Sequence[str],
    metrics: Sequence[Metric],
    asked: Asked,
) -> tuple[list[Part], list[Metric]]:
    """Return each treatment's rows beside the control's, and the metrics that have values.

    Raises:
        AnalysisError: if a variant has no run.
    """
    there = [name for name in frame.columns if frame[name].count()]
    known = [metric for metric in metrics if set(metric.raw) <= set(there)]
    columns = list(dict.fromkeys(name for metric in known for name in metric.raw))
    control, parts = next(iter(started.variants)), []
    for treatment in treatments:
        rows = rows_of(
            frame,
            columns,
            control=control,
            treatment=treatment,
            cluster=asked.cluster,
            by=asked.by,
        )
        expected = {name: asked.promised.get(name, 1.0) for name in (control, treatment)}
        parts.append(Part.of_rows(rows, known, expected=expected, sql=sql))
    return parts, known


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
        return Sources([], [], "")
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


def templates_of(plan: Plan) -> dict[str, Json]:
    """Return the version of each template that a plan's prompts refer to."""
    return {
        step.config["prompt"]["ref"]: step.prompt.version
        for variant in plan.variants.values()
        for step in variant.steps
        if step.prompt and "ref" in step.config["prompt"]
    }
