"""Quality against cost: which variants no other beats in both (the Pareto front)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.decision import Finding
    from promptstudio_lab.experiments.outcome import Outcome
    from promptstudio_lab.metrics import Metric


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variant stands.

    Attributes:
        variant: the variant.
        cost: its cost, in the cost's unit.
        quality: its goal, in the goal's unit.
        cost_ends: where its cost may lie, given the control's; None for the control itself.
        quality_ends: the same of its quality.
        beaten_by: a variant that is at least as good and as cheap as it, and better in one; or "".
    """

    variant: str
    cost: float
    quality: float
    cost_ends: tuple[float, float] | None
    quality_ends: tuple[float, float] | None
    beaten_by: str = ""


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """Every variant's place.

    Attributes:
        cost: the metric that stands for cost.
        quality: the metric that stands for quality.
        places: one a variant, the control first.
    """

    cost: Metric
    quality: Metric
    places: tuple[Place, ...]


def tradeoff(outcomes: Sequence[Outcome]) -> Tradeoff | None:
    """Return where the control and each treatment stand, or None without a goal or a cost.

    Args:
        outcomes: one a treatment, of one experiment.
    """
    pairs = [pair for outcome in outcomes if (pair := _pair(outcome)) is not None]
    if not pairs or len(pairs) != len(outcomes):
        return None
    cost, quality = pairs[0]
    places = [Place(outcomes[0].control, cost.effect.control, quality.effect.control, None, None)]
    for outcome, (paid, gained) in zip(outcomes, pairs, strict=True):
        places.append(
            Place(
                outcome.treatment,
                paid.effect.treatment,
                gained.effect.treatment,
                _ends(paid),
                _ends(gained),
            )
        )
    better = 1.0 if quality.metric.better == "higher" else -1.0
    found = tuple(_judged(place, places, better) for place in places)
    return Tradeoff(cost.metric, quality.metric, found)


def _pair(outcome: Outcome) -> tuple[Finding, Finding] | None:
    known = [
        finding
        for finding in outcome.findings
        if math.isfinite(finding.effect.control) and math.isfinite(finding.effect.treatment)
    ]
    goals = [finding for finding in known if finding.metric.role == "goal"]
    costs = [finding for finding in known if finding.metric.role == "cost"]
    costs.sort(key=lambda finding: finding.metric.unit != "usd")
    return (costs[0], goals[0]) if goals and costs else None


def _ends(finding: Finding) -> tuple[float, float]:
    effect = finding.effect
    return effect.control + effect.low, effect.control + effect.high


def _judged(place: Place, places: Sequence[Place], better: float) -> Place:
    from dataclasses import replace

    def value(one: Place) -> tuple[float, float]:
        return -one.cost, better * one.quality

    mine = value(place)
    for other in places:
        theirs = value(other)
        if theirs != mine and all(a >= b for a, b in zip(theirs, mine, strict=True)):
            return replace(place, beaten_by=other.variant)
    return place
