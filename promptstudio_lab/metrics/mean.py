"""The average of a measurement: cost, latency, a score."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.metrics.margin import Margin, Regression
from promptstudio_lab.stats.adjusted.cuped import cuped
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.sums import Sums, SumsApart
from promptstudio_lab.stats.unpaired import arm_difference

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.values import Json

_KNOWN: dict[str, tuple[str, Better, Role]] = {
    "usd": ("usd", "lower", "cost"),
    "ms": ("ms", "lower", "guardrail"),
}


def known(column: str) -> tuple[str, Better, Role, str]:
    """Return the unit, the good direction, the usual role and the words of a column.

    >>> known("latency_ms")
    ('ms', 'lower', 'guardrail', 'latency')
    """
    stem, _, last = column.rpartition("_")
    unit, better, role = _KNOWN.get(last, ("", "higher", "goal"))
    return unit, better, role, stem if unit and stem else column


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
        max_regression: Regression = None,
        covariate: str = "",
    ) -> None:
        """Measure `column`; what is left out follows from the column's unit.

        A `covariate` is a column from before the treatment, such as the baseline flow's score on
        the same input: what it explains is taken out (CUPED) where units met one variant each.
        Online, join it to `report.rows.to_polars()` by `unit` and give that to `.report(…)`.
        """
        known_unit, known_better, known_role, words = known(column)
        super().__init__(
            name=name or column,
            label=label or (name or words).replace("_", " "),
            unit=known_unit if unit is None else unit,
            better=better or known_better,
            role=role or known_role,
            columns=(column, covariate) if covariate else (column,),
            margin=Margin.of(max_regression, known_unit if unit is None else unit),
        )

    def settings(self) -> dict[str, Json]:
        """Return the words it was made with."""
        column, *covariate = self.columns
        return {**super().settings(), "column": column, "covariate": "".join(covariate)}

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
        column, *covariate = self.columns
        names = f"{control}.{column}", f"{treatment}.{column}"
        found = mean_difference(sums, *names, alpha=alpha, method=method)
        if not covariate:
            return found
        note = f"paired by item, which already takes out what {covariate[0]!r} explains"
        return replace(found, reason=f"{found.reason}; {note}")

    def apart(
        self, sums: SumsApart, control: str, treatment: str, alpha: float, method: Method
    ) -> Effect:
        """Return what changes between variants that met different units; arguments as `effect`.

        >>> old = Sums.of({"score": [1, 2, 4, 5], "before": [1, 2, 3, 4]})
        >>> new = Sums.of({"score": [3, 3, 6, 6], "before": [2, 1, 4, 3]})
        >>> both = SumsApart({"a": old, "b": new})
        >>> found = Mean("score", covariate="before").apart(both, "a", "b", 0.05, "anytime")
        >>> found.estimate, found.reason.split("; ")[-1]
        (1.5, "CUPED: 'before' takes out 89 % of the variance")
        """
        column, *covariate = self.columns
        if not covariate:
            return super().apart(sums, control, treatment, alpha, method)
        arms = sums[control], sums[treatment]
        found = cuped(*arms, column, covariate[0])
        # Back to where the metric's own values lie: by what all units were before.
        before = found.theta * arms[0].merge(arms[1]).mean(covariate[0])
        moved = (replace(arm, mean=arm.mean + before) for arm in (found.control, found.treatment))
        effect = arm_difference(*moved, alpha=alpha, method=method)
        gain = f"{100 * (1 - found.kept):.0f} % of the variance"
        note = f"CUPED: {covariate[0]!r} takes out {gain}"
        return replace(effect, reason=f"{effect.reason}; {note}")

    def arm(self, sums: Sums) -> Arm:
        """Return the mean over the units of one variant.

        >>> Mean("latency_ms").arm(Sums.of({"latency_ms": [5, 7, 6]})).mean
        6.0
        """
        return Arm.of(sums, self.columns[0])
