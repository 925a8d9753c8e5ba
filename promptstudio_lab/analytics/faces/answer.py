"""What every question of analytics is answered with: a sentence, a picture, a table, the SQL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.analytics.faces.charts import Plot, Theme, plotted
from promptstudio_lab.analytics.faces.drawing import MIDNIGHT
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.faces.html import MUTED, REPORT, STYLE, query
from promptstudio_lab.experiments.wording import UNKNOWN, amount, visible
from promptstudio_lab.shown import printable

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from promptstudio_lab.analytics.faces.drawing import Drawing

_SHOWN = 20
_SHARES = ("coverage", "share", "on_path")
_BARE = ("p_value", "p_adjusted", "error_ratio")
_UNITS = {"usd": "usd", "ms": "ms"}


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Answer:
    """An answer, with its faces: plain text, HTML, a chart, frames and the SQL behind it.

    Attributes:
        sentence: the answer in words.
        frame: the numbers.
        sql: a query for `lab.sql` that gives the rows, or the sums, behind the numbers, as far as
            their months are not archived.
        reason: how it was worked out.
        drawing: its picture, as data.
        simulated: whether a stand-in gave the answers that it is about.
        unit: the unit of numbers whose column does not name one.
    """

    sentence: str
    frame: pl.DataFrame
    sql: str
    reason: str = ""
    drawing: Drawing | None = None
    simulated: bool = False
    unit: str = ""

    @property
    def table(self) -> pl.DataFrame:
        """What the HTML shows of the numbers."""
        return self.frame

    def to_polars(self) -> pl.DataFrame:
        """Return the frame."""
        return self.frame

    def to_pandas(self) -> pd.DataFrame:
        """Return the frame for pandas."""
        return self.frame.to_pandas()

    def plot(self, theme: Theme = "auto") -> Plot:
        """Return the picture as an Altair chart.

        Args:
            theme: `light`, `dark`, or `auto` for both.

        Raises:
            AnalysisError: if there is nothing to draw, or no such theme.
        """
        if self.drawing is None or not self.drawing.marks:
            message = f"there is nothing to draw: {self.sentence}"
            raise AnalysisError(message)
        return plotted(self.drawing, theme)

    def __repr__(self) -> str:
        """Return the sentence, then the frame, then the method."""
        import polars as pl

        named = self.frame.select(name for name in self.frame.columns if not name.endswith("_id"))
        with pl.Config(tbl_cols=-1, tbl_width_chars=160, tbl_hide_column_data_types=True):
            table = str(named)
        return printable("\n".join(filter(None, (self.sentence, table, self.reason))))

    def _repr_html_(self) -> str:
        badge = '<span class="psl-report-badge">simulated</span>' if self.simulated else ""
        picture = self.drawing.svg if self.drawing else ""
        return (
            f'<div class="{REPORT}"><style>{STYLE}</style>'
            f'<p class="psl-report-text">{badge}<b>{escape(visible(self.sentence))}</b></p>'
            f"{picture}{_table(self.table, self.unit)}"
            f'<div class="psl-report-why" style="{MUTED}">{escape(visible(self.reason))}</div>'
            f"{query(self.sql)}</div>"
        )


def counted(count: int, noun: str, several: str = "") -> str:
    """Return how many there are of something.

    >>> counted(1, "call"), counted(1200, "call"), counted(2, "reply", "replies")
    ('1 call', '1,200 calls', '2 replies')
    """
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"


def _table(frame: pl.DataFrame, usual: str) -> str:
    units = frame["unit"].to_list() if "unit" in frame.columns else []
    shown = [name for name in frame.columns if not name.endswith("_id") and name != "unit"]
    heads = "".join(map(_head, shown))
    body = "".join(
        "<tr>"
        + "".join(_cell(at, name, row[name], unit) for at, name in enumerate(shown))
        + "</tr>"
        for row, unit in zip(
            frame.head(_SHOWN).iter_rows(named=True), [*units, *[usual] * _SHOWN], strict=False
        )
    )
    rest = frame.height - _SHOWN
    more = (
        f'<p class="psl-report-small">… {rest:,} more in <code>.to_polars()</code></p>'
        if rest > 0
        else ""
    )
    return (
        '<div class="psl-report-wide"><table class="psl-report-table">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _head(name: str) -> str:
    # A long name breaks between its words only.
    words = escape(visible(name)).replace("_", "_<wbr>")
    return f'<th scope="col" style="overflow-wrap:normal">{words}</th>'


def _cell(at: int, name: str, value: object, unit: str) -> str:
    text = escape(visible(shown(name, value, unit)))
    return f'<th scope="row">{text}</th>' if at == 0 else f"<td>{text}</td>"


def shown(name: str, value: object, unit: str = "") -> str:
    """Return a cell as a person reads it, by its column's name.

    >>> shown("cost_usd", 0.0025), shown("coverage", 0.5), shown("latency_ms", 1234.5)
    ('$0.00250', '50.0 %', '1,230 ms')
    >>> shown("cost_usd", None), shown("calls", 1200), shown("with", ["a", "b"])
    ('unknown', '1,200', 'a, b')
    >>> shown("at", datetime(2026, 6, 1)), shown("at", datetime(2026, 6, 1, 9, 30))
    ('2026-06-01', '2026-06-01 09:30')
    """
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int):
        return str(value) if name.endswith("version") else f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}".removesuffix(MIDNIGHT)
    kind = _unit(name, unit)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN if kind == "usd" else ""
    return amount(value, kind) if isinstance(value, float) else str(value)


def _unit(name: str, unit: str) -> str:
    if name in _SHARES or name.endswith(_SHARES):
        return "share"
    return _UNITS.get(name.rpartition("_")[2], "" if name in _BARE else unit)
