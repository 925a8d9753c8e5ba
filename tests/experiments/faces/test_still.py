"""Still pictures: what they show is what the report found, on any page, in any theme."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import polars as pl
import pytest

import promptstudio_lab as ps
from promptstudio_lab.experiments.faces.still.axes import BOTTOM, TOP, Axes
from promptstudio_lab.experiments.faces.still.curves import course, flips, scaled, spread
from promptstudio_lab.experiments.faces.still.front import pareto
from promptstudio_lab.experiments.faces.still.gallery import gallery
from tests.experiments.parts import frame, report

METRICS = [
    ps.Rate("success"),
    ps.Mean("cost_usd"),
    ps.RatioOfSums("cost_usd", "success", name="cost_per_success"),
    ps.Quantile("latency_ms", 0.9, max_regression="20%"),
]
HOSTILE = "<img src=x onerror=alert(1)>\u202e"
SVG = "{http://www.w3.org/2000/svg}"


def found(*, apart: bool = False, **more: Any) -> Any:  # a Report
    rows = frame(400, apart=apart)
    return ps.analyze(rows, unit="unit", control="a", **{"metrics": METRICS, **more})


def drawn(svg: str | None) -> Element:
    assert svg is not None
    return fromstring(svg)


def words(picture: Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("apart", [False, True])
def test_a_page_holds_every_picture_that_the_report_can_fill(apart: Any) -> None:
    page = found(apart=apart).to_html()
    titles = re.findall(r"<figcaption><b>([^<]*)", page)
    assert titles == [
        "How the answer came about",
        *([] if apart else ["What flipped"]),
        "Quality against cost",
        "How cost is spread",
        "How latency is spread",
    ]
    assert "one value a unit" in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert drawn(svg).get("aria-label")
    assert "<script" not in page
    assert "//" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_report_from_sums_alone_shows_what_it_can() -> None:
    page = gallery(report())
    assert re.findall(r"<figcaption><b>([^<]*)", page) == ["Quality against cost"]
    assert gallery(report(metrics=[ps.Rate("success")])) == ""


def test_several_treatments_share_one_front() -> None:
    third = frame(400, seed=9).filter(variant="b").with_columns(
        variant=pl.lit("c"), cost_usd=pl.col("cost_usd") * 9
    )  # fmt: skip
    both = ps.analyze(pl.concat([frame(400), third]), unit="unit", control="a", metrics=METRICS)
    page = both.to_html()
    assert page.count("Quality against cost") == 1
    assert page.count("How the answer came about") == 2
    shown = words(drawn(pareto(both.reports)))
    assert {"a", "b", "c"} <= set(shown)


def test_a_cell_reads_no_rows_for_pictures() -> None:
    assert "<figure" not in found()._repr_html_()


def test_the_course_ends_where_the_report_does() -> None:
    told = found()
    picture = drawn(course(told, told.findings[0]))
    (point,) = picture.iter(f"{SVG}circle")
    band = next(iter(picture.iter(f"{SVG}path"))).get("d", "")
    effect = told["success"]
    ends = [float(pair.split(" ")[1]) for pair in band.strip("MZ").split("L")]
    zero = next(iter(line for line in picture.iter(f"{SVG}line") if line.get("stroke")))
    # The scale is that of the page: the zero line and the point tell it.
    scale = (float(zero.get("y1", "")) - float(point.get("cy", ""))) / effect.estimate
    last = ends[len(ends) // 2 - 1]
    assert (float(zero.get("y1", "")) - last) / scale == pytest.approx(effect.high, abs=0.01)


def test_what_flipped_is_counted_item_by_item() -> None:
    told = found()
    wide = frame(400).pivot("variant", index="unit", values="success")
    expected = [
        wide.filter(pl.col("a") == old, pl.col("b") == new).height
        for old, new in ((1, 1), (0, 1), (1, 0), (0, 0))
    ]
    shown = words(drawn(flips(told, told.findings[0])))
    assert [int(text.split(" ")[0]) for text in shown[1::2]] == expected
    assert flips(told, told.findings[1]) is None
    assert flips(found(apart=True), told.findings[0]) is None


def test_a_few_far_values_do_not_press_all_others_together() -> None:
    rows = frame(400).with_columns(
        cost_usd=pl.when(pl.int_range(pl.len()) == 7).then(1e6).otherwise("cost_usd")
    )
    told = ps.analyze(rows, unit="unit", control="a", metrics=METRICS)
    picture = drawn(spread(told, told.findings[1]))
    assert any("all beyond" in text for text in words(picture))
    heights = [float(y) for y in re.findall(r"\d+ ([\d.]+)", next(
        path.get("d", "") for path in picture.iter(f"{SVG}path")))]  # fmt: skip
    assert len(set(heights)) > 10


def test_names_are_text_and_nothing_else() -> None:
    rows = frame(400).with_columns(variant=pl.col("variant").replace({"b": HOSTILE}))
    metrics = [ps.Rate("success", label=HOSTILE), ps.Mean("cost_usd", label=HOSTILE)]
    page = ps.analyze(rows, unit="unit", control="a", metrics=metrics).to_html()
    assert "<img" not in page
    assert "\u202e" not in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        drawn(svg)


def test_values_that_are_all_the_same_have_no_distribution() -> None:
    rows = frame(400).with_columns(cost_usd=pl.lit(0.25))
    told = ps.analyze(rows, unit="unit", control="a", metrics=METRICS[:2])
    assert "is spread" not in gallery(told)


@pytest.mark.parametrize("size", [1e-9, 1e-4, 1.0, 3.7e5, 1e12])
def test_numbers_on_axes_are_round_and_stay_inside(size: float) -> None:
    axes = Axes.around([0.0, size], [-size, size])
    picture = drawn(f'<svg xmlns="http://www.w3.org/2000/svg">{axes.grid("x", "y")}</svg>')
    numbers = [text for text in picture.iter(f"{SVG}text") if text.text not in {"x", "y"}]
    for axis in (True, False):
        labels = [str(text.text) for text in numbers if (text.get("y") == str(BOTTOM + 17)) == axis]
        assert 3 <= len(set(labels)) == len(labels) <= 7
        assert max(map(len, labels)) <= 8
    heights = [axes.y(value) for value in np.linspace(-2 * size, 2 * size, 9)]
    assert all(TOP <= y <= BOTTOM for y in heights)


def test_units_say_how_numbers_are_written() -> None:
    assert scaled("share") == (100.0, "%", "")
    assert scaled("usd") == (1.0, "$", "")
    assert scaled("tokens") == (1.0, "", "tokens")
