"""What an experiment measures: one file a metric.

A metric is a class that says which columns it adds up and how the answer is read; it registers
under a name, and a package offers its own by an entry point of the group
`promptstudio_lab.metrics`.
"""

from __future__ import annotations

from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.metrics.margin import Margin
from promptstudio_lab.metrics.mean import Mean
from promptstudio_lab.metrics.quantile import Quantile
from promptstudio_lab.metrics.rate import Rate
from promptstudio_lab.metrics.ratio import RatioOfSums

__all__ = [
    "Better",
    "Margin",
    "Mean",
    "Metric",
    "Quantile",
    "Rate",
    "RatioOfSums",
    "Role",
    "default_metrics",
    "metrics",
]


def default_metrics() -> tuple[Metric, ...]:
    """Return what every experiment measures unless told otherwise.

    >>> [metric.name for metric in default_metrics()]
    ['success', 'cost_usd', 'latency_ms', 'cost_per_success']
    """
    return (
        Rate("success"),
        Mean("cost_usd"),
        Mean("latency_ms"),
        RatioOfSums("cost_usd", "success", name="cost_per_success"),
    )
