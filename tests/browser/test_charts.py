"""A report's charts in a real JupyterLab: drawn by the notebook itself, with no network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.room import Room

REPORT = """
import numpy as np, polars as pl, promptstudio_lab as ps
random = np.random.default_rng(5)
hard = random.beta(2, 2, 400)
frame = pl.concat([
    pl.DataFrame({
        "unit": np.arange(400), "variant": name,
        "success": random.random(400) < hard + more,
        "cost_usd": random.lognormal(-9, 0.3, 400) * cost,
        "latency_ms": random.lognormal(6.7, 0.2, 400),
    })
    for name, more, cost in (("control", 0.0, 1.0), ("short", 0.25, 0.6))
])
report = ps.analyze(frame, unit="unit", name="summarizer")
report
"""
KINDS = ("forest", "timeline", "pareto", "distribution")
# What a view has drawn that tells about the data, and not about axes.
MARKS = "g.mark-rule line, g.mark-symbol path, g.mark-line path, g.mark-area path, g.mark-rect path"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_chart_is_drawn_where_it_is_asked_for(room: Room, theme: str) -> None:
    asked = []
    room.page.on("request", lambda request: asked.append(request.url))
    cells = [f"report.plot({kind!r}, theme={theme!r})" for kind in KINDS]
    cells[-1] = cells[-1].replace("', ", "', metric='latency_ms', ", 1)
    room.notebook("charts.ipynb", REPORT, *cells)
    room.open("charts.ipynb")
    room.theme(theme)
    room.run_all()
    for number, kind in enumerate(KINDS, start=1):
        output = room.output(number)
        output.locator(".vega-embed .marks").first.wait_for()
        output.scroll_into_view_if_needed()
        room.until(partial(_is_drawn, output), f"the marks of the {kind} plot")
        paper = "rgb(255, 255, 255)" if theme == "light" else "rgb(17, 21, 27)"
        assert paper == output.evaluate(_PAPER), kind
        output.screenshot(path=room.results / f"chart-{kind}-{theme}.png")
    room.output(0).get_by_text("short ships").first.wait_for()
    assert not [url for url in asked if "127.0.0.1" not in url and url.startswith("http")]


def _is_drawn(output: Locator) -> bool:
    return int(output.evaluate(_DRAWN, MARKS)) >= 3


_PAPER = """area => {
    const drawing = area.querySelector('.vega-embed .marks');
    if (drawing.tagName === 'svg') {
        const behind = getComputedStyle(drawing).backgroundColor;
        return behind === 'rgba(0, 0, 0, 0)'
            ? getComputedStyle(drawing.querySelector('rect')).fill : behind;
    }
    const [red, green, blue] = drawing.getContext('2d').getImageData(1, 1, 1, 1).data;
    return `rgb(${red}, ${green}, ${blue})`;
}"""
_DRAWN = """(area, marks) => {
    const drawing = area.querySelector('.vega-embed .marks');
    if (drawing === null) {
        return 0;
    }
    if (drawing.tagName === 'svg') {
        return [...drawing.querySelectorAll(marks)].filter(one => {
            const box = one.getBoundingClientRect();
            return box.width + box.height > 1;
        }).length;
    }
    const pixels = drawing.getContext('2d')
        .getImageData(0, 0, drawing.width, drawing.height).data;
    const colours = new Map();
    for (let at = 0; at < pixels.length; at += 4) {
        const colour = pixels.slice(at, at + 3).join();
        colours.set(colour, (colours.get(colour) ?? 0) + 1);
    }
    return [...colours.values()].filter(count => count > 20).length;
}"""
