"""What to do now, in one sentence with its reasons.

The rules, first match wins: traffic that does not fit its promised shares, or too many items
left out, make it *invalid*; a goal that is surely worse *stops* it; goals that disagree, or a
guardrail that is surely broken, *hold* it; a goal that is surely better *ships* it, if every
guardrail is surely kept (silence is no proof), else it *keeps running*; no difference on any of
enough items *holds* it; anything else *keeps running*. Where looks were planned, only a look that
is due decides, and what the last of them leaves open *holds*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.further import Further, further
from promptstudio_lab.experiments.wording import (
    ITEMS,
    amount,
    change,
    estimate,
    interval,
    level,
    p_value,
    relative,
    times,
    visible,
)
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.bayes.effect import FLAT, Prior, believed
from promptstudio_lab.stats.effect import FEW_ITEMS

if TYPE_CHECKING:
    from promptstudio_lab.experiments.health import Check
    from promptstudio_lab.experiments.plan.looks import Due
    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.metrics.margin import Margin
    from promptstudio_lab.stats.bayes.effect import Posterior
    from promptstudio_lab.stats.effect import Effect

Action: TypeAlias = Literal["ship", "hold", "stop", "keep_running", "invalid"]
Verdict: TypeAlias = Literal["better", "worse", "unclear", "equal", "unknown"]
Guard: TypeAlias = Literal["kept", "broken", "open"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric and what was found about it.

    Attributes:
        metric: what was asked.
        effect: what was found.
        p_adjusted: of a goal, when several share the error; else the p-value itself.
        prior: what was believed of the relative effect before the data.
    """

    metric: Metric
    effect: Effect
    p_adjusted: float
    prior: Prior = FLAT

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

    @property
    def belief(self) -> Posterior | None:
        """What is believed of the effect: how probably it is a gain, and what choosing costs.

        None where nothing is known, or a belief about a relative effect has nothing to be relative
        to. It describes; no rule reads it.
        """
        effect, prior, size = self.effect, self.prior, abs(self.effect.control)
        flat = math.isinf(prior.sd)
        if not effect.se > 0 or not (flat or size > 0):
            return None
        scaled = prior if flat else Prior(prior.mean * size, prior.sd * size)
        lower = self.metric.better == "lower"
        return believed(effect.estimate, effect.se, prior=scaled, lower_is_better=lower)

    @property
    def guard(self) -> Guard | None:
        """Whether a guardrail is surely kept or surely broken, which silence leaves open.

        It is kept when the interval holds no worsening as large as the margin: a test of
        non-inferiority at half of alpha (Schultzberg, Ankargren, Frånberg 2024, arXiv:2402.11609).
        None for whatever is held to no margin.
        """
        margin = self.metric.margin
        if self.metric.role != "guardrail" or margin is None:
            return None
        ends = self._ends(margin)
        if ends is None:
            # From 0 to something: no share can excuse it.
            return {"worse": "broken", "better": "kept", "equal": "kept"}.get(self.verdict, "open")  # type: ignore[return-value] # the three words
        low, high = ends if self.metric.better == "lower" else (-ends[1], -ends[0])
        if high < margin.value or high == 0:
            return "kept"
        return "broken" if low > margin.value else "open"

    def _ends(self, margin: Margin) -> tuple[float, float] | None:
        effect = self.effect
        if not margin.relative:
            return effect.low, effect.high
        if effect.relative_low is None or effect.relative_high is None:
            return None
        return effect.relative_low, effect.relative_high

    @property
    def margin(self) -> str:
        """What a guardrail is held to, in words; empty for whatever is held to nothing."""
        margin, unit = self.metric.margin, self.metric.unit
        if self.guard is None or margin is None:
            return ""
        if margin.relative:
            return f"at most {100 * margin.value:.3g} % worse"
        return f"at most {change(margin.value, unit).removeprefix('+')} worse"

    @property
    def bound(self) -> float:
        """The difference that the interval has to exclude: 0, or a guardrail's margin."""
        margin = self.metric.margin
        if margin is None or self.metric.role != "guardrail":
            return 0.0
        size = margin.value * (abs(self.effect.control) if margin.relative else 1.0)
        return size if self.metric.better == "lower" else -size


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a decision is made from.

    Attributes:
        control: the control's name.
        treatment: the treatment's name.
        findings: one for each metric.
        n: how many items were compared.
        clusters: in how many clusters they come; as many, where each is its own.
        checks: whether the numbers can be believed.
        apart: whether each unit met one variant only.
        noun: what the items are.
        due: where the planned looks stand, where looks were planned.
    """

    control: str
    treatment: str
    findings: tuple[Finding, ...]
    n: int
    clusters: int
    checks: tuple[Check, ...] = ()
    apart: bool = False
    noun: Noun = ITEMS
    due: Due | None = None

    @property
    def cost_of_item(self) -> float | None:
        """What one more item costs under the variants it runs under, where that is known."""
        cost = next((item.effect for item in self.findings if item.metric.unit == "usd"), None)
        if cost is None or not cost.control + cost.treatment > 0:
            return None
        return (cost.control + cost.treatment) / (2 if self.apart else 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Attributes:
        action: one of five words.
        variant: the variant to use now, or None while that is open.
        headline: the decision in a few words.
        detail: what it rests on, in the numbers that matter most.
        because: the reasons, one a line.
        further: what would settle what is open, and what that costs.
    """

    action: Action
    variant: str | None
    headline: str
    detail: str
    because: tuple[str, ...]
    further: tuple[Further, ...] = ()

    _repr_html_ = named_html

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
    if trouble := tuple(check.meaning for check in evidence.checks if check.voids):
        return Decision("invalid", None, "not to be trusted", trouble[0], trouble)
    because = (*(_line(one, evidence.noun) for one in evidence.findings), *_remarks(evidence))
    if evidence.due is not None and evidence.due.look is None:
        return _waiting(evidence, evidence.due, because)
    found = _judged(evidence, goals, because)
    if evidence.due is not None and evidence.due.last and found.action == "keep_running":
        headline = f"{found.headline} at the last planned look"
        return replace(found, action="hold", variant=evidence.control, headline=headline)
    return found


