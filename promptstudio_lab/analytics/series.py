"""A measure through time: one number a period and group, where nothing happened too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from promptstudio_lab.analytics.keys import IN_SQL, NAMED, columns, known
from promptstudio_lab.analytics.source import NAMES, played
from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.warehouse.frames.period import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from promptstudio_lab.analytics.source import Source
    from promptstudio_lab.stats.sums import Floats

EVERY = {"1h": None, "1d": 7, "1w": None}
"""How long a period may be, with how many of them make a cycle."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured in a period.

    Attributes:
        title: what it is called in words.
        unit: as `experiments.wording` knows it.
        value: worked out over the period's facts.
        counts: whether no call means 0; otherwise it means that nothing is known.
        most: what it cannot exceed.
        sql: the same over `v_trace`, where SQL has it.
    """

    title: str
    unit: str
    value: pl.Expr
    counts: bool
    most: float = float("inf")
    sql: str = ""


def _quantile(p: float) -> pl.Expr:
    return pl.col("latency_ms").quantile(p, "lower")


# A run's score is told once, however many calls it made.
_SCORED = pl.col("score").filter(pl.col("of_run"))
MEASURES: Mapping[str, Measure] = {
    "cost_usd": Measure(
        "known cost", "usd", pl.col("cost").sum() / 1e9, counts=True, sql="sum(cost_usd)"
    ),
    "calls": Measure("calls", "", pl.len().cast(pl.Float64), counts=True, sql="count(*)"),
    "runs": Measure(
        "runs",
        "",
        pl.col("flow_execution_id").n_unique().cast(pl.Float64),
        counts=True,
        sql="count(DISTINCT flow_execution_id)",
    ),
    "tokens": Measure(
        "tokens",
        "",
        pl.sum_horizontal("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
        .sum()
        .cast(pl.Float64),
        counts=True,
        sql="sum(COALESCE(input_tokens, 0) + COALESCE(cached_tokens, 0)"
        " + COALESCE(output_tokens, 0) + COALESCE(reasoning_tokens, 0))",
    ),
    "cost_per_call_usd": Measure(
        "known cost of a call", "usd", pl.col("cost").mean() / 1e9, counts=False,
        sql="avg(cost_usd)",
    ),
    "latency_ms": Measure(
        "mean latency of a call", "ms", pl.col("latency_ms").mean(), counts=False,
        sql="avg(latency_ms)",
    ),
    "latency_p50_ms": Measure("median latency of a call", "ms", _quantile(0.5), counts=False),
    "latency_p95_ms": Measure("p95 of a call's latency", "ms", _quantile(0.95), counts=False),
    "success": Measure(
        "share of calls that succeeded",
        "share",
        (pl.col("status") == "succeeded").mean(),
        counts=False,
        most=1.0,
        sql="avg(CASE WHEN call_status = 'succeeded' THEN 1.0 ELSE 0.0 END)",
    ),
    "score": Measure("mean score of a run", "", _SCORED.mean(), counts=False, most=1.0),
}  # fmt: skip
_NEEDED = (
    "flow_execution_id", "cost", "latency_ms", "status", "score", "simulated", "created_at",
    "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """A group's series.

    Attributes:
        names: its keys, names beside ids.
        at: the first moment of each period.
        values: the measure, `nan` where nothing is known.
        calls: how many calls each period had.
    """

    names: dict[str, object]
    at: list[datetime]
    values: Floats
    calls: list[int]

    @property
    def label(self) -> str:
        """The group's name in words; `all calls` where there are no groups."""
        parts = [
            str(value)
            for name, value in self.names.items()
            if not name.endswith("_id") and value is not None
        ]
        return " \u00b7 ".join(parts) or "all calls"


@dataclass(frozen=True, slots=True)
class Series:
    """A measure through time, by group: the group with the most calls first.

    Attributes:
        measure: what is measured.
        groups: the groups.
        every: how long a period is.
        simulated: whether a stand-in answered the calls.
        left_out: how many simulated calls were left out.
        types: the types of the groups' keys.
        sql: the query that gives the same, or the rows behind it.
    """

    measure: Measure
    groups: tuple[Group, ...]
    every: str
    simulated: bool
    left_out: int
    types: dict[str, pl.DataType]
    sql: str

    @property
    def season(self) -> int | None:
        """How many periods make a cycle."""
        return EVERY[self.every]


