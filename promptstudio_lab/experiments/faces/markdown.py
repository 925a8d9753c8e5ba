"""A report as Markdown, as a pull request shows it: names are shown as they are, never read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import (
    amount,
    estimate,
    interval,
    p_value,
    relative,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.decision import Action, Decision, Finding
    from promptstudio_lab.experiments.health import State
    from promptstudio_lab.experiments.outcome import Outcome

MARKS: dict[Action, str] = {
    "ship": "\U0001f7e2",
    "stop": "\U0001f534",
    "hold": "\u26aa",
    "keep_running": "\U0001f535",
    "invalid": "\U0001f7e0",
}
_STATES: dict[State, str] = {
    "ok": "\u2705 ok",
    "warn": "\u26a0\ufe0f warn",
    "bad": "\u274c bad",
    "unknown": "\u2754 not known",
}
# What Markdown, its tables, its mentions and its HTML would read as their own.
_SPECIAL = re.compile(r"[\\`*_\[\]<>#|~$&@]|:(?=//)|(?<=www)\.")
# What would begin a list, a quote or a heading where a line begins.
_BEGINS = re.compile(r"[-+=]|\d+(?=[.)])")


def markdown(outcome: Outcome) -> str:
    """Return the decision, the numbers, their health and the method."""
    names = f"{outcome.name} \u00b7 {outcome.treatment} against {outcome.control}"
    parts = [
        opening(outcome.decision, names, simulated=outcome.simulated),
        _table(
            ("metric", outcome.control, outcome.treatment, "change", "relative", "interval", "p"),
            [_row(finding) for finding in outcome.findings],
        ),
        "**Health**",
        _table(
            ("", "check", "found", "meaning"),
            [
                (_STATES[check.state], check.name, literal(check.value), literal(check.meaning))
                for check in outcome.health
            ],
            left=4,
        ),
        *_segments(outcome),
        f"<sub>{literal(outcome.reason)}</sub>",
    ]
    return "\n\n".join(parts) + "\n"


def opening(decision: Decision, about: str, *, simulated: bool) -> str:
    """Return the decision as Markdown, with what it is about.

    Args:
        decision: what to do now.
        about: what it is about, as text.
        simulated: whether a stand-in gave the answers.
    """
    word = decision.action.replace("_", " ").capitalize()
    note = "**simulated**: answers of a stand-in, not of a language model\n\n" if simulated else ""
    return (
        f"### {MARKS[decision.action]} {word}: {literal(decision.headline)}\n\n{note}"
        f"{_line(decision.detail)}.\n\n<sub>{literal(about)}</sub>"
    )


def literal(text: str) -> str:
    r"""Return text that Markdown shows as it is.

    >>> literal("a|b <img> *x*")
    'a&#124;b &#60;img&#62; &#42;x&#42;'
    """
    return _SPECIAL.sub(_entity, visible(text))


def _line(text: str) -> str:
    found = _BEGINS.match(text)
    return f"{_entity(found)}{literal(text[found.end() :])}" if found else literal(text)


def _entity(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(letter)};" for letter in found[0])


def _row(finding: Finding) -> tuple[str, ...]:
    effect, unit = finding.effect, finding.metric.unit
    change = f"**{literal(estimate(effect, unit))}** {finding.verdict}"
    return (
        literal(finding.metric.label),
        literal(amount(effect.control, unit)),
        literal(amount(effect.treatment, unit)),
        change
        if finding.guard is None
        else f"{change}; {literal(finding.margin)}: {finding.guard}",
        literal(relative(effect)[0]),
        literal(interval(effect, unit)),
        literal(p_value(finding.p_adjusted)),
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    line = "|".join(":--" if at < left else "--:" for at in range(len(heads)))
    lines = ["|".join(map(literal, heads)), line, *("|".join(row) for row in rows)]
    return "\n".join(f"|{line}|" for line in lines)


def _segments(outcome: Outcome) -> list[str]:
    if outcome.segments is None or not outcome.segments.rows:
        return []
    rows = [
        (
            literal(row.name),
            literal(row.finding.metric.label),
            f"{row.n:,}",
            literal(estimate(row.finding.effect, row.finding.metric.unit)),
            literal(interval(row.finding.effect, row.finding.metric.unit)),
            literal(p_value(row.finding.p_adjusted)),
        )
        for row in outcome.segments.rows
    ]
    heads = (outcome.segments.by, "goal", "items", "change", "interval", "p adjusted")
    return [_table(heads, rows, left=2), literal(outcome.segments.text) + "."]
