"""Exact: the output equals what was expected, but for case and outer space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import did_you_mean
from promptstudio_lab.scorers import Score, scorers
from promptstudio_lab.shown import named_html

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from promptstudio_lab.values import Json


@scorers.register("exact")
@dataclass(frozen=True, slots=True)
class Exact:
    """Compares one output with one field of the item.

    Args:
        output: the name of the flow's output.
        expected: the item's field; the output's name unless told otherwise.

    >>> Exact("label").score({"label": "Billing "}, {"label": "billing"}).value
    1.0
    >>> Exact("label").score({}, {"label": "billing"}).label
    'fail'
    """

    output: str
    expected: str = ""

    _repr_html_ = named_html

    def score(self, outputs: Mapping[str, Json], expected: Mapping[str, Json]) -> Score:
        """Return 1 for equal values and 0 for others; an item without the field is missing."""
        field = self.expected or self.output
        if expected.get(field) is None:
            return Score(None, "missing", f"the item has no {field!r}")
        found, wanted = outputs.get(self.output), expected[field]
        if _same(found) == _same(wanted):
            return Score(1.0, "pass", f"{self.output} is {wanted!r}")
        return Score(0.0, "fail", f"{self.output} is {found!r}, expected {wanted!r}")

    def lacks(self, outputs: Collection[str], fields: Collection[str] | None) -> str | None:
        """Return which of its two names there is not.

        >>> Exact("label").lacks(["lable"], ["label"])
        "the flow has no output 'label'. Hint: did you mean 'lable'?"
        """
        field = self.expected or self.output
        if self.output not in outputs:
            return f"the flow has no output {self.output!r}.{did_you_mean(self.output, outputs)}"
        if fields is not None and field not in fields:
            return f"no item has a field {field!r} to compare with.{did_you_mean(field, fields)}"
        return None

    def describe(self) -> dict[str, Json]:
        """Return the scorer's name and arguments."""
        return {
            "scorer": "exact",
            "output": self.output,
            "expected": self.expected or self.output,
        }


def _same(value: Json) -> Json:
    return value.strip().casefold() if isinstance(value, str) else value
