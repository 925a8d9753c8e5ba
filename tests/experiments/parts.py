"""Experiments on made-up items, for the tests of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
