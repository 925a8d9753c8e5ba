"""A picture as data, and as SVG: bars, intervals, or a line through time.

It takes its colours from JupyterLab's theme and falls back to the text's own colour, so that it
reads on light and dark pages alike; shapes and words say what the colours say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias

from promptstudio_lab.experiments.faces.forest import FONT, LINE
from promptstudio_lab.experiments.wording import amount, shortened, visible

Kind: TypeAlias = Literal["bars", "intervals", "line"]

MOST_ROWS = 12
ACCENT = "var(--jp-brand-color1, #1976d2)"
ALERT = "var(--jp-error-color1, #d32f2f)"
CALM = {"", "ok", "learning", "actual", "forecast"}
_WIDTH, _ROW, _TOP, _LEFT, _RIGHT = 860, 24, 8, 232, 700
_TALL = 180
MIDNIGHT = " 00:00"
"""What ends a moment that is a whole day: it is not shown."""

_STYLE = (
    f".psl-drawn{{font-family:{FONT};font-size:13px;fill:currentColor;"
    "font-variant-numeric:tabular-nums}.psl-drawn .small{font-size:11px;opacity:.72}"
    ".psl-drawn .end{text-anchor:end}"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that is drawn.

    Attributes:
        label: what it is; in a line the day or moment, as ISO text.
        value: how much; None where nothing is known.
        low: the lower end of its interval, where it has one.
        high: the upper end.
        state: what is remarkable about it, such as `high`, `forecast` or `no data`.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a picture shows, whoever draws it.

    Attributes:
        kind: `bars`, `intervals` around 0, or a `line` through time.
        title: what the values are.
        unit: their unit, as `experiments.wording` knows it.
        marks: the things, in order.
    """

    kind: Kind
    title: str
    unit: str
    marks: tuple[Mark, ...]

    @property
    def svg(self) -> str:
        """The picture as SVG text; empty where there is nothing to draw."""
        if not any(mark.value is not None for mark in self.marks):
            return ""
        body, height = _line(self) if self.kind == "line" else _rows(self)
        spoken = f"{visible(self.title)}: " + "; ".join(map(self._spoken, self.marks[:MOST_ROWS]))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" class="psl-drawn" role="img" width="100%"'
            f' style="max-width:{_WIDTH}px;height:auto;display:block"'
            f' viewBox="0 0 {_WIDTH} {height}" aria-label="{escape(spoken)}">'
            f"<style>{_STYLE}</style>{body}</svg>"
        )

    def _spoken(self, mark: Mark) -> str:
        value = "unknown" if mark.value is None else amount(mark.value, self.unit)
        return f"{visible(mark.label)} {value} {mark.state}".strip()


def _rows(drawing: Drawing) -> tuple[str, int]:
    shown = drawing.marks[:MOST_ROWS]
    low, high = _extent(shown, zero=True)
    x = _scaled(low, high, _LEFT, _RIGHT)
    foot = _TOP + _ROW * len(shown)
    parts = [f'<line x1="{x(0)}" x2="{x(0)}" y1="{_TOP}" y2="{foot}" style="stroke:{LINE}"/>']
    for at, mark in enumerate(shown):
        middle = _TOP + _ROW * at + _ROW // 2
        parts.append(
            f"<g><title>{escape(visible(mark.label))}</title>"
            f'<text class="end" x="{_LEFT - 12}" y="{middle + 4}">'
            f"{escape(shortened(mark.label))}</text>"
            f"{_bar(drawing.kind, mark, x, middle)}"
            f'<text class="end" x="{_WIDTH - 8}" y="{middle + 4}">'
            f"{escape(_figure(mark, drawing.unit))}</text></g>"
        )
    bottom = foot + 16
    rest = len(drawing.marks) - len(shown)
    more = f" \u00b7 {rest:,} more" if rest else ""
    title = escape(f"{visible(drawing.title)}{more}")
    return (
        f'{"".join(parts)}<text class="small" x="{_LEFT}" y="{bottom}">{title}</text>',
        bottom + 8,
    )


def _bar(kind: Kind, mark: Mark, x: _Scale, y: int) -> str:
    if mark.value is None:
        return f'<text class="small" x="{_LEFT + 4}" y="{y + 4}">unknown</text>'
    colour = ACCENT if mark.state in CALM else ALERT
    at = x(mark.value)
    if kind == "bars":
        left, width = min(x(0), at), max(abs(at - x(0)), 1.0)
        return f'<rect x="{left}" y="{y - 7}" width="{width}" height="14" style="fill:{colour}"/>'
    ends = [x(end) for end in (mark.low, mark.high) if end is not None and math.isfinite(end)]
    line = (
        f'<line x1="{min(ends)}" x2="{max(ends)}" y1="{y}" y2="{y}" stroke="currentColor"'
        ' stroke-width="2"/>'
        if ends
        else ""
    )
    return f'{line}<circle cx="{at}" cy="{y}" r="4" style="fill:{colour}"/>'


