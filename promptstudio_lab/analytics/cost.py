"""What was spent, as one sentence and one frame."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.money import format_usd

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_SHOWN = 20


@dataclass(frozen=True, slots=True, repr=False)
class Cost:
    """What was spent on provider calls, and how much of it is known.

    Attributes:
        by: what it is told by.
        frame: one row a group: names and ids; `calls`, `priced_calls`, `coverage` and `cost_usd`
            of real calls; `simulated_calls` and `simulated_usd`; `cache_hits` and `saved_usd`;
            how many of these have a known price, as `priced_…`.
        total: nano-dollars of real calls with a known price.
        simulated: nano-dollars that simulated calls would have cost.
        saved: nano-dollars that cached answers would have cost.
    """

    by: tuple[str, ...]
    frame: pl.DataFrame
    total: int
    simulated: int
    saved: int

    @property
    def sentence(self) -> str:
        """Say what was spent, and what is not known of it."""
        calls, priced = self._count("calls")
        if not calls:
            said = "No real call was made"
        elif not priced:
            said = f"What {calls:,} calls cost is unknown: none of them has a known price"
        elif priced < calls:
            share = f"{priced:,} of {calls:,} calls have a known price"
            said = f"At least {format_usd(self.total)} was spent: {share}"
        else:
            said = f"{format_usd(self.total)} was spent on {calls:,} calls, each with a known price"
        return "; ".join([said, *self._besides()]) + "."

    def _besides(self) -> list[str]:
        hits, known_hits = self._count("cache_hits")
        simulated, known_simulated = self._count("simulated_calls")
        saved = _amount(self.saved, hits, known_hits)
        played = _amount(self.simulated, simulated, known_simulated)
        words = (
            (hits, f"cached answers of {hits:,} nodes saved {saved}"),
            (simulated, f"{simulated:,} simulated calls would have cost {played}"),
        )
        return [said for count, said in words if count]

    def _count(self, what: str) -> tuple[int, int]:
        return int(self.frame[what].sum()), int(self.frame[f"priced_{what}"].sum())

    def to_polars(self) -> pl.DataFrame:
        """Return the frame."""
        return self.frame

    def to_pandas(self) -> pd.DataFrame:
        """Return the frame for pandas."""
        return self.frame.to_pandas()

    def __repr__(self) -> str:
        """Return the sentence, then the frame."""
        return f"{self.sentence}\n{self.frame}"

    def _repr_html_(self) -> str:
        shown = [name for name in self.frame.columns if not name.endswith("_id")]
        heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown)
        body = "".join(
            "<tr>" + "".join(_cell(name, row[name]) for name in shown) + "</tr>"
            for row in self.frame.head(_SHOWN).iter_rows(named=True)
        )
        rest = self.frame.height - _SHOWN
        more = f"<p>… {rest:,} more in <code>.to_polars()</code></p>" if rest > 0 else ""
        return (
            f"<p><b>{escape(self.sentence)}</b></p><table><thead><tr>{heads}</tr></thead>"
            f"<tbody>{body}</tbody></table>{more}"
        )


def _amount(nano: int, count: int, priced: int) -> str:
    if not priced:
        return "an unknown amount"
    return format_usd(nano) if priced == count else f"at least {format_usd(nano)}"


def _cell(name: str, value: object) -> str:
    if name.endswith("_usd"):
        return f"<td>{format_usd(None if value is None else float(str(value)) * 1e9)}</td>"
    if name == "coverage" and isinstance(value, float):
        return f"<td>{value:.1%}</td>"
    return f"<td>{escape('' if value is None else str(value))}</td>"
