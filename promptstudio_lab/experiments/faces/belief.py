"""What is believed of each effect: how probably it is a gain, and what choosing wrongly costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.experiments.wording import change, percent

if TYPE_CHECKING:
    from promptstudio_lab.experiments.outcome import Outcome

_NEARLY = 0.9995
HEADS = ("metric", "chance to win", "expected loss of taking it", "of keeping the control")


class Belief(NamedTuple):
    """One metric's belief, as text.

    Attributes:
        label: the metric's.
        chance: that the treatment is better.
        taking: what is lost on average by taking it.
        keeping: what is lost on average by keeping the control.
    """

    label: str
    chance: str
    taking: str
    keeping: str


def beliefs(outcome: Outcome) -> list[Belief]:
    """Return what is believed of each metric of which anything is known."""
    found = []
    for finding in outcome.findings:
        belief, unit = finding.belief, finding.metric.unit
        if belief is None:
            continue
        both = belief.loss.treatment, belief.loss.control
        # As precise as the larger: what is a millionth of it is told as nothing.
        taking, keeping = (change(loss, unit, both).removeprefix("+") for loss in both)
        found.append(Belief(finding.metric.label, chance(belief.chance_to_win), taking, keeping))
    return found


def sentence(outcome: Outcome) -> str:
    """Say what these beliefs rest on, and what they do not allow."""
    prior = outcome.findings[0].prior
    basis = (
        "by a flat prior"
        if math.isinf(prior.sd)
        else f"by a prior of {percent(prior.mean)} (standard deviation"
        f" {percent(prior.sd).removeprefix('+')}) on the relative effect"
    )
    return (
        f"Chances and losses are {basis}: they describe these data, and no decision rests on them."
        " Bayes does not license peeking: whoever stops when the chance is high is wrong far more"
        " often than it says"
    )


def chance(value: float) -> str:
    """Return a probability that is never told as sure.

    >>> chance(0.9731), chance(0.99999), chance(0.0)
    ('97.3 %', '> 99.9 %', '< 0.1 %')
    """
    if value > _NEARLY:
        return "> 99.9 %"
    return "< 0.1 %" if value < 1 - _NEARLY else f"{100 * value:.1f} %"
