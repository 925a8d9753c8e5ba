"""A planned look as a rule: the boundary of this look makes its interval and its p-value.

The interval holds the effects that the boundary would not have stopped at, so all looks together
hold the truth with one alpha; the p-value is the smallest alpha whose boundary this look crosses
(the repeated intervals and p-values of Jennison & Turnbull 1989). A boundary is a normal z; with
few degrees of freedom it is Student's t of the same tail (Jennison & Turnbull 2000, section 4.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from promptstudio_lab.stats.sequential.schedule import Spending, schedule
from promptstudio_lab.stats.tails import upper_quantile, upper_tail

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES: Final[dict[Spending, str]] = {
    "obf": "O'Brien-Fleming",
    "pocock": "Pocock",
    "power": "power",
}
"""What people call the spending functions."""

# Beyond it lies less than 1e-16: a look that has nothing to spend may still see that.
_FARTHEST = 8.3
_LEVELS = (0.95, 0.8, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-5, 1e-8, 1e-12)
_SMALLEST_POWER = 1000  # beyond it 2^-n is no longer a float


@dataclass(frozen=True, slots=True)
class Look:
    """Where planned looks stand: all that this one's boundary depends on.

    Attributes:
        information: the share of the planned information at each look so far, this one last; the
            last may lie beyond 1.
        number: which of the planned looks this is, from 1.
        of: how many are planned.
        spending: how alpha is spent over the looks.
    """

    information: tuple[float, ...]
    number: int
    of: int
    spending: Spending = "obf"

    def bound(self, alpha: float) -> float:
        """Return the z that stops at this look when all looks together have `alpha`.

        >>> round(Look((0.2, 0.4), 2, 5).bound(0.05), 2)
        3.36
        """
        return _bound(self.information, self.spending, alpha)

    def rule(self, alpha: float) -> Planned:
        """Return the rule of this look at a level.

        >>> Look((0.2, 0.4), 2, 5).rule(0.05).words
        "group sequential interval of look 2 of 5 (O'Brien-Fleming spending)"
        """
        return Planned(alpha, self)


@dataclass(frozen=True, slots=True)
class Planned:
    """The rule of a planned look.

    Attributes:
        alpha: the chance that any of the planned looks misses the truth.
        look: which look, and how it came about.
    """

    alpha: float
    look: Look

    short = "scheduled"

    @property
    def words(self) -> str:
        """What the rule is called."""
        look = self.look
        return (
            f"group sequential interval of look {look.number} of {look.of}"
            f" ({NAMES[look.spending]} spending)"
        )

    def half_width(self, n: float, df: float | None = None) -> float:
        """Return half the interval's width, in standard errors.

        Args:
            n: the number of items.
            df: the degrees of freedom of the standard error; those of `n` pairs by default.

        >>> round(Look((1.0,), 1, 1).rule(0.05).half_width(15), 3)
        2.145
        """
        return upper_quantile(upper_tail(self.look.bound(self.alpha)), n - 1 if df is None else df)

    def p_value(self, z: float, n: float, df: float | None = None) -> float:
        """Return the smallest alpha whose boundary an estimate crosses that is `z` errors from 0.

        Args:
            z: the estimate in standard errors.
            n: the number of items.
            df: as in `half_width`.

        >>> rule = Look((0.2, 0.4), 2, 5).rule(0.05)
        >>> round(rule.p_value(rule.half_width(240), 240), 9)
        0.05
        """
        tail = upper_tail(abs(z), n - 1 if df is None else df)
        size = min(upper_quantile(tail), _FARTHEST) if tail else _FARTHEST
        return _p_value(size, self.look, self.alpha)

    def unanimous_z(self, n: int) -> float:
        """Return the z that lies as far out as a sign test in which all `n` items agree.

        >>> round(Look((1.0,), 1, 1).rule(0.05).unanimous_z(10), 2)
        4.31
        """
        return upper_quantile(2.0 ** -min(n, _SMALLEST_POWER), n - 1)


@lru_cache(maxsize=4096)
def _bound(information: tuple[float, ...], spending: Spending, alpha: float) -> float:
    found = schedule(information, spending=spending, alpha=alpha, overrun=True)
    return min(found.bounds[-1], _FARTHEST)


def _p_value(size: float, look: Look, alpha: float) -> float:
    if size >= _FARTHEST:
        return min(_LEVELS)
    curve = _curve(look, alpha)
    if size <= curve.least:
        return 1.0
    if size >= curve.most:
        return curve.strictest
    return math.exp(float(curve.log_level(size**2)))


class _Curve(NamedTuple):
    """Which level's boundary lies where: the logarithm of the level, by the boundary's square."""

    least: float
    most: float
    strictest: float
    log_level: Callable[[float], Any]  # SciPy ships no types


@lru_cache
def _curve(look: Look, alpha: float) -> _Curve:
    from scipy.interpolate import PchipInterpolator

    # The level itself is a node, so that p is below it exactly where the interval leaves 0 out.
    bounds = {level: look.bound(level) for level in sorted({*_LEVELS, alpha}, reverse=True)}
    # A level that has nothing to spend yet has no boundary of its own.
    own = {level: bound for level, bound in bounds.items() if bound < _FARTHEST}
    squares, logs = [bound**2 for bound in own.values()], [math.log(level) for level in own]
    if len(own) < 2:  # noqa: PLR2004 — no curve through one point
        return _Curve(_FARTHEST, _FARTHEST, 1.0, float)
    return _Curve(min(own.values()), max(own.values()), min(own), PchipInterpolator(squares, logs))
