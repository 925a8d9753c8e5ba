"""Large graphs made small enough to be seen: bodies are folded, alike neighbours stand as one.

A widget of this library sends each element by itself, so that thousands never arrive.
"""

from __future__ import annotations

from dataclasses import replace

from promptstudio_lab.widgets.graphs.scene import Arrow, Box, Scene, together

MOST = 300
_ACROSS, _DOWN = 60, 44
_COLUMNS = 8  # so many fit into a cell and can be read
_TIMES = "\u00d7"

# What a group says of itself when its members differ.
_WORST = ("failed", "waiting", "running", "cancelled", "changed", "succeeded", "cached")


def small(scene: Scene, most: int = MOST) -> Scene:
    """Return a picture of `most` elements at most that stands for the whole of a larger one.

    Args:
        scene: the picture.
        most: how many boxes and arrows there may be.
    """
    if scene.elements <= most:
        return scene
    found = _folded(scene)
    bands = min(_COLUMNS, max((box.depth for box in found.boxes), default=0) + 1)
    folded = found
    while found.elements > most and bands:
        found = _banded(folded, bands)
        bands //= 2
    return found


def _folded(scene: Scene) -> Scene:
    """Draw what lies in a box as that box."""
    by_id = {box.id: box for box in scene.boxes}

    def outermost(box: Box) -> str:
        while box.parent in by_id:
            box = by_id[box.parent]
        return box.id

    return _joined(scene, {box.id: outermost(box) for box in scene.boxes}, by_id)


def _banded(scene: Scene, bands: int) -> Scene:
    """Draw the boxes of one kind that stand equally far along as one; keep those that are alone."""
    deepest = max(box.depth for box in scene.boxes) + 1
    kinds = list(dict.fromkeys(box.kind for box in scene.boxes))
    members: dict[tuple[int, str], list[Box]] = {}
    for box in scene.boxes:
        members.setdefault((box.depth * bands // deepest, box.kind), []).append(box)
    into: dict[str, str] = {}
    heads: dict[str, Box] = {}
    width, height = scene.size
    for (band, kind), boxes in members.items():
        x, y = band * (width + _ACROSS), kinds.index(kind) * (height + _DOWN)
        head = replace(boxes[0], x=x, y=y)
        if len(boxes) > 1:
            count = sum(len(box.meant) for box in boxes)
            label = f"{count:,} {_TIMES} {kind}"
            ends = f"{boxes[0].label} … {boxes[-1].label}"
            head = replace(head, id=f"{band}/{kind}", label=label, line=ends)
        heads[head.id] = head
        into |= dict.fromkeys((box.id for box in boxes), head.id)
    return _joined(scene, into, heads)


def _joined(scene: Scene, into: dict[str, str], heads: dict[str, Box]) -> Scene:
    """Draw each box as the head that it goes into."""
    members: dict[str, list[Box]] = {}
    for box in scene.boxes:
        members.setdefault(into[box.id], []).append(box)
    boxes = tuple(_head(heads[key], inside) for key, inside in members.items())
    arrows: dict[tuple[str, str], Arrow] = {}
    for arrow in scene.arrows:
        ends = into[arrow.source], into[arrow.target]
        if ends[0] != ends[1]:
            several = ends in arrows
            label = "" if several else arrow.label
            arrows[ends] = Arrow(*ends, label, branch=arrow.branch and not several)
    return replace(scene, boxes=boxes, arrows=tuple(arrows.values()))


def _head(head: Box, inside: list[Box]) -> Box:
    if len(inside) == 1 and inside[0].id == head.id:
        return replace(head, parent=None)
    names = dict.fromkeys(name for box in inside for name in box.words)
    return replace(
        head,
        parent=None,
        figures=together([box.figures for box in inside]),
        words={name: _worst([box.words.get(name, "") for box in inside]) for name in names},
        holds=tuple(held for box in inside for held in box.meant),
    )


def _worst(words: list[str]) -> str:
    return next((word for word in _WORST if word in words), words[0])
