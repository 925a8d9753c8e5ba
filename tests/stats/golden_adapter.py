"""The product's answer to a golden case: one line a method, so that a new file needs one more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.proportions import mcnemar, wilson
from promptstudio_lab.stats.sequential import Moments, two_samples
from promptstudio_lab.stats.srm import srm
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable

Case: TypeAlias = dict[str, Any]  # inputs and answers differ from method to method


def answer(method: str, inputs: Case) -> Case:
    """Return what the product says, by the names that the case expects.

    Raises:
        LookupError: naming the method, if nobody has connected it yet.
    """
    if method not in ANSWERS:
        message = f"no answer is connected for the method {method!r}"
        raise LookupError(message)
    return ANSWERS[method](**inputs)


def _confidence_sequence(*, control: Case, treatment: Case, **rest: Any) -> Case:  # as the file has
    arms = [Moments(arm["n"], arm["sum"], arm["sum_squares"]) for arm in (control, treatment)]
    found = two_samples(*arms, **rest)
    return {
        "estimate": found.estimate,
        "ci": [found.low, found.high],
        "p_value": found.p_value,
        "se": found.se,
    }


def _paired_t(*, differences: list[float]) -> Case:
    sums = Sums.of({"before": [0.0] * len(differences), "after": differences})
    effect = mean_difference(sums, "before", "after", method="fixed")
    return {"statistic": effect.estimate / effect.se, "p_value": effect.p_value}


def _srm(*, observed: list[int], weights: list[float]) -> Case:
    return {"p_value": srm(observed, weights).p_value}


def _wilson(*, sum: int, n: int, alpha: float) -> Case:  # noqa: A002 # the file's word
    share = wilson(sum, n, alpha=alpha)
    return {"ci": [share.low, share.high]}


def _mcnemar(*, table: list[list[int]], exact: bool, correction: bool = False) -> Case:
    assert not correction
    test = mcnemar(table[0][1], table[1][0], exact=exact)
    return {"statistic": test.statistic, "p_value": test.p_value}


ANSWERS: dict[str, Callable[..., Case]] = {
    "asymptotic_confidence_sequence": _confidence_sequence,
    "mcnemar": _mcnemar,
    "paired_t": _paired_t,
    "srm_chi_square": _srm,
    "wilson_ci": _wilson,
}
