"""A report as one piece of HTML: the decision, the picture, its health, the numbers, the method.

No scripts, and no text of a person or a model that is not escaped. Colours come from JupyterLab's
theme, with fallbacks for a plain page.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.faces.belief import HEADS, beliefs, sentence
from promptstudio_lab.experiments.faces.forest import FONT, LINE, draw, readable
from promptstudio_lab.experiments.wording import (
    amount,
    estimate,
    interval,
    level,
    p_value,
    visible,
)
from promptstudio_lab.stats.sums import SumsApart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.decision import Action, Decision, Finding
    from promptstudio_lab.experiments.health import Check, State
    from promptstudio_lab.experiments.outcome import Outcome
    from promptstudio_lab.experiments.segments import Segment
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.sums import Sums

CHIPS: dict[Action, tuple[str, str]] = {
    "ship": ("Ship", "var(--jp-success-color1, #2e7d32)"),
    "stop": ("Stop", "var(--jp-error-color1, #d32f2f)"),
    "keep_running": ("Keep running", "var(--jp-brand-color1, #1976d2)"),
    "hold": ("Hold", "var(--jp-ui-font-color2, #757575)"),
    "invalid": ("Invalid", "var(--jp-warn-color1, #f57c00)"),
}

MUTED = "color:var(--jp-ui-font-color2, inherit)"
STYLE = f"""
.psl-report {{ font: 13px/1.5 {FONT}; color: var(--jp-ui-font-color1, inherit);
  padding: 8px 0; font-variant-numeric: tabular-nums }}
.psl-report > * {{ max-width: 860px }}
.psl-report-head {{ display: flex; gap: 16px; align-items: flex-start;
  border-left: 4px solid var(--psl-c); padding: 4px 0 4px 12px; margin-bottom: 16px }}
.psl-report-chip {{ flex: none; display: inline-flex; align-items: center; gap: 6px;
  border: 1px solid var(--psl-c); border-radius: 12px; padding: 1px 10px; font-weight: 600;
  white-space: nowrap }}
.psl-report-dot {{ width: 8px; height: 8px; border-radius: 50%; background: var(--psl-c) }}
.psl-report-text {{ overflow-wrap: anywhere; color: var(--jp-ui-font-color0, inherit) }}
.psl-report-text b {{ font-weight: 600 }}
.psl-report-about {{ margin-top: 4px; font-size: 11px; {MUTED}; overflow-wrap: anywhere }}
.psl-report-badge {{ display: inline-block; border: 1px dashed
  var(--jp-warn-color1, #f57c00); border-radius: 3px; padding: 0 6px; margin-right: 8px;
  color: var(--jp-ui-font-color1, inherit); font-weight: 600 }}
.psl-report-health {{ display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start;
  margin: 16px 8px 12px; padding: 0; list-style: none }}
.psl-report-health details {{ border: 1px solid {LINE}; border-radius: 4px; font-size: 11px;
  max-width: 100% }}
.psl-report-health summary {{ padding: 2px 8px; cursor: pointer; list-style: none;
  white-space: nowrap; {MUTED} }}
.psl-report-health summary::-webkit-details-marker {{ display: none }}
.psl-report-health summary b {{ font-weight: 600; color: var(--jp-ui-font-color1, inherit) }}
.psl-report-health p {{ margin: 0; padding: 0 8px 6px; max-width: 56ch; overflow-wrap: anywhere }}
.psl-report-state {{ font-weight: 600; margin-right: 4px }}
.psl-report-guard {{ display: block; font-weight: 400; font-size: 11px; {MUTED} }}
.psl-report-title {{ margin: 16px 8px 4px; font-size: 11px; {MUTED} }}
.psl-report .psl-report-table {{ width: 100%; margin: 0; border-collapse: collapse; font-size: 13px;
  table-layout: auto; color: inherit }}
.psl-report-table thead th {{ font-size: 11px; font-weight: 400; {MUTED};
  border-bottom: 1px solid {LINE}; padding: 4px 8px; text-align: right; vertical-align: bottom }}
.psl-report-table tbody tr:nth-child(n) {{ background: transparent }}
.psl-report-table tbody tr:nth-child(n):hover {{
  background: var(--jp-layout-color2, rgba(128, 128, 128, 0.1)) }}
.psl-report-table tbody th, .psl-report-table tbody td {{ padding: 4px 8px;
  text-align: right; white-space: nowrap; border-bottom: 1px solid {LINE}; max-width: none }}
.psl-report-table tr:nth-child(n) th:first-child {{ text-align: left; white-space: normal;
  overflow-wrap: anywhere; min-width: 112px }}
.psl-report-table thead th {{ overflow-wrap: anywhere; min-width: 56px }}
.psl-report > .psl-report-wide {{ overflow-x: auto; width: fit-content; max-width: 100%;
  min-width: min(860px, 100%) }}
.psl-report-table tbody th, .psl-report-table tbody b {{ font-weight: 600 }}
.psl-report-small {{ font-size: 11px; {MUTED} }}
.psl-report > details {{ margin: 8px 8px 0 }}
.psl-report-why {{ margin: 8px 8px 0; font-size: 11px; {MUTED}; overflow-wrap: anywhere }}
.psl-report-grey {{ opacity: 0.45 }}
.psl-report-figures {{ display: grid; gap: 24px 20px; margin: 24px 8px 8px;
  grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)) }}
