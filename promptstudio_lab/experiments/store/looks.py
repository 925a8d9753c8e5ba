"""What each report of an experiment found is kept, and how often somebody has looked.

A look is a state of the data that somebody saw. Asking twice of the same runs is one look, by
whatever method and about whatever metrics; one more finished run, and the next report is another.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from promptstudio_lab.experiments.plan.looks import Taken
from promptstudio_lab.ids import derived_id
from promptstudio_lab.values import content_hash
from promptstudio_lab.warehouse.queries.experiments.looks import keep, look_at, looks_taken
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from promptstudio_lab.experiments.decision import Finding
    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.experiments.store import Started
    from promptstudio_lab.warehouse.connect import Session

_EFFECT = (
    "control",
    "treatment",
    "estimate",
    "low",
    "high",
    "relative",
    "relative_low",
    "relative_high",
    "se",
    "p_value",
)
COLUMNS = (
    *("id", "organization_id", "experiment_id", "variant_id", "plan_hash", "state", "asked"),
    *("look", "method", "metric", "role", "unit", "n"),
    *_EFFECT,
    *("p_adjusted", "alpha", "verdict", "decision", "simulated", "made_with", "information"),
    *("created_at", "created_by"),
)


def record(session: Session, started: Started, state: str, reports: Sequence[Report]) -> int:
    """Keep what reports found in a state of the data, and return which look that was.

    Args:
        session: a unit of work.
        started: the experiment.
        state: of its data when the reports were made.
        reports: one a treatment, made together.
    """
    look, moment = look_at(session, started.id, state), now()
    asked = content_hash([
        [report.treatment, report.method, [_named(finding) for finding in report.findings]]
        for report in reports
    ])  # fmt: skip
    rows = [
        _row(session, started, (state, asked, look), report, finding, moment)
        for report in reports
        for finding in report.findings
        if finding.metric.role != "exploratory"  # shown, but nothing rests on it
    ]
    keep(session, COLUMNS, rows)
    return look


def planned_looks(session: Session, started: Started, treatment: str) -> list[Taken]:
    """Return the looks of the plan that were taken at a treatment, in their order."""
    rows = looks_taken(session, started.id, started.variants[treatment])
    return [Taken(*row) for row in rows]


def _named(finding: Finding) -> list[str]:
    return [finding.metric.name, repr(finding.effect.alpha)]


def _row(  # the parts of a look
    session: Session,
    started: Started,
    where: tuple[str, str, int],
    report: Report,
    finding: Finding,
    moment: datetime,
) -> tuple[Any, ...]:  # one value a column
    state, asked, look = where
    actor, metric, effect = session.info["actor"], finding.metric, finding.effect
    variant = started.variants[report.treatment]
    look_due = None if report.due is None else report.due.look
    return (
        derived_id(started.id, "analysis", state, asked, variant, metric.name),
        actor.organization_id,
        started.id,
        variant,
        started.plan_hash,
        state,
        asked,
        look,
        report.method,
        metric.name,
        metric.role,
        metric.unit,
        effect.n,
        *(_finite(getattr(effect, name)) for name in _EFFECT),
        _finite(finding.p_adjusted),
        effect.alpha,
        finding.verdict,
        report.decision.action,
        report.simulated,
        _made_with(),
        None if look_due is None else look_due.information[-1],
        moment,
        actor.id,
    )


@cache
def _made_with() -> str:
    return f"promptstudio-lab {version('promptstudio-lab')}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
