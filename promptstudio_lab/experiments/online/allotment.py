"""Which variant a unit gets: decided by hashes alone, so any process decides alike.

Whether a unit takes part and which variant it gets are drawn under separate salts, so raising the
coverage lets units in and moves none. With GrowthBook's hash the ranges are GrowthBook's own, so
that its SDKs and this warehouse agree about every unit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.stats.assignment.buckets import (
    OUTSIDE,
    bucket_ranges,
    choose,
    in_namespace,
)
from promptstudio_lab.stats.assignment.hashing import growthbook_hash, unit_interval
from promptstudio_lab.stats.bayes.thompson import Draw, thompson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptstudio_lab.values import Json

Hash: TypeAlias = Literal["blake2b", "growthbook"]
Allocation: TypeAlias = Literal["fixed", "thompson"]
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Allotment:
    """How the units of an experiment are shared out.

    Attributes:
        salt: what the experiment is called where units are hashed.
        weights: the share of each variant; they add up to 1.
        hash: `blake2b`, or `growthbook` for GrowthBook's second hash.
        namespace: its name and the part of it, from and up to, that the experiment may use:
            experiments whose parts do not overlap never share a unit.
        holdout: the share of all units that meets no experiment with a holdout.
        allocation: `fixed` shares, or `thompson`: the better a variant seems, the larger its share.
    """

    salt: str
    weights: tuple[float, ...]
    hash: Hash = "blake2b"
    namespace: tuple[str, float, float] | None = None
    holdout: float = 0.0
    allocation: Allocation = "fixed"

    def __post_init__(self) -> None:
        """Refuse shares that nobody can be given.

        Raises:
            AnalysisError: naming what is wrong.
        """
        for word, allowed in ((self.hash, Hash), (self.allocation, Allocation)):
            if word not in get_args(allowed):
                message = f"there is no {word!r} here.{did_you_mean(word, get_args(allowed))}"
                raise AnalysisError(message)
        if min(self.weights) <= 0 or abs(math.fsum(self.weights) - 1) > _TOLERANCE:
            message = f"the weights are {list(self.weights)}: each above 0, and 1 together"
            raise AnalysisError(message)
        if not 0 <= self.holdout < 1:
            message = f"a holdout of {self.holdout} is no share of the units below 1"
            raise AnalysisError(message)
        if self.namespace is not None and not 0 <= self.namespace[1] < self.namespace[2] <= 1:
            message = f"{list(self.namespace[1:])} is no part of a namespace, such as 0 to 0.5"
            raise AnalysisError(message)
        if self.allocation == "thompson" and self.hash == "growthbook":
            message = "GrowthBook's hash knows no changing shares; use blake2b with thompson"
            raise AnalysisError(message)

    @classmethod
    def of(cls, salt: str, document: Mapping[str, Json]) -> Allotment:
        """Return the allotment of a plan, as `document` gave it."""
        parts = dict(document)
        if parts["namespace"] is not None:
            parts["namespace"] = tuple(parts["namespace"])
        return cls(**{**parts, "salt": salt, "weights": tuple(parts["weights"])})

    def document(self) -> dict[str, Json]:
        """Return it as JSON without the salt, for a plan.

        >>> Allotment.of("s", Allotment("s", (0.5, 0.5)).document())
        Allotment(salt='s', weights=(0.5, 0.5), hash='blake2b', namespace=None, holdout=0.0,
            allocation='fixed')
        """
        found = asdict(self)
        del found["salt"]
        namespace = self.namespace
        return {
            **found,
            "weights": list(self.weights),
            "namespace": None if namespace is None else list(namespace),
        }

    def draw(
        self, unit: str, coverage: float, shares: Sequence[float] | None = None
    ) -> Draw | None:
        """Return the variant of a unit and how probable it was, or None if it takes no part.

        Args:
            unit: the unit's id.
            coverage: the share of units that take part; raising it moves none.
            shares: of the moment, where they change; by default the weights.

        >>> Allotment("s", (0.5, 0.5)).draw("user-7", 1.0)
        Draw(variant=1, propensity=0.5)
        >>> Allotment("s", (0.5, 0.5)).draw("user-7", 0.01)
        """
        if not self._may(unit):
            return None
        if self.hash == "growthbook":
            ranges = bucket_ranges(len(self.weights), coverage=coverage, weights=self.weights)
            variant = choose(growthbook_hash(self.salt, unit), ranges)
            return None if variant == OUTSIDE else Draw(variant, self.weights[variant])
        if unit_interval(f"{self.salt}/coverage", unit) >= coverage:
            return None
        if shares is None:
            return thompson(unit, self.weights, salt=f"{self.salt}/variant")
        # Under new shares a unit is drawn anew, independently of the earlier ones.
        moment = " ".join(f"{share:.12g}" for share in shares)
        return thompson(unit, shares, salt=f"{self.salt}/variant/{moment}")

    def _may(self, unit: str) -> bool:
        if self.holdout and unit_interval("holdout", unit) < self.holdout:
            return False
        if self.namespace is None:
            return True
        if self.hash == "growthbook":
            return in_namespace(unit, *self.namespace)
        name, low, high = self.namespace
        return low <= unit_interval(f"{name}/namespace", unit) < high
