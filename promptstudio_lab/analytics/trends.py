"""Where a measure is going, and when its level changed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.experiments.wording import amount, times, visible
from promptstudio_lab.stats.series.changes import LEAST, Change, changes
from promptstudio_lab.stats.tails import upper_quantile

if TYPE_CHECKING:
    from promptstudio_lab.analytics.series import Group, Series
    from promptstudio_lab.stats.sums import Floats

_DAY_FORMAT = "%Y-%m-%d %H:%M"
_CHANGES: dict[str, Any] = {  # polars' own union of types
    "at": pl.Datetime("us", "UTC"), "before": pl.Float64, "after": pl.Float64,
    "difference": pl.Float64, "low": pl.Float64, "high": pl.Float64, "p_value": pl.Float64,
}  # fmt: skip
_SLOPES: dict[str, Any] = {  # polars' own union of types
    "slope": pl.Float64, "low": pl.Float64, "high": pl.Float64, "p_value": pl.Float64,
    "periods": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Trend(Answer):
    """Where a measure is going.

    Attributes:
        frame: one row a group and period: `at`, the `value`, the `level` that it belongs to, and
            how many `calls` it rests on.
        changes: one row a change of level: when, `before` and `after`, the `difference` with its
            interval, and the p-value of the permutation test that found it.
        slopes: one row a group: how much the measure grows a period, with its interval.
    """

    changes: pl.DataFrame
    slopes: pl.DataFrame

    @property
    def table(self) -> pl.DataFrame:
        """The changes, or where there are none the slopes."""
        return self.slopes if self.changes.is_empty() else self.changes


class Slope(NamedTuple):
    """How much a series grows a period.

    Attributes:
        estimate: the slope.
        low: the lower end of its 95 % interval.
        high: the upper end.
        p_value: of the hypothesis that it does not grow.
    """

    estimate: float
    low: float
    high: float
    p_value: float


def trend(series: Series, alpha: float = 0.01) -> Trend:
    """Return the trend of every group of a series."""
    found = [(group, _changes(group, series.season, alpha)) for group in series.groups]
    points = [row for group, made in found for row in _points(group, made, series.season)]
    told = [
        {**group.names, "at": at, "before": one.before, "after": one.after,
         "difference": one.effect.estimate, "low": one.effect.low, "high": one.effect.high,
         "p_value": one.p_value}
        for group, made in found for at, one in made
    ]  # fmt: skip
    slopes = [
        {**group.names, **_named(slope), "periods": len(group.at)}
        for group in series.groups
        if (slope := slope_of(group.values)) is not None
    ]
    frame = pl.DataFrame(points, schema={**series.types, **_POINTS})
    moved = pl.DataFrame(told, schema={**series.types, **_CHANGES})
    return Trend(
        frame=frame,
        changes=moved,
        slopes=pl.DataFrame(slopes, schema={**series.types, **_SLOPES}),
        sentence=_sentence(series, found),
        sql=series.sql,
        reason=_reason(series, alpha),
        drawing=_drawing(series, found),
        simulated=series.simulated,
        unit=series.measure.unit,
    )


_POINTS: dict[str, Any] = {  # polars' own union of types
    "at": pl.Datetime("us", "UTC"), "value": pl.Float64, "level": pl.Float64, "calls": pl.Int64,
}  # fmt: skip
_Found = list[tuple[Any, Change]]  # moments, and what changed then


def slope_of(values: Floats) -> Slope | None:
    """Return how much a series grows a period, or None where too little is known.

    Ordinary least squares with an intercept, its standard error after Newey & West (1987), since
    neighbouring periods resemble one another: statsmodels' `OLS` with `cov_type="HAC"`.

    >>> round(slope_of(np.array([1.0, 3, 5, 7, 9, 11, 13, 15, 17, 19.5])).estimate, 2)
    2.03
    """
    known = np.isfinite(values)
    if known.sum() < 2 * LEAST or np.ptp(values[known]) == 0:
        return None
    from statsmodels.api import OLS, add_constant

    at = np.flatnonzero(known).astype(np.float64)
    lags = int(4 * (at.size / 100) ** (2 / 9))  # Newey & West 1994
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = OLS(values[known], add_constant(at)).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
        )
    half = upper_quantile(0.025, at.size - 2) * float(fitted.bse[1])
    slope = float(fitted.params[1])
    return Slope(slope, slope - half, slope + half, float(fitted.pvalues[1]))


def _named(slope: Slope) -> dict[str, float]:
    return {"slope": slope.estimate, "low": slope.low, "high": slope.high, "p_value": slope.p_value}


def _changes(group: Group, season: int | None, alpha: float) -> _Found:
    at, values = _steady(group, season)
    return [(group.at[at[one.index]], one) for one in changes(values, alpha=alpha)]


def _steady(group: Group, season: int | None) -> tuple[list[int], Floats]:
    """Return the known periods and their values without the cycle: each phase at the same level."""
    at = np.flatnonzero(np.isfinite(group.values))
    values = group.values[at]
    if season is None or values.size < 3 * season:
        return at.tolist(), values
    phases = at % season
    rest = values.copy()
    for phase in np.unique(phases):
        rest[phases == phase] += np.median(values) - np.median(values[phases == phase])
    return at.tolist(), rest


def _points(group: Group, found: _Found, season: int | None) -> list[dict[str, object]]:
    at, values = _steady(group, season)
    starts = [moment for moment, _ in found]
    part = [sum(moment >= start for start in starts) for moment in group.at]
    levels = {
        number: float(np.mean([v for i, v in zip(at, values, strict=True) if part[i] == number]))
        for number in {part[i] for i in at}
    }
    return [
        {**group.names, "at": moment, "value": None if np.isnan(value) else float(value),
         "level": levels.get(number), "calls": calls}
        for moment, value, number, calls in zip(
            group.at, group.values, part, group.calls, strict=True)
    ]  # fmt: skip


def _clearest(found: list[tuple[Group, _Found]]) -> tuple[Group, Any, Change] | None:  # a moment
    """Return the change that the sentence tells and the picture shows, if there is any."""
    moved = [(group, at, one) for group, made in found for at, one in made]
    return max(moved, key=lambda each: (-each[2].p_value, sum(each[0].calls)), default=None)


def _sentence(series: Series, found: list[tuple[Group, _Found]]) -> str:
    if not found:
        return "No call was made."
    title = series.measure.title
    told = _clearest(found)
    if told is None:
        periods = counted(len(found[0][0].at), "period")
        return f"The {title} shows no change of level in {periods} (steady, as far as can be told)."
    group, at, one = told
    unit = series.measure.unit
    size = times(one.after / one.before - 1) if one.before > 0 else "another level"
    further = sum(len(made) for _, made in found) - 1
    more = f"; {counted(further, 'further change')}" if further else ""
    return (
        f"From {at:%Y-%m-%d} the {title} of {visible(group.label)} was {size}:"
        f" {amount(one.before, unit)} before, {amount(one.after, unit)} after{more}."
    )


def _reason(series: Series, alpha: float) -> str:
    found = (
        f"periods of {series.every}; level changes by binary segmentation with a permutation test"
        f" at {alpha:g} a group"
    )
    parts = [
        found,
        "the weekly cycle taken out by the median of each day" if series.season else "",
        "slopes by least squares with Newey-West errors (statsmodels OLS, HAC)",
        f"{counted(series.left_out, 'simulated call')} left out" if series.left_out else "",
    ]  # fmt: skip
    return "; ".join(filter(None, parts))


def _drawing(series: Series, found: list[tuple[Group, _Found]]) -> Drawing | None:
    if not found:
        return None
    told = _clearest(found)
    group = told[0] if told else max((group for group, _ in found), key=lambda one: sum(one.calls))
    starts = {at for one, made in found if one is group for at, _ in made}
    marks = [
        Mark(
            f"{at:{_DAY_FORMAT}}", float(value) if np.isfinite(value) else None,
            state="changed" if at in starts else "",
        )
        for at, value in zip(group.at, group.values, strict=True)
    ]  # fmt: skip
    title = f"{series.measure.title}: {group.label}"
    return Drawing("line", title, series.measure.unit, tuple(marks))
