"""The forest plot: relative effects with their intervals around a line of no change, as one SVG.

It takes its colours from JupyterLab's theme and falls back to the text's own colour, so that it
reads on light and dark pages alike; shape and words say what the colours say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import (
    MINUS,
    relative,
    shortened,
    signed,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.decision import Finding, Verdict

COLOURS: dict[Verdict, str] = {
    "better": "var(--jp-success-color1, #2e7d32)",
    "worse": "var(--jp-error-color1, #d32f2f)",
    "unclear": "currentColor",
    "equal": "currentColor",
    "unknown": "currentColor",
}
FONT = "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', sans-serif)"
LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.4))"

_WIDTH, _ROW, _TOP, _FOOT = 860, 40, 8, 40
_LABEL, _LEFT, _RIGHT, _ESTIMATE, _INTERVAL = 8, 184, 560, 640, 772
_MOST = 3.0  # beyond a change of 300 % an arrow says more than a squashed scale
_LEAST = 0.02  # each side: so ticks are whole per cents
_TICKS = 6
_STYLE = (
    f".psl-forest{{font-family:{FONT};font-size:13px;fill:currentColor;"
    "font-variant-numeric:tabular-nums}"
    ".psl-forest .small{font-size:11px;opacity:.72}"
    ".psl-forest .end{text-anchor:end}.psl-forest .mid{text-anchor:middle}"
)


@dataclass(frozen=True, slots=True)
class Forest:
    """A forest plot that a notebook shows and a file can hold.

    Attributes:
        svg: the whole picture as SVG text.
    """

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float

    def x(self, value: float) -> float:
        """Return where a relative change stands, in pixels, kept inside the plot."""
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / (self.high - self.low)
        return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def draw(findings: Sequence[Finding], *, control: str, treatment: str) -> Forest:
    """Return the forest plot of the findings, one row each.

    Args:
        findings: the metrics and their effects.
        control: the control's name.
        treatment: the treatment's name.
    """
    scale = _scale(findings)
    bottom = _TOP + _ROW * len(findings)
    rows = [_row(finding, scale, _TOP + _ROW * i) for i, finding in enumerate(findings)]
    caption = f"relative change from {shortened(control)} to {shortened(treatment)}"
    return Forest(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="psl-forest" role="img" width="100%"'
        f' style="max-width:{_WIDTH}px;height:auto;display:block"'
        f' viewBox="0 0 {_WIDTH} {bottom + _FOOT}" aria-label="{escape(_spoken(findings))}">'
        f"<style>{_STYLE}</style>{_axis(scale, bottom)}{''.join(rows)}"
        f'<text class="small mid" x="{(_LEFT + _RIGHT) / 2}" y="{bottom + 34}">'
        f"{escape(caption)}</text></svg>"
    )


def readable(colour: str) -> str:
    """Return a colour for words: nearer to the page's own text, on light and dark pages alike."""
    return f"color-mix(in srgb, {colour} 70%, currentColor)"


def _scale(findings: Sequence[Finding]) -> _Scale:
    ends = [
        end
        for finding in findings
        for end in (finding.effect.relative_low, finding.effect.relative_high)
        if end is not None
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    margin = 0.06 * (high - low) + _LEAST
    return _Scale(max(low - margin, -_MOST), min(high + margin, _MOST))


def _axis(scale: _Scale, bottom: int) -> str:
    step = _step((scale.high - scale.low) / _TICKS)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    parts = []
    for tick in range(first, last + 1):
        x, label = scale.x(tick * step), f"{signed(100 * tick * step, 0)} %"
        look = (
            'stroke="currentColor" stroke-opacity=".6"'
            if tick == 0
            else f'style="stroke:{LINE}" stroke-dasharray="1 3"'
        )
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}" {look}/>'
            f'<text class="small mid" x="{x}" y="{bottom + 16}">{label}</text>'
        )
    return "".join(parts)


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(nice * power for nice in (1, 2, 5, 10) if nice * power >= least * 0.999)


def _row(finding: Finding, scale: _Scale, top: int) -> str:
    middle, metric, effect = top + _ROW // 2, finding.metric, finding.effect
    estimate, interval = relative(effect)
    aim = f"{metric.role}, {metric.better} is better"
    return (
        f"<g><title>{escape(visible(metric.label))}</title>"
        f'<line x1="0" x2="{_WIDTH}" y1="{top + _ROW}" y2="{top + _ROW}"'
        f' style="stroke:{LINE}" stroke-opacity=".5"/>'
        f'<text x="{_LABEL}" y="{middle - 2}" font-weight="600">'
        f"{escape(shortened(metric.label))}</text>"
        f'<text class="small" x="{_LABEL}" y="{middle + 12}">{escape(aim)}</text>'
        f"{_mark(finding, scale, middle)}"
        f'<text class="end" x="{_ESTIMATE}" y="{middle + 4}" font-weight="600">{estimate}</text>'
        f'<text class="small end" x="{_INTERVAL}" y="{middle + 4}">{interval}</text>'
        f'<text class="end" x="{_WIDTH - _LABEL}" y="{middle + 4}"'
        f' style="fill:{readable(COLOURS[finding.verdict])}">{finding.verdict}</text></g>'
    )


def _mark(finding: Finding, scale: _Scale, y: int) -> str:
    effect, colour = finding.effect, COLOURS[finding.verdict]
    if effect.relative is None or effect.relative_low is None or effect.relative_high is None:
        words = "unknown" if finding.verdict == "unknown" else "no relative change from 0"
        middle = (_LEFT + _RIGHT) / 2
        return f'<text class="small mid" x="{middle}" y="{y + 4}">{words}</text>'
    ends = ((effect.relative_low, scale.low, 1), (effect.relative_high, scale.high, -1))
    left, right = (scale.x(end) for end, _, _ in ends)
    arrows = [
        f'<path d="M{scale.x(edge)} {y}l{7 * side} -5v10z" fill="currentColor"/>'
        for end, edge, side in ends
        if end * side < edge * side
    ]
    point = scale.x(effect.relative)
    # Filled when the interval leaves 0 out, hollow when it does not.
    fill = "currentColor" if finding.verdict in {"better", "worse"} else _PAPER
    return _limit(finding, scale, y) + (
        f'<g style="color:{colour}" stroke="currentColor" stroke-width="2">'
        f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        f'<path d="M{left} {y - 4}v8M{right} {y - 4}v8" stroke-width="1.5"/>{"".join(arrows)}'
        f'<circle cx="{point}" cy="{y}" r="4.5" style="fill:{fill}"/></g>'
    )


def _limit(finding: Finding, scale: _Scale, y: int) -> str:
    """Draw how far a guardrail may go: beyond the bracket is too far."""
    control = finding.effect.control
    if finding.guard is None or not control:
        return ""
    share = finding.bound / abs(control)
    if not scale.low < share < scale.high:
        return ""
    side = -4 if share > 0 else 4
    return (
        f'<path d="M{scale.x(share) + side} {y - 12}h{-side}v24h{side}" fill="none"'
        f' stroke="currentColor" stroke-opacity=".55"><title>{escape(finding.margin)}</title>'
        "</path>"
    )


_PAPER = "var(--jp-layout-color0, Canvas)"


def _spoken(findings: Sequence[Finding]) -> str:
    lines = [
        f"{visible(item.metric.label)} {' '.join(relative(item.effect))}, {item.verdict}"
        for item in findings
    ]
    return "; ".join(lines).replace(MINUS, "minus ")
