"""A quantile of a measurement: the median, the p95 of latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.metrics.margin import Margin, Regression
from promptstudio_lab.metrics.mean import known
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.quantiles import linearised
from promptstudio_lab.stats.sums import Sums, SumsApart
from promptstudio_lab.stats.tails import share_of
from promptstudio_lab.stats.unpaired import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.sums import Floats, Labels
    from promptstudio_lab.values import Json


@metrics.register("quantile")
class Quantile(Metric):
    """The value that a share `p` of the units does not exceed.

    No sums answer it: it is read off the rows, each of which becomes a number whose mean is the
    quantile (`stats.quantiles.linearised`); pairing and clusters then work as for any mean.

    >>> slow = Quantile("latency_ms", 0.95, max_regression="10%")
    >>> slow.name, slow.label, slow.unit, slow.role
    ('latency_ms_p95', 'latency p95', 'ms', 'guardrail')
    """

    def __init__(  # noqa: PLR0913 # every word of a report can be chosen, and none must be
        self,
        column: str,
        p: float = 0.5,
        *,
        name: str = "",
        label: str = "",
        unit: str | None = None,
        better: Better | None = None,
        role: Role | None = None,
        max_regression: Regression = None,
    ) -> None:
        """Measure the quantile `p` of `column`; what is left out follows from the column's unit.

        Raises:
            AnalysisError: if `p` does not lie between 0 and 1.
        """
        self.p = share_of("p", p, "0.5 is the median")
        self.column = column
        said, direction, part, words = known(column)
        which = f"p{100 * p:g}"
        super().__init__(
            name=name or f"{column}_{which}",
            label=label or name.replace("_", " ") or f"{words.replace('_', ' ')} {which}",
            unit=said if unit is None else unit,
            better=better or direction,
            role=role or part,
            columns=(f"{column}@{which}",),
            margin=Margin.of(max_regression, said if unit is None else unit),
        )

    def settings(self) -> dict[str, Json]:
        """Return the words it was made with."""
        return {**super().settings(), "column": self.column, "p": self.p}

    @property
    def raw(self) -> tuple[str, ...]:
        """The column that its own is made from."""
        return (self.column,)

    def derived(
        self, values: Mapping[str, Floats], clusters: Labels | None = None
    ) -> dict[str, Floats]:
        """Return its column: numbers whose mean is the quantile; arguments as every metric.

        Raises:
            AnalysisError: if the rows are too few to see the quantile's spread.
        """
        return {self.columns[0]: linearised(values[self.column], self.p, clusters=clusters)}

    def effect(
        self,
        sums: Sums | SumsApart,
        control: str,
        treatment: str,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Effect:
        """Return the difference of the two quantiles, `nan` where too few rows show their spread.

        >>> import numpy as np
        >>> slow, values = Quantile("ms", 0.5), np.arange(1000.0)
        >>> old, new = slow.derived({"ms": values}), slow.derived({"ms": values + 3})
        >>> sums = Sums.of({f"a.{name}": old[name] for name in old} | {"b.ms@p50": new["ms@p50"]})
        >>> round(slow.effect(sums, "a", "b").estimate, 9)
        3.0
        """
        (column,) = self.columns
        why = "there are too few rows to see how this quantile varies"
        if isinstance(sums, SumsApart):
            if any(column not in sums[variant].columns for variant in (control, treatment)):
                return unknown(sums.n, why, alpha=alpha, method=method)
            return self.apart(sums, control, treatment, alpha, method)
        names = f"{control}.{column}", f"{treatment}.{column}"
        if any(name not in sums.columns for name in names):
            return unknown(sums.n, why, alpha=alpha, method=method)
        return mean_difference(sums, *names, alpha=alpha, method=method)

    def arm(self, sums: Sums) -> Arm:
        """Return the quantile over the units of one variant.

        >>> import numpy as np
        >>> slow = Quantile("ms", 0.5)
        >>> slow.arm(Sums.of(slow.derived({"ms": np.arange(999.0)}))).n
        999
        """
        return Arm.of(sums, self.columns[0])
