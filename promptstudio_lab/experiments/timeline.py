"""How the answer came about: the interval after the first items, after some more, up to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError

if TYPE_CHECKING:
    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

LOOKS = 40
_FIRST = 8


@dataclass(frozen=True, slots=True)
class Moment:
    """What was known after some of the items.

    Attributes:
        n: how many items had come.
        effect: what they showed.
    """

    n: int
    effect: Effect


def timeline(
    rows: Rows, metric: Metric, *, alpha: float = 0.05, method: Method = "anytime"
) -> tuple[Moment, ...]:
    """Return the effect after the first items, and so on up to all of them.

    Args:
        rows: in the order in which they came.
        metric: what is measured.
        alpha: the chance that the interval misses the truth, at any time.
        method: `anytime`; with `fixed` each interval is right only if it is the only one.

    Raises:
        AnalysisError: if there are too few rows for one interval.
    """
    found = []
    first = min(_FIRST, rows.n)
    counts = sorted({first + (rows.n - first) * look // (LOOKS - 1) for look in range(LOOKS)})
    for count in counts:
        try:
            sums = rows.first(count).sums([metric])
            effect = metric.effect(sums, rows.control, rows.treatment, alpha, method)
        except AnalysisError:
            continue  # one variant has not come yet, or not twice
        if effect.se > 0:
            found.append(Moment(count, effect))
    if not found:
        message = f"{rows.n} rows are too few to draw how {metric.name!r} came about"
        raise AnalysisError(message)
    return tuple(found)
