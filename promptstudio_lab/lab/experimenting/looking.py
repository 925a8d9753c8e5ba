"""Looking at an experiment: its sums become a report, and the look is counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.report import Part, analyze_all
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.experiments.store.looks import record
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.sums import Sums
from promptstudio_lab.warehouse.queries.experiments.sums import (
    level_sums,
    paired_sums,
    seen,
    state_of,
    unpaired,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.lab.facts import Environment
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


class Looking(ABC):
    """What every experiment's report is made by."""

    name: str
    alpha: float
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
    ) -> Any:  # a Report of one treatment, Comparisons of several
        """Return which variant is better, at what cost, and how surely.

        Each report is kept, and counts as a look if there are runs that no look has seen; where
        nothing can be written it is made all the same.

        Args:
            treatment: the variant to compare with the control; by default every one, and then all
                comparisons share the error.
            metrics: what to measure; success, cost, latency and cost per success by default.
            method: `anytime`, which allows looking at any time, or `fixed`.

        Returns:
            A `Report` of one treatment, or `Comparisons` of several.

        Raises:
            AnalysisError: if the experiment has not run, or there is no such variant.
        """
        started, state, reports = self._reports(treatment, metrics, method)
        reports = self._looked(started, state, reports)
        if len(reports) == 1:
            return reports[0]
        return Comparisons(self.name, reports[0].control, tuple(reports))

    def _reports(
        self, treatment: str | None, metrics: Sequence[Metric] | None, method: str
    ) -> tuple[Started, str, list[Report]]:
        """Return the reports without counting a look, and the state of the data they rest on."""
        rule(method, self.alpha)
        started = self._found()
        control, *others = list(started.variants)
        if treatment is not None and treatment not in others:
            message = f"there is no variant {treatment!r}.{did_you_mean(treatment, others)}"
            raise AnalysisError(message)
        wanted = list(metrics or default_metrics())
        chosen = [treatment] if treatment else others
        with self._environment.warehouse.reading(self._environment.actor) as session:
            found = self._parts(session, started, chosen, columns_of(wanted))
        reports = analyze_all(
            found.parts,
            name=self.name,
            control=control,
            metrics=[metric for metric in wanted if set(metric.columns) <= set(found.columns)],
            alpha=self.alpha,
            method="fixed" if method == "fixed" else "anytime",
        )
        return started, found.state, [self._worded(report) for report in reports]

    def _worded(self, report: Report) -> Report:
        """Say of a report what only this kind of experiment knows."""
        return report

    def _looked(self, started: Started, state: str, reports: list[Report]) -> list[Report]:
        warehouse, actor = self._environment.warehouse, self._environment.actor
        if warehouse.read_only is not None or actor.role == "viewer":
            return reports
        look = warehouse.transact(actor, lambda session: record(session, started, state, reports))
        if look == 1 or reports[0].method != "fixed":
            return reports
        words = (
            f"this is look {look}, and a fixed interval is right for one look only: do not decide"
            " by it, ask for method='anytime'"
        )
        return [replace(report, reason=f"{report.reason}. {words}") for report in reports]

    def _none(self) -> AnalysisError:
        return AnalysisError(
            f"the experiment {self.name!r} has no finished runs; call .run() first"
        )


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