.psl-report-figures figure {{ margin: 0; max-width: 480px }}
.psl-report-figures figcaption {{ font-size: 11px; {MUTED}; margin-bottom: 6px;
  overflow-wrap: anywhere }}
.psl-report-figures figcaption b {{ display: block; font-size: 13px; font-weight: 600;
  color: var(--jp-ui-font-color1, inherit) }}
.psl-report-sql summary {{ margin: 8px 8px 0; font-size: 11px; cursor: pointer; {MUTED} }}
.psl-report-sql pre {{ margin: 8px; white-space: pre-wrap;
  font: 11px/1.5 var(--jp-code-font-family, monospace) }}
"""


# JupyterLab would set the text between two dollar signs as a formula: prices are not formulas.
REPORT = "psl-report tex2jax_ignore mathjax_ignore"


def page(outcome: Outcome, pictures: str = "") -> str:
    """Return the report as HTML that stands alone inside any page.

    Args:
        outcome: the report.
        pictures: further ones, as HTML of this package's own.
    """
    forest = draw(outcome.findings, control=outcome.control, treatment=outcome.treatment)
    grey = ' class="psl-report-grey"' if outcome.decision.action == "invalid" else ""
    names = f"{outcome.name} \u00b7 {outcome.treatment} against {outcome.control}"
    return head(outcome.decision, names, simulated=outcome.simulated, inside=(
        f'<div{grey}><div class="psl-report-forest">{forest.svg}</div></div>'
        f"{_health(outcome.health)}<div{grey}>{_table(outcome)}{_segments(outcome)}{pictures}</div>"
        f'<div class="psl-report-why">{_text(outcome.reason)}</div>'
        f"{_beliefs(outcome)}{_sums(outcome)}{query(outcome.sql)}"
    ))  # fmt: skip


def head(decision: Decision, about: str, *, simulated: bool, inside: str) -> str:
    """Return a decision with its colour, and below it some HTML.

    Args:
        decision: what to do now.
        about: what it is about, as text.
        simulated: whether a stand-in gave the answers.
        inside: HTML of this package's own.
    """
    word, colour = CHIPS[decision.action]
    badge = '<span class="psl-report-badge">simulated</span>' if simulated else ""
    note = " \u00b7 answers of a stand-in, not of a language model" if simulated else ""
    return (
        f'<div class="{REPORT}" style="--psl-c:{colour}"><style>{STYLE}</style>'
        '<div class="psl-report-head"><span class="psl-report-chip">'
        f'<span class="psl-report-dot"></span>{word}</span>'
        f'<div><div class="psl-report-text"><b>{_text(decision.headline)}:</b>'
        f" {_unbroken(decision.detail)}.</div>"
        f'<div class="psl-report-about">{badge}{_text(about)}{note}</div></div></div>'
        f"{inside}</div>"
    )


def _text(words: str) -> str:
    return escape(visible(words))


def _unbroken(words: str) -> str:
    """Return escaped text in which a number never loses its unit at the end of a line."""
    return _text(words.replace(" %", "\u00a0%").replace("p < ", "p\u00a0<\u00a0"))


STATES: dict[State, tuple[str, str, str]] = {
    "ok": ("\u2713", "ok", "var(--jp-success-color1, #2e7d32)"),
    "warn": ("!", "warn", "var(--jp-warn-color1, #f57c00)"),
    "bad": ("\u2715", "bad", "var(--jp-error-color1, #d32f2f)"),
    "unknown": ("?", "not known", "var(--jp-ui-font-color2, #757575)"),
}


def _health(checks: Sequence[Check]) -> str:
    return f'<div class="psl-report-health">{"".join(map(_check, checks))}</div>'


def _check(check: Check) -> str:
    mark, word, colour = STATES[check.state]
    # What is not well is open at once; what is well opens on a click.
    shown = " open" if check.state in {"warn", "bad"} else ""
    return (
        f'<details{shown}><summary><span class="psl-report-state"'
        f' style="color:{readable(colour)}">{mark} {word}</span>'
        f"{_text(check.name)} <b>{_text(check.value)}</b></summary>"
        f"<p>{_unbroken(check.meaning)}</p></details>"
    )


def _segments(outcome: Outcome) -> str:
    found = outcome.segments
    if found is None or not found.rows:
        return ""
    heads = (found.by, "goal", outcome.noun.many, "change", "interval", "p adjusted")
    cells = "".join(f'<th scope="col">{_text(head)}</th>' for head in heads)
    rows = "".join(map(_segment, found.rows))
    return (
        f'<div class="psl-report-title">by {_text(found.by)}</div>'
        '<div class="psl-report-wide"><table class="psl-report-table"><thead><tr>'
        f"{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<div class="psl-report-why">{_unbroken(found.text)}.</div>'
    )


def _segment(row: Segment) -> str:
    metric, effect = row.finding.metric, row.finding.effect
    cells = (
        _text(metric.label),
        f"{row.n:,}",
        f"<b>{_text(estimate(effect, metric.unit))}</b>",
        ends(effect, metric.unit),
        _text(p_value(row.finding.p_adjusted)),
    )
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{_text(row.name)}</th>{numbers}</tr>'


def _table(outcome: Outcome) -> str:
    levels = {level(finding.effect.alpha) for finding in outcome.findings}
    ends = f"{levels.pop()} {outcome.method} interval" if len(levels) == 1 else "interval"
    heads = ("metric", outcome.control, outcome.treatment, "change", ends, "p")
    cells = "".join(f'<th scope="col">{_text(head)}</th>' for head in heads)
    rows = "".join(_row(finding, tell_level=bool(levels)) for finding in outcome.findings)
    head = f"<thead><tr>{cells}</tr></thead>"
    table = f'<table class="psl-report-table">{head}<tbody>{rows}</tbody></table>'
    return f'<div class="psl-report-wide">{table}</div>'


def _row(finding: Finding, *, tell_level: bool) -> str:
    metric, effect = finding.metric, finding.effect
    at = f'<span class="psl-report-small"> at {level(effect.alpha)}</span>' if tell_level else ""
    cells = (
        _text(amount(effect.control, metric.unit)),
        _text(amount(effect.treatment, metric.unit)),
        f"<b>{_text(estimate(effect, metric.unit))}</b>",
        f"{ends(effect, metric.unit)}{at}",
        _text(p_value(finding.p_adjusted)),
    )
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{_text(metric.label)}{_guard(finding)}</th>{numbers}</tr>'


def ends(effect: Effect, unit: str) -> str:
    """Return an interval that breaks into two lines only between its ends."""
    low, to, high = interval(effect, unit).partition(" to ")
    return f"<span>{_text(low + to.rstrip())}</span> <span>{_text(high)}</span>" if to else low


def _guard(finding: Finding) -> str:
    if finding.metric.role == "exploratory":
        return '<span class="psl-report-guard">exploratory: not in the plan</span>'
    if finding.guard is None:
        return ""
    margin = finding.margin
    return f'<span class="psl-report-guard">{_text(margin)}: {finding.guard}</span>'


def _beliefs(outcome: Outcome) -> str:
    """Return what is believed of each effect, as a table that opens; nothing rests on it."""
    body = "".join(
        f'<tr><th scope="row">{_text(row.label)}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in beliefs(outcome)
    )
    if not body:
        return ""
    line = "".join(f'<th scope="col">{_text(head)}</th>' for head in HEADS)
    return (
        '<details class="psl-report-sql psl-report-belief">'
        "<summary>Chance to win and expected loss</summary>"
        f'<div class="psl-report-wide"><table class="psl-report-table"><thead><tr>{line}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
        f'<div class="psl-report-why">{_unbroken(sentence(outcome))}.</div></details>'
    )


def _sums(outcome: Outcome) -> str:
    """Return the sums that the numbers are computed from, as a table that opens."""
    arms = outcome.sums.arms if isinstance(outcome.sums, SumsApart) else {"": outcome.sums}
    rows = [
        (f"{name}.{column}" if name else column, sums.n, sums.mean(column), _sd(sums, at))
        for name, sums in arms.items()
        for at, column in enumerate(sums.columns)
    ]
    body = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{n:,}</td><td>{mean:.10g}</td>'
        f"<td>{sd:.10g}</td></tr>"
        for name, n, mean, sd in rows
    )
    heads = ("sums of", outcome.noun.many, "mean", "standard deviation")
    line = "".join(f'<th scope="col">{_text(head)}</th>' for head in heads)
    where = " The rows behind them: report.rows.to_polars()." if outcome.read else ""
    return (
        '<details class="psl-report-sql psl-report-sums">'
        "<summary>The sums behind these numbers</summary>"
        f'<div class="psl-report-wide"><table class="psl-report-table"><thead><tr>{line}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
        '<div class="psl-report-why">Every number above follows from these and from the sums of'
        f" products of each two: report.sums.{where}</div></details>"
    )


def _sd(sums: Sums, at: int) -> float:
    squares = sums.products[at][at] - sums.totals[at] ** 2 / sums.n
    return math.sqrt(max(0.0, squares) / (sums.n - 1)) if sums.n > 1 else math.nan


def query(sql: str) -> str:
    """Return a query as a piece of HTML that opens, or nothing."""
    if not sql:
        return ""
    text = "\n".join(visible(line) for line in sql.splitlines())
    return (
        '<details class="psl-report-sql"><summary>The SQL behind these numbers</summary>'
        f"<pre>{escape(text)}</pre></details>"
    )
