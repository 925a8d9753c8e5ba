"""A report as Markdown, as a pull request shows it: names are shown as they are, never read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.faces.belief import HEADS, beliefs, sentence
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
    from promptstudio_lab.experiments.health import Check, State
    from promptstudio_lab.experiments.outcome import Outcome

MARKS: dict[Action, str] = {
    "ship": "\U0001f7e2",
    "stop": "\U0001f534",
    "hold": "\u26aa",
    "keep_running": "\U0001f535",
    "invalid": "\U0001f7e0",
}
_STATES: dict[State, str] = {
    "ok": "\u2705&nbsp;ok",
    "warn": "\u26a0\ufe0f&nbsp;warn",
    "bad": "\u274c&nbsp;bad",
    "unknown": "\u2754&nbsp;not&nbsp;known",
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
        _health(outcome.health),
        *_segments(outcome),
        *_beliefs(outcome),
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


def _health(checks: Sequence[Check]) -> str:
    """Return what is well folded up, and what is not open at once."""
    well = sum(check.state == "ok" for check in checks)
    unwell = any(check.state in {"warn", "bad"} for check in checks)
    rows = [
        (_STATES[check.state], check.name, literal(check.value), literal(check.meaning))
        for check in checks
    ]
    table = _table(("", "check", "found", "meaning"), rows, left=4)
    title = f"<summary><b>Health</b>: {well} of {len(checks)} checks are ok</summary>"
    # A blank line on either side, or the table would be read as HTML.
    return f"<details{' open' if unwell else ''}>{title}\n\n{table}\n\n</details>"


def _beliefs(outcome: Outcome) -> list[str]:
    rows = [tuple(map(literal, one)) for one in beliefs(outcome)]
    if not rows:
        return []
    title = "<summary>Chance to win and expected loss</summary>"
    return [
        f"<details>{title}\n\n{_table(HEADS, rows)}\n\n{literal(sentence(outcome))}.\n\n</details>"
    ]


def _line(text: str) -> str:
    found = _BEGINS.match(text)
    return f"{_entity(found)}{literal(text[found.end() :])}" if found else literal(text)


def _entity(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(letter)};" for letter in found[0])


def _row(finding: Finding) -> tuple[str, ...]:
    effect, unit = finding.effect, finding.metric.unit
    change = f"**{literal(estimate(effect, unit))}** {finding.verdict}"
    if finding.metric.role == "exploratory":
        change += ", exploratory"
    return (
        literal(finding.metric.label),
        literal(amount(effect.control, unit)),
        literal(amount(effect.treatment, unit)),
        change
        if finding.guard is None
        else f"{change}; {literal(finding.margin)}: {finding.guard}",
        literal(relative(effect)[0]),
        literal(interval(effect, unit)),
        _p(finding.p_adjusted),
    )


def _p(value: float) -> str:
    return literal(p_value(value)).replace(" ", "&nbsp;")


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
            _p(row.finding.p_adjusted),
        )
        for row in outcome.segments.rows
    ]
    heads = (outcome.segments.by, "goal", outcome.noun.many, "change", "interval", "p adjusted")
    return [_table(heads, rows, left=2), literal(outcome.segments.text) + "."]
