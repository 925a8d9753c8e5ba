"""One sum by another: cost per success, tokens per answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.metrics.contract import Better, Metric, Role, metrics
from promptstudio_lab.metrics.margin import Margin, Regression
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.paired import ratio_difference
from promptstudio_lab.stats.sums import Sums, SumsApart
from promptstudio_lab.stats.unpaired import unknown

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.values import Json


@metrics.register("ratio")
class RatioOfSums(Metric):
    """The sum of one column divided by the sum of another.

    >>> RatioOfSums("cost_usd", "success", name="cost_per_success").unit
    'usd per success'
    """

    def __init__(  # noqa: PLR0913 # every word of a report can be chosen, and none must be
        self,
        over: str,
        under: str,
        *,
        name: str = "",
        label: str = "",
        unit: str | None = None,
        better: Better = "lower",
        role: Role = "cost",
        max_regression: Regression = None,
    ) -> None:
        """Divide the sum of `over` by the sum of `under`."""
        stem = next((word for word in ("usd", "ms") if over.endswith(f"_{word}")), over)
        said = f"{stem} per {under}" if unit is None else unit
        super().__init__(
            name=name or f"{over}_per_{under}",
            label=label or (name or f"{over}_per_{under}").replace("_", " "),
            unit=said,
            better=better,
            role=role,
            columns=(over, under),
            margin=Margin.of(max_regression, said),
        )

    def settings(self) -> dict[str, Json]:
        """Return the words it was made with."""
        over, under = self.columns
        return {**super().settings(), "over": over, "under": under}

    def effect(
        self,
        sums: Sums | SumsApart,
        control: str,
        treatment: str,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Effect:
        """Return the difference of the two ratios, `nan` where one divides by 0.

        >>> columns = {"a.usd": [1, 2], "a.hits": [1, 1], "b.usd": [1, 1], "b.hits": [0, 0]}
        >>> RatioOfSums("usd", "hits").effect(Sums.of(columns), "a", "b").reason
        'unknown: the treatment would divide by 0 over 2 items'
        """
        if isinstance(sums, SumsApart):
            return self.apart(sums, control, treatment, alpha, method)
        over, under = self.columns
        first, second = (
            (f"{variant}.{over}", f"{variant}.{under}") for variant in (control, treatment)
        )
        return ratio_difference(sums, first, second, alpha=alpha, method=method)

    def apart(
        self, sums: SumsApart, control: str, treatment: str, alpha: float, method: Method
    ) -> Effect:
        """Return what changes between variants that met different units; arguments as `effect`.

        >>> arm = Sums.of({"usd": [1, 2], "hits": [0, 0]})
        >>> both = SumsApart({"a": arm, "b": arm})
        >>> RatioOfSums("usd", "hits").apart(both, "a", "b", 0.05, "anytime").reason
        "unknown: 'a' would divide by 0 over 2 units"
        """
        for variant in (control, treatment):
            if sums[variant].mean(self.columns[1]) == 0:
                why = f"{variant!r} would divide by 0 over {sums[variant].n} units"
                return unknown(sums.n, why, alpha=alpha, method=method)
        return super().apart(sums, control, treatment, alpha, method)

    def arm(self, sums: Sums) -> Arm:
        """Return the ratio over the units of one variant.

        >>> RatioOfSums("usd", "hits").arm(Sums.of({"usd": [1, 2], "hits": [1, 1]})).mean
        1.5
        """
        return Arm.of_ratio(sums, *self.columns)
