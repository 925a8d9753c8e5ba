"""The average of a measurement: cost, latency, a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.sums import Sums, SumsApart

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method

_KNOWN: dict[str, tuple[str, Better, Role]] = {
    "usd": ("usd", "lower", "cost"),
    "ms": ("ms", "lower", "guardrail"),
}


@metrics.register("mean")
class Mean(Metric):
    """The mean of a column over items; a column's unit is the last word of its name.

    >>> latency = Mean("latency_ms")
    >>> latency.label, latency.unit, latency.better, latency.role
    ('latency', 'ms', 'lower', 'guardrail')
    """

    def __init__(  # noqa: PLR0913 # every word of a report can be chosen, and none must be
        self,
        column: str,
        *,
        name: str = "",
        label: str = "",
        unit: str | None = None,
        better: Better | None = None,
        role: Role | None = None,
        limit: float | None = None,
    ) -> None:
        """Measure `column`; what is left out follows from the column's unit."""
        stem, _, last = column.rpartition("_")
        known_unit, known_better, known_role = _KNOWN.get(last, ("", "higher", "goal"))
        words = name or (stem if known_unit and stem else column)
        super().__init__(
            name=name or column,
            label=label or words.replace("_", " "),
            unit=known_unit if unit is None else unit,
            better=better or known_better,
            role=role or known_role,
            columns=(column,),
            limit=limit,
        )

    def effect(
        self,
        sums: Sums | SumsApart,
        control: str,
        treatment: str,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Effect:
        """Return the difference of the two means.

        >>> sums = Sums.of({"a.latency_ms": [5, 7, 6], "b.latency_ms": [9, 8, 7]})
        >>> Mean("latency_ms").effect(sums, "a", "b").estimate
        2.0
        """
        if isinstance(sums, SumsApart):
            return self.apart(sums, control, treatment, alpha, method)
        (column,) = self.columns
        names = f"{control}.{column}", f"{treatment}.{column}"
        return mean_difference(sums, *names, alpha=alpha, method=method)

    def arm(self, sums: Sums) -> Arm:
        """Return the mean over the units of one variant.

        >>> Mean("latency_ms").arm(Sums.of({"latency_ms": [5, 7, 6]})).mean
        6.0
        """
        return Arm.of(sums, self.columns[0])
