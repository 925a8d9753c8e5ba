"""Several treatments against one control: one decision, and a report for each."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.decision import Decision
from promptstudio_lab.experiments.faces.document import document
from promptstudio_lab.experiments.faces.html import head, page
from promptstudio_lab.experiments.faces.markdown import opening
from promptstudio_lab.experiments.faces.plain import aligned, text
from promptstudio_lab.experiments.wording import amount, estimate, interval, p_value, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    import polars as pl

    from promptstudio_lab.experiments.decision import Action, Finding
    from promptstudio_lab.experiments.faces.charts import Kind, Picture, Theme
    from promptstudio_lab.experiments.report import Report

_ORDER: tuple[Action, ...] = ("invalid", "ship", "keep_running", "hold", "stop")


@dataclass(frozen=True, repr=False)
class Comparisons:
    """What an experiment of several treatments found; each is compared with the control.

    `found["short"]` is the report of one treatment, `found["short"]["success"]` one of its effects.

    Attributes:
        name: the experiment's name.
        control: the control's variant.
        reports: one a treatment, in the order of the variants.
    """

    name: str
    control: str
    reports: tuple[Report, ...]

    @property
    def decision(self) -> Decision:
        """What to do now: the best of what ships, else what is most worth doing next."""
        by_action: dict[Action, list[Report]] = {}
        for report in self.reports:
            by_action.setdefault(report.decision.action, []).append(report)
        action = next(action for action in _ORDER if action in by_action)
        chosen = by_action[action]
        lead = max(chosen, key=_gain) if action == "ship" else chosen[0]
        others = [visible(report.treatment) for report in chosen if report is not lead]
        detail = lead.decision.detail
        if action == "ship" and others:
            detail += f"; {', '.join(others)} would ship, too, with a smaller gain"
        elif others:
            detail += f"; {', '.join(others)} likewise"
        because = tuple(
            f"{visible(report.treatment)}: {report.decision.text}" for report in self.reports
        )
        found = lead.decision
        return Decision(action, found.variant, found.headline, detail, because, found.further)

    def __getitem__(self, treatment: str) -> Report:
        """Return the report of one treatment.

        Raises:
            AnalysisError: if there is no such treatment; the message names the nearest.
        """
        found = {report.treatment: report for report in self.reports}
        if treatment not in found:
            message = f"there is no treatment {treatment!r}.{did_you_mean(treatment, found)}"
            raise AnalysisError(message)
        return found[treatment]

    def __iter__(self) -> Iterator[Report]:
        """Give the report of each treatment."""
        return iter(self.reports)

    def to_polars(self) -> pl.DataFrame:
        """Return one row a treatment and metric."""
        import polars as pl

        return pl.concat([report.to_polars() for report in self.reports])

    def plot(
        self, kind: Kind = "forest", *, metric: str | None = None, theme: Theme = "light"
    ) -> Picture:
        """Return an interactive chart of all treatments.

        Args:
            kind: `forest` or `pareto`; a `timeline` or a `distribution` is of one treatment, so
                ask its own report for it.
            metric: as for one report.
            theme: `light` or `dark`.

        Raises:
            AnalysisError: if there is no such chart, or it is of one treatment.
        """
        from promptstudio_lab.experiments.faces.charts import chart

        if kind in {"timeline", "distribution"}:
            name = self.reports[0].treatment
            message = f"a {kind} is of one treatment. Hint: report[{name!r}].plot({kind!r})"
            raise AnalysisError(message)
        return chart(self.reports, kind, metric=metric, theme=theme)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return all of it as a page that stands alone, and keep it where a path is given."""
        from promptstudio_lab.experiments.faces.still.gallery import front, gallery

        pictures = {report.treatment: gallery(report, alone=False) for report in self.reports}
        whole = self._html(front(self.reports), pictures)
        return document(f"{self.name}: against {self.control}", whole, path)

    def to_markdown(self) -> str:
        """Return the decision, then each report, as Markdown for a pull request."""
        about = f"{self.name} \u00b7 {len(self.reports)} treatments against {self.control}"
        simulated = any(report.simulated for report in self.reports)
        parts = [report.to_markdown().replace("### ", "#### ", 1) for report in self.reports]
        return "\n".join([opening(self.decision, about, simulated=simulated), "", *parts])

    def to_pandas(self) -> pd.DataFrame:
        """Return what `to_polars` returns, as a pandas frame."""
        import pandas as pd

        return pd.concat([report.to_pandas() for report in self.reports], ignore_index=True)

    def __repr__(self) -> str:
        """Return the decision, then every goal under every treatment, then each report."""
        decision = self.decision
        title = f"{decision.action.replace('_', ' ').upper()}: {decision.text}"
        parts = [text(report) for report in self.reports]
        cells = aligned([tuple(map(visible, row)) for row in self._cells()])
        return "\n".join([visible(title), "", *cells, "", *"\n\n".join(parts).split("\n")])

    def _cells(self) -> list[tuple[str, ...]]:
        heads = ("goal", "treatment", self.control, "with it", "change", "interval", "p adjusted")
        return [
            heads,
            *(
                _cells(report, finding)
                for report in self.reports
                for finding in report.findings
                if finding.metric.role == "goal"
            ),
        ]

    def _repr_html_(self) -> str:
        return self._html("", {})

    def _html(self, over: str, pictures: Mapping[str, str]) -> str:
        decision = self.decision
        heads, *rows = self._cells()
        line = "".join(f'<th scope="col">{escape(visible(cell))}</th>' for cell in heads)
        body = "".join(
            f'<tr><th scope="row">{escape(visible(row[0]))}</th>'
            + "".join(f"<td>{escape(visible(cell))}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        parts = "".join(
            # What the decision speaks of is open at once.
            f"<details{' open' if report.decision.headline == decision.headline else ''}><summary>"
            f"{escape(visible(report.treatment))}</summary>"
            f"{page(report, pictures.get(report.treatment, ''))}"
            "</details>"
            for report in self.reports
        )
        simulated = any(report.simulated for report in self.reports)
        about = f"{self.name} \u00b7 {len(self.reports)} treatments against {self.control}"
        return head(decision, about, simulated=simulated, inside=(
            f'<div class="psl-report-wide"><table class="psl-report-table"><thead><tr>{line}</tr>'
            f"</thead><tbody>{body}</tbody></table></div>{over}{parts}"
        ))  # fmt: skip


def _gain(report: Report) -> float:
    """Return how much better the first goal is, as a share where there is one."""
    goal = next(finding for finding in report.findings if finding.metric.role == "goal")
    size = goal.effect.estimate if goal.effect.relative is None else goal.effect.relative
    return size if goal.metric.better == "higher" else -size


def _cells(report: Report, finding: Finding) -> tuple[str, ...]:
    effect, unit = finding.effect, finding.metric.unit
    return (
        finding.metric.label,
        report.treatment,
        amount(effect.control, unit),
        amount(effect.treatment, unit),
        estimate(effect, unit),
        interval(effect, unit),
        p_value(finding.p_adjusted),
    )