def _line(drawing: Drawing) -> tuple[str, int]:
    marks = drawing.marks
    low, high = _extent(marks, zero=False)
    down = _scaled(low, high, _TOP + _TALL, _TOP)
    across = _scaled(0, max(1, len(marks) - 1), 72, _WIDTH - 16)
    band = [
        (across(at), down(mark.low), down(mark.high))
        for at, mark in enumerate(marks)
        if mark.low is not None and mark.high is not None
        and math.isfinite(mark.low) and math.isfinite(mark.high)
    ]  # fmt: skip
    area = " ".join(
        [f"{x},{top}" for x, _, top in band] + [f"{x},{foot}" for x, foot, _ in reversed(band)]
    )
    parts = [
        f'<polygon points="{area}" style="fill:{ACCENT}" fill-opacity=".16"/>' if band else "",
        *_strokes(marks, across, down),
        *(_dot(mark, across(at), down(mark.value)) for at, mark in enumerate(marks)
          if mark.value is not None and mark.state not in CALM),
        *_axis(drawing, (low, high), down),
    ]  # fmt: skip
    first, last = (_moment(mark) for mark in (marks[0], marks[-1]))
    foot = _TOP + _TALL + 18
    title = escape(visible(drawing.title))
    parts.append(
        f'<text class="small" x="72" y="{foot}">{first}</text>'
        f'<text class="small" x="{_WIDTH // 2}" y="{foot}" text-anchor="middle">{title}</text>'
        f'<text class="small end" x="{_WIDTH - 16}" y="{foot}">{last}</text>'
    )
    return "".join(parts), foot + 8


def _strokes(marks: tuple[Mark, ...], across: _Scale, down: _Scale) -> list[str]:
    """Draw the values as lines that break where there are none; a forecast is dashed."""
    pieces: list[list[tuple[int, Mark]]] = [[]]
    for at, mark in enumerate(marks):
        turned = pieces[-1] and (pieces[-1][-1][1].state == "forecast") != (
            mark.state == "forecast"
        )
        if mark.value is None or turned:
            pieces.append([])
        if mark.value is not None:
            pieces[-1].append((at, mark))
    found = []
    for piece in filter(None, pieces):
        # What stands alone between gaps is a dot, which is a line to where it begins.
        ends = piece if len(piece) > 1 else piece * 2
        points = " ".join(f"{across(at)},{down(mark.value or 0.0)}" for at, mark in ends)
        wide = 1.5 if len(piece) > 1 else 3
        dashes = ' stroke-dasharray="4 3"' if piece[0][1].state == "forecast" else ""
        found.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor"'
            f' stroke-width="{wide}" stroke-linecap="round"{dashes}/>'
        )
    return found


def _moment(mark: Mark) -> str:
    return escape(visible(mark.label.removesuffix(MIDNIGHT)))


def _dot(mark: Mark, x: float, y: float) -> str:
    words = f"{_moment(mark)}: {escape(mark.state)}"
    return f'<circle cx="{x}" cy="{y}" r="4" style="fill:{ALERT}"><title>{words}</title></circle>'


def _axis(drawing: Drawing, ends: tuple[float, float], down: _Scale) -> list[str]:
    return [
        f'<line x1="72" x2="{_WIDTH - 16}" y1="{down(end)}" y2="{down(end)}"'
        f' style="stroke:{LINE}" stroke-dasharray="1 3"/>'
        f'<text class="small end" x="64" y="{down(end) + 4}">'
        f"{escape(amount(end, drawing.unit))}</text>"
        for end in ends
    ]


def _figure(mark: Mark, unit: str) -> str:
    return "" if mark.value is None else amount(mark.value, unit)


def _extent(marks: tuple[Mark, ...], *, zero: bool) -> tuple[float, float]:
    ends = [
        end
        for mark in marks
        for end in (mark.value, mark.low, mark.high)
        if end is not None and math.isfinite(end)
    ] + ([0.0] if zero else [])
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low, low + 1.0)


class _Scale:
    """Where a value stands, in pixels."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._size = low, high - low
        self._first, self._length = first, last - first

    def __call__(self, value: float) -> float:
        return round(self._first + (value - self._low) / self._size * self._length, 1)


def _scaled(low: float, high: float, first: float, last: float) -> _Scale:
    return _Scale(low, high, first, last)
