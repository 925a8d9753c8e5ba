"""Experiments on made-up items, for the tests of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from promptstudio_lab.experiments.analysis import analyze
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from promptstudio_lab.experiments.report import Report


def items(n: int = 240, lift: float = 0.33, cost: float = 1.9, slower: float = 1.0) -> Sums:
    """Return sums of `n` items on which the treatment succeeds `lift` more often."""
    random = np.random.default_rng(7)
    hard, luck = random.beta(2, 2, n), random.random((2, n))
    cost_usd = random.lognormal(-9.3, 0.3, n)
    latency_ms = random.lognormal(6.7, 0.3, n)
    return Sums.of(
        {
            "control.success": (luck[0] < hard).astype(float),
            "treatment.success": (luck[1] < hard + lift).astype(float),
            "control.cost_usd": cost_usd,
            "treatment.cost_usd": cost_usd * cost * random.lognormal(0, 0.1, n),
            "control.latency_ms": latency_ms,
            "treatment.latency_ms": latency_ms * slower * random.lognormal(0, 0.1, n),
        }
    )


def report(sums: Sums | None = None, **given: Any) -> Report:  # whatever `analyze` takes
    """Return a report of items, by default of a treatment that is clearly better."""
    sums = items() if sums is None else sums
    usual = {
        "name": "triage",
        "control": "control",
        "treatment": "treatment",
        "metrics": default_metrics(),
        "counts": {"control": sums.n, "treatment": sums.n},
        "expected": {"control": 0.5, "treatment": 0.5},
        "simulated": False,
    }
    return analyze(sums, **{**usual, **given})


def frame(n: int = 400, *, lift: float = 0.2, seed: int = 5, apart: bool = False) -> pl.DataFrame:
    """Return one row a run of two variants, `a` and `b`, on tickets of documents in languages.

    The treatment succeeds `lift` more often, and only in English; it costs less and takes longer.
    """
    random = np.random.default_rng(seed)
    english, hard = random.random(n) < 0.5, random.beta(2, 2, n)
    rows: list[tuple[object, ...]] = []
    for item in range(n):
        for variant, more, cost, slower in (("a", 0.0, 1.0, 1.0), ("b", lift, 0.6, 1.02)):
            if apart and (item % 2 == 0) != (variant == "a"):
                continue
            wins = random.random() < hard[item] + more * english[item]
            cost_usd = float(np.exp(-9 + 0.3 * random.normal())) * cost
            latency = float(np.exp(6.7 + 0.2 * random.normal())) * slower
            language = "en" if english[item] else "de"
            rows.append(
                (f"t{item}", variant, float(wins), cost_usd, latency, language, f"d{item // 4}")
            )
    names = ["unit", "variant", "success", "cost_usd", "latency_ms", "language", "document"]
    return pl.DataFrame(rows, schema=names, orient="row")
