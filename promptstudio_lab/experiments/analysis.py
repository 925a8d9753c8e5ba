"""From sums to a report: effects that share one error, health, segments, and the decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments import health
from promptstudio_lab.experiments.decision import Evidence, Finding, decide
from promptstudio_lab.experiments.holm import Answer, answers
from promptstudio_lab.experiments.report import Report
from promptstudio_lab.experiments.segments import segmented
from promptstudio_lab.experiments.wording import ITEMS, UNITS, visible
from promptstudio_lab.stats.arms import WEIGHT
from promptstudio_lab.stats.bayes.effect import FLAT
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.sequential.traffic import sequential_srm
from promptstudio_lab.stats.srm import promised, srm
from promptstudio_lab.stats.sums import Sums, SumsApart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from promptstudio_lab.experiments.health import Check, Shares
    from promptstudio_lab.experiments.plan.looks import Due
    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.bayes.effect import Prior
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

FEW_ROWS = 5_000
"""Up to here the rows are read anyway, to see whether the effect is steady."""


@dataclass(frozen=True, slots=True)
class Part:
    """One treatment beside the control.

    Attributes:
        treatment: the variant.
        sums: sums over the items that both ran on, with columns named `<variant>.<column>`; or,
            where each unit met one variant, of each variant by itself.
        counts: runs of each variant.
        expected: the promised share of each variant, in any unit, or None.
        unpaired: keys of the items that were left out for want of a value or a partner.
        simulated: whether a stand-in gave the answers.
        sql: the query that made the sums.
        multi: how many units were left out because they met two variants, or None if unknown.
        rows: the rows that the sums were made from, where they were read.
        read: reads them, where they were not.
        halves: adds up those that came first and those that came later, for one metric.
        noun: what the items or units are.
        notes: what else there is to say about where the numbers come from.
        due: where the looks of the plan stand, where looks were planned.
    """

    treatment: str
    sums: Sums | SumsApart
    counts: Mapping[str, int]
    expected: Mapping[str, float] | None = None
    unpaired: tuple[str, ...] = ()
    simulated: bool = False
    sql: str = ""
    multi: int | None = None
    rows: Rows | None = None
    read: Callable[[], Rows] | None = None
    halves: Callable[[Metric], Sequence[Sums | SumsApart]] | None = None
    noun: Noun = ITEMS
    notes: tuple[str, ...] = ()
    due: Due | None = None

    @classmethod
    def of_rows(
        cls,
        rows: Rows,
        metrics: Sequence[Metric],
        *,
        expected: Mapping[str, float] | None = None,
        sql: str = "",
        noun: Noun | None = None,
    ) -> Part:
        """Return the part that rows make up.

        Args:
            rows: of the control and a treatment.
            metrics: what is measured.
            expected: the promised share of each variant, in any unit, or None.
            sql: the query that made the rows.
            noun: what the units are; items where they are pairs, by default.

        Raises:
            AnalysisError: if there are no rows left to compare.
        """
        found = rows.sums(metrics)
        notes = (two_variants(rows.multi),) if rows.multi else ()
        return cls(
            rows.treatment,
            found,
            rows.runs,
            expected=expected,
            unpaired=rows.lost,
            simulated=rows.simulated,
            sql=sql,
            multi=rows.multi,
            rows=rows,
            read=lambda: rows,
            noun=noun or (UNITS if rows.paired is None else ITEMS),
            notes=notes,
        )

    @property
    def items(self) -> int:
        """How many items or units were compared."""
        if self.rows is not None:
            return self.rows.n
        if isinstance(self.sums, SumsApart) or WEIGHT not in self.sums.columns:
            return self.sums.n
        return round(self.sums.n * self.sums.mean(WEIGHT))

    def judged_by(self, method: Method) -> Method:
        """Return the method that its numbers are shown by: the plan's looks before any other."""
        return method if self.due is None else self.due.method


def two_variants(count: int) -> str:
    """Return what is said of units that met two variants."""
    return f"{count:,} that met two variants {'is' if count == 1 else 'are'} left out"


