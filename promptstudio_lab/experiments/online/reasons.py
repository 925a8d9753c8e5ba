"""Why a report of units that met one variant each says what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import visible

if TYPE_CHECKING:
    from promptstudio_lab.experiments.report import Report


def of_independent_arms(report: Report, unit: str, *more: str) -> Report:
    """Return a report whose reason speaks of arms that met different units.

    Args:
        report: as the analysis of arms gave it.
        unit: what met one variant.
        more: further sentences.
    """
    effects = [(finding.metric.label, finding.effect.reason) for finding in report.findings]
    usual = (reason for _, reason in effects if reason.startswith("independent arms"))
    first = "; ".join(next(usual, "so arms are independent").split("; ")[:2])
    words = [f"each {visible(unit)} met one variant, {first}"]
    words += [
        f"{visible(label)}: {added}"
        for label, reason in effects
        if (added := reason.removeprefix(first).removeprefix("; "))
    ]
    # What several questions share is said of the whole report.
    shared = report.reason.partition("; ")[2].partition(". ")[0].partition("; ")[2]
    return replace(report, reason=". ".join([*words, *more, *filter(None, [shared])]))
