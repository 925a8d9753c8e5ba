"""Student's t: the interval for a number of items that was fixed in advance, looked at once."""

from __future__ import annotations

from dataclasses import dataclass

_SMALLEST_POWER = 1000  # beyond it 2^-n is no longer a float


@dataclass(frozen=True, slots=True)
class Fixed:
    """The rule of a t interval with n - 1 degrees of freedom.

    Attributes:
        alpha: the chance that the interval misses the truth, in one look.
    """

    alpha: float

    words = "paired t interval, right for one look at a number of items fixed in advance"
    short = "fixed"

    def half_width(self, n: int) -> float:
        """Return half the interval's width after `n` items, in standard errors.

        >>> round(Fixed(0.05).half_width(15), 3)
        2.145
        """
        return _upper(self.alpha / 2, n)

    def p_value(self, z: float, n: int) -> float:
        """Return the two-sided p-value of an estimate that is `z` standard errors from 0.

        >>> round(Fixed(0.05).p_value(2.14798746, 15), 4)
        0.0497
        """
        from scipy.stats import t

        return float(2 * t.sf(abs(z), n - 1))

    def unanimous_z(self, n: int) -> float:
        """Return the z whose p-value is that of a sign test in which all `n` items agree."""
        return _upper(2.0 ** -min(n, _SMALLEST_POWER), n)


def _upper(tail: float, n: int) -> float:
    from scipy.stats import t

    return float(t.isf(tail, n - 1))
