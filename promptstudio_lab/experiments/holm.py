"""Several questions share one error: Holm's steps, on intervals as well as on p-values.

The clearest answer is held to the strictest level, alpha / m for m questions; each that is clear
there leaves more for the rest. From the first that is not, all keep its level. Holm (1979).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from promptstudio_lab.stats.effect import Effect


class Answer(NamedTuple):
    """An effect at the level that Holm leaves for it.

    Attributes:
        effect: with its interval at that level.
        p_adjusted: compares with the whole error, as if it had been the only question.
    """

    effect: Effect
    p_adjusted: float


def answers(questions: Sequence[Callable[[float], Effect]], alpha: float) -> list[Answer]:
    """Return the effect that each question finds at its level.

    Args:
        questions: each gives its effect at a level.
        alpha: the error that they share: the chance that any of them finds what is not there.

    >>> from functools import partial
    >>> from promptstudio_lab.stats.paired import mean_difference
    >>> from promptstudio_lab.stats.sums import Sums
    >>> sums = Sums.of({"a": [0, 1] * 60, "b": [1, 1] * 60, "c": [0, 1] * 59 + [1, 1]})
    >>> def ask(name, alpha):
    ...     return mean_difference(sums, "a", name, alpha=alpha, method="fixed")
    >>> found = answers([partial(ask, "c"), partial(ask, "b")], 0.05)
    >>> [(one.effect.alpha, one.p_adjusted < 0.05) for one in found]
    [(0.05, False), (0.025, True)]
    """
    first = [_p(ask(alpha)) for ask in questions]
    order = sorted(range(len(questions)), key=first.__getitem__)
    found: list[Answer | None] = [None] * len(questions)
    strict, least, clear = len(questions), 0.0, True
    for done, at in enumerate(order):
        effect = questions[at](alpha / strict)
        least = max(least, min(1.0, (len(questions) - done) * _p(effect)))
        found[at] = Answer(effect, least)
        clear = clear and not effect.low <= 0 <= effect.high and not math.isnan(effect.p_value)
        strict -= clear
    return [answer for answer in found if answer is not None]


def _p(effect: Effect) -> float:
    # What cannot be told is no evidence.
    return 1.0 if math.isnan(effect.p_value) else effect.p_value
