from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from promptstudio_lab.experiments.faces.forest import draw
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.stats.sums import Sums
from tests.experiments.parts import items, report

SVG = "{http://www.w3.org/2000/svg}"


def test_each_metric_has_a_row_with_its_numbers_and_its_verdict() -> None:
    root = ET.fromstring(report().forest.svg)
    words = [element.text for element in root.iter(f"{SVG}text")]
    for word in ("success", "cost per success", "better", "worse", "unclear", "0 %"):
        assert word in words
    assert len(list(root.iter(f"{SVG}circle"))) == 4


def test_points_stand_in_order_on_their_scale() -> None:
    found = report()
    root = ET.fromstring(found.forest.svg)
    points = [float(circle.get("cx", "")) for circle in root.iter(f"{SVG}circle")]
    effects = [effect.relative or 0 for effect in found.effects.values()]
    assert sorted(points) == [points[i] for i in sorted(range(4), key=effects.__getitem__)]


def test_the_picture_speaks_to_those_who_cannot_see_it() -> None:
    label = re.search('aria-label="([^"]*)"', report(items(lift=-0.4)).forest.svg)
    assert label is not None
    assert label[1].startswith("success minus ")


def test_a_notebook_shows_it_either_way() -> None:
    plot = report().forest
    assert plot._repr_svg_() == plot._repr_html_() == plot.svg


@pytest.mark.parametrize("factor", [50.0, 1.0001])
def test_huge_and_tiny_effects_stay_inside(factor: float) -> None:
    root = ET.fromstring(report(items(cost=factor)).forest.svg)
    for line in root.iter(f"{SVG}line"):
        assert 0 <= float(line.get("x1", "")) <= float(line.get("x2", "")) <= 860
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("d", "").endswith("z")]
    assert bool(arrows) == (factor > 4)


def test_what_has_no_relative_effect_says_so() -> None:
    sums = Sums.of({"control.refused": [0.0] * 4, "treatment.refused": [0.0, 1.0, 1.0, 1.0]})
    svg = report(sums, metrics=[Rate("refused")], expected=None).forest.svg
    assert "no relative change from 0" in svg


def test_the_scale_never_pretends_to_be_finer_than_a_per_cent() -> None:
    control = [1000.0 + i % 7 for i in range(200)]
    sums = Sums.of({"control.ms": control, "treatment.ms": [v + v % 3 for v in control]})
    svg = report(sums, metrics=[Mean("ms", role="goal")]).forest.svg
    assert ">+1 %<" in svg
    assert ">+2 %<" in svg


def test_nothing_found_is_an_empty_picture() -> None:
    assert "<svg" in draw((), control="a", treatment="b").svg
