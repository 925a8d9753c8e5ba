"""Two axes with round numbers on them, and what stands between, as SVG.

Colours are names of the page's theme, so that one picture reads on light and dark pages alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.faces.forest import FONT, LINE
from promptstudio_lab.experiments.wording import MINUS, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 410, 12, 206
TREATMENT = "var(--jp-brand-color1, #1976d2)"
CONTROL = "var(--jp-warn-color1, #f57c00)"
MUTED = "var(--jp-ui-font-color2, #757575)"
PAPER = "var(--jp-layout-color0, Canvas)"
_TICKS = 5
_LETTER = 7  # about as wide as a letter
# From which size on numbers are told in which unit, so that they stay short.
_SIZES = (
    (1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k"), (1e-4, 1.0, ""),
    (1e-7, 1e-6, "\u00b5"), (0.0, 1e-9, "n"),
)  # fmt: skip
_STYLE = (
    f".psl-still{{font:11px {FONT};fill:currentColor;font-variant-numeric:tabular-nums}}"
    f".psl-still .tick{{fill:{MUTED}}}.psl-still .end{{text-anchor:end}}"
    ".psl-still .mid{text-anchor:middle}.psl-still .name{font-weight:600}"
)


@dataclass(frozen=True, slots=True)
class Axes:
    """Where numbers stand in a picture.

    Attributes:
        across: the least and the greatest number from left to right.
        up: the same from bottom to top.
    """

    across: tuple[float, float]
    up: tuple[float, float]

    @classmethod
    def around(cls, across: Sequence[float], up: Sequence[float], room: float = 0.0) -> Axes:
        """Return axes that hold all these numbers, with some room around them."""
        return cls(_ends(across, room), _ends(up, room))

    def x(self, value: float) -> float:
        """Return how far to the right a number stands, kept inside."""
        return round(LEFT + _share(value, self.across) * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        """Return how far down a number stands, kept inside."""
        return round(BOTTOM - _share(value, self.up) * (BOTTOM - TOP), 1)

    def grid(self, across: str, up: str, units: tuple[str, str] = ("", "")) -> str:
        """Return lines at round numbers, with the numbers and what they are.

        Args:
            across: what goes from left to right, as text.
            up: what goes from bottom to top.
            units: of both: `%`, `$`, or a word that stands in the title already.
        """
        parts = []
        for value, label in _round_numbers(self.across, units[0]):
            x = self.x(value)
            parts.append(
                f'<line x1="{x}" x2="{x}" y1="{BOTTOM}" y2="{BOTTOM + 4}" style="stroke:{LINE}"/>'
                f"{_number(x, label)}"
            )
        for value, label in _round_numbers(self.up, units[1]):
            y = self.y(value)
            parts.append(
                f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" style="stroke:{LINE}"'
                f' stroke-opacity=".7"/><text class="tick end" x="{LEFT - 7}" y="{y + 4}">'
                f"{label}</text>"
            )
        middle = (LEFT + RIGHT) / 2
        parts.append(
            f'<text class="tick mid" x="{middle}" y="{HEIGHT - 8}">{escape(visible(across))}</text>'
            f'<text class="tick mid" transform="translate(11 {(TOP + BOTTOM) / 2}) rotate(-90)">'
            f"{escape(visible(up))}</text>"
        )
        return "".join(parts)


def _number(x: float, label: str) -> str:
    # At the right edge a long one would be cut.
    side, at = ("mid", x) if x + _LETTER * len(label) / 2 < WIDTH else ("end", WIDTH - 1.0)
    return f'<text class="tick {side}" x="{at}" y="{BOTTOM + 17}">{label}</text>'


def picture(inside: str, spoken: str, height: int = HEIGHT) -> str:
    """Return a whole SVG.

    Args:
        inside: its shapes.
        spoken: what it says, for those who cannot see it.
        height: of its own units.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="psl-still" role="img" width="100%"'
        f' style="height:auto;display:block" viewBox="0 0 {WIDTH} {height}"'
        f' aria-label="{escape(visible(spoken).replace(MINUS, "minus "))}">'
        f"<style>{_STYLE}</style>{inside}</svg>"
    )


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return a line through points, as the `d` of a path."""
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def key(names: Sequence[tuple[str, str]], y: int = TOP + 4) -> str:
    """Return what colours mean: a square and a name each, from the right."""
    parts, x = [], float(RIGHT)
    for name, colour in reversed(names):
        parts.append(
            f'<text class="end" x="{x}" y="{y + 4}">{escape(name)}</text>'
            f'<rect x="{x - _LETTER * len(name) - 13}" y="{y - 5}" width="9" height="9" rx="2"'
            f' style="fill:{colour}"/>'
        )
        x -= _LETTER * len(name) + 28
    return "".join(parts)


def _ends(values: Sequence[float], room: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    wide = (high - low) or abs(high) or 1.0
    return low - room * wide, high + room * wide


def _share(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return (min(max(value, low), high) - low) / (high - low)


def _round_numbers(ends: tuple[float, float], unit: str) -> list[tuple[float, str]]:
    step = _step((ends[1] - ends[0]) / _TICKS)
    first, last = math.ceil(ends[0] / step - 1e-9), math.floor(ends[1] / step + 1e-9)
    write = _writer(step, max(map(abs, ends)), unit)
    return [(at * step, write(at * step)) for at in range(first, last + 1)]


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(nice * power for nice in (1, 2, 5, 10) if nice * power >= least * 0.999)


def _writer(step: float, most: float, unit: str) -> Callable[[float], str]:
    size, letter = next((size, letter) for least, size, letter in _SIZES if most >= least)
    places = max(0, -math.floor(math.log10(step / size) + 1e-9))

    def write(value: float) -> str:
        text = f"{abs(value) / size:,.{places}f}{letter}"
        sign = MINUS if value < -step / 2 else ""
        return f"{sign}${text}" if unit == "$" else f"{sign}{text}{' %' if unit == '%' else ''}"

    return write
