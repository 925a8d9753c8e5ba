"""What to do now, in one sentence with its reasons.

The rules, first match wins: traffic that does not fit its promised shares, or too many items
without a partner, make it *invalid*; a goal that is surely worse *stops* it; goals that disagree,
or a guardrail that is surely broken, *hold* it; a goal that is surely better *ships* it; no
difference on any item *holds* it; anything else *keeps running*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.wording import (
    amount,
    estimate,
    interval,
    level,
    p_value,
    relative,
    times,
    visible,
)
from promptstudio_lab.money import NANO_PER_USD, format_usd
from promptstudio_lab.stats.planning.items import items_needed

if TYPE_CHECKING:
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.srm import SrmResult

Action: TypeAlias = Literal["ship", "hold", "stop", "keep_running", "invalid"]
Verdict: TypeAlias = Literal["better", "worse", "unclear", "equal", "unknown"]

MOST_UNPAIRED = 0.05
"""The share of items that may lack a partner before the rest is no fair sample of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric and what was found about it.

    Attributes:
        metric: what was asked.
        effect: what was found.
        p_adjusted: of a goal, when several share the error; else the p-value itself.
    """

    metric: Metric
    effect: Effect
    p_adjusted: float

    @property
    def verdict(self) -> Verdict:
        """Which side of 0 the whole interval lies on, for this metric's good direction."""
        if math.isnan(self.effect.estimate):
            return "unknown"
        if self.effect.identical:
            return "equal"
        if self.effect.low <= 0 <= self.effect.high:
            return "unclear"
        good = (self.effect.estimate > 0) == (self.metric.better == "higher")
        return "better" if good else "worse"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a decision is made from.

    Attributes:
        control: the control's name.
        treatment: the treatment's name.
        findings: one for each metric.
        n: how many items both variants ran on.
        unpaired: how many items only one of them ran on.
        srm: the test of the promised shares, or None when none were promised.
    """

    control: str
    treatment: str
    findings: tuple[Finding, ...]
    n: int
    unpaired: int
    srm: SrmResult | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Attributes:
        action: one of five words.
        variant: the variant to use now, or None while that is open.
        headline: the decision in a few words.
        detail: what it rests on, in the numbers that matter most.
        because: the reasons, one a line.
    """

    action: Action
    variant: str | None
    headline: str
    detail: str
    because: tuple[str, ...]

    @property
    def text(self) -> str:
        """The decision in one sentence: the headline and what it rests on."""
        return f"{self.headline}: {self.detail}."


def decide(evidence: Evidence) -> Decision:
    """Return what to do, by the rules at the top of this module.

    Raises:
        AnalysisError: if no metric is a goal.
    """
    goals = [finding for finding in evidence.findings if finding.metric.role == "goal"]
    if not goals:
        message = "no metric is a goal, so nothing can be decided. Hint: add Rate('success')."
        raise AnalysisError(message)
    if trouble := _trouble(evidence):
        return Decision("invalid", None, "not to be trusted", trouble[0], trouble)
    verdicts = {finding.verdict for finding in goals}
    because = tuple(_line(finding) for finding in evidence.findings)
    lead = {finding.verdict: finding for finding in reversed(goals)}
    if {"better", "worse"} <= verdicts:
        return _disagree(evidence, lead["better"], lead["worse"], because)
    if "worse" in verdicts:
        detail = f"{_moved(lead['worse'])}{_price(evidence)}"
        headline = f"{visible(evidence.treatment)} stops"
        return Decision("stop", evidence.control, headline, detail, because)
    if "better" in verdicts:
        return _better(evidence, lead["better"], because)
    if verdicts == {"equal"}:
        detail = f"both variants gave the same result on all {evidence.n} items"
        detail += _price(evidence, visible(evidence.treatment))
        return Decision("hold", evidence.control, "no difference at all", detail, because)
    return _open(evidence, goals, because)


def _trouble(evidence: Evidence) -> tuple[str, ...]:
    found = []
    if evidence.srm is not None and not evidence.srm.ok:
        counts = " : ".join(f"{count:,}" for count in evidence.srm.observed)
        promised = " : ".join(f"{count:,.0f}" for count in evidence.srm.expected)
        found.append(
            f"the variants did not get their promised shares of the runs ({counts} instead of"
            f" {promised}, p {_equals(evidence.srm.p_value)})"
        )
    seen = evidence.n + evidence.unpaired
    if evidence.unpaired > MOST_UNPAIRED * seen:
        found.append(
            f"{evidence.unpaired} of {seen} items have a result from one variant only, more than"
            f" the {100 * MOST_UNPAIRED:g} % that may be left out"
        )
    return tuple(found)


def _disagree(
    evidence: Evidence, better: Finding, worse: Finding, because: tuple[str, ...]
) -> Decision:
    detail = f"{_moved(better)}, but {_moved(worse)}"
    return Decision("hold", evidence.control, "the goals disagree", detail, because)


