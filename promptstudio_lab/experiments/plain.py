"""A report as plain text, for terminals and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import (
    amount,
    estimate,
    interval,
    p_value,
    relative,
    shortened,
)

if TYPE_CHECKING:
    from promptstudio_lab.experiments.outcome import Outcome


def text(outcome: Outcome) -> str:
    """Return the decision, then the numbers in aligned columns, then health and method."""
    decision = outcome.decision
    title = f"{decision.action.replace('_', ' ').upper()}: {decision.text}"
    health = ", ".join(f"{value} {name}" for value, name in outcome.health)
    note = ["SIMULATED: answers of a stand-in, not of a language model"] * outcome.simulated
    return "\n".join([title, *note, "", *aligned(_cells(outcome)), "", health, outcome.reason])


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
                finding.verdict,
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
