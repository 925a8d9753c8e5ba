"""A report as plain text, for terminals and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.experiments.faces.belief import HEADS, beliefs, sentence
from promptstudio_lab.experiments.wording import (
    amount,
    estimate,
    interval,
    p_value,
    relative,
    shortened,
)

if TYPE_CHECKING:
    from promptstudio_lab.experiments.health import Check
    from promptstudio_lab.experiments.outcome import Outcome


def text(outcome: Outcome) -> str:
    """Return the decision, then the numbers in aligned columns, then health and method."""
    decision = outcome.decision
    title = f"{decision.action.replace('_', ' ').upper()}: {decision.text}"
    note = ["SIMULATED: answers of a stand-in, not of a language model"] * outcome.simulated
    parts = [title, *note, "", *aligned(_cells(outcome)), "", *_health(outcome)]
    return "\n".join([*parts, *_segments(outcome), *_beliefs(outcome), "", outcome.reason])


def _beliefs(outcome: Outcome) -> list[str]:
    rows = [(shortened(one.label), *one[1:]) for one in beliefs(outcome)]
    return ["", *aligned([HEADS, *rows]), f"{sentence(outcome)}."] if rows else []


def _health(outcome: Outcome) -> list[str]:
    widths = [
        max(len(cell) for cell in column)
        for column in zip(*map(_told, outcome.health), strict=True)
    ]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(_told(check), widths, strict=True)
        ).rstrip()
        for check in outcome.health
    ]


def _told(check: Check) -> tuple[str, str, str, str]:
    state = "not known" if check.state == "unknown" else check.state
    return state, check.name, check.value, check.meaning


def _segments(outcome: Outcome) -> list[str]:
    if outcome.segments is None:
        return []
    first = (shortened(outcome.segments.by), "goal", outcome.noun.many)
    heads = (*first, "change", "interval", "p adjusted")
    table: list[tuple[str, ...]] = [heads]
    for row in outcome.segments.rows:
        effect, metric = row.finding.effect, row.finding.metric
        table.append(
            (
                shortened(row.name),
                shortened(metric.label),
                f"{row.n:,}",
                estimate(effect, metric.unit),
                interval(effect, metric.unit),
                p_value(row.finding.p_adjusted),
            )
        )
    return ["", *aligned(table), outcome.segments.text]


def _cells(outcome: Outcome) -> list[tuple[str, ...]]:
    heads = ("metric", shortened(outcome.control), shortened(outcome.treatment))
    table: list[tuple[str, ...]] = [(*heads, "change", "relative", "interval", "p", "verdict")]
    for finding in outcome.findings:
        effect, unit = finding.effect, finding.metric.unit
        table.append(
            (
                shortened(finding.metric.label),
                amount(effect.control, unit),
                amount(effect.treatment, unit),
                estimate(effect, unit),
                "" if effect.relative is None else relative(effect)[0],
                interval(effect, unit),
                p_value(effect.p_value),
                f"{finding.verdict}, exploratory"
                if finding.metric.role == "exploratory"
                else finding.verdict,
            )
        )
    return table


def aligned(table: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table: the first column to the left, numbers to the right.

    >>> aligned([("name", "n"), ("a", "12")])
    ['name   n', 'a     12']
    """
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
