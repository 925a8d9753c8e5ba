"""How long calls take: quantiles of any window, from sketches that can be merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.keys import IN_SQL, NAMED, columns, known
from promptstudio_lab.analytics.source import NAMES, played
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.wording import amount, visible
from promptstudio_lab.stats.series.sketch import ERROR, Sketch, buckets
from promptstudio_lab.warehouse.frames.period import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.analytics.source import Source
    from promptstudio_lab.warehouse.frames.period import When

_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Latency(Answer):
    """How long calls took.

    Attributes:
        frame: one row a group: `calls`, and `p50_ms` and so on, each within 1 % of the exact one,
            with the ends of its interval.
        by: what it is told by.
        quantiles: which quantiles.
        counts: the sketches: one row a group, day and bucket, with how many calls fell into it.
    """

    by: tuple[str, ...]
    quantiles: tuple[float, ...]
    counts: pl.DataFrame

    def window(self, since: When | None = None, until: When | None = None) -> pl.DataFrame:
        """Return the frame of some of the days, from the sketches: nothing is read again.

        Args:
            since: the first day.
            until: the day after the last.

        Raises:
            AnalysisError: if a moment is no midnight: a sketch holds a day.
        """
        days = self.counts
        for when, kept in ((since, pl.col.day.__ge__), (until, pl.col.day.__lt__)):
            at = moment(when)
            if at is None:
                continue
            if at.timestamp() % 86_400:
                message = f"{at.isoformat()} is no midnight (UTC), and a sketch holds a day"
                raise AnalysisError(message)
            days = days.filter(kept(at.date()))
        return merged(days, self.by, self.quantiles)


def latency(source: Source, by: str | Sequence[str], quantiles: Sequence[float]) -> Latency:
    """Return how long calls took, by group.

    Raises:
        AnalysisError: for a word that it cannot be told by, or a quantile that is no share.
    """
    words = known(by)
    keys = columns(words)
    facts = source.facts().filter(pl.col("latency_ms").is_not_null())
    wanted = list(dict.fromkeys([*keys, "day", "latency_ms", "simulated"]))
    calls, simulated, left = played(facts.select(wanted).collect())
    numbered = calls.with_columns(
        bucket=pl.Series(buckets(calls["latency_ms"].to_numpy()), dtype=pl.Int64)
    )
    at = list(dict.fromkeys([*keys, "day", "bucket"]))
    counts = numbered.group_by(at).agg(times=pl.len().cast(pl.Int64))
    for key in keys:
        if key in NAMES:
            counts = counts.join(source.names(key), on=key, how="left")
    shown = [name for key in keys for name in ([NAMED[key], key] if key in NAMED else [key])]
    chosen = tuple(quantiles)
    frame = merged(counts, tuple(shown), chosen)
    note = f"; {counted(left, 'simulated call')} left out" if left else ""
    return Latency(
        frame=frame,
        by=tuple(shown),
        quantiles=chosen,
        counts=counts,
        sentence=_sentence(frame, shown, chosen),
        sql=_sql(source, words),
        reason=f"DDSketch, each quantile within {ERROR:.0%}; days merge exactly{note}",
        drawing=_drawing(frame, shown, chosen),
        simulated=simulated,
    )


def merged(counts: pl.DataFrame, keys: Sequence[str], quantiles: Sequence[float]) -> pl.DataFrame:
    """Return the quantiles of each group over all its days.

    Args:
        counts: `bucket`, `times` and the keys.
        keys: columns to group by.
        quantiles: which.
    """
    rows = []
    for key, part in counts.group_by(list(keys), maintain_order=True):
        sums = part.group_by("bucket").agg(pl.col("times").sum())
        sketch = Sketch.counted(dict(sums.rows()))
        row = {**dict(zip(keys, key, strict=True)), "calls": sketch.n}
        for p in quantiles:
            low, high = sketch.interval(p)
            name = _name(p)
            row |= {
                f"{name}_ms": sketch.quantile(p),
                f"{name}_low_ms": low,
                f"{name}_high_ms": high,
            }
        rows.append(row)
    types = {
        **{key: counts.schema[key] for key in keys},
        "calls": pl.Int64(),
        **{f"{_name(p)}{end}_ms": pl.Float64() for p in quantiles for end in ("", "_low", "_high")},
    }
    return pl.DataFrame(rows, schema=types).sort(f"{_name(quantiles[-1])}_ms", descending=True)


def _name(p: float) -> str:
    return f"p{100 * p:g}"


def _label(row: dict[str, object], shown: Sequence[str]) -> str:
    parts = [row[name] for name in shown if not name.endswith("_id") and row[name] is not None]
    return " \u00b7 ".join(map(str, parts))


def _sentence(frame: pl.DataFrame, shown: Sequence[str], quantiles: Sequence[float]) -> str:
    if frame.is_empty():
        return "No call was made."
    row, name = frame.row(0, named=True), _name(quantiles[-1])
    told = ", ".join(f"{_name(p)} {amount(row[f'{_name(p)}_ms'], 'ms')}" for p in quantiles)
    return (
        f"{visible(_label(row, shown))} has the highest {name}: {told}, over"
        f" {counted(row['calls'], 'call')}."
    )


def _drawing(frame: pl.DataFrame, shown: Sequence[str], quantiles: Sequence[float]) -> Drawing:
    name = _name(quantiles[-1])
    marks = [
        Mark(_label(row, shown), row[f"{name}_ms"], row[f"{name}_low_ms"], row[f"{name}_high_ms"])
        for row in frame.iter_rows(named=True)
    ]
    return Drawing("intervals", f"{name} of a call's latency", "ms", tuple(marks))


def _sql(source: Source, words: Sequence[str]) -> str:
    keys = columns(words)
    shown = [f"{IN_SQL[key]} AS {key}" if key in IN_SQL else key for key in keys]
    ids = ("prompt_execution_id", "node_execution_id", "flow_execution_id")
    return (
        f"SELECT {', '.join(shown)}, latency_ms\n"
        f"FROM v_trace\nWHERE {source.held(*ids)} AND latency_ms IS NOT NULL"
    )
