"""How often something succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.stats.paired import mean_difference

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.sums import Sums


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
        limit: float | None = None,
    ) -> None:
        """Measure `column`, which holds 0, 1 or an item's share of successes."""
        super().__init__(
            name=name or column,
            label=label or (name or column).replace("_", " "),
            unit="share",
            better=better,
            role=role,
            columns=(column,),
            limit=limit,
        )

    def effect(
        self,
        sums: Sums,
        control: str,
        treatment: str,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Effect:
        """Return the difference of the two rates.

        Raises:
            AnalysisError: as every metric, and if a variant's mean does not lie between 0 and 1.

        >>> from promptstudio_lab.stats.sums import Sums
        >>> sums = Sums.of({"a.success": [0, 1, 0, 1], "b.success": [1, 1, 0, 1]})
        >>> Rate("success").effect(sums, "a", "b").estimate
        0.25
        """
        (column,) = self.columns
        names = f"{control}.{column}", f"{treatment}.{column}"
        for name in names:
            if not 0 <= sums.mean(name) <= 1:
                message = (
                    f"{name!r} averages {sums.mean(name):g}, which is no share."
                    f" Hint: use Mean({column!r}) for it."
                )
                raise AnalysisError(message)
        return mean_difference(sums, *names, alpha=alpha, method=method)
