"""How often somebody may look: the rules that turn a standard error into an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.stats.sequential.anytime import Anytime
from promptstudio_lab.stats.sequential.planned import Look, Planned
from promptstudio_lab.stats.tails import level, upper_quantile, upper_tail

Method: TypeAlias = Literal["anytime", "fixed"] | Look

_SMALLEST_POWER = 1000  # beyond it 2^-n is no longer a float


@dataclass(frozen=True, slots=True)
class Fixed:
    """The rule of Student's t, n - 1 degrees of freedom: a size fixed in advance, one look.

    Attributes:
        alpha: the chance that the interval misses the truth, in one look.
    """

    alpha: float

    words = "paired t interval, right for one look at a number of items fixed in advance"
    short = "fixed"

    def half_width(self, n: float, df: float | None = None) -> float:
        """Return half the interval's width after `n` items, in standard errors.

        Args:
            n: the number of items.
            df: the degrees of freedom of the standard error; those of `n` pairs by default.

        >>> round(Fixed(0.05).half_width(15), 3)
        2.145
        """
        return upper_quantile(self.alpha / 2, n - 1 if df is None else df)

    def p_value(self, z: float, n: float, df: float | None = None) -> float:
        """Return the two-sided p-value of an estimate that is `z` standard errors from 0.

        Args:
            z: the estimate in standard errors.
            n: the number of items.
            df: as in `half_width`.

        >>> round(Fixed(0.05).p_value(2.14798746, 15), 4)
        0.0497
        """
        return 2 * upper_tail(abs(z), n - 1 if df is None else df)

    def unanimous_z(self, n: int) -> float:
        """Return the z whose p-value is that of a sign test in which all `n` items agree.

        >>> rule = Fixed(0.05)
        >>> round(rule.p_value(rule.unanimous_z(10), 10) * 2**9, 9)
        1.0
        """
        return upper_quantile(2.0 ** -min(n, _SMALLEST_POWER), n - 1)


Rule: TypeAlias = Anytime | Fixed | Planned

_RULES: dict[str, type[Anytime | Fixed]] = {"anytime": Anytime, "fixed": Fixed}


def rule(method: str | Look, alpha: float) -> Rule:
    """Return the rule called `method` at level `alpha`.

    Args:
        method: `anytime`, which stays right however often somebody looks, or `fixed`; or one of the
            looks that were planned.
        alpha: the chance of missing the truth that is accepted, between 0 and 1.

    Raises:
        AnalysisError: if there is no such rule or level.

    >>> rule("anytime", 0.05).words
    'asymptotic confidence sequence, safe to look at any time'
    """
    if isinstance(method, Look):
        return method.rule(level(alpha))
    if method not in _RULES:
        message = f"there is no method {method!r}.{did_you_mean(method, _RULES)}"
        raise AnalysisError(message)
    return _RULES[method](level(alpha))
