from __future__ import annotations

import pytest

from promptstudio_lab.widgets.graphs.paint import PAPERS, coloured, contrast, says
from promptstudio_lab.widgets.graphs.scene import Box, Figures

BOXES = [
    *(Box(str(n), "b", "llm", figures=Figures(1, n / 4, n * 400.0, n / 4)) for n in range(5)),
    Box("free", "b", "llm", category="Data", figures=Figures(1, None, 1.0, 0.0)),
    Box("never", "b", "llm", category="Logic", words={"status": "failed", "changes": "changed"}),
    Box("some", "b", "llm", category="", words={"status": "skipped", "changes": "the same"}),
]
MODES = ("kind", "status", "changes", "cost", "latency", "errors")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("by", MODES)
def test_every_text_can_be_read_on_its_box(by: str, dark: bool) -> None:
    paints, legend = coloured(BOXES, by, dark=dark)
    for paint in paints.values():
        assert contrast(paint.ink, paint.fill) >= 4.5
        assert contrast(paint.border, PAPERS[dark].ground) >= 1.5
    assert {(meaning.fill, meaning.border) for meaning in legend} >= {
        (paint.fill, paint.border) for paint in paints.values()
    }


def test_more_is_another_colour_and_the_legend_says_how_much() -> None:
    paints, legend = coloured(BOXES, "cost", dark=False)
    assert len({paints[str(n)].fill for n in range(1, 5)}) == 4
    assert [meaning.text for meaning in legend][:5] == [
        *("≤ $0.200", "≤ $0.400", "≤ $0.600", "≤ $0.800", "≤ $1.00"),
    ]
    assert legend[-1].text == "not known"
    assert paints["free"].dashed


@pytest.mark.parametrize(
    ("figures", "by", "said"),
    [
        (Figures(1, 0.5, 12.34, 0.125), "latency", "12.3 ms"),
        (Figures(1, 0.5, 999.4, 0.125), "latency", "999 ms"),
        (Figures(1, 0.5, 61_000, 0.125), "latency", "1.02 min"),
        (Figures(1, 0.5, 1.0, 0.125), "errors", "12.5 % failed"),
        (Figures(1, None, 1.0, 0.0), "cost", "not known"),
        (Figures(), "cost", "has not run"),
    ],
)
def test_figures_have_units(figures: Figures, by: str, said: str) -> None:
    assert says(Box("1", "b", "llm", figures=figures), by) == said


def test_without_any_figure_one_colour_is_enough() -> None:
    _, legend = coloured(
        [Box("1", "b", "llm", figures=Figures(1, 0.0, 0.0, 0.0))], "cost", dark=True
    )
    assert [meaning.text for meaning in legend] == ["≤ $0"]
