"""Scorers judge an output against what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from promptstudio_lab.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement.

    Attributes:
        value: from 0 to 1, or None when there is nothing to judge: missing data, not a zero.
        label: `pass`, `fail` or `missing`.
        explanation: why, in words.
    """

    value: float | None
    label: str
    explanation: str


class Scorer(Protocol):
    """Judges the outputs of one run."""

    def score(self, outputs: Mapping[str, Json], expected: Mapping[str, Json]) -> Score:
        """Return the judgement of `outputs` against the item's own fields."""
        ...

    def describe(self) -> dict[str, Json]:
        """Return what a plan must record to judge in the same way again."""
        ...


scorers: Registry[type[Scorer]] = Registry("promptstudio_lab.scorers", "scorer")
