"""Things in columns, with arrows from what something came from to what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.analytics.faces.drawing import ACCENT
from promptstudio_lab.experiments.faces.forest import FONT, LINE
from promptstudio_lab.experiments.wording import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH, HEIGHT = 136, 36
_ACROSS, _DOWN = 168, 48
_LONGEST = 20
_STYLE = f".psl-layers{{font-family:{FONT};font-size:11px;fill:currentColor}}"


@dataclass(frozen=True, slots=True)
class Box:
    """One thing.

    Attributes:
        id: unique in the picture.
        kind: which column it stands in.
        label: its name.
        where: which rows it stands for: by column, the value that they have.
    """

    id: str
    kind: str
    label: str
    where: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layers:
    """Boxes in columns, and arrows between their ids.

    Attributes:
        columns: the kinds, from left to right.
        boxes: the boxes, in order.
        arrows: pairs of ids.
        chosen: ids of boxes that the question was about.
    """

    columns: tuple[str, ...]
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[str, str], ...]
    chosen: frozenset[str] = frozenset()

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Where each box's upper left corner stands, in pixels."""
        found: dict[str, tuple[int, int]] = {}
        most = max((self._count(kind) for kind in self.columns), default=0)
        for at, kind in enumerate(self.columns):
            column = [box for box in self.boxes if box.kind == kind]
            # A short column stands in the middle of a long one.
            top = (most - len(column)) * _DOWN // 2
            for row, box in enumerate(column):
                found[box.id] = (at * _ACROSS + 8, top + row * _DOWN + 24)
        return found

    def _count(self, kind: str) -> int:
        return sum(box.kind == kind for box in self.boxes)

    @property
    def svg(self) -> str:
        """The picture as SVG text; empty without boxes."""
        if not self.boxes:
            return ""
        places = self.places
        wide = len(self.columns) * _ACROSS - (_ACROSS - WIDTH) + 16
        tall = max(y for _, y in places.values()) + HEIGHT + 8
        heads = "".join(
            f'<text x="{at * _ACROSS + 8}" y="14" opacity=".72">{escape(kind)}</text>'
            for at, kind in enumerate(self.columns)
        )
        lines = "".join(_arrow(places[one], places[other]) for one, other in self.arrows)
        boxes = "".join(_box(box, places[box.id], box.id in self.chosen) for box in self.boxes)
        spoken = "; ".join(f"{box.kind} {visible(box.label)}" for box in self.boxes)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" class="psl-layers" role="img" width="100%"'
            f' style="max-width:{wide}px;height:auto;display:block" viewBox="0 0 {wide} {tall}"'
            f' aria-label="{escape(spoken)}"><style>{_STYLE}</style>{heads}{lines}{boxes}</svg>'
        )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2
    to_x, to_y = end[0], end[1] + HEIGHT // 2
    middle = (x + to_x) // 2
    return (
        f'<path d="M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}" fill="none"'
        f' style="stroke:{LINE}" stroke-width="1.5"/>'
    )


def _box(box: Box, place: tuple[int, int], chosen: bool) -> str:  # noqa: FBT001 — drawn or not
    x, y = place
    whole = visible(box.label)
    label = whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}\u2026"
    return (
        f"<g><title>{escape(box.kind)}: {escape(whole)}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" style="fill:{ACCENT};'
        f'stroke:{ACCENT}" fill-opacity=".1" stroke-width="{3 if chosen else 1}"/>'
        f'<text x="{x + 8}" y="{y + HEIGHT // 2 + 4}">{escape(label)}</text></g>'
    )
