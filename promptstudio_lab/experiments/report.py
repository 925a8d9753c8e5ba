"""The report of an experiment: from sums to a decision that says how sure it is and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.decision import Evidence, Finding, decide
from promptstudio_lab.experiments.forest import Forest, draw
from promptstudio_lab.experiments.holm import Answer, answers
from promptstudio_lab.experiments.html import page
from promptstudio_lab.experiments.outcome import Outcome
from promptstudio_lab.experiments.plain import text
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.srm import srm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import polars as pl

    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.srm import SrmResult
    from promptstudio_lab.stats.sums import Sums, SumsApart

_MEASURES = (
    "estimate",
    "low",
    "high",
    "relative",
    "relative_low",
    "relative_high",
    "p_value",
    "n",
    "se",
    "method",
    "alpha",
)


@dataclass(frozen=True, repr=False)
class Report(Outcome):
    """What an experiment found, with its faces: plain text, HTML, frames and a picture."""

    def to_polars(self) -> pl.DataFrame:
        """Return one row a metric; `control` and `treatment` are the variants' values."""
        import polars as pl

        return pl.DataFrame(self._columns(), schema_overrides=dict.fromkeys(_NUMBERS, pl.Float64))

    def to_pandas(self) -> pd.DataFrame:
        """Return what `to_polars` returns, as a pandas frame."""
        import pandas as pd

        frame = pd.DataFrame(self._columns())
        return frame.astype(dict.fromkeys(_NUMBERS, "float64"))

    def plot(self) -> Forest:
        """Return the forest plot of the relative effects."""
        return draw(self.findings, control=self.control, treatment=self.treatment)

    def __repr__(self) -> str:
        """Return the decision, then the numbers, then the method, as plain text."""
        return text(self)

    def _repr_html_(self) -> str:
        return page(self)

    def _columns(self) -> dict[str, list[object]]:
        metrics = [finding.metric for finding in self.findings]
        effects = [finding.effect for finding in self.findings]
        count = len(metrics)
        return {
            "metric": [metric.name for metric in metrics],
            "role": [metric.role for metric in metrics],
            "unit": [metric.unit for metric in metrics],
            "control": [effect.control for effect in effects],
            "treatment": [effect.treatment for effect in effects],
            **{name: [getattr(effect, name) for effect in effects] for name in _MEASURES},
            "p_adjusted": [finding.p_adjusted for finding in self.findings],
            "verdict": [finding.verdict for finding in self.findings],
            "experiment": [self.name] * count,
            "control_variant": [self.control] * count,
            "treatment_variant": [self.treatment] * count,
            "simulated": [self.simulated] * count,
        }


_NUMBERS = ("control", "treatment", *_MEASURES[:7], "se", "alpha", "p_adjusted")


def analyze(  # noqa: PLR0913 # all that a report must know about where its sums come from
    sums: Sums,
    *,
    name: str,
    control: str,
    treatment: str,
    metrics: Sequence[Metric],
    counts: Mapping[str, int],
    expected: Mapping[str, float] | None = None,
    unpaired: Sequence[str] = (),
    simulated: bool = False,
    alpha: float = 0.05,
    method: Method = "anytime",
    sql: str = "",
) -> Report:
    """Return the report of an experiment in which both variants ran on the same items.

    Args:
        sums: sums over items, with columns named `<variant>.<column>`.
        name: the experiment's name.
        control: the control's variant.
        treatment: the treatment's variant.
        metrics: what to measure; at least one is a goal.
        counts: runs of each variant.
        expected: the promised share of each variant, in any unit, or None.
        unpaired: keys of the items that only one variant ran on.
        simulated: whether a stand-in gave the answers.
        alpha: the chance of a wrong winner that is accepted; goals share it by Holm's steps.
        method: `anytime`, which allows looking at any time, or `fixed`.
        sql: the query that made the sums.

    Raises:
        AnalysisError: if the numbers cannot answer: fewer than two items, a missing column, a
            variant without a count or a share, no goal, or two metrics of one name.

    >>> from promptstudio_lab.metrics import Rate
    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"a.success": [0, 1] * 60, "b.success": [1, 1] * 60})
    >>> names = {"name": "greeting", "control": "a", "treatment": "b"}
    >>> report = analyze(sums, **names, metrics=[Rate("success")], counts={"a": 120, "b": 120})
    >>> report.decision.action, report["success"].estimate
    ('ship', 0.5)
    """
    part = Part(treatment, sums, counts, expected, tuple(unpaired), simulated, sql)
    (found,) = analyze_all(
        [part], name=name, control=control, metrics=metrics, alpha=alpha, method=method
    )
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """One treatment beside the control.

    Attributes:
        treatment: the variant.
        sums: sums over the items that both ran on, with columns named `<variant>.<column>`; or,
            where each unit met one variant, of each variant by itself.
        counts: runs of each variant.
        expected: the promised share of each variant, in any unit, or None.
        unpaired: keys of the items that only one variant ran on.
        simulated: whether a stand-in gave the answers.
        sql: the query that made the sums.
    """

    treatment: str
    sums: Sums | SumsApart
    counts: Mapping[str, int]
    expected: Mapping[str, float] | None = None
    unpaired: tuple[str, ...] = ()
    simulated: bool = False
    sql: str = ""


