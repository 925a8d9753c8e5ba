"""What every metric can do, and the door through which metrics come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.registry import Registry
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.unpaired import arm_difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.metrics.margin import Margin
    from promptstudio_lab.stats.arms import Arm
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.sums import Floats, Labels, Sums, SumsApart
    from promptstudio_lab.values import Json

Better: TypeAlias = Literal["higher", "lower"]
Role: TypeAlias = Literal["goal", "cost", "guardrail", "exploratory"]


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A question about variants: what it adds up, and how the answer is read.

    Attributes:
        name: its key in reports, unique among an experiment's metrics.
        label: what people read.
        unit: `share`, `usd`, `ms`, `usd per success`, or any other word.
        better: which direction is good, `higher` or `lower`.
        role: `goal` decides, `cost` is named beside the decision, `guardrail` may hold it back;
            `exploratory` is told and nothing rests on it.
        columns: the columns of each item that its sums need.
        margin: for a guardrail, the worsening that is still accepted; None only tells.
    """

    name: str
    label: str
    unit: str
    better: Better
    role: Role
    columns: tuple[str, ...]
    margin: Margin | None = None

    _repr_html_ = named_html

    def __post_init__(self) -> None:
        """Refuse words that no report understands.

        Raises:
            AnalysisError: naming the nearest that one does.
        """
        for word, allowed in ((self.better, get_args(Better)), (self.role, get_args(Role))):
            if word not in allowed:
                message = f"metric {self.name!r} says {word!r}.{did_you_mean(word, allowed)}"
                raise AnalysisError(message)

    def settings(self) -> dict[str, Json]:
        """Return the words it was made with, so that `type(self)(**settings)` makes it again.

        A kind with words of its own adds them, or takes away what it does not take.
        """
        return {
            "name": self.name,
            "label": self.label,
            "unit": self.unit,
            "better": self.better,
            "role": self.role,
            "max_regression": None if self.margin is None else self.margin.written,
        }

    def having(self, role: Role) -> Self:
        """Return the same question in another role.

        >>> from promptstudio_lab.metrics.mean import Mean
        >>> Mean("latency_ms").having("goal").role
        'goal'
        """
        return type(self)(**{**self.settings(), "role": role})

    @property
    def raw(self) -> tuple[str, ...]:
        """What its columns are made from: columns of the rows that units measured."""
        return self.columns

    def derived(
        self,
        values: Mapping[str, Floats],  # noqa: ARG002 — what those that make columns take
        clusters: Labels | None = None,  # noqa: ARG002 — as above
    ) -> dict[str, Floats]:
        """Return the columns that it makes from one variant's rows, by name; most make none.

        Args:
            values: the rows' columns, with those of `raw` among them.
            clusters: which cluster each row belongs to, or None when rows are independent.
        """
        return {}

    @abstractmethod
    def effect(
        self,
        sums: Sums | SumsApart,
        control: str,
        treatment: str,
        alpha: float = 0.05,
        method: Method = "anytime",
    ) -> Effect:
        """Return what changes from `control` to `treatment`.

        Args:
            sums: sums over items, with columns named `<variant>.<column>`; or, where each unit
                met one variant, of each variant by itself.
            control: the control's variant.
            treatment: the treatment's variant.
            alpha: the chance of missing the truth that is accepted.
            method: `anytime` or `fixed`.

        Raises:
            AnalysisError: if a column is missing, or there are fewer than two items.
        """

    def arm(self, sums: Sums) -> Arm:  # noqa: ARG002 — what those that can do take
        """Return the metric's value over the units of one variant, and how it varies.

        Args:
            sums: sums over units, with columns named as in `columns`.

        Raises:
            AnalysisError: if the metric only compares items that met both variants.
        """
        message = f"{self.name!r} only compares items that met every variant, not units of one"
        raise AnalysisError(message)

    def apart(
        self, sums: SumsApart, control: str, treatment: str, alpha: float, method: Method
    ) -> Effect:
        """Return what changes between variants that met different units; arguments as `effect`."""
        arms = self.arm(sums[control]), self.arm(sums[treatment])
        share = self.unit == "share"
        return arm_difference(*arms, alpha=alpha, method=method, share=share)


metrics: Registry[type[Metric]] = Registry("promptstudio_lab.metrics", "metric")
"""Every kind of metric that is installed, by name."""
