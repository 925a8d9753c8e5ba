"""Whole experiments whose truth is known: flows run, runs are kept, reports are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import promptstudio_lab as ps

if TYPE_CHECKING:
    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.lab import Flow, Lab

RIGHT, WRONG = "right", "wrong"
ALPHA = 0.05


class Rates(NamedTuple):
    """How often experiments said something, as shares of all of them.

    Attributes:
        fixed: a p-value of one look below 5 %.
        decided: `ship` or `stop`, by the method that may be looked at any time.
        invalid: traffic that does not fit its promise.
        covered: 95 % intervals of one look that hold the truth.
    """

    fixed: float
    decided: float
    invalid: float
    covered: float


def guessing(lab: Lab) -> Flow:
    """Return a flow without a model, whose answer is what its row says it is."""
    flow = lab.flow("guess")
    flow.output(label=flow.prompt("say", prompt="{{ says.a }}", says=flow.input("says", "json")))
    return flow


def simulate(
    lab: Lab, count: int, rates: tuple[float, float], units: int, *, seed: int, online: bool
) -> Rates:
    """Run experiments of which each variant is right with a known probability.

    Args:
        lab: where.
        count: how many.
        rates: how often the control and the treatment are right.
        units: items that both answer, or users who get one of the two.
        seed: of the answers.
        online: whether each user meets one variant.
    """
    flow, random = guessing(lab), np.random.default_rng(seed)
    variants = {"a": None, "b": flow.vary("say.prompt", "{{ says.b }}")}
    truth = rates[1] - rates[0]
    said = np.zeros((count, 4), dtype=bool)
    for number in range(count):
        right = random.random((units, 2)) < rates
        rows = [_row(number, unit, *map(bool, pair)) for unit, pair in enumerate(right)]
        name = f"simulated {seed}/{number}"
        scorer = ps.exact("label", "truth")
        made: Any  # an experiment of either kind
        if online:
            made = lab.experiment(name, flow=flow, variants=variants, scorer=scorer, unit="user")
            made.start().batch(rows)
        else:
            made = lab.experiment(name, flow=flow, variants=variants, scorer=scorer, data=rows)
            made.run()
        said[number] = _read(made.report(method="fixed"), made.report(), truth)
    return Rates(*said.mean(axis=0).tolist())


def _row(number: int, unit: int, first: bool, second: bool) -> dict[str, Any]:
    words = {True: RIGHT, False: WRONG}
    key = f"{number}-{unit}"
    return {
        "id": key,
        "user": key,
        "says": {"a": words[first], "b": words[second]},
        "truth": RIGHT,
    }


def _read(fixed: Report, anytime: Report, truth: float) -> tuple[bool, bool, bool, bool]:
    effect = fixed["success"]
    return (
        effect.p_value < ALPHA,
        anytime.decision.action in {"ship", "stop"},
        anytime.decision.action == "invalid",
        effect.low <= truth <= effect.high,
    )
