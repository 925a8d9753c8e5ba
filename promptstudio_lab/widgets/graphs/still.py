"""The same graph as a picture, for whoever reads the notebook without a kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.flows.draw import xml_text
from promptstudio_lab.widgets.graphs.paint import PAPERS, TITLES, coloured, says

if TYPE_CHECKING:
    from promptstudio_lab.widgets.graphs.scene import Arrow, Box, Scene

_MARGIN, _LEGEND = 16, 28
_LETTER = 6.2  # how wide a letter of 11 pixels is, on average
_LONGEST = 20


class _Two(NamedTuple):
    """A colour on light paper, and in its place on dark paper."""

    light: str
    dark: str


@dataclass(slots=True)
class _Inks:
    """The colours of a picture, which is as light or dark as the page around it."""

    used: set[tuple[str, _Two]] = field(default_factory=set)

    def attributes(self, **colours: _Two) -> str:
        """Return what gives an element its colours, by property; readers without CSS see light."""
        self.used |= set(colours.items())
        names = " ".join(_name(what, two) for what, two in colours.items())
        plain = "".join(f' {what}="{two.light}"' for what, two in colours.items())
        return f'class="{names}"{plain}'

    def sheet(self) -> str:
        """Return the style sheet: the notebook's theme counts before the reader's system."""
        light, dark = (
            [f".{_name(what, two)}{{{what}:{two[at]}}}" for what, two in sorted(self.used)]
            for at in (0, 1)
        )
        return (
            f"<style>@media (prefers-color-scheme:dark){{{''.join(dark)}}}"
            + "".join(f'[data-jp-theme-light="true"] {rule}' for rule in light)
            + "".join(f'[data-jp-theme-light="false"] {rule}' for rule in dark)
            + "</style>"
        )


def _name(what: str, two: _Two) -> str:
    # By its colours, so that two pictures on one page agree on what a class means.
    return f"psl-{what}-{two.light[1:]}-{two.dark[1:]}"


def _paper(part: str) -> _Two:
    return _Two(getattr(PAPERS[False], part), getattr(PAPERS[True], part))


def svg(scene: Scene, by: str) -> str:
    """Return the picture as SVG; every text in it is literal.

    Args:
        scene: what is drawn.
        by: what it is coloured by.
    """
    return _Picture(scene, by).svg()


class _Picture:
    """A scene while it is drawn."""

    def __init__(self, scene: Scene, by: str) -> None:
        self._scene, self._by = scene, by
        (light, meanings), (dark, others) = (
            coloured(scene.boxes, by, dark=is_dark) for is_dark in (False, True)
        )
        self._paints = {key: (light[key], dark[key]) for key in light}
        self._legend = list(zip(meanings, others, strict=True))
        self._extents = _extents(scene)
        self._inks = _Inks()

    def svg(self) -> str:
        extents, boxes = self._extents.values(), self._scene.boxes
        left = min((extent[0] for extent in extents), default=0) - _MARGIN
        top = min((extent[1] for extent in extents), default=0) - _MARGIN - _LEGEND
        right = max((extent[2] for extent in extents), default=0) + _MARGIN
        bottom = max((extent[3] for extent in extents), default=0) + _MARGIN
        head, wide = self._heading(left + _MARGIN, top + _MARGIN + 4)
        width, height = max(right - left, wide + 2 * _MARGIN), bottom - top
        frames = {box.parent for box in boxes}
        body = [
            *(self._box(box, frame=True) for box in boxes if box.id in frames),
            *map(self._arrow, self._scene.arrows),
            *(self._box(box, frame=False) for box in boxes if box.id not in frames),
        ]
        ground = self._inks.attributes(fill=_paper("ground"))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{xml_text(self._scene.title)}" '
            f'width="{width:g}" height="{height:g}" style="max-width:100%;height:auto" '
            f'viewBox="{left:g} {top:g} {width:g} {height:g}" '
            f'font-family="system-ui,sans-serif" font-size="11">{self._inks.sheet()}'
            f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="6" '
            f"{ground}/>{head}{''.join(body)}</svg>"
        )

    def _heading(self, x: float, y: float) -> tuple[str, float]:
        quiet, title = self._inks.attributes(fill=_paper("quiet")), TITLES[self._by]
        parts = [f'<text x="{x:g}" y="{y + 9:g}" {quiet}>{title}</text>']
        begin, x = x, x + len(title) * _LETTER + 14
        for light, dark in self._legend:
            mark = self._inks.attributes(
                fill=_Two(light.fill, dark.fill), stroke=_Two(light.border, dark.border)
            )
            parts.append(
                f'<rect x="{x:g}" y="{y:g}" width="10" height="10" rx="2" {mark}/>'
                f'<text x="{x + 14:g}" y="{y + 9:g}" {quiet}>{xml_text(light.text)}</text>'
            )
            x += 14 + len(light.text) * _LETTER + 14
        return "".join(parts), x - begin

    def _box(self, box: Box, *, frame: bool) -> str:
        left, top, right, bottom = self._extents[box.id]
        light, dark = self._paints[box.id]
        middle, y = (left + right) / 2, top + 16 if frame else (top + bottom) / 2 - 4
        dash = ' stroke-dasharray="4 3"' if light.dashed else ""
        inner = ' fill-opacity=".35"' if frame else ""
        said = says(box, self._by)
        card = self._inks.attributes(
            fill=_Two(light.fill, dark.fill), stroke=_Two(light.border, dark.border)
        )
        # A frame's head lies on little more than the paper.
        ink = self._inks.attributes(fill=_paper("ink") if frame else _Two(light.ink, dark.ink))
        return (
            f'<g><title>{xml_text(f"{box.label}: {said}")}</title><rect x="{left:g}" y="{top:g}" '
            f'width="{right - left:g}" height="{bottom - top:g}" rx="6" {card}'
            f'{inner} stroke-width="1.5"{dash}/><text text-anchor="middle" {ink}>'
            f'<tspan x="{middle:g}" y="{y:g}" font-weight="600">{xml_text(_cut(box.label))}</tspan>'
            f'<tspan x="{middle:g}" y="{y + 14:g}">{xml_text(_cut(said))}</tspan></text></g>'
        )

    def _arrow(self, arrow: Arrow) -> str:
        start, end = self._extents[arrow.source], self._extents[arrow.target]
        x1, y1 = start[2], (start[1] + start[3]) / 2
        x2, y2 = end[0], (end[1] + end[3]) / 2
        bend = max(24.0, abs(x2 - x1) / 2)
        dash = ' stroke-dasharray="5 4"' if arrow.branch else ""
        line = _paper("line")
        path = (
            f'<path d="M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2:g},{y2:g}" '
            f'{self._inks.attributes(stroke=line)} fill="none" stroke-width="1.5"{dash}/>'
            f'<path d="M{x2:g},{y2:g} l-7,-4 v8 z" {self._inks.attributes(fill=line)}/>'
        )
        if not arrow.label:
            return path
        x, y = (x1 + x2) / 2, (y1 + y2) / 2 - 5
        text, ink = xml_text(_cut(arrow.label)), self._inks.attributes(fill=_paper("ink"))
        return f'{path}<text x="{x:g}" y="{y:g}" text-anchor="middle" {ink}>{text}</text>'


def _extents(scene: Scene) -> dict[str, tuple[float, float, float, float]]:
    """Return each box's corners: a frame is as large as what lies in it."""
    width, height = scene.size
    found = {
        box.id: (box.x - width / 2, box.y - height / 2, box.x + width / 2, box.y + height / 2)
        for box in scene.boxes
    }
    inside: dict[str, list[str]] = {}
    for box in scene.boxes:
        if box.parent is not None:
            inside.setdefault(box.parent, []).append(box.id)
    # What lies in a box comes after it, so the innermost are known first.
    for box in reversed(scene.boxes):
        if box.id in inside:
            within = [found[key] for key in inside[box.id]]
            found[box.id] = (
                min(extent[0] for extent in within) - _MARGIN,
                min(extent[1] for extent in within) - _MARGIN - 30,
                max(extent[2] for extent in within) + _MARGIN,
                max(extent[3] for extent in within) + _MARGIN,
            )
    return found


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
