"""Interactive charts by Altair, drawn by JupyterLab itself: no script is loaded from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.faces.binned import arms, histogram
from promptstudio_lab.experiments.timeline import timeline
from promptstudio_lab.experiments.tradeoff import tradeoff
from promptstudio_lab.experiments.wording import estimate, interval, relative, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import altair as alt

    from promptstudio_lab.experiments.decision import Finding, Verdict
    from promptstudio_lab.experiments.outcome import Outcome

Kind: TypeAlias = Literal["forest", "timeline", "pareto", "distribution"]
Theme: TypeAlias = Literal["light", "dark"]

_MIME = "application/vnd.vegalite.v5+json"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"  # a name, which nothing fetches
_WIDTH = 620
_RELATIVE = "relative change from control, %"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme; blue and orange are apart for every kind of sight."""

    paper: str
    ink: str
    muted: str
    line: str
    accent: str
    control: str
    verdicts: Mapping[Verdict, str]


PALETTES: dict[Theme, Palette] = {
    "light": Palette(
        "#ffffff", "#1f2733", "#5b6675", "#d9dde3", "#1f5fbf", "#b35c00",
        {"better": "#1b7f4b", "worse": "#c02f2f", "unclear": "#5b6675", "equal": "#5b6675",
         "unknown": "#5b6675"},
    ),
    "dark": Palette(
        "#11151b", "#e3e8ef", "#9aa6b5", "#323b47", "#6ea8fe", "#f0a04b",
        {"better": "#4cc38a", "worse": "#f2726f", "unclear": "#9aa6b5", "equal": "#9aa6b5",
         "unknown": "#9aa6b5"},
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """An Altair chart that JupyterLab shows without any network.

    Attributes:
        chart: the chart, to be changed or composed as any other of Altair's.
    """

    chart: alt.Chart | alt.LayerChart

    def __repr__(self) -> str:
        """Say that there is something to see."""
        return "<Picture: a chart, shown by JupyterLab>"

    def to_dict(self) -> dict[str, Any]:  # Vega-Lite's own JSON
        """Return the chart as Vega-Lite."""
        return {**self.chart.to_dict(), "$schema": _SCHEMA}

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:  # by media type
        return {_MIME: self.to_dict(), "text/plain": repr(self)}


def chart(
    reports: Sequence[Outcome], kind: Kind, *, metric: str | None = None, theme: Theme = "light"
) -> Picture:
    """Return a chart of the reports of one experiment.

    Args:
        reports: one a treatment.
        kind: `forest`, `timeline`, `pareto` or `distribution`.
        metric: of a timeline or a distribution; the first goal by default.
        theme: `light` or `dark`.

    Raises:
        AnalysisError: if there is no such chart, or nothing to draw it from.
    """
    for word, allowed in ((kind, get_args(Kind)), (theme, get_args(Theme))):
        if word not in allowed:
            message = f"there is no chart {word!r}.{did_you_mean(word, allowed)}"
            raise AnalysisError(message)
    colours = PALETTES[theme]
    if kind == "forest":
        drawn = _forest(reports, colours)
    elif kind == "pareto":
        drawn = _pareto(reports, colours)
    else:
        draw: Callable[[Outcome, Finding, Palette], Any] = (  # a chart of Altair's
            _timeline if kind == "timeline" else _distribution
        )
        drawn = draw(reports[0], _finding(reports[0], metric), colours)
    return Picture(_dressed(drawn, colours))


def _forest(reports: Sequence[Outcome], colours: Palette) -> Any:  # a chart of Altair's
    import altair as alt

    several = len(reports) > 1
    rows = [
        {
            "metric": visible(finding.metric.label)
            + (f" \u00b7 {visible(report.treatment)}" if several else ""),
            "effect": 100 * effect.relative,
            "low": 100 * (effect.relative_low or 0.0),
            "high": 100 * (effect.relative_high or 0.0),
            "verdict": finding.verdict,
            "told": " ".join(relative(effect)),
            "absolute": f"{estimate(effect, finding.metric.unit)}"
            f" ({interval(effect, finding.metric.unit)})",
        }
        for report in reports
        for finding in report.findings
        if (effect := finding.effect).relative is not None
    ]
    if not rows:
        message = "no metric has a relative effect, so there is no forest to draw"
        raise AnalysisError(message)
    verdict = alt.Color(
        "verdict:N",
        title=None,
        scale=alt.Scale(domain=list(colours.verdicts), range=list(colours.verdicts.values())),
        legend=None,
    )
    place = alt.Y("metric:N", title=None, sort=None, axis=alt.Axis(labelLimit=220))
    told = [
        alt.Tooltip(field=name, type="nominal", title=title)
        for name, title in (
            ("metric", "metric"), ("told", "relative"), ("absolute", "change"),
            ("verdict", "verdict"),
        )
    ]  # fmt: skip
    base = alt.Chart(alt.Data(values=rows), height={"step": 40})
    line = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=_RELATIVE), x2="high:Q", y=place, color=verdict, tooltip=told
    )
    point = base.mark_point(filled=True, size=80, opacity=1).encode(
        x="effect:Q", y=place, color=verdict, tooltip=told
    )
    return alt.layer(_zero("x", colours), line, point)


