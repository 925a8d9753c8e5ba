"""Scorers judge an output against what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from promptstudio_lab.registry import Registry
from promptstudio_lab.shown import named_html

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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

    _repr_html_ = named_html


class Scorer(Protocol):
    """Judges the outputs of one run."""

    def score(self, outputs: Mapping[str, Json], expected: Mapping[str, Json]) -> Score:
        """Return the judgement of `outputs` against the item's own fields."""
        ...

    def lacks(self, outputs: Collection[str], fields: Collection[str] | None) -> str | None:
        """Return why it could judge no run at all, or None; asked before anything is paid for.

        Args:
            outputs: the names of what the flow answers.
            fields: those of the items; None where nobody knows them yet.
        """
        ...

    def describe(self) -> dict[str, Json]:
        """Return what a plan must record to judge in the same way again."""
        ...


scorers: Registry[type[Scorer]] = Registry("promptstudio_lab.scorers", "scorer")