def _waiting(evidence: Evidence, due: Due, because: tuple[str, ...]) -> Decision:
    """Decide nothing at a look that nobody planned; what the last planned one said stands."""
    if due.said is None:
        return Decision("keep_running", None, "no decision at this look", due.remark, because)
    said: Any = due.said  # an action, as it was stored
    chosen = {"ship": evidence.treatment, "hold": evidence.control, "stop": evidence.control}
    headline = "the planned looks are over"
    return Decision(said, chosen.get(said), headline, due.remark, because)


def _judged(evidence: Evidence, goals: list[Finding], because: tuple[str, ...]) -> Decision:
    verdicts = {finding.verdict for finding in goals}
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
        return _alike(evidence, goals[0], because)
    return _open(evidence, goals, because)


def _remarks(evidence: Evidence) -> tuple[str, ...]:
    return tuple(
        f"{check.name}: {check.meaning}"
        for check in evidence.checks
        if check.state == "bad" or (check.state == "warn" and check.name in _TOLD)
    )


_TOLD = {"novelty", "plausibility", "method", "plan"}  # what no table shows


def _disagree(
    evidence: Evidence, better: Finding, worse: Finding, because: tuple[str, ...]
) -> Decision:
    detail = f"{_moved(better)}, but {_moved(worse)}"
    return Decision("hold", evidence.control, "the goals disagree", detail, because)


def _better(evidence: Evidence, goal: Finding, because: tuple[str, ...]) -> Decision:
    name = visible(evidence.treatment)
    guards = {finding.guard: finding for finding in reversed(evidence.findings)}
    if broken := guards.get("broken"):
        detail = f"{_moved(goal)}, but {_moved(broken)}, and {broken.margin} is accepted"
        headline = f"{name} is better but breaks a guardrail"
        return Decision("hold", evidence.control, headline, detail, because)
    if "open" in guards:
        return _unproven(evidence, goal, because)
    detail = f"{_moved(goal)}{_price(evidence)}"
    return Decision("ship", evidence.treatment, f"{name} ships", detail, because)


