"""Segments: whether a treatment helps everywhere, asked honestly of many at once.

Which segments differ from 0 is decided by Benjamini and Hochberg over all goals and segments
(1995); each interval is at the level that this leaves (Benjamini and Yekutieli 2005), so that an
interval excludes 0 exactly where its adjusted p-value says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.decision import Finding
from promptstudio_lab.experiments.wording import p_value, shortened, visible
from promptstudio_lab.stats.adjusted.strata import heterogeneity
from promptstudio_lab.stats.bayes.effect import FLAT
from promptstudio_lab.stats.multiplicity import adjust
from promptstudio_lab.stats.unpaired import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.bayes.effect import Prior
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

MOST = 30
"""More segments than this are no segments."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A goal within one segment.

    Attributes:
        by: what the segments are called.
        name: the segment.
        finding: what was found in it; its `p_adjusted` counts all segments and goals.
        n: how many items it has.
    """

    by: str
    name: str
    finding: Finding
    n: int


@dataclass(frozen=True, slots=True)
class Segments:
    """Every goal within every segment.

    Attributes:
        by: what the segments are called.
        rows: a goal within a segment, segment by segment, the largest first.
        differs: by goal, the p-value of the hypothesis that all segments share one effect; `nan`
            where fewer than two have a spread.
    """

    by: str
    rows: tuple[Segment, ...]
    differs: dict[str, float]

    @property
    def text(self) -> str:
        """What the segments say together."""
        if not self.rows:
            return ""
        parts = []
        for row in {row.finding.metric.name: row for row in self.rows}.values():
            p, label = self.differs[row.finding.metric.name], visible(row.finding.metric.label)
            if math.isnan(p):
                parts.append(f"{label}: too few segments have a spread to compare them")
            else:
                same = "no sign that it differs" if p >= _SAME else "it is not the same everywhere"
                parts.append(f"{label}: {same} by {visible(self.by)} (p {p_value(p)})")
        return (
            "; ".join(parts) + ". Intervals and p-values count all segments"
            " (Benjamini-Hochberg); segments are for hypotheses, not for decisions"
        )


_SAME = 0.05


def segmented(
    rows: Rows,
    metrics: Sequence[Metric],
    *,
    alpha: float = 0.05,
    method: Method = "anytime",
    prior: Prior = FLAT,
) -> Segments:
    """Return every goal within every segment.

    Args:
        rows: with their segments.
        metrics: what was measured; only goals are looked at.
        alpha: the share of false findings among all that is accepted.
        method: `anytime`, `fixed`, or a planned look.
        prior: what was believed of every relative effect.

    Raises:
        AnalysisError: if there are too many segments.
    """
    names = rows.segments
    if len(names) > MOST:
        message = (
            f"{shortened(rows.by)!r} has {len(names)} values; segments are at most {MOST}."
            " Hint: group them first."
        )
        raise AnalysisError(message)
    goals = [metric for metric in metrics if metric.role == "goal"]
    parts = {name: rows.segment(name) for name in names}
    asked = [(name, metric) for name in names for metric in goals]

    def ask(name: str, metric: Metric, level: float) -> Effect:
        part = parts[name]
        try:
            sums = part.sums(goals)
            return metric.effect(sums, rows.control, rows.treatment, level, method)
        except AnalysisError as error:
            return unknown(part.n, str(error), alpha=level, method=method)

    first = [ask(name, metric, alpha) for name, metric in asked]
    p_values = [1.0 if math.isnan(effect.p_value) else effect.p_value for effect in first]
    adjusted = adjust(p_values, "bh", alpha=alpha)
    level = alpha * max(1, sum(adjusted.rejected)) / max(1, len(asked))
    found = tuple(
        Segment(rows.by, name, Finding(metric, ask(name, metric, level), p, prior), parts[name].n)
        for (name, metric), p in zip(asked, adjusted.p_values, strict=True)
    )
    return Segments(rows.by, found, {metric.name: _differs(metric, found) for metric in goals})


def _differs(metric: Metric, found: Sequence[Segment]) -> float:
    effects = [row.finding.effect for row in found if row.finding.metric is metric]
    known = [effect for effect in effects if effect.se > 0]
    if len(known) < 2:  # noqa: PLR2004 — two can differ
        return math.nan
    return heterogeneity([one.estimate for one in known], [one.se for one in known]).p_value
