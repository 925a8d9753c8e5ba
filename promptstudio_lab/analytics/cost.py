"""What was spent on provider calls, and how much of it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from promptstudio_lab.analytics.faces.answer import Answer, counted
from promptstudio_lab.analytics.faces.drawing import Drawing, Mark
from promptstudio_lab.analytics.keys import IN_SQL, KEYS, columns, known
from promptstudio_lab.analytics.source import NAMES
from promptstudio_lab.analytics.spending import sums, told
from promptstudio_lab.ids import time_of
from promptstudio_lab.money import format_usd
from promptstudio_lab.warehouse.frames.tables import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.analytics.source import Source

_TOGETHER = " \u00b7 "


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Cost(Answer):
    """What was spent on provider calls, and how much of it is known.

    Attributes:
        by: what it is told by.
        frame: one row a group: names and ids; `calls`, `priced_calls`, `coverage` and `cost_usd`
            of real calls; `simulated_calls` and `simulated_usd`; `cache_hits` and `saved_usd`;
            how many of these have a known price, as `priced_…`.
        total: nano-dollars of real calls with a known price.
        simulated_total: nano-dollars that simulated calls would have cost.
        saved: nano-dollars that cached answers would have cost.
    """

    by: tuple[str, ...]
    total: int
    simulated_total: int
    saved: int


def cost(source: Source, by: str | Sequence[str]) -> Cost:
    """Return what provider calls cost.

    Raises:
        AnalysisError: for a word that cost cannot be told by.
    """
    words = known(by)
    keys = columns(words)
    facts = source.facts()
    calls = facts.filter(pl.col("prompt_execution_id").is_not_null())
    found = sums(calls.select(*keys, "cost", "simulated"), _taken(source, facts, keys), keys)
    frame = told(found, keys, {key: source.names(key) for key in keys if key in NAMES})
    total, simulated, saved = (int(found[one].sum()) for one in ("cost", "simulated", "saved"))
    return answered(words, frame, (total, simulated, saved), _sql(source, words))


def answered(
    by: tuple[str, ...], frame: pl.DataFrame, totals: tuple[int, int, int], sql: str = ""
) -> Cost:
    """Return sums as an answer.

    Args:
        by: what they are told by.
        frame: what `spending.told` returned.
        totals: nano-dollars of real calls, of simulated ones, and saved by cached answers.
        sql: the query that gives the same.
    """
    return Cost(
        by=by,
        frame=frame,
        sql=sql,
        sentence=_sentence(frame, totals),
        reason="each call at the price of its day; a call of unknown price is unknown, never $0",
        drawing=_drawing(by, frame),
        simulated=not frame["calls"].sum() and bool(frame["simulated_calls"].sum()),
        total=totals[0],
        simulated_total=totals[1],
        saved=totals[2],
    )


def _taken(source: Source, facts: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Return the nodes that took an answer of a real call from the cache, with that call's model.

    What a stand-in answered was not saved in earnest. A run may hold answers of both.
    """
    wanted = [key for key in keys if key not in KEYS["model"]]
    hits = facts.filter(pl.col("cache_hit")).select(
        "original_node_execution_id", "run_simulated", "saved_cost", *wanted
    )
    taken = hits.collect()
    first, last = (getattr(taken["original_node_execution_id"], end)() for end in ("min", "max"))
    if first is None:
        return facts.select(*keys, "saved_cost").clear()
    paid = (
        scan(
            source.warehouse,
            source.actor,
            "prompt_execution",
            since=time_of(first),
            until=time_of(last) + timedelta(milliseconds=1),
            columns=["node_execution_id", "call_index", "provider", "model", "simulated"],
        )
        .sort("call_index")
        .group_by(pl.col("node_execution_id").alias("original_node_execution_id"))
        .agg(pl.col("provider", "model").last(), pl.col("simulated").any().alias("played"))
    )
    # An original that is no longer there, or made no call itself, leaves only what its run says.
    return (
        taken.lazy()
        .join(paid, on="original_node_execution_id", how="left")
        .filter(~pl.coalesce("played", "run_simulated").fill_null(value=False))
        .select(*keys, "saved_cost")
    )


def _sentence(frame: pl.DataFrame, totals: tuple[int, int, int]) -> str:
    calls, priced = _count(frame, "calls")
    if not calls:
        said = "No real call was made"
    elif not priced and calls == 1:
        said = "What 1 call cost is unknown: it has no known price"
    elif not priced:
        said = f"What {calls:,} calls cost is unknown: none of them has a known price"
    elif priced < calls:
        have = "has" if priced == 1 else "have"
        share = f"{priced:,} of {counted(calls, 'call')} {have} a known price"
        said = f"At least {format_usd(totals[0])} was spent: {share}"
    else:
        each = "with a known price" if calls == 1 else "each with a known price"
        said = f"{format_usd(totals[0])} was spent on {counted(calls, 'call')}, {each}"
    return "; ".join([said, *_besides(frame, totals)]) + "."


def _besides(frame: pl.DataFrame, totals: tuple[int, int, int]) -> list[str]:
    hits, known_hits = _count(frame, "cache_hits")
    simulated, known_simulated = _count(frame, "simulated_calls")
    saved = _amount(totals[2], hits, known_hits)
    played = _amount(totals[1], simulated, known_simulated)
    words = (
        (hits, f"cached answers of {counted(hits, 'node')} saved {saved}"),
        (simulated, f"{counted(simulated, 'simulated call')} would have cost {played}"),
    )
    return [said for count, said in words if count]


def _count(frame: pl.DataFrame, what: str) -> tuple[int, int]:
    return int(frame[what].sum()), int(frame[f"priced_{what}"].sum())


def _amount(nano: int, count: int, priced: int) -> str:
    if not priced:
        return "an unknown amount"
    return format_usd(nano) if priced == count else f"at least {format_usd(nano)}"


def _drawing(by: tuple[str, ...], frame: pl.DataFrame) -> Drawing:
    played = not frame["calls"].sum()
    amount = "simulated_usd" if played else "cost_usd"
    title = "cost that simulated calls would have had" if played else "known cost of real calls"
    before = frame.columns.index("calls")
    keys = [name for name in frame.columns[:before] if not name.endswith("_id")]
    days = by == ("day",)
    rows = [row for row in frame.iter_rows(named=True) if row["calls"] or played]
    marks = [
        Mark(_TOGETHER.join(str(row[key]) for key in keys if row[key] is not None), row[amount])
        for row in rows
    ]
    return Drawing("line" if days else "bars", title, "usd", tuple(marks))


def _sql(source: Source, words: tuple[str, ...]) -> str:
    keys = list(dict.fromkeys(IN_SQL.get(key, key) for key in columns(words)))
    shown = [f"{IN_SQL[key]} AS {key}" if key in IN_SQL else key for key in columns(words)]
    ids = ("prompt_execution_id", "node_execution_id", "flow_execution_id")
    return (
        f"SELECT {', '.join(shown)},\n"
        "    sum(CASE WHEN simulated THEN 0 ELSE 1 END) AS calls,\n"
        "    sum(CASE WHEN simulated OR cost_usd IS NULL THEN 0 ELSE 1 END) AS priced_calls,\n"
        "    sum(CASE WHEN simulated THEN NULL ELSE cost_usd END) AS cost_usd\n"
        f"FROM v_trace\nWHERE {source.held(*ids)}\n"
        f"GROUP BY {', '.join(keys)}"
    )
