"""What a treatment does to one metric: the record that every comparison ends in."""

from __future__ import annotations

from dataclasses import dataclass

from promptstudio_lab.shown import named_html

ALPHA = 0.05
FEW_ITEMS = 30
"""Below this many items the normal limit that the intervals lean on is far away."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a treatment does to one metric, against a control, over the same items.

    Attributes:
        control: the control's value.
        treatment: the treatment's value.
        estimate: treatment minus control.
        low: the lower end of the estimate's interval.
        high: the upper end of the estimate's interval.
        relative: the estimate as a share of the control, or None when the control is 0.
        relative_low: the lower end of the relative effect's interval.
        relative_high: the upper end of the relative effect's interval.
        p_value: of the hypothesis that nothing changes; below alpha when the interval excludes 0.
        se: the estimate's standard error.
        n: the number of items.
        method: `anytime` or `fixed`.
        reason: why this method, and what is unusual about these numbers.
        alpha: the chance of missing the truth that the intervals accept.

    Numbers that do not exist are `nan`, and `reason` says why.
    """

    control: float
    treatment: float
    estimate: float
    low: float
    high: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_value: float
    se: float
    n: int
    method: str
    reason: str
    alpha: float = ALPHA

    _repr_html_ = named_html

    @property
    def identical(self) -> bool:
        """Whether no item showed any difference at all; the interval says what that may hide."""
        return self.estimate == 0 and self.se == 0