def _better(evidence: Evidence, goal: Finding, because: tuple[str, ...]) -> Decision:
    name = visible(evidence.treatment)
    if broken := [finding for finding in evidence.findings if _breaks(finding)]:
        limit = f"{100 * (broken[0].metric.limit or 0):.3g} %"
        detail = f"{_moved(goal)}, but {_moved(broken[0])}, and at most {limit} worse is accepted"
        headline = f"{name} is better but breaks a guardrail"
        return Decision("hold", evidence.control, headline, detail, because)
    detail = f"{_moved(goal)}{_price(evidence)}"
    return Decision("ship", evidence.treatment, f"{name} ships", detail, because)


def _open(evidence: Evidence, goals: list[Finding], because: tuple[str, ...]) -> Decision:
    goal = min(goals, key=lambda finding: _needed(finding.effect))
    name, effect = visible(goal.metric.label), goal.effect
    if goal.verdict == "unknown":
        detail = f"{name} is {effect.reason}"
        return Decision("keep_running", None, "no answer yet", detail, because)
    unit = goal.metric.unit
    detail = (
        f"{name} is {amount(effect.treatment, unit)} with {visible(evidence.treatment)} and"
        f" {amount(effect.control, unit)} with {visible(evidence.control)} ({_numbers(goal)});"
        f" {_more(evidence, effect)}"
    )
    how = (
        "the items needed are the fewest whose interval would exclude 0 if the difference and the"
        " spread stayed as observed: a guide to size, not a promise"
    )
    return Decision("keep_running", None, "no winner yet", detail, (*because, how))


def _needed(effect: Effect) -> float:
    return items_needed(effect) or math.inf


def _more(evidence: Evidence, effect: Effect) -> str:
    needed = items_needed(effect)
    if needed is None:
        return "at no observed difference, no number of items would tell the variants apart"
    more = max(1, needed - effect.n)
    dollars = ""
    cost = next((item.effect for item in evidence.findings if item.metric.unit == "usd"), None)
    if cost is not None and cost.control + cost.treatment > 0:
        total = more * (cost.control + cost.treatment)
        dollars = f" (some {format_usd(total * NANO_PER_USD)})"
    return (
        f"about {_rounded(more)} more items{dollars} would be needed to detect a difference"
        " this large"
    )


def _rounded(count: int) -> str:
    digits = max(0, len(str(count)) - 2)
    step = 10**digits
    return f"{-(-count // step) * step:,}"


def _breaks(finding: Finding) -> bool:
    metric, effect = finding.metric, finding.effect
    if metric.role != "guardrail" or metric.limit is None or finding.verdict != "worse":
        return False
    if effect.relative_low is None or effect.relative_high is None:
        return True  # from 0 to something: no share can excuse it
    least = effect.relative_low if metric.better == "lower" else -effect.relative_high
    return least > metric.limit


def _moved(finding: Finding) -> str:
    unit, effect = finding.metric.unit, finding.effect
    verb = "rises" if effect.estimate > 0 else "falls"
    return (
        f"{visible(finding.metric.label)} {verb} from {amount(effect.control, unit)} to"
        f" {amount(effect.treatment, unit)} ({_numbers(finding)})"
    )


def _numbers(finding: Finding) -> str:
    unit, effect = finding.metric.unit, finding.effect
    kind = f"{level(effect.alpha)} {effect.method} interval"
    return f"{estimate(effect, unit)}, {kind} {interval(effect, unit)}"


def _price(evidence: Evidence, subject: str = "it") -> str:
    """Say what it costs: always money first, then guardrails that surely got worse."""
    parts = []
    for finding in evidence.findings:
        metric, effect = finding.metric, finding.effect
        if metric.role == "cost" and metric.unit == "usd" and effect.relative is not None:
            parts.append(f"{subject} costs {times(effect.relative)} per run")
        elif metric.role == "cost" and metric.unit.startswith("usd per "):
            both = f"{amount(effect.treatment, metric.unit)} {visible(metric.unit[4:])}"
            parts.append(f"{both} against {amount(effect.control, metric.unit)}")
        elif metric.role == "guardrail" and finding.verdict == "worse":
            by = (
                relative(effect)[0]
                if effect.relative is not None
                else estimate(effect, metric.unit)
            )
            parts.append(f"{visible(metric.label)} gets worse by {by}")
    return f", and {', '.join(parts)}" if parts else ""


def _line(finding: Finding) -> str:
    effect, label = finding.effect, visible(finding.metric.label)
    if finding.verdict == "unknown":
        return f"{label}: {effect.reason}"
    if finding.verdict == "equal":
        return f"{label}: the same on all {effect.n} items"
    return f"{label} is {finding.verdict}: {_numbers(finding)}, p {_equals(effect.p_value)}"


def _equals(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