def analyze_all(  # the parts, and what holds for all of them
    parts: Sequence[Part],
    *,
    name: str,
    control: str,
    metrics: Sequence[Metric],
    alpha: float = 0.05,
    method: Method = "anytime",
) -> list[Report]:
    """Return a report for each treatment; all their goals share one error by Holm's steps.

    Args:
        parts: the treatments, each with its sums beside the control.
        name: the experiment's name.
        control: the control's variant.
        metrics: what to measure; at least one is a goal.
        alpha: the chance that any of the treatments is wrongly found better or worse.
        method: `anytime`, which allows looking at any time, or `fixed`.

    Raises:
        AnalysisError: as `analyze` does.
    """
    for part in parts:
        _check(metrics, part.counts, part.expected, (control, part.treatment))
    asked = [
        (at, metric) for at in range(len(parts)) for metric in metrics if metric.role == "goal"
    ]

    def ask(part: Part, metric: Metric, level: float) -> Effect:
        return metric.effect(part.sums, control, part.treatment, level, method)

    goals = answers([partial(ask, parts[at], metric) for at, metric in asked], alpha)
    known = {(at, metric.name): answer for (at, metric), answer in zip(asked, goals, strict=True)}
    reports = []
    for at, part in enumerate(parts):
        found = []
        for metric in metrics:
            effect, p_value = known.get((at, metric.name)) or _alone(ask(part, metric, alpha))
            found.append(Finding(metric, effect, p_value))
        words = rule(method, alpha).words
        reason = _reason(tuple(found), words, alpha, len(goals))
        reports.append(_report(part, name, control, tuple(found), reason))
    return reports


def _alone(effect: Effect) -> Answer:
    return Answer(effect, effect.p_value)


def _report(
    part: Part, name: str, control: str, findings: tuple[Finding, ...], reason: str
) -> Report:
    shares = None if part.expected is None else _shares(part.counts, part.expected)
    evidence = Evidence(control, part.treatment, findings, part.sums.n, len(part.unpaired), shares)
    return Report(
        name=name,
        control=control,
        treatment=part.treatment,
        findings=findings,
        decision=decide(evidence),
        srm=shares,
        counts=dict(part.counts),
        unpaired=part.unpaired,
        reason=reason,
        simulated=part.simulated,
        sql=part.sql,
    )


def _shares(counts: Mapping[str, int], expected: Mapping[str, float]) -> SrmResult:
    return srm([counts[variant] for variant in expected], list(expected.values()))


def _check(
    metrics: Sequence[Metric],
    counts: Mapping[str, int],
    expected: Mapping[str, float] | None,
    variants: tuple[str, str],
) -> None:
    names = [metric.name for metric in metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"two metrics are called {twice[0]!r}. Hint: give one of them another name."
        raise AnalysisError(message)
    if variants[0] == variants[1]:
        message = f"control and treatment are both {variants[0]!r}; two variants are compared"
        raise AnalysisError(message)
    for variant in (*variants, *(expected or ())):
        if variant not in counts:
            message = f"variant {variant!r} has no count of runs.{did_you_mean(variant, counts)}"
            raise AnalysisError(message)


def _reason(findings: tuple[Finding, ...], words: str, alpha: float, questions: int) -> str:
    n = findings[0].effect.n
    shared = f"; {questions} questions about goals share the error of {alpha:g} by Holm's steps"
    plain = f"paired by item: every variant ran on the same {n:,} items; {words}"
    parts = [plain + (shared if questions > 1 else "")]
    # What a metric's own reason adds to the method that all share.
    common = f"paired by item, {n} items; {words}"
    added = [
        (finding.metric.label, finding.effect.reason.removeprefix(common).removeprefix("; "))
        for finding in findings
    ]
    parts += [f"{visible(label)}: {words}" for label, words in added if words]
    return ". ".join(parts)
