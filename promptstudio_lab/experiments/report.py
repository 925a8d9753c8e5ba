"""The report of an experiment, with all its faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.faces.document import document
from promptstudio_lab.experiments.faces.forest import Forest, draw
from promptstudio_lab.experiments.faces.html import page
from promptstudio_lab.experiments.faces.markdown import markdown
from promptstudio_lab.experiments.faces.plain import text
from promptstudio_lab.experiments.faces.tidy import NUMBERS, columns
from promptstudio_lab.experiments.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import polars as pl

    from promptstudio_lab.experiments.faces.charts import Kind, Picture, Theme
    from promptstudio_lab.experiments.further import Further


@dataclass(frozen=True, repr=False)
class Report(Outcome):
    """What an experiment found, with its faces: plain text, pages, frames and pictures."""

    @property
    def further(self) -> tuple[Further, ...]:
        """What would settle what is open, and what that costs."""
        return self.decision.further

    @property
    def forest(self) -> Forest:
        """The forest plot of the relative effects, as a still picture."""
        return draw(self.findings, control=self.control, treatment=self.treatment)

    def plot(
        self, kind: Kind = "forest", *, metric: str | None = None, theme: Theme = "light"
    ) -> Picture:
        """Return an interactive chart.

        Args:
            kind: `forest`, the relative effects; `timeline`, the interval as items came in;
                `pareto`, quality against cost; or `distribution`, the values of both variants.
            metric: of a timeline or a distribution; the first goal by default.
            theme: `light` or `dark`.

        Raises:
            AnalysisError: if there is no such chart, or nothing to draw it from.
        """
        from promptstudio_lab.experiments.faces.charts import chart

        return chart([self], kind, metric=metric, theme=theme)

    def to_polars(self) -> pl.DataFrame:
        """Return one row a metric, and below them one a goal and segment.

        `estimate`, `lo` and `hi` are the treatment's value less the control's, in `unit`.
        """
        import polars as pl

        return pl.DataFrame(columns(self), schema_overrides=dict.fromkeys(NUMBERS, pl.Float64))

    def to_pandas(self) -> pd.DataFrame:
        """Return what `to_polars` returns, as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(columns(self)).astype(dict.fromkeys(NUMBERS, "float64"))

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as a page that stands alone, and keep it where a path is given.

        It needs no network, holds no script, and follows the reader's light or dark theme.

        Args:
            path: the file to write.
        """
        return document(f"{self.name}: {self.treatment} against {self.control}", page(self), path)

    def to_markdown(self) -> str:
        """Return the report as Markdown, as a pull request shows it."""
        return markdown(self)

    def __repr__(self) -> str:
        """Return the decision, then the numbers, then the method, as plain text."""
        return text(self)

    def _repr_html_(self) -> str:
        return page(self)
