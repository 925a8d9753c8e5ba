"""What an experiment found, as a value: every face of a report is drawn from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.wording import p_value

if TYPE_CHECKING:
    from promptstudio_lab.experiments.decision import Decision, Finding
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.srm import SrmResult


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    Attributes:
        name: the experiment's name.
        control: the control's variant.
        treatment: the treatment's variant.
        findings: each metric with its effect.
        decision: what to do now, in plain words.
        srm: the test of the promised shares, or None when none were promised.
        counts: runs of each variant.
        unpaired: keys of the items that only one variant ran on; they are left out.
        reason: which method, and why.
        simulated: whether a stand-in gave the answers, and not a language model.
        sql: the query that made the sums.
    """

    name: str
    control: str
    treatment: str
    findings: tuple[Finding, ...]
    decision: Decision
    srm: SrmResult | None
    counts: dict[str, int]
    unpaired: tuple[str, ...]
    reason: str
    simulated: bool
    sql: str = ""

    @property
    def n(self) -> int:
        """The number of items that both variants ran on."""
        return self.findings[0].effect.n

    @property
    def method(self) -> str:
        """How often somebody may look: `anytime` or `fixed`."""
        return self.findings[0].effect.method

    @property
    def effects(self) -> dict[str, Effect]:
        """The effect on each metric, by the metric's name."""
        return {finding.metric.name: finding.effect for finding in self.findings}

    def __getitem__(self, name: str) -> Effect:
        """Return the effect on one metric.

        Raises:
            AnalysisError: if the report has no such metric; the message names the nearest.
        """
        effects = self.effects
        if name not in effects:
            message = f"there is no metric {name!r} in this report.{did_you_mean(name, effects)}"
            raise AnalysisError(message)
        return effects[name]

    @property
    def health(self) -> tuple[tuple[str, str], ...]:
        """What to look at before believing the numbers: pairs of a value and its name."""
        runs = " : ".join(f"{self.counts[name]:,}" for name in (self.control, self.treatment))
        shares = "no shares were promised, so none are tested"
        if self.srm is not None:
            verdict = "shares as promised" if self.srm.ok else "shares not as promised"
            shares = f"{verdict} (SRM p {p_value(self.srm.p_value)})"
        return (
            (runs, f"runs, {shares}"),
            (f"{self.n:,}", "pairs, each item its own cluster"),
            (f"{len(self.unpaired):,}", "items left out for want of a partner"),
        )
