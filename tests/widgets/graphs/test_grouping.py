from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.widgets.graphs.grouping import MOST, small
from promptstudio_lab.widgets.graphs.scene import Arrow, Box, Figures, Scene
from promptstudio_lab.widgets.graphs.view import GraphView

if TYPE_CHECKING:
    from collections.abc import Sequence


def rows(ids: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"id": ids}, schema={"id": pl.String})


def chain(count: int, bodies: int = 0) -> Scene:
    """Return boxes one after the other, each with so many in its body."""
    kinds = ("llm", "transform", "switch")
    outer = [
        Box(str(n), f"b{n}", kinds[n % 3], depth=n, figures=Figures(1, 0.5, 2.0, 0.0))
        for n in range(count)
    ]
    inner = [
        Box(f"{box.id}.{n}", f"{box.label}/{n}", "llm", parent=box.id, figures=box.figures)
        for box in outer
        for n in range(bodies)
    ]
    arrows = [Arrow(str(n), str(n + 1)) for n in range(count - 1)]
    return Scene("a chain", (*outer, *inner), tuple(arrows), ("kind", "cost"), rows)


def test_what_is_small_stays_as_it_is() -> None:
    scene = chain(150)
    assert scene.elements == MOST - 1
    assert small(scene) is scene


def test_bodies_are_folded_first() -> None:
    found = small(chain(40, bodies=8))
    assert len(found.boxes) == 40
    assert found.boxes[0].meant == ("0", *(f"0.{n}" for n in range(8)))
    assert found.boxes[0].figures == Figures(9, 4.5, 18.0, 0.0)
    assert found.boxes[0].label == "b0"


@given(st.integers(151, 3_000), st.integers(0, 2))
def test_whatever_is_drawn_stands_for_everything_once(count: int, bodies: int) -> None:
    scene = chain(count, bodies)
    found = small(scene)
    assert found.elements <= MOST
    held = [meant for box in found.boxes for meant in box.meant]
    assert sorted(held) == sorted(box.id for box in scene.boxes)
    total = sum(box.figures.cost_usd or 0.0 for box in found.boxes)
    assert total == pytest.approx(0.5 * len(scene.boxes))
    ends = {box.id for box in found.boxes}
    assert all({arrow.source, arrow.target} <= ends for arrow in found.arrows)


def test_a_group_tells_the_worst_of_what_is_in_it() -> None:
    scene = chain(400)
    boxes = [replace(box, words={"status": "succeeded"}) for box in scene.boxes]
    boxes[9] = replace(boxes[9], words={"status": "failed"})
    found = small(replace(scene, boxes=tuple(boxes)))
    failed = [box for box in found.boxes if box.words["status"] == "failed"]
    assert [boxes[9].id in box.meant for box in failed] == [True]


def test_a_group_is_chosen_looked_into_and_counted() -> None:
    shown = GraphView(chain(1_000))
    assert shown.grouped
    assert "grouped from 1,000" in repr(shown)
    group = shown._shown.boxes[0]
    assert group.label.endswith("llm")
    shown.select(group.label)
    # Groups of one kind have one name.
    assert set(group.meant) <= set(shown.selected["id"])
    inside = shown.inside()
    assert len(inside._scene.boxes) == shown.selected.height
    assert shown._bar.state["note"].startswith("1,000 in ")
    assert len(shown.widget.graph.nodes) + len(shown.widget.graph.edges) <= MOST
