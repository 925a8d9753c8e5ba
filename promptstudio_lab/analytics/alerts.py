"""Rules about the latest period, evaluated when they are asked: in a notebook, or by a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.series import MEASURES, series
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.wording import amount, visible
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.series.unusual import unusual
from promptstudio_lab.values import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.analytics.series import Group, Series
    from promptstudio_lab.analytics.source import Source

State: TypeAlias = Literal["firing", "ok", "no data"]
_ALPHA = 0.001
_FRAME: dict[str, Any] = {  # polars' own union of types
    "rule": pl.String, "group": pl.String, "state": pl.String, "at": pl.Datetime("us", "UTC"),
    "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "calls": pl.Int64,
    "unit": pl.String, "note": pl.String, "key": pl.String,
}  # fmt: skip
_ORDER = {"firing": 0, "no data": 1, "ok": 2}


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule about the latest period that is over.

    Attributes:
        name: what it is called.
        metric: what is measured, as `lab.analytics.trend` takes it.
        above: it fires when the measure is higher.
        below: it fires when the measure is lower.
        unusual: it fires when the measure is unusual by the periods before.
        by: each group on its own, as `lab.analytics.cost` takes it; None for all calls together.
        every: how long a period is: `1h`, `1d` or `1w`.
        least: with fewer calls in the period nothing is known.
        silent: whether it fires when nothing is known, too.

    >>> Alert("dear", "cost_usd", above=5).words
    'cost_usd above 5'
    """

    name: str
    metric: str
    above: float | None = None
    below: float | None = None
    unusual: bool = False
    by: str | tuple[str, ...] | None = None
    every: str = "1d"
    least: int = 1
    silent: bool = False

    _repr_html_ = named_html

    def __post_init__(self) -> None:
        """Refuse a rule that can never fire.

        Raises:
            AnalysisError: if it has no condition.
        """
        if self.above is None and self.below is None and not (self.unusual or self.silent):
            message = (
                f"the alert {self.name!r} has no condition."
                " Hint: give `above`, `below`, `unusual=True` or `silent=True`."
            )
            raise AnalysisError(message)

    @property
    def words(self) -> str:
        """The condition in words."""
        parts = [
            f"{self.metric} above {self.above:g}" if self.above is not None else "",
            f"{self.metric} below {self.below:g}" if self.below is not None else "",
            f"{self.metric} unusual" if self.unusual else "",
            "no data" if self.silent else "",
        ]
        return " or ".join(filter(None, parts))


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Alerts(Answer):
    """What rules say of the latest period.

    Attributes:
        frame: one row a rule and group, what fires first: the `state` (`firing`, `ok` or `no data`,
            which is neither), the `value`, between which ends it would be no alert, and a `key`
            that is the same for the same rule, group and period: tell each key once.
        sql: the query of the first rule.
        queries: the query of each rule, by its name.
    """

    queries: dict[str, str]

    @property
    def firing(self) -> pl.DataFrame:
        """The rows that fire."""
        return self.frame.filter(state="firing")


def alerts(source: Source, rules: Sequence[Alert]) -> Alerts:
    """Return what rules say of the latest period that is over.

    Raises:
        AnalysisError: if there is no rule, two have one name, or a measure is unknown.
    """
    names = [rule.name for rule in rules]
    if not rules or len(set(names)) < len(names):
        message = "an alert needs a rule" if not rules else f"two alerts have one name: {names}"
        raise AnalysisError(message)
    found = [(rule, series(source, rule.metric, rule.by, rule.every)) for rule in rules]
    rows = [row for rule, measured in found for row in _rows(rule, measured)]
    frame = pl.DataFrame(rows, schema=_FRAME)
    order = pl.col("state").replace_strict(_ORDER, return_dtype=pl.Int64)
    frame = frame.sort(order, maintain_order=True)
    return Alerts(
        frame=frame,
        sentence=_sentence(frame),
        sql=found[0][1].sql,
        queries={rule.name: measured.sql for rule, measured in found},
        reason="; ".join(f"{rule.name}: {rule.words} in {rule.every}" for rule in rules),
        drawing=_drawing(frame),
        simulated=any(measured.simulated for _, measured in found),
    )


def _rows(rule: Alert, measured: Series) -> list[dict[str, object]]:
    if not measured.groups:
        return [_row(rule, measured, None)]
    return [_row(rule, measured, group) for group in measured.groups]


def _row(rule: Alert, measured: Series, group: Group | None) -> dict[str, object]:
    calls = group.calls[-1] if group and group.at else 0
    value = float(group.values[-1]) if group and group.at else math.nan
    low, high = _ends(rule, measured, group)
    enough = calls >= rule.least or MEASURES[rule.metric].counts
    known = bool(group and group.at) and math.isfinite(value) and enough
    label = group.label if group else "all calls"
    at = group.at[-1] if group and group.at else None
    state: State = "no data"
    if known:
        state = "firing" if value < low or value > high else "ok"
    elif rule.silent:
        state = "firing"
    return {
        "rule": rule.name, "group": label, "state": state, "at": at,
        "value": value if known else None, "low": _finite(low), "high": _finite(high),
        "calls": calls, "unit": measured.measure.unit,
        "note": "" if known else f"{counted(calls, 'call')} in the latest period",
        "key": content_hash([rule.name, label, at.isoformat() if at else None])[:16],
    }  # fmt: skip


def _ends(rule: Alert, measured: Series, group: Group | None) -> tuple[float, float]:
    """Return between which ends the measure is no alert."""
    low = -math.inf if rule.below is None else rule.below
    high = math.inf if rule.above is None else rule.above
    if rule.unusual and group and group.at:
        last = unusual(group.values, season=measured.season, alpha=_ALPHA)[-1]
        if math.isfinite(last.low):
            low, high = max(low, last.low), min(high, last.high)
    return low, high


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sentence(frame: pl.DataFrame) -> str:
    firing = frame.filter(state="firing")
    unknown = frame.filter(state="no data").height
    besides = f"; {unknown:,} without data" if unknown else ""
    if firing.is_empty():
        return f"No alert of {frame.height:,} fires{besides}."
    row = firing.row(0, named=True)
    value = "no data" if row["value"] is None else amount(row["value"], row["unit"])
    when = f" on {row['at']:%Y-%m-%d}" if row["at"] else ""
    fire = "fires" if firing.height == 1 else "fire"
    return (
        f"{counted(firing.height, 'alert')} of {frame.height:,} {fire}:"
        f" {visible(row['rule'])} ({visible(row['group'])}) was {value}{when}{besides}."
    )


def _drawing(frame: pl.DataFrame) -> Drawing | None:
    """Show how far each value lies beyond what it may be: 1 is the end that it may reach."""
    marks = [
        Mark(f"{row['rule']} \u00b7 {row['group']}", _reach(row), state=row["state"])
        for row in frame.iter_rows(named=True)
    ]
    return Drawing("bars", "value as a share of what is allowed", "share", tuple(marks))


def _reach(row: dict[str, Any]) -> float | None:  # a row's columns have their own types
    if row["value"] is None:
        return None
    if row["high"]:
        return float(row["value"] / row["high"])
    return float(row["low"] / row["value"]) if row["low"] and row["value"] else None