def series(source: Source, metric: str, by: str | Sequence[str] | None, every: str) -> Series:
    """Return a measure through time; periods that are not over are left out.

    Raises:
        AnalysisError: for a measure, a key or a period that there is not.
    """
    for name, value, allowed in (("metric", metric, MEASURES), ("every", every, EVERY)):
        if value not in allowed:
            message = f"{name} is {value!r}.{did_you_mean(value, allowed)}"
            raise AnalysisError(message)
    measure, words = MEASURES[metric], known(by) if by else ()
    if "day" in words:
        message = "a series has its days already; tell it by something else"
        raise AnalysisError(message)
    keys = columns(words)
    facts = source.facts().filter(pl.col("prompt_execution_id").is_not_null())
    wanted = list(dict.fromkeys([*keys, *_NEEDED]))
    rows, simulated, left = played(facts.select(wanted).collect())
    at = pl.col("created_at").dt.truncate(every)
    rows = rows.with_columns(
        at=at, of_run=pl.struct("flow_execution_id", *keys).is_first_distinct()
    )
    whole = _periods(source, rows, every)
    found = (
        rows.group_by([*keys, "at"])
        .agg(value=measure.value, calls=pl.len())
        .filter(pl.col("at").is_in(whole.implode()))
    )
    for key in keys:
        if key in NAMES:
            found = found.join(source.names(key), on=key, how="left")
    shown = [name for key in keys for name in ([NAMED[key], key] if key in NAMED else [key])]
    groups = sorted(_groups(found, shown, whole, measure), key=lambda one: -sum(one.calls))
    types = {name: found.schema[name] for name in shown}
    sql = _sql(source, measure, words, every)
    return Series(measure, tuple(groups), every, simulated, left, types, sql)


def _periods(source: Source, rows: pl.DataFrame, every: str) -> pl.Series:
    """Return the first moments of all periods that are over, from the first to the last."""
    first = moment(source.since) or rows["at"].min()
    last = moment(source.until) or rows["at"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return pl.Series("at", [], pl.Datetime("us", "UTC"))
    closed = "left" if source.until is not None else "both"
    edges = pl.Series([first, last, datetime.now(UTC)]).dt.truncate(every).to_list()
    # An `until` within a period leaves that one unfinished, as the present does.
    found = pl.datetime_range(edges[0], edges[1], every, closed=closed, eager=True)  # type: ignore[call-overload]  # one of its own words
    begun: pl.Series = found.cast(pl.Datetime("us", "UTC")).rename("at")
    return begun.filter(begun < edges[2])


def _groups(
    found: pl.DataFrame, shown: list[str], whole: pl.Series, measure: Measure
) -> Iterator[Group]:
    empty = 0.0 if measure.counts else float("nan")
    parts = found.group_by(shown, maintain_order=True) if shown else [((), found)]
    for key, part in parts:
        if part.is_empty():
            continue
        filled = whole.to_frame().join(part, on="at", how="left").sort("at")
        values = filled["value"].cast(pl.Float64).fill_null(empty).to_numpy()
        calls = filled["calls"].cast(pl.Int64).fill_null(0).to_list()
        yield Group(dict(zip(shown, key, strict=True)), filled["at"].to_list(), values, calls)


def _sql(source: Source, measure: Measure, words: Sequence[str], every: str) -> str:
    keys = columns(words)
    shown = [f"{IN_SQL[key]} AS {key}" if key in IN_SQL else key for key in keys]
    inside = [IN_SQL.get(key, key) for key in keys]
    ids = ("prompt_execution_id", "node_execution_id", "flow_execution_id")
    where = f"FROM v_trace\nWHERE {source.held(*ids)}"
    day = IN_SQL["day"]
    if every != "1d" or not measure.sql:
        rows = ["created_at", "flow_execution_id", "call_status", "cost_usd", "latency_ms"]
        return f"SELECT {', '.join([*shown, *rows])}\n{where}"
    told = ", ".join([*shown, f"{day} AS day", f"{measure.sql} AS value"])
    return f"SELECT {told}\n{where}\nGROUP BY {', '.join([*inside, day])}"
