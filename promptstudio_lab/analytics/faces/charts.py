"""A drawing as an Altair chart, on light and dark pages, without a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from promptstudio_lab.analytics.faces.drawing import CALM
from promptstudio_lab.errors import AnalysisError, did_you_mean

if TYPE_CHECKING:
    from promptstudio_lab.analytics.faces.drawing import Drawing

Theme: TypeAlias = Literal["auto", "light", "dark"]

MIME = "application/vnd.vegalite.v5+json"  # what JupyterLab draws by itself
_ACCENT, _ALERT = "#4c8ed9", "#e0524d"
# `auto` is legible on light and on dark: a chart cannot read the page's theme.
_INK: dict[str, tuple[str, str, str]] = {
    "auto": ("transparent", "#888888", "#88888855"),
    "light": ("#ffffff", "#333333", "#dddddd"),
    "dark": ("#1e1e1e", "#dddddd", "#444444"),
}
_FORMATS = {"usd": "$,.3~r", "share": ".1%"}


@dataclass(frozen=True, slots=True)
class Plot:
    """An Altair chart that a notebook shows without a network, with a still picture beside it.

    Attributes:
        chart: the chart, to be changed as any other.
        svg: the same as a still picture, for pages that run nothing.
    """

    chart: Any  # whichever of Altair's charts it is
    svg: str

    def __repr__(self) -> str:
        """Say that there is something to see."""
        return "<Plot: a chart, shown by notebooks>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:  # by MIME type
        return {
            MIME: self.chart.to_dict(),
            "image/svg+xml": self.svg,
            "text/plain": repr(self),
        }


def plotted(drawing: Drawing, theme: Theme = "auto") -> Plot:
    """Return a drawing as a chart.

    Args:
        drawing: what to show.
        theme: `light`, `dark`, or `auto`, which has no background and greys for both.

    Raises:
        AnalysisError: if there is no such theme.
    """
    if theme not in _INK:
        message = f"there is no theme {theme!r}.{did_you_mean(str(theme), _INK)}"
        raise AnalysisError(message)
    made = _through_time(drawing) if drawing.kind == "line" else _in_rows(drawing)
    return Plot(_dressed(made, theme), drawing.svg)


def _in_rows(drawing: Drawing) -> Any:  # Altair's own
    import altair as alt

    shown = alt.Chart(_data(drawing)).encode(
        y=alt.Y("label:N", sort=None, title=None),
        color=_colour(),
        tooltip=["label:N", "value:Q", "low:Q", "high:Q", "state:N"],
    )
    across = alt.X("value:Q", title=drawing.title, axis=_axis(alt.Axis, drawing))
    if drawing.kind == "bars":
        return shown.mark_bar().encode(x=across)
    ends = shown.mark_rule().encode(x=alt.X("low:Q", title=drawing.title), x2="high:Q")
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeDash=[2, 2]).encode(x="zero:Q")
    return alt.layer(zero, ends, shown.mark_point(filled=True, size=60).encode(x=across))


def _through_time(drawing: Drawing) -> Any:  # Altair's own
    import altair as alt

    shown = alt.Chart(_data(drawing)).encode(x=alt.X("label:T", title=None))
    up = alt.Y(
        "value:Q",
        title=drawing.title,
        axis=_axis(alt.Axis, drawing),
        scale=alt.Scale(zero=False),
    )
    band = shown.mark_area(opacity=0.2, color=_ACCENT).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = shown.mark_line().encode(y=up, strokeDash=alt.StrokeDash("forecast:N", legend=None))
    dots = shown.mark_point(filled=True, size=50).encode(
        y=up, color=_colour(), tooltip=["label:T", "value:Q", "state:N"]
    )
    return alt.layer(band, line, dots)


def _axis(axis: Any, drawing: Drawing) -> Any:  # Altair's own
    known = _FORMATS.get(drawing.unit)
    return axis(format=known) if known else axis()


def _colour() -> Any:  # Altair's own
    import altair as alt

    return alt.condition("datum.remarkable", alt.value(_ALERT), alt.value(_ACCENT))


def _data(drawing: Drawing) -> Any:  # Altair's own
    import altair as alt

    rows = [
        {
            "label": mark.label,
            "value": _finite(mark.value),
            "low": _finite(mark.low),
            "high": _finite(mark.high),
            "state": mark.state,
            "forecast": mark.state == "forecast",
            "remarkable": mark.state not in CALM,
        }
        for mark in drawing.marks
    ]
    return alt.Data(values=rows)


def _finite(value: float | None) -> float | None:
    # JSON knows no infinity: an interval without an end is drawn without it.
    return value if value is not None and math.isfinite(value) else None


def _dressed(chart: Any, theme: Theme) -> Any:  # Altair's own
    paper, ink, grid = _INK[theme]
    wide = chart.properties(width=640)
    return wide.configure(
        background=paper,
        axis={"labelColor": ink, "titleColor": ink, "gridColor": grid, "domainColor": grid},
        legend={"labelColor": ink, "titleColor": ink},
        title={"color": ink},
        view={"stroke": None},
        line={"color": ink},
        rule={"color": ink},
    )
