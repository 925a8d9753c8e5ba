"""What a measure will be, with intervals that were tried on its own past."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.wording import amount, change, visible
from promptstudio_lab.stats.series.coming import Forecast, forecast

if TYPE_CHECKING:
    from promptstudio_lab.analytics.series import Group, Measure, Series
    from promptstudio_lab.stats.sums import Floats

_STEP = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "1w": timedelta(weeks=1)}
_SHOWN = 60  # periods of the past in the picture
_POINTS: dict[str, Any] = {  # polars' own union of types
    "at": pl.Datetime("us", "UTC"), "mean": pl.Float64, "low": pl.Float64, "high": pl.Float64,
}  # fmt: skip
_TOTALS: dict[str, Any] = {  # polars' own union of types
    "total": pl.Float64, "low": pl.Float64, "high": pl.Float64, "recent": pl.Float64,
    "drift": pl.Float64, "coverage": pl.Float64, "trials": pl.Int64, "error_ratio": pl.Float64,
    "note": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Forecasts(Answer):
    """What a measure will be.

    Attributes:
        frame: one row a group and coming period: `at`, the `mean` and its interval.
        totals: one row a group. Of what adds up (money, calls): the `total` over all the periods
            with its interval. Of the others: their mean. `recent` is the same of as many periods
            that are over, `drift` the difference. `coverage` is the share of past values that such
            intervals held in `trials` forecasts made from the past alone; `error_ratio` the mean
            error, divided by that of repeating the last cycle. A group with too little past has
            only a `note`.
        model: which model it is.
    """

    totals: pl.DataFrame
    model: str

    @property
    def table(self) -> pl.DataFrame:
        """The totals."""
        return self.totals


def forecasts(series: Series, steps: int, alpha: float) -> Forecasts:
    """Return the forecast of every group of a series.

    Raises:
        AnalysisError: if no group has enough of a past.
    """
    made: list[tuple[Group, Forecast]] = []
    totals, refused = [], []
    for group in series.groups:
        try:
            found = forecast(_whole(group.values), steps, season=series.season, alpha=alpha)
        except AnalysisError as error:
            refused.append(error)
            totals.append({**group.names, "note": str(error)})
        else:
            made.append((group, found))
            totals.append({**group.names, **_total(group, found, series.measure), "note": ""})
    if not made:
        message = str(refused[0]) if refused else "no call was made, so nothing can be forecast"
        raise AnalysisError(message)
    points = [row for group, found in made for row in _rows(group, found, series)]
    told = [{name: row.get(name) for name in (*series.types, *_TOTALS)} for row in totals]
    summed = pl.DataFrame(told, schema={**series.types, **_TOTALS})
    return Forecasts(
        frame=pl.DataFrame(points, schema={**series.types, **_POINTS}),
        totals=summed,
        model=made[0][1].model,
        sentence=_sentence(series, *made[0], steps),
        sql=series.sql,
        reason=_reason(series, made[0][1]),
        drawing=_drawing(series, *made[0]),
        simulated=series.simulated,
        unit=series.measure.unit,
    )


def _whole(values: Floats) -> Floats:
    """Fill what is not known by a line between its neighbours."""
    known = np.isfinite(values)
    if not known.any():
        return values[:0]
    at = np.arange(values.size)
    return np.interp(at, at[known], values[known])


def _inside(value: float, measure: Measure) -> float:
    return min(max(value, 0.0), measure.most)


def _total(group: Group, found: Forecast, measure: Measure) -> dict[str, float | int]:
    steps = len(found.mean)
    recent = float(_whole(group.values)[-steps:].sum())
    by = 1 if measure.counts else steps
    ends = [
        _inside(end / by, measure) if measure.most < math.inf else max(end / by, 0.0)
        for end in (found.total, found.total_low, found.total_high)
    ]
    return {
        "total": ends[0], "low": ends[1], "high": ends[2], "recent": recent / by,
        "drift": ends[0] - recent / by, "coverage": found.coverage, "trials": found.trials,
        "error_ratio": found.error_ratio,
    }  # fmt: skip


def _rows(group: Group, found: Forecast, series: Series) -> list[dict[str, object]]:
    step, measure = _STEP[series.every], series.measure
    return [
        {**group.names, "at": group.at[-1] + step * (number + 1), "mean": _inside(mean, measure),
         "low": _inside(low, measure), "high": _inside(high, measure)}
        for number, (mean, low, high) in enumerate(
            zip(found.mean, found.low, found.high, strict=True))
    ]  # fmt: skip


def _sentence(series: Series, group: Group, found: Forecast, steps: int) -> str:
    measure = series.measure
    total = _total(group, found, measure)
    low, middle, high = (
        amount(float(total[name]), measure.unit) for name in ("low", "total", "high")
    )
    over = "in sum" if measure.counts else "in the mean"
    return (
        f"The {measure.title} of {visible(group.label)} in the next"
        f" {counted(steps, 'period')} of {series.every}: {middle} {over}"
        f" ({100 * (1 - found.alpha):g} %: {low} to {high}),"
        f" {change(float(total['drift']), measure.unit)} against as many before."
    )


def _reason(series: Series, found: Forecast) -> str:
    tried = (
        f"intervals from how it missed in {counted(found.trials, 'trial')} on its own past, where"
        f" they held {found.coverage:.0%} of the values ({1 - found.alpha:.0%} promised)"
    )
    parts = [
        found.model,
        tried,
        f"its error is {found.error_ratio:.2f} of that of repeating the last cycle",
        f"{counted(series.left_out, 'simulated call')} left out" if series.left_out else "",
    ]  # fmt: skip
    return "; ".join(filter(None, parts))


def _drawing(series: Series, group: Group, found: Forecast) -> Drawing:
    past = [
        Mark(f"{at:%Y-%m-%d %H:%M}", float(value) if np.isfinite(value) else None)
        for at, value in zip(group.at[-_SHOWN:], group.values[-_SHOWN:], strict=True)
    ]
    coming = [_coming(row) for row in _rows(group, found, series)]
    title = f"{series.measure.title}: {group.label}"
    return Drawing("line", title, series.measure.unit, (*past, *coming))


def _coming(row: dict[str, object]) -> Mark:
    mean, low, high = (float(str(row[name])) for name in ("mean", "low", "high"))
    return Mark(f"{row['at']:%Y-%m-%d %H:%M}", mean, low, high, "forecast")