def _timeline(report: Outcome, finding: Finding, colours: Palette) -> Any:  # a chart of Altair's
    import altair as alt

    metric, scale = finding.metric, 100 if finding.metric.unit == "share" else 1
    moments = timeline(report.rows, metric, alpha=finding.effect.alpha, method=report.usual)
    rows = [
        {
            "n": moment.n,
            "effect": scale * moment.effect.estimate,
            "low": scale * moment.effect.low,
            "high": scale * moment.effect.high,
        }
        for moment in moments
    ]
    # The first intervals are wider than anything that follows.
    ends = [row[name] for row in rows[len(rows) // 8 :] for name in ("low", "high")]
    unit = "points" if scale != 1 else visible(metric.unit)
    base = alt.Chart(alt.Data(values=rows), height=260)
    y = alt.Scale(domain=[min(0.0, *ends), max(0.0, *ends)], nice=True)
    x = alt.X("n:Q", title=f"{report.noun.many} so far")
    told = [alt.Tooltip(f"{name}:Q", format=".3~s") for name in ("n", "effect", "low", "high")]
    band = base.mark_area(opacity=0.18, color=colours.accent, clip=True).encode(
        x=x,
        y=alt.Y("low:Q", title=f"change in {visible(metric.label)}, {unit}", scale=y),
        y2="high:Q",
    )
    line = base.mark_line(color=colours.accent, strokeWidth=2, clip=True).encode(
        x=x, y=alt.Y("effect:Q", scale=y), tooltip=told
    )
    return alt.layer(_zero("y", colours), band, line)


def _pareto(reports: Sequence[Outcome], colours: Palette) -> Any:  # a chart of Altair's
    import altair as alt

    found = tradeoff(reports)
    if found is None:
        message = "quality against cost needs a goal and a cost that are known"
        raise AnalysisError(message)
    scale = 100 if found.quality.unit == "share" else 1
    rows = [
        {
            "variant": visible(place.variant),
            "cost": place.cost,
            "quality": scale * place.quality,
            "cost_low": (place.cost_ends or (place.cost,))[0],
            "cost_high": (place.cost_ends or (place.cost,))[-1],
            "low": scale * (place.quality_ends or (place.quality,))[0],
            "high": scale * (place.quality_ends or (place.quality,))[-1],
            "place": "beaten" if place.beaten_by else "on the front",
        }
        for place in found.places
    ]
    unit = "%" if scale != 1 else visible(found.quality.unit)
    near = alt.Scale(zero=False, nice=True, padding=24)
    x = alt.X(
        "cost:Q", title=f"{visible(found.cost.label)}, {visible(found.cost.unit)}", scale=near
    )
    y = alt.Y("quality:Q", title=f"{visible(found.quality.label)}, {unit}", scale=near)
    shade = alt.Color(
        "place:N",
        title=None,
        scale=alt.Scale(domain=["on the front", "beaten"], range=[colours.accent, colours.muted]),
    )
    base = alt.Chart(alt.Data(values=rows), height=300)
    told = [alt.Tooltip("variant:N"), alt.Tooltip("cost:Q", format=".3~s"),
            alt.Tooltip("quality:Q", format=".3~s"), alt.Tooltip("place:N")]  # fmt: skip
    front = (
        base.transform_filter("datum.place == 'on the front'")
        .mark_line(color=colours.line, strokeDash=[4, 3])
        .encode(x=x, y=y)
    )
    across = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("cost_low:Q", scale=near), x2="cost_high:Q", y=y, color=shade
    )
    up = base.mark_rule(strokeWidth=1.5).encode(
        x=x, y=alt.Y("low:Q", scale=near), y2="high:Q", color=shade
    )
    point = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x, y=y, color=shade, tooltip=told
    )
    name = base.mark_text(align="left", dx=10, dy=-10, color=colours.ink).encode(
        x=x, y=y, text="variant:N"
    )
    return alt.layer(front, across, up, point, name)


