"""Sums of money over provider calls: whole nano-dollars to the end, and unknown is not nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from promptstudio_lab.analytics.keys import NAMED
from promptstudio_lab.money import NANO_PER_USD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COUNTS = (
    "calls", "priced_calls", "simulated_calls", "priced_simulated_calls", "cache_hits",
    "priced_cache_hits",
)  # fmt: skip
_AMOUNTS = ("cost", "simulated", "saved")


def sums(calls: pl.LazyFrame, taken: pl.LazyFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return counts and exact sums of money, one row a group.

    Args:
        calls: one row a provider call: the keys, `cost` in nano-dollars or null, `simulated`.
        taken: one row a node that took a cached answer: the keys, `saved_cost` in nano-dollars or
            null.
        keys: columns to group by.

    Returns:
        The keys; `calls`, `priced_calls` and `cost` of real calls; the same of simulated ones;
        `cache_hits`, `priced_cache_hits` and `saved`. Money is in nano-dollars.
    """
    real, cost, price = ~pl.col("simulated"), pl.col("cost"), pl.col("cost").is_not_null()
    paid = calls.group_by(keys).agg(
        calls=real.sum(),
        priced_calls=(real & price).sum(),
        cost=cost.filter(real).sum(),
        simulated_calls=(~real).sum(),
        priced_simulated_calls=(~real & price).sum(),
        simulated=cost.filter(~real).sum(),
    )
    spared = taken.group_by(keys).agg(
        cache_hits=pl.len(),
        priced_cache_hits=pl.col("saved_cost").count(),
        saved=pl.col("saved_cost").sum(),
    )
    both = pl.concat([paid, spared], how="diagonal").group_by(keys)
    whole = [pl.col(name).cast(pl.Int64).sum() for name in (*_COUNTS, *_AMOUNTS)]
    return both.agg(whole).collect()


def told(
    found: pl.DataFrame, keys: Sequence[str], names: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Return sums as an analyst reads them: names beside ids, dollars, shares of known prices.

    Args:
        found: what `sums` returned.
        keys: its columns of ids.
        names: by id column, a frame of that column and its name.

    Returns:
        The names and ids; `calls`, `priced_calls`, `coverage` (null without calls), `cost_usd`;
        `simulated_calls`, `simulated_usd`; `cache_hits`, `saved_usd`; how many of these have a
        price, as `priced_…`. An amount of which no part
        is known is null; one of which a part is known is that part. The dearest come first.
    """
    for key, named in names.items():
        if key in keys:
            found = found.join(named, on=key, how="left")
    shown = [name for key in keys for name in ([NAMED[key], key] if key in NAMED else [key])]
    usd = [
        _dollars("cost", "calls").alias("cost_usd"),
        _dollars("simulated", "simulated_calls").alias("simulated_usd"),
        _dollars("saved", "cache_hits").alias("saved_usd"),
        pl.when(pl.col("calls") > 0)
        .then(pl.col("priced_calls") / pl.col("calls"))
        .alias("coverage"),
    ]
    # Days are read in their order; money has its dearest first, the unknown before it.
    order, falls = (["day"], False) if list(keys) == ["day"] else (["cost_usd", *keys], True)
    frame = found.with_columns(usd).sort(
        order, descending=[falls, *[False] * (len(order) - 1)], nulls_last=False
    )
    return frame.select(
        *shown, "calls", "priced_calls", "coverage", "cost_usd", "simulated_calls",
        "priced_simulated_calls", "simulated_usd", "cache_hits", "priced_cache_hits", "saved_usd",
    )  # fmt: skip


def _dollars(amount: str, of: str) -> pl.Expr:
    priced = f"priced_{of}"
    unknown = (pl.col(of) > 0) & (pl.col(priced) == 0)
    return pl.when(~unknown).then(pl.col(amount) / NANO_PER_USD)
