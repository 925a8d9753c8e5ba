"""How often somebody may look: the rule that turns a standard error into an interval."""

from __future__ import annotations

from typing import Literal, TypeAlias

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.stats.fixed import Fixed
from promptstudio_lab.stats.sequential import Anytime

Method: TypeAlias = Literal["anytime", "fixed"]
Rule: TypeAlias = Anytime | Fixed

_RULES: dict[str, type[Rule]] = {"anytime": Anytime, "fixed": Fixed}


def rule(method: str, alpha: float) -> Rule:
    """Return the rule called `method` at level `alpha`.

    Args:
        method: `anytime`, which stays right however often somebody looks, or `fixed`.
        alpha: the chance of missing the truth that is accepted, between 0 and 1.

    Raises:
        AnalysisError: if there is no such rule or level.

    >>> rule("anytime", 0.05).words
    'asymptotic confidence sequence, safe to look at any time'
    """
    if method not in _RULES:
        message = f"there is no method {method!r}.{did_you_mean(method, _RULES)}"
        raise AnalysisError(message)
    if not 0 < alpha < 1:
        message = f"alpha is {alpha}; it must lie between 0 and 1. Hint: 0.05 is usual."
        raise AnalysisError(message)
    return _RULES[method](alpha)