def _distribution(report: Outcome, finding: Finding, colours: Palette) -> Any:  # as above
    import altair as alt

    metric, rows = finding.metric, report.rows
    edges, shares = histogram(arms(rows, finding))
    data = [
        {"variant": visible(variant), "from": float(a), "to": float(b), "share": share}
        for variant, found in shares.items()
        for a, b, share in zip(edges, edges[1:], found, strict=False)
    ]
    names = [visible(rows.control), visible(rows.treatment)]
    shade = alt.Color(
        "variant:N",
        title=None,
        scale=alt.Scale(domain=names, range=[colours.control, colours.accent]),
    )
    share = f"share of {report.noun.many}"
    unit = "" if metric.unit in {"", "share"} else f", {visible(metric.unit)}"
    title = f"{visible(metric.label)}{unit}"
    return (
        alt.Chart(alt.Data(values=data), height=240)
        .mark_bar(opacity=0.5)
        .encode(
            # Told that these are bins, or it would draw each as a line at its height.
            x=alt.X("from:Q", title=title, bin="binned", scale=alt.Scale(zero=False)),
            x2="to:Q",
            y=alt.Y("share:Q", title=share, stack=None, axis=alt.Axis(format="%")),
            color=shade,
            tooltip=[alt.Tooltip("variant:N"), alt.Tooltip("share:Q", format=".1%"),
                     alt.Tooltip("from:Q", format=".3~s"), alt.Tooltip("to:Q", format=".3~s")],
        )
    )  # fmt: skip


def _zero(axis: str, colours: Palette) -> Any:  # a chart of Altair's
    import altair as alt

    place: dict[str, Any] = {axis: alt.datum(0)}  # one of the two axes
    return alt.Chart(alt.Data(values=[{}])).mark_rule(color=colours.muted).encode(**place)


def _finding(report: Outcome, metric: str | None) -> Finding:
    found = {finding.metric.name: finding for finding in report.findings}
    if metric is None:
        return next(item for item in report.findings if item.metric.role == "goal")
    if metric not in found:
        message = f"there is no metric {metric!r} in this report.{did_you_mean(metric, found)}"
        raise AnalysisError(message)
    return found[metric]


def _dressed(drawn: Any, colours: Palette) -> Any:  # a chart of Altair's, before and after
    return (
        drawn.properties(width=_WIDTH, background=colours.paper)
        .configure(font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=colours.muted,
            titleColor=colours.muted,
            gridColor=colours.line,
            domainColor=colours.line,
            tickColor=colours.line,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_axisX(tickCount=8)
        .configure_legend(labelColor=colours.ink, labelFontSize=12, orient="top")
        .configure_text(fontSize=12)
    )
