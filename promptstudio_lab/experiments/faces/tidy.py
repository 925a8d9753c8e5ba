"""A report as columns: one row a metric, then one a goal and segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptstudio_lab.experiments.decision import Finding
    from promptstudio_lab.experiments.outcome import Outcome

ALL = "all"
"""The segment of what was found over all items."""

NUMBERS = (
    *("estimate", "lo", "hi", "p", "p_adj", "se", "control", "treatment"),
    *("relative", "relative_lo", "relative_hi", "alpha"),
    *("chance_to_win", "expected_loss", "information", "boundary"),
)
"""The columns that hold numbers of which some may be unknown."""


def columns(outcome: Outcome) -> dict[str, list[object]]:
    """Return the columns of the tidy frame, the ones that are read most first."""
    rows = [_row(outcome, finding, ALL, outcome.items) for finding in outcome.findings]
    if outcome.segments is not None:
        rows += [_row(outcome, row.finding, row.name, row.n) for row in outcome.segments.rows]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _row(outcome: Outcome, finding: Finding, segment: str, n: int) -> dict[str, object]:
    metric, effect, belief = finding.metric, finding.effect, finding.belief
    look = None if outcome.due is None else outcome.due.look
    return {
        "metric": metric.name,
        "variant": outcome.treatment,
        "segment": segment,
        "estimate": effect.estimate,
        "lo": effect.low,
        "hi": effect.high,
        "p": effect.p_value,
        "p_adj": finding.p_adjusted,
        "method": effect.method,
        "n": n,
        "clusters": effect.n,
        "se": effect.se,
        "unit": metric.unit,
        "role": metric.role,
        "control": effect.control,
        "treatment": effect.treatment,
        "relative": effect.relative,
        "relative_lo": effect.relative_low,
        "relative_hi": effect.relative_high,
        "alpha": effect.alpha,
        "verdict": finding.verdict,
        "guard": finding.guard,
        "experiment": outcome.name,
        "control_variant": outcome.control,
        "simulated": outcome.simulated,
        "chance_to_win": None if belief is None else belief.chance_to_win,
        "expected_loss": None if belief is None else belief.loss.treatment,
        "planned_look": None if look is None else look.number,
        "information": None if look is None else look.information[-1],
        "boundary": None if look is None else look.bound(effect.alpha),
    }
