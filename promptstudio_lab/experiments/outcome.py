"""What an experiment found, as a value: every face of a report is drawn from this."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.wording import ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.experiments.decision import Decision, Finding
    from promptstudio_lab.experiments.health import Check, Shares
    from promptstudio_lab.experiments.plan.looks import Due
    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.experiments.segments import Segments
    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.sequential.traffic import TrafficTest
    from promptstudio_lab.stats.srm import SrmResult
    from promptstudio_lab.stats.sums import Sums, SumsApart


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    Attributes:
        name: the experiment's name.
        control: the control's variant.
        treatment: the treatment's variant.
        findings: each metric with its effect.
        decision: what to do now, in plain words.
        checks: what to look at before believing the numbers, but for what takes a query.
        shares: the runs of each variant, and whether they fit what was promised.
        counts: runs of each variant.
        unpaired: keys of the items that were left out for want of a value or a partner.
        reason: which method, and why.
        simulated: whether a stand-in gave the answers, and not a language model.
        items: how many items or units were compared; in clusters, more than the clusters.
        sums: the few numbers that everything else is computed from.
        sql: the query that made the sums.
        segments: every goal within every segment, or None when none were asked for.
        read: reads the rows behind the sums, where there is somewhere to read them from.
        noun: what the items are, in words.
        later: asks what takes a query of its own, when somebody looks at the health.
        due: where the planned looks stand, where looks were planned.
    """

    name: str
    control: str
    treatment: str
    findings: tuple[Finding, ...]
    decision: Decision
    checks: tuple[Check, ...]
    shares: Shares
    counts: dict[str, int]
    unpaired: tuple[str, ...]
    reason: str
    simulated: bool
    items: int
    sums: Sums | SumsApart
    sql: str = ""
    segments: Segments | None = None
    read: Callable[[], Rows] | None = field(default=None, compare=False)
    noun: Noun = ITEMS
    later: Callable[[], Check] | None = field(default=None, compare=False)
    due: Due | None = None

    @cached_property
    def health(self) -> tuple[Check, ...]:
        """What to look at before believing the numbers, each with a state."""
        if self.later is None:
            return self.checks
        found = self.later()
        return tuple(found if check.name == found.name else check for check in self.checks)

    @property
    def rows(self) -> Rows:
        """The rows behind the sums, read when they are asked for.

        Raises:
            AnalysisError: if the report was made from sums alone.
        """
        if self.read is None:
            message = "this report was made from sums alone, so there are no rows to read"
            raise AnalysisError(message)
        return self.read()

    @property
    def n(self) -> int:
        """The number of items that were compared, or of the clusters that they come in."""
        return self.findings[0].effect.n

    @property
    def srm(self) -> SrmResult | TrafficTest | None:
        """The test of the promised shares, or None when none were promised."""
        return self.shares.test

    @property
    def method(self) -> str:
        """How often somebody may look: `anytime`, `fixed`, or `scheduled` at planned looks."""
        return self.findings[0].effect.method

    @property
    def usual(self) -> Method:
        """How intervals are drawn that no planned look is about."""
        return "fixed" if self.method == "fixed" else "anytime"

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
