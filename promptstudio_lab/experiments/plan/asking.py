"""What a report is asked about, beside what the plan says: what was not planned is exploratory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.experiments.health import Check
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.metrics.planned import document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.values import Json

_HASH = 8  # as many digits of a plan's hash as people compare


class Asking(NamedTuple):
    """What a report is about.

    Attributes:
        metrics: what it measures.
        check: whether that is what was planned.
    """

    metrics: tuple[Metric, ...]
    check: Check


def asking(plan: Sequence[Metric], asked: Sequence[Metric] | None, plan_hash: str = "") -> Asking:
    """Return what a report measures: all that was planned, and what is asked for besides.

    Goals that were planned always share the error, asked for or not; what was not planned is told
    as exploratory, and no decision rests on it.

    Args:
        plan: the metrics that were frozen before the first run; empty where none were named.
        asked: what somebody asks for now, or None for nothing in particular.
        plan_hash: of the plan.

    >>> from promptstudio_lab.metrics import Mean, Rate
    >>> found = asking([Rate("success")], [Mean("quality")])
    >>> [(metric.name, metric.role) for metric in found.metrics]
    [('success', 'goal'), ('quality', 'exploratory')]
    """
    if not plan:
        return Asking(tuple(asked or default_metrics()), _unplanned(asked))
    written, names = [_words(metric) for metric in plan], {metric.name for metric in plan}
    new = [metric for metric in asked or () if _words(metric) not in written]
    other = [metric for metric in new if metric.name in names]
    added = [metric.having("exploratory") for metric in new if metric.name not in names]
    said = []
    if added:
        them = " and ".join(visible(metric.label) for metric in added)
        verb, it = ("was", "it") if len(added) == 1 else ("were", "them")
        said.append(
            f"{them} {verb} not in the plan: exploratory, so the p-value stands alone and no"
            f" decision rests on {it}"
        )
    if other:
        them = " and ".join(visible(metric.label) for metric in other)
        said.append(f"{them} was asked for otherwise than planned: the plan's own is shown")
    check = (
        Check("plan", "warn", "not as planned", "; ".join(said))
        if said
        else Check("plan", "ok", "as planned", f"{_counted(plan)} frozen{_of(plan_hash)}")
    )
    return Asking((*plan, *added), check)


def _words(metric: Metric) -> dict[str, Json]:
    # Which role it plays is the plan's to say.
    return {name: value for name, value in document(metric).items() if name != "role"}


def _unplanned(asked: Sequence[Metric] | None) -> Check:
    if asked is None:
        meaning = "the usual metrics, which nobody chose after the fact"
        return Check("plan", "ok", "the usual metrics", meaning)
    meaning = (
        "nobody said before the runs what would decide; goals=, costs= and guards= of"
        " lab.experiment freeze it"
    )
    return Check("plan", "unknown", "chosen at the report", meaning)


def _counted(plan: Sequence[Metric]) -> str:
    counts = Counter(metric.role for metric in plan)
    told = [f"{count} {role}{'' if count == 1 else 's'}" for role, count in counts.items()]
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]


def _of(plan_hash: str) -> str:
    return f" before the first run (plan {plan_hash[:_HASH]})" if plan_hash else ""