def _unproven(evidence: Evidence, goal: Finding, because: tuple[str, ...]) -> Decision:
    steps = tuple(
        further(
            finding.metric.name,
            finding.effect,
            aim=f"tell whether {visible(finding.metric.label)} gets {finding.margin}",
            bound=finding.bound,
            cost_of_item=evidence.cost_of_item,
            cluster=evidence.n / evidence.clusters,
            noun=evidence.noun,
        )
        for finding in evidence.findings
        if finding.guard == "open" and finding.verdict != "unknown"
    )
    guard = next(finding for finding in evidence.findings if finding.guard == "open")
    name = visible(guard.metric.label)
    detail = (
        f"{_moved(goal)}, but {name} is {guard.effect.reason}"
        if guard.verdict == "unknown"
        else f"{_moved(goal)}, but that {name} gets {guard.margin} is not shown yet"
        f" ({_numbers(guard)}); {steps[0].text}"
    )
    headline = f"{visible(evidence.treatment)} is better but a guardrail is open"
    how = (_how(evidence),) if steps else ()
    return Decision("keep_running", None, headline, detail, (*because, *how), steps)


def _alike(evidence: Evidence, goal: Finding, because: tuple[str, ...]) -> Decision:
    """Hold what no item told apart; a few items that are alike say too little for that."""
    effect = goal.effect
    detail = f"both variants gave the same result on all {evidence.noun.counted(evidence.n)}"
    if effect.high > 0:
        most = change(effect.high, goal.metric.unit).removeprefix("+")
        detail += f", so {visible(goal.metric.label)} differs by at most {most}"
    if effect.high > 0 and evidence.clusters < FEW_ITEMS:
        return Decision("keep_running", None, "too few to tell", detail, because)
    detail += _price(evidence, visible(evidence.treatment))
    return Decision("hold", evidence.control, "no difference seen", detail, because)


def _how(evidence: Evidence) -> str:
    return (
        f"the {evidence.noun.many} needed are the fewest whose interval would tell if the"
        " difference and the spread stayed as observed: a guide to size, not a promise"
    )


def _open(evidence: Evidence, goals: list[Finding], because: tuple[str, ...]) -> Decision:
    steps = {
        id(finding): further(
            finding.metric.name,
            finding.effect,
            aim="detect a difference this large" if finding.effect.estimate else _TELL,
            cost_of_item=evidence.cost_of_item,
            cluster=evidence.n / evidence.clusters,
            noun=evidence.noun,
        )
        for finding in goals
    }
    goal = min(goals, key=lambda finding: steps[id(finding)].items or math.inf)
    name, effect = visible(goal.metric.label), goal.effect
    if goal.verdict == "unknown":
        detail = f"{name} is {effect.reason}"
        return Decision("keep_running", None, "no answer yet", detail, because)
    unit = goal.metric.unit
    detail = (
        f"{name} is {amount(effect.treatment, unit)} with {visible(evidence.treatment)} and"
        f" {amount(effect.control, unit)} with {visible(evidence.control)} ({_numbers(goal)});"
        f" {steps[id(goal)].text}"
    )
    found = (steps[id(goal)],)
    because = (*because, _how(evidence))
    return Decision("keep_running", None, "no winner yet", detail, because, found)


_TELL = "tell the variants apart"


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
        free = effect.control == effect.treatment == 0
        if metric.unit.startswith("usd") and (free or math.isnan(effect.estimate)):
            continue  # what is free is free under both, and what is unknown stands in the table
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


def _line(finding: Finding, noun: Noun) -> str:
    effect, label = finding.effect, visible(finding.metric.label)
    if finding.verdict == "unknown":
        return f"{label}: {effect.reason}"
    if finding.verdict == "equal":
        return f"{label}: the same on all {noun.counted(effect.n)}"
    return f"{label} is {finding.verdict}: {_numbers(finding)}, p {_equals(effect.p_value)}"


def _equals(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
