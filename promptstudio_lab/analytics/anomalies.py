"""Which periods were unusual, and in which nothing is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.experiments.wording import amount, visible
from promptstudio_lab.stats.series.unusual import Expected, unusual

if TYPE_CHECKING:
    from datetime import datetime

    from promptstudio_lab.analytics.series import Group, Series

    _Judged = list[tuple[Group, tuple[Expected, ...]]]

_POINTS: dict[str, Any] = {  # polars' own union of types
    "at": pl.Datetime("us", "UTC"), "value": pl.Float64, "state": pl.String,
    "expected": pl.Float64, "low": pl.Float64, "high": pl.Float64, "calls": pl.Int64,
}  # fmt: skip
_REMARKABLE = ("high", "low", "no data")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Anomalies(Answer):
    """Which periods were unusual.

    Attributes:
        frame: one row a group and period: `at`, the `value`, its `state` (`ok`, `high`, `low`,
            `no data`, or `learning` while too little came before), what was `expected`, and
            between which ends a usual value lies.
    """

    @property
    def found(self) -> pl.DataFrame:
        """The periods that were unusual or had no data, the newest first."""
        return self.frame.filter(pl.col("state").is_in(_REMARKABLE)).sort(
            "at", descending=True, maintain_order=True
        )

    @property
    def table(self) -> pl.DataFrame:
        """The unusual periods."""
        return self.found


def anomalies(series: Series, alpha: float) -> Anomalies:
    """Return every period of every group with what those before let expect of it."""
    judged = [
        (group, unusual(group.values, season=series.season, alpha=alpha)) for group in series.groups
    ]
    rows = [row for group, points in judged for row in _rows(group, points)]
    frame = pl.DataFrame(rows, schema={**series.types, **_POINTS})
    left = f"; {counted(series.left_out, 'simulated call')} left out" if series.left_out else ""
    return Anomalies(
        frame=frame,
        sentence=_sentence(series, judged),
        sql=series.sql,
        reason=(
            f"against the median of the 28 periods of {series.every} before, spread by their median"
            f" deviation (Hampel); a usual period is called unusual once in {1 / alpha:,.0f}{left}"
        ),
        drawing=_drawing(series, judged),
        simulated=series.simulated,
        unit=series.measure.unit,
    )


def _rows(group: Group, points: tuple[Expected, ...]) -> list[dict[str, object]]:
    return [
        {**group.names, "at": at, "value": _known(one.value), "state": one.state,
         "expected": _known(one.expected), "low": _known(one.low), "high": _known(one.high),
         "calls": calls}
        for at, one, calls in zip(group.at, points, group.calls, strict=True)
    ]  # fmt: skip


def _known(value: float) -> float | None:
    # No measure is below 0.
    return None if math.isnan(value) else max(value, 0.0)


def _unusual(judged: _Judged) -> list[tuple[datetime, Group, Expected]]:
    """Return the unusual periods, the latest first: of that the sentence and the picture are."""
    told = [
        (at, group, one)
        for group, points in judged
        for at, one in zip(group.at, points, strict=True)
        if one.state in _REMARKABLE
    ]
    return sorted(told, key=lambda each: each[0], reverse=True)


def _sentence(series: Series, judged: _Judged) -> str:
    if not judged:
        return "No data: no call was made."
    told = _unusual(judged)
    states = {state: sum(one.state == state for *_, one in told) for state in _REMARKABLE}
    if not told:
        return f"The {series.measure.title} was never unusual."
    counts = [f"{number} {state}" for state, number in states.items() if number]
    at, group, one = told[0]
    unit = series.measure.unit
    latest = (
        "no data"
        if one.state == "no data"
        else f"{amount(one.value, unit)}, where {amount(max(one.expected, 0.0), unit)} was expected"
    )
    return (
        f"{counted(len(told), 'unusual period')} of the {series.measure.title}"
        f" ({', '.join(counts)}); the latest on {at:%Y-%m-%d} for {visible(group.label)}: {latest}."
    )


def _drawing(series: Series, judged: _Judged) -> Drawing | None:
    if not judged:
        return None
    told = {id(group) for _, group, _ in _unusual(judged)[:1]}
    group, points = max(judged, key=lambda each: (id(each[0]) in told, sum(each[0].calls)))
    marks = [
        Mark(
            f"{at:%Y-%m-%d %H:%M}", _known(one.value), _known(one.low), _known(one.high), one.state
        )
        for at, one in zip(group.at, points, strict=True)
    ]
    title = f"{series.measure.title}: {group.label}"
    return Drawing("line", title, series.measure.unit, tuple(marks))
