"""How much worse is still accepted: what a guardrail is held to."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.shown import named_html

Regression: TypeAlias = "str | float | None"

_WRITTEN = re.compile(r"\s*(?P<sign>[$]?)\s*(?P<number>\d*\.?\d+)\s*(?P<unit>%|pp|[a-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Margin:
    """The worsening that is still accepted.

    Attributes:
        value: how much, at least 0.
        relative: whether that is a share of the control, or in the metric's own unit.
    """

    value: float
    relative: bool

    _repr_html_ = named_html

    @property
    def written(self) -> str | float:
        """The margin as `of` reads it, whatever the metric's unit.

        >>> Margin.of("10%").written, Margin.of(".5pp", "share").written
        (0.1, '0.005')
        """
        return self.value if self.relative else format(Decimal(repr(self.value)), "f")

    @classmethod
    def of(cls, written: Regression, unit: str = "") -> Margin | None:
        """Return the margin that somebody wrote, or None for none.

        Args:
            written: "10%" or 0.1 of the control; ".5pp" of a share; "200 ms", "$0.01" or "2" in
                the metric's own unit.
            unit: the metric's unit, which a written one has to be.

        Raises:
            AnalysisError: if it cannot be read, or is negative.

        >>> Margin.of("10%"), Margin.of(".5pp", "share"), Margin.of("200 ms", "ms")
        (Margin(value=0.1, relative=True), Margin(value=0.005, relative=False), Margin(value=200.0,
        relative=False))
        """
        if written is None:
            return None
        if not isinstance(written, str):
            if not 0 <= written < math.inf:
                raise _unreadable(written)
            return cls(float(written), relative=True)
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise _unreadable(written)
        number, said = float(found["number"]), "usd" if found["sign"] else found["unit"]
        if said == "%":
            return cls(number / 100, relative=True)
        if said == "pp" and unit in {"", "share"}:
            return cls(number / 100, relative=False)
        if said not in {"", unit, unit.split(" per ", maxsplit=1)[0]}:
            raise _unreadable(written)
        return cls(number, relative=False)


def _unreadable(written: object) -> AnalysisError:
    message = (
        f"a margin of {written!r} cannot be read. Hint: '10%' of the control, '.5pp' of a share,"
        " or an amount in the metric's own unit, such as '200 ms'."
    )
    return AnalysisError(message)
