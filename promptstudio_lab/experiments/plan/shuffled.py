"""A/A on one's own data: how often the very same report would find what cannot be there.

Which of its two results an item got from which variant is drawn anew, so that nothing can differ
but by chance; then the report is asked again. A method that is right for these data finds something
in at most alpha of such draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.proportions import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from promptstudio_lab.experiments.rows import Rows, Table
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.sums import Floats

_FEWEST = 20


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """How often a report on shuffled data found something.

    Attributes:
        metric: what was measured.
        times: how many shuffles.
        found: in how many the interval left 0 out.
        share: that as a share.
        low: the lower end of the share's interval (Wilson, 95 %).
        high: the upper end.
        alpha: how often the report promises to be wrong at most.
    """

    metric: str
    times: int
    found: int
    share: float
    low: float
    high: float
    alpha: float

    _repr_html_ = named_html

    @property
    def ok(self) -> bool:
        """Whether that is no more than was promised, as far as so many shuffles can tell."""
        return self.low <= self.alpha

    @property
    def text(self) -> str:
        """The answer in words."""
        verdict = "as promised" if self.ok else "more than promised: do not trust its intervals"
        return (
            f"on {self.times:,} shuffles of these data, in which nothing differs, the report found"
            f" a difference in {visible(self.metric)} {self.found:,} times"
            f" ({100 * self.share:.1f} %, {100 * self.low:.1f} to {100 * self.high:.1f} %), of"
            f" {100 * self.alpha:g} % that are accepted: {verdict}"
        )

    def __repr__(self) -> str:
        """Say it in words."""
        return self.text


def self_check(
    rows: Rows,
    metric: Metric,
    *,
    alpha: float = 0.05,
    method: Method = "anytime",
    times: int = 400,
    seed: int = 0,
) -> SelfCheck:
    """Return how often a metric's interval leaves 0 out when nothing differs.

    Args:
        rows: the rows behind a report.
        metric: what is measured.
        alpha: the chance of a wrong finding that is accepted.
        method: `anytime` or `fixed`.
        times: how many shuffles.
        seed: of the draws.

    Raises:
        AnalysisError: for fewer than 20 shuffles, or if the rows cannot answer.
    """
    if times < _FEWEST:
        message = f"{times} shuffles tell nothing; at least {_FEWEST} are needed"
        raise AnalysisError(message)
    random, found = np.random.default_rng(seed), 0
    for _ in range(times):
        sums = _shuffled(rows, random).sums([metric])
        effect = metric.effect(sums, rows.control, rows.treatment, alpha, method)
        found += not (effect.low <= 0 <= effect.high) and effect.se > 0
    ends = wilson(found, times)
    return SelfCheck(metric.label, times, found, found / times, ends.low, ends.high, alpha)


def _shuffled(rows: Rows, random: np.random.Generator) -> Rows:
    if rows.paired is not None:
        return replace(rows, paired=_swapped(rows.paired, (rows.control, rows.treatment), random))
    return replace(rows, apart=_dealt(rows, random))


def _swapped(table: Table, names: tuple[str, str], random: np.random.Generator) -> Table:
    groups = np.arange(table.n) if table.clusters is None else table.clusters
    # Whatever belongs together changes sides together.
    swap = (random.random(int(groups.max(initial=0)) + 1) < 1 / 2)[groups]
    old, new = (table.values[name] for name in names)
    sides = {
        names[0]: {column: np.where(swap, new[column], old[column]) for column in old},
        names[1]: {column: np.where(swap, old[column], new[column]) for column in old},
    }
    return replace(table, values=sides)


def _dealt(rows: Rows, random: np.random.Generator) -> dict[str, Table]:
    names = (rows.control, rows.treatment)
    one, other = (rows.apart[name] for name in names)
    values: dict[str, Floats] = {
        column: np.concatenate([one.values[names[0]][column], other.values[names[1]][column]])
        for column in one.values[names[0]]
    }
    groups = _groups(one, other)
    firsts = len(np.unique(groups[: one.n]))
    dealt = random.permutation(int(groups.max()) + 1)
    mine = dealt[groups] < firsts
    at = np.arange(len(groups))
    units = np.concatenate([one.units, other.units])
    clustered = one.clusters is not None
    return {
        name: replace(
            one,
            values={name: {column: some[chosen] for column, some in values.items()}},
            clusters=np.unique(groups[chosen], return_inverse=True)[1] if clustered else None,
            labels=one.labels[:0],
            at=at[chosen],
            units=units[chosen],
        )
        for name, chosen in zip(names, (mine, ~mine), strict=True)
    }


def _groups(one: Table, other: Table) -> NDArray[Any]:  # places of clusters, or of rows
    if one.clusters is None or other.clusters is None:
        return np.arange(one.n + other.n)
    return np.concatenate([one.clusters, other.clusters + one.clusters.max() + 1])