def analyze(  # noqa: PLR0913 # all that a report must know about where its sums come from
    sums: Sums | SumsApart,
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
    look: int = 1,
    paired: bool | None = None,
) -> Report:
    """Return the report of an experiment in which both variants ran on the same items.

    Args:
        sums: sums over items, with columns named `<variant>.<column>`; or of each variant's own.
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
        look: which look at the data this is; only the first may be by `fixed`.
        paired: what the caller thinks of the data; they decide for themselves, and say so.

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
    noun = UNITS if isinstance(sums, SumsApart) else ITEMS
    part = Part(treatment, sums, counts, expected, tuple(unpaired), simulated, sql, noun=noun)
    (found,) = analyze_all(
        [part],
        name=name,
        control=control,
        metrics=metrics,
        alpha=alpha,
        method=method,
        look=look,
        paired=paired,
    )
    return found


def analyze_all(  # noqa: PLR0913 # the parts, and what holds for all of them
    parts: Sequence[Part],
    *,
    name: str,
    control: str,
    metrics: Sequence[Metric],
    alpha: float = 0.05,
    method: Method = "anytime",
    look: int = 1,
    paired: bool | None = None,
    unmeasured: Sequence[str] = (),
    plan: Check | None = None,
    prior: Prior = FLAT,
    remarks: Sequence[str] = (),
) -> list[Report]:
    """Return a report for each treatment; all their goals share one error by Holm's steps.

    Args:
        parts: the treatments, each with its sums beside the control.
        name: the experiment's name.
        control: the control's variant.
        metrics: what to measure; at least one is a goal.
        alpha: the chance that any of the treatments is wrongly found better or worse.
        method: `anytime`, which allows looking at any time, or `fixed`.
        look: which look at the data this is; only the first may be by `fixed`.
        paired: what the caller thinks of the data; they decide for themselves, and say so.
        unmeasured: metrics that were asked for and that no run has a value of.
        plan: whether the metrics are those that were planned, where there is a plan.
        prior: what was believed of every relative effect, for the chance to win: a description.
        remarks: what else was asked for and not done.

    Raises:
        AnalysisError: as `analyze` does.
    """
    for part in parts:
        _check(metrics, part.counts, part.expected, (control, part.treatment))
    safe: Method = "anytime" if look > 1 else method
    asked = [
        (at, metric) for at in range(len(parts)) for metric in metrics if metric.role == "goal"
    ]

    def ask(part: Part, metric: Metric, level: float) -> Effect:
        return metric.effect(part.sums, control, part.treatment, level, part.judged_by(safe))

    goals = answers([partial(ask, parts[at], metric) for at, metric in asked], alpha)
    known = {(at, metric.name): answer for (at, metric), answer in zip(asked, goals, strict=True)}
    common = _Common(name, control, alpha, safe, len(goals), tuple(unmeasured), plan)
    reports = []
    for at, part in enumerate(parts):
        found = []
        for metric in metrics:
            effect, p_value = known.get((at, metric.name)) or _alone(ask(part, metric, alpha))
            found.append(Finding(metric, effect, p_value, prior))
        said = _remarks(part, control, found, method=method, look=look, paired=paired)
        mine = replace(common, method=part.judged_by(safe))
        reports.append(_report(part, mine, tuple(found), (*remarks, *said)))
    return reports


@dataclass(frozen=True, slots=True)
class _Common:
    name: str
    control: str
    alpha: float
    method: Method
    questions: int
    unmeasured: tuple[str, ...]
    plan: Check | None


def _alone(effect: Effect) -> Answer:
    return Answer(effect, effect.p_value)


def _report(
    part: Part, common: _Common, findings: tuple[Finding, ...], remarks: tuple[str, ...]
) -> Report:
    apart = isinstance(part.sums, SumsApart)
    shares = _shares(part, apart=apart)
    checks = _health(part, common, findings, shares, remarks)
    evidence = Evidence(
        *(common.control, part.treatment, findings, part.items, part.sums.n, checks, apart),
        noun=part.noun,
        due=part.due,
    )
    segments = None
    if part.rows is not None and part.rows.by:
        metrics = [finding.metric for finding in findings]
        level, method, prior = common.alpha, common.method, findings[0].prior
        segments = segmented(part.rows, metrics, alpha=level, method=method, prior=prior)
    return Report(
        name=common.name,
        control=common.control,
        treatment=part.treatment,
        findings=findings,
        decision=decide(evidence),
        checks=checks,
        shares=shares,
        counts=dict(part.counts),
        unpaired=part.unpaired,
        reason=_reason(part, common, findings, remarks),
        simulated=part.simulated,
        items=part.items,
        sums=part.sums,
        sql=part.sql,
        segments=segments,
        read=part.read,
        noun=part.noun,
        later=_later(part, common, findings),
        due=part.due,
    )


def _later(
    part: Part, common: _Common, findings: tuple[Finding, ...]
) -> Callable[[], Check] | None:
    """Return what asks whether the effect is steady, where reading all rows would take too long."""
    goal = next((finding.metric for finding in findings if finding.metric.role == "goal"), None)
    if goal is None or part.halves is None or part.rows is not None or part.sums.n <= FEW_ROWS:
        return None
    halves = part.halves

    def ask() -> Check:
        found = _effects(halves(goal), goal, part, common)
        return health.novelty(*found, goal.label, part.items, part.noun)

    return ask


def _shares(part: Part, *, apart: bool) -> Shares:
    if part.expected is None:
        return health.Shares(tuple(part.counts.values()), (), None)
    counts, weights = [part.counts[variant] for variant in part.expected], part.expected.values()
    due = tuple(share * sum(counts) for share in promised(counts, list(weights)))
    # Whoever meets users looks while they come; a batch is over when it is looked at.
    test = sequential_srm([counts], list(weights)) if apart else srm(counts, list(weights))
    return health.Shares(tuple(counts), due, test)


def _health(
    part: Part,
    common: _Common,
    findings: tuple[Finding, ...],
    shares: Shares,
    remarks: tuple[str, ...],
) -> tuple[Check, ...]:
    apart = isinstance(part.sums, SumsApart)
    goals = [finding for finding in findings if finding.metric.role == "goal"]
    lost = len(part.unpaired)
    clusters = part.sums.n if part.rows is None else part.rows.clusters
    halved = goals and part.items >= health.LEAST_HALVED
    halves = _halves(part, common, goals[0].metric) if halved else (None, None)
    effects = [(finding.metric.label, finding.effect) for finding in goals]
    return (
        health.traffic(shares, part.noun.many if apart else "runs"),
        health.exposures(part.multi, part.items, apart=apart, noun=part.noun),
        health.missing(lost, part.items, common.unmeasured, apart=apart, noun=part.noun),
        health.clusters(clusters, part.items, part.noun),
        health.novelty(*halves, goals[0].metric.label if goals else "", part.items, part.noun),
        health.plausible(effects),
        health.method(remarks, rule(common.method, common.alpha).words),
        *([common.plan] if common.plan is not None else []),
    )


def _halves(part: Part, common: _Common, goal: Metric) -> tuple[Effect | None, Effect | None]:
    try:
        rows = part.rows
        if rows is None and part.read is not None and part.sums.n <= FEW_ROWS:
            rows = part.read()
        if rows is None:
            return None, None
        half = rows.n // 2
        both = [chosen.sums([goal]) for chosen in (rows.first(half), rows.after(half))]
    except AnalysisError:
        return None, None  # rows that cannot be read
    return _effects(both, goal, part, common)


def _effects(
    halves: Sequence[Sums | SumsApart], goal: Metric, part: Part, common: _Common
) -> tuple[Effect | None, Effect | None]:
    if len(halves) < 2:  # noqa: PLR2004 — all began at the same moment
        return None, None
    try:
        first, second = (
            goal.effect(sums, common.control, part.treatment, common.alpha, common.method)
            for sums in halves
        )
    except AnalysisError:
        return None, None  # too few in a half
    return first, second


def _remarks(
    part: Part,
    control: str,
    findings: Sequence[Finding],
    *,
    method: Method,
    look: int,
    paired: bool | None,
) -> tuple[str, ...]:
    """Say what was asked for and not done, and why."""
    found = []
    if part.due is not None and part.due.remark:
        found.append(part.due.remark)
    if method == "fixed" and look > 1 and part.due is None:
        found.append(
            f"this is look {look}, and a fixed interval is right for one look only: these"
            " intervals are the ones that are right at every look"
        )
    if paired is False and isinstance(part.sums, Sums):
        found.append(
            "an unpaired analysis was asked for, but both variants ran on the same"
            f" {part.noun.many}: this is the paired one{_gain(part, control, findings)}"
        )
    if paired is True and isinstance(part.sums, SumsApart):
        found.append(
            f"a paired analysis was asked for, but each {part.noun.one} met one variant only: the"
            " arms are independent"
        )
    return tuple(found)


def _gain(part: Part, control: str, findings: Sequence[Finding]) -> str:
    sums, treatment = part.sums, part.treatment
    goal = next((finding for finding in findings if finding.metric.role == "goal"), None)
    if goal is None or not goal.effect.se > 0 or isinstance(sums, SumsApart):
        return ""
    try:
        alone = {variant: _of_variant(sums, variant) for variant in (control, treatment)}
        wide = goal.metric.effect(SumsApart(alone), control, treatment)
    except AnalysisError:
        return ""
    worth = (wide.se / goal.effect.se) ** 2
    return f", worth {worth:.2g} times the {part.noun.many}" if worth > 1 else ""


def _of_variant(sums: Sums, variant: str) -> Sums:
    prefix = f"{variant}."
    at = [
        place
        for place, name in enumerate(sums.columns)
        if name.startswith(prefix) or name == WEIGHT
    ]
    return Sums(
        sums.n,
        tuple(sums.columns[place].removeprefix(prefix) for place in at),
        tuple(sums.shift[place] for place in at),
        tuple(sums.totals[place] for place in at),
        tuple(tuple(sums.products[i][j] for j in at) for i in at),
    )


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


def _reason(
    part: Part, common: _Common, findings: tuple[Finding, ...], remarks: tuple[str, ...]
) -> str:
    words, sums = rule(common.method, common.alpha).words, part.sums
    shared = (
        f"; {common.questions} questions about goals share the error of {common.alpha:g} by Holm's"
        " steps"
        if common.questions > 1
        else ""
    )
    if isinstance(sums, SumsApart):
        # What effects say of their arms, before what only one of them has to say.
        told = (finding.effect.reason for finding in findings)
        usual = (reason for reason in told if reason.startswith("independent arms"))
        first = "; ".join(next(usual, f"independent arms; {words}").split("; ")[:2])
        plain = f"each {part.noun.one} met one variant, {first}"
    else:
        first = f"{_units(part)}; {words}"
        one, all_of_them = part.noun.one, part.noun.counted(part.items)
        plain = f"paired by {one}: every variant ran on the same {all_of_them}"
        plain += f" in {sums.n:,} clusters" if WEIGHT in sums.columns else ""
        plain += f"; {words}"
    added = [
        (finding.metric.label, finding.effect.reason.removeprefix(first).removeprefix("; "))
        for finding in findings
    ]
    said = [f"{visible(label)}: {words}" for label, words in added if words]
    unplanned = [common.plan.meaning] if common.plan and common.plan.state == "warn" else []
    looks = _boundary(part.due, findings)
    return ". ".join([plain + shared, *looks, *said, *remarks, *part.notes, *unplanned])


def _boundary(due: Due | None, findings: tuple[Finding, ...]) -> list[str]:
    """Say which planned look this is, and what its goals had to cross."""
    if due is None or due.look is None:
        return []
    look = due.look
    bounds = {
        visible(finding.metric.label): f"{look.bound(finding.effect.alpha):.2f}"
        for finding in findings
        if finding.metric.role == "goal"
    }
    told = next(iter(bounds.values()))
    if len(set(bounds.values())) > 1:
        told = " and ".join(f"{bound} for {label}" for label, bound in bounds.items())
    share = f"{100 * look.information[-1]:.3g} % of the planned {due.noun.many}"
    found = [f"Look {look.number} of {look.of}, at {share}: boundary z = {told}"]
    if due.before is not None:
        number, action = due.before
        found.append(f"Look {number} had already said {action.replace('_', ' ')}")
    return [*found, f"The next, {due.next}"] if due.next else found


def _units(part: Part) -> str:
    clustered = isinstance(part.sums, Sums) and WEIGHT in part.sums.columns
    return f"paired by item, {part.items} items" + (
        f" in {part.sums.n} clusters" if clustered else ""
    )
