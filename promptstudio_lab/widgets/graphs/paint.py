"""Which colour a box has, and what the colours mean: on light and on dark paper.

A canvas reads no style sheet, so both sets of colours are here. Hues are safe for colour-blind
readers, and the line below a name says in words what its colour says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.flows.draw import ACCENTS
from promptstudio_lab.money import NANO_PER_USD, format_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.widgets.graphs.scene import Box

SCALES = {"cost": "cost_usd", "latency": "latency_ms", "errors": "errors"}
TITLES = {
    "kind": "Kind",
    "status": "Status",
    "changes": "Changes",
    "cost": "Cost",
    "latency": "Latency",
    "errors": "Errors",
}
_NEVER = "has not run"
_SECOND = 1_000
_MINUTE = 60_000
# From little to much.
_LIGHT = ("#FFF3D6", "#FDD49E", "#FDAE6B", "#E8772E", "#7F2704")
_DARK = ("#3B2E1E", "#6B4215", "#9E5A0C", "#EE9A3A", "#FFE0A8")
_WORDS = {
    **ACCENTS,
    "succeeded": "#009E73",
    "failed": "#D32F2F",
    "cached": "#56B4E9",
    "waiting": "#E69F00",
    "running": "#0072B2",
    "changed": "#CC79A7",
}
_OTHER = "#7A7A7A"


class Paper(NamedTuple):
    """What is drawn on: the colours of no thing in particular."""

    ground: str
    ink: str
    line: str
    quiet: str
    chosen: str


PAPERS = {
    False: Paper("#FFFFFF", "#212121", "#8A8A8A", "#616161", "#0F766E"),
    True: Paper("#111111", "#E6E6E6", "#8A8A8A", "#B0B0B0", "#2DD4BF"),
}


class Paint(NamedTuple):
    """How a box looks."""

    fill: str
    ink: str
    border: str
    dashed: bool = False


class Meaning(NamedTuple):
    """One line of a legend."""

    fill: str
    border: str
    text: str


def says(box: Box, by: str) -> str:
    """Return what stands below a box's name.

    >>> from promptstudio_lab.widgets.graphs.scene import Box, Figures
    >>> box = Box("1", "ask", "llm", figures=Figures(2, 0.0012, 1340.0, 0.5))
    >>> [says(box, by) for by in ("cost", "latency", "errors", "kind")]
    ['$0.00120', '1.34 s', '50 % failed', 'llm']
    """
    if by not in SCALES:
        return box.words.get(by, "") or box.line or box.kind
    return _figure(getattr(box.figures, SCALES[by]), by) if box.figures.times else _NEVER


def coloured(
    boxes: Sequence[Box], by: str, *, dark: bool
) -> tuple[dict[str, Paint], list[Meaning]]:
    """Return each box's colours by its id, and the legend.

    Args:
        boxes: what is drawn.
        by: `kind`, `status` and so on, or a figure.
        dark: on what paper.
    """
    return _by_figure(boxes, by, dark=dark) if by in SCALES else _by_word(boxes, by, dark=dark)


def _by_word(
    boxes: Sequence[Box], by: str, *, dark: bool
) -> tuple[dict[str, Paint], list[Meaning]]:
    paper = PAPERS[dark]
    found, legend = {}, {}
    for box in boxes:
        word = box.category if by == "kind" else box.words.get(by, "")
        hue = _WORDS.get(word, _OTHER)
        dashed = word not in _WORDS
        paint = Paint(_mixed(hue, paper.ground, 0.2), paper.ink, hue, dashed)
        found[box.id] = paint
        legend[word] = Meaning(paint.fill, paint.border, word or "other")
    order = list(_WORDS)
    known = sorted(legend, key=lambda word: order.index(word) if word in order else len(order))
    return found, [legend[word] for word in known]


def _by_figure(
    boxes: Sequence[Box], by: str, *, dark: bool
) -> tuple[dict[str, Paint], list[Meaning]]:
    paper, ramp = PAPERS[dark], _DARK if dark else _LIGHT
    values = {box.id: getattr(box.figures, SCALES[by]) for box in boxes if box.figures.times}
    most = max(filter(None, values.values()), default=0.0)
    none = Paint(paper.ground, paper.quiet, paper.line, dashed=True)
    found = {}
    for box in boxes:
        value = values.get(box.id)
        fill = None if value is None else ramp[_step(value, most)]
        found[box.id] = none if fill is None else Paint(fill, _ink_on(fill), _edge(fill, paper))
    steps = range(len(ramp)) if most else range(1)
    legend = [
        Meaning(ramp[step], _edge(ramp[step], paper), _figure(most * (step + 1) / len(ramp), by))
        for step in steps
    ]
    legend = [meaning._replace(text=f"≤ {meaning.text}") for meaning in legend]
    if none in found.values():
        unknown = any(box.figures.times and values[box.id] is None for box in boxes)
        legend.append(Meaning(none.fill, none.border, "not known" if unknown else _NEVER))
    return found, legend


def _step(value: float, most: float) -> int:
    """Return in which fifth of the way to the most a value stands."""
    return max(0, math.ceil(value / most * len(_LIGHT)) - 1) if most else 0


def _figure(value: float | None, by: str) -> str:
    if value is None:
        return "not known"
    if by == "cost":
        return format_usd(round(value * NANO_PER_USD))
    if by == "errors":
        return f"{value * 100:.3g} % failed"
    if value < _SECOND:
        return f"{value:.3g} ms" if value < _SECOND / 10 else f"{value:.0f} ms"
    return f"{value / _SECOND:.3g} s" if value < _MINUTE else f"{value / _MINUTE:.3g} min"


def _mixed(one: str, other: str, share: float) -> str:
    parts = (
        round(share * a + (1 - share) * b) for a, b in zip(_rgb(one), _rgb(other), strict=True)
    )
    return "#" + "".join(f"{part:02X}" for part in parts)


def _edge(fill: str, paper: Paper) -> str:
    return _mixed(fill, paper.ink, 0.55)


def _ink_on(fill: str) -> str:
    dark, light = PAPERS[False].ink, PAPERS[False].ground
    return max(dark, light, key=lambda ink: contrast(ink, fill))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 counts it: from 1 to 21.

    >>> contrast("#FFFFFF", "#000000")
    21.0
    """
    lights = sorted((_light(one), _light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour: str) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 — as WCAG 2 has it
        for part in _rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
