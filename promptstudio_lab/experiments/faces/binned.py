"""The values behind a metric, as they came: what a picture of a distribution is drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.decision import Finding
    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.stats.sums import Floats

BINS = 40


def arms(rows: Rows, finding: Finding) -> dict[str, Floats]:
    """Return the values of each variant's units, the control's first.

    Args:
        rows: the rows behind a report.
        finding: the metric.

    Raises:
        AnalysisError: if the rows do not have what it is made from.
    """
    metric, found = finding.metric, dict[str, "Floats"]()
    for table in rows.tables:
        for variant, values in table.values.items():
            parts = [values[name] for name in metric.raw if name in values]
            if len(parts) == len(metric.raw):
                found[variant] = _values(parts)
    names = rows.control, rows.treatment
    if not all(variant in found and found[variant].size for variant in names):
        message = f"the rows of {metric.name!r} were not read. Hint: name it in report(metrics=…)"
        raise AnalysisError(message)
    return {name: found[name] for name in names}


def histogram(values: dict[str, Floats], bins: int = BINS) -> tuple[Floats, dict[str, list[float]]]:
    """Return edges that both variants share, and the share of each variant's units between them.

    >>> edges, shares = histogram({"a": np.array([0.0, 1.0]), "b": np.array([1.0])}, bins=2)
    >>> edges.tolist(), shares
    ([0.0, 0.5, 1.0], {'a': [0.5, 0.5], 'b': [0.0, 1.0]})
    """
    whole = np.concatenate(list(values.values()))
    # Yes and no are two bars, and not two among forty.
    edges = np.histogram_bin_edges(whole, bins=2 if binary(whole) else bins)
    counted = {name: np.histogram(some, edges)[0] / some.size for name, some in values.items()}
    return edges, {name: shares.tolist() for name, shares in counted.items()}


def binary(values: Floats) -> bool:
    """Return whether values are only 0 and 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def _values(parts: Sequence[Floats]) -> Floats:
    if len(parts) == 1:
        return parts[0]
    over, under = parts[:2]
    return np.asarray(over[under != 0] / under[under != 0])
