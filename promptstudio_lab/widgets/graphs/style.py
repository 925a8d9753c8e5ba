"""The look of a graph as Cytoscape's rules: one list, however many boxes there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.widgets.graphs.paint import PAPERS, Paint, coloured

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from promptstudio_lab.values import Json
    from promptstudio_lab.widgets.graphs.scene import Scene


def rules(
    scene: Scene, by: str, numbers: Mapping[str, str], chosen: Collection[str], *, dark: bool
) -> list[dict[str, Json]]:
    """Return the rules.

    Args:
        scene: what is drawn.
        by: what it is coloured by.
        numbers: what the browser knows each box by, by its id.
        chosen: the numbers of those that are chosen.
        dark: on what paper.
    """
    paints, _ = coloured(scene.boxes, by, dark=dark)
    alike: dict[Paint, list[str]] = {}
    for box in scene.boxes:
        alike.setdefault(paints[box.id], []).append(numbers[box.id])
    found = [*_always(scene, by, dark=dark)]
    for paint, some in alike.items():
        found.append(_rule(some, _filled(paint)))
    if chosen:
        border = {"border-width": 4, "border-style": "solid", "border-color": PAPERS[dark].chosen}
        found.append(_rule(chosen, {**border, "font-weight": "bold"}))
    return found


def _rule(numbers: Collection[str], style: dict[str, Json]) -> dict[str, Json]:
    return {"selector": ", ".join(f"#{number}" for number in numbers), "style": style}


def _filled(paint: Paint) -> dict[str, Json]:
    return {
        "background-color": paint.fill,
        "color": paint.ink,
        "border-color": paint.border,
        "border-style": "dashed" if paint.dashed else "solid",
    }


def _always(scene: Scene, by: str, *, dark: bool) -> list[dict[str, Json]]:
    paper = PAPERS[dark]
    width, height = scene.size
    font: dict[str, Json] = {"font-size": scene.size[1] / 3, "font-family": "system-ui, sans-serif"}
    return [
        {
            "selector": "node",
            "style": {
                **font,
                "label": f"data({by})",
                "shape": "round-rectangle",
                "width": width,
                "height": height,
                "text-valign": "center",
                "text-wrap": "wrap",
                "text-max-width": f"{width - 8}px",
                "line-height": 1.3,
                "border-width": 1.5,
            },
        },
        {
            "selector": "node:parent",
            "style": {"text-valign": "top", "text-margin-y": -2, "background-opacity": 0.35},
        },
        {
            "selector": "edge",
            "style": {
                **font,
                "font-size": 12,
                "width": 1.5,
                "line-color": paper.line,
                "curve-style": "bezier",
                "target-arrow-shape": "triangle",
                "target-arrow-color": paper.line,
                "label": "data(label)",
                "color": paper.ink,
                "text-background-color": paper.ground,
                "text-background-opacity": 0.9,
                "text-background-padding": "2px",
                "text-rotation": "autorotate",
            },
        },
        {"selector": "edge.branch", "style": {"line-style": "dashed"}},
    ]
