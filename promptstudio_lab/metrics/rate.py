"""How often something succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.metrics.margin import Margin, Regression
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.paired import mean_difference
from promptstudio_lab.stats.sums import Sums, SumsApart

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.values import Json


@metrics.register("rate")
class Rate(Metric):
    """The share of runs for which a column is 1, averaged over items.

    >>> Rate("success").unit
    'share'
    """

    def __init__(
        self,
        column: str,
        *,
        name: str = "",
        label: str = "",
        better: Better = "higher",
        role: Role = "goal",
        max_regression: Regression = None,
    ) -> None:
        """Measure `column`, which holds 0, 1 or an item's share of successes."""
        super().__init__(
            name=name or column,
            label=label or (name or column).replace("_", " "),
            unit="share",
            better=better,
            role=role,
            columns=(column,),
            margin=Margin.of(max_regression, "share"),
        )

    def settings(self) -> dict[str, Json]:
        """Return the words it was made with."""
        words = {**super().settings(), "column": self.columns[0]}
        del words["unit"]
        return words

    def effect(
        self,
        sums: Sums | SumsApart,
        control: str,
        treatment: str,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Effect:
        """Return the difference of the two rates.

        Raises:
            AnalysisError: as every metric, and if a variant's mean does not lie between 0 and 1.

        >>> sums = Sums.of({"a.success": [0, 1, 0, 1], "b.success": [1, 1, 0, 1]})
        >>> Rate("success").effect(sums, "a", "b").estimate
        0.25
        """
        if isinstance(sums, SumsApart):
            return self.apart(sums, control, treatment, alpha, method)
        (column,) = self.columns
        names = f"{control}.{column}", f"{treatment}.{column}"
        found = mean_difference(sums, *names, alpha=alpha, method=method, share=True)
        for name, mean in zip(names, (found.control, found.treatment), strict=True):
            self._check(name, mean)
        return found

    def arm(self, sums: Sums) -> Arm:
        """Return the rate over the units of one variant.

        Raises:
            AnalysisError: if the mean does not lie between 0 and 1.

        >>> Rate("success").arm(Sums.of({"success": [0, 1, 1, 1]})).mean
        0.75
        """
        (column,) = self.columns
        found = Arm.of(sums, column)
        self._check(column, found.mean)
        return found

    def _check(self, name: str, mean: float) -> None:
        if not 0 <= mean <= 1:
            message = (
                f"{name!r} averages {mean:g}, which is no share."
                f" Hint: use Mean({self.columns[0]!r}) for it."
            )
            raise AnalysisError(message)
