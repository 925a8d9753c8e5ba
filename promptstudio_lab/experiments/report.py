"""The report of an experiment, with all its faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    from promptstudio_lab.experiments.plan.shuffled import SelfCheck


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

    def self_check(
        self, metric: str | None = None, *, times: int = 400, seed: int = 0
    ) -> SelfCheck:
        """Return how often this very report finds something where nothing can be: an A/A test.

        The two results of each item are dealt anew to the variants (of units that met one variant
        each, all units), and the metric is asked again at its own level; its rows are read.

        Args:
            metric: by name; the first goal by default.
            times: how many shuffles.
            seed: of the draws.

        Raises:
            AnalysisError: if there is no such metric, or there are no rows to shuffle.
        """
        from promptstudio_lab.experiments.plan.shuffled import self_check

        goals = [one.metric.name for one in self.findings if one.metric.role == "goal"]
        name = goals[0] if metric is None else metric
        effect = self[name]
        (asked,) = (one.metric for one in self.findings if one.metric.name == name)
        return self_check(
            self.rows,
            asked,
            alpha=effect.alpha,
            method=self.usual if self.due is None else self.due.method,
            times=times,
            seed=seed,
        )

    def to_polars(self) -> pl.DataFrame:
        """Return one row a metric, and below them one a goal and segment.

        `estimate`, `lo` and `hi` are the treatment's value less the control's, in `unit`;
        `chance_to_win` and `expected_loss` (of taking the treatment) describe, by the prior. Where
        looks were planned, `planned_look` is this one, at a share of `information` of the planned
        units, and `boundary` the z that the effect had to cross.
        """
        import polars as pl

        types: dict[str, Any] = {  # polars' own union of types
            **dict.fromkeys(NUMBERS, pl.Float64),
            "planned_look": pl.Int64,
        }
        return pl.DataFrame(columns(self), schema_overrides=types)

    def to_pandas(self) -> pd.DataFrame:
        """Return what `to_polars` returns, as a pandas frame."""
        import pandas as pd

        types = {**dict.fromkeys(NUMBERS, "float64"), "planned_look": "Int64"}
        return pd.DataFrame(columns(self)).astype(types)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as a page that stands alone, and keep it where a path is given.

        It has every chart as a still picture, for which the rows behind the report are read. It
        needs no network, holds no script, and follows the reader's light or dark theme.

        Args:
            path: the file to write.
        """
        from promptstudio_lab.experiments.faces.still.gallery import gallery

        whole = page(self, gallery(self))
        return document(f"{self.name}: {self.treatment} against {self.control}", whole, path)

    def to_markdown(self) -> str:
        """Return the report as Markdown, as a pull request shows it."""
        return markdown(self)

    def __repr__(self) -> str:
        """Return the decision, then the numbers, then the method, as plain text."""
        return text(self)

    def _repr_html_(self) -> str:
        return page(self)
