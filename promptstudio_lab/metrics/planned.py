"""What an experiment is going to measure, written down before it runs, and read again later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.metrics.contract import Metric, Role, metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptstudio_lab.values import Json


def planned(
    goals: Sequence[Metric] | None = None,
    costs: Sequence[Metric] | None = None,
    guards: Sequence[Metric] | None = None,
) -> tuple[Metric, ...]:
    """Return the metrics of a plan, each in the role it was named for; none if nothing was named.

    What is left out is as usual: success is the goal, cost and cost per success are the costs, and
    latency is told.

    Args:
        goals: what decides; they share the error.
        costs: what is named beside the decision.
        guards: what may hold it back, each by its `max_regression`.

    Raises:
        AnalysisError: if something named is no metric, two have one name, or nothing is a goal.

    >>> from promptstudio_lab.metrics import Mean
    >>> [(one.name, one.role) for one in planned([Mean("latency_ms")], costs=[], guards=[])]
    [('latency_ms', 'goal')]
    """
    named: dict[Role, Sequence[Metric] | None] = {"goal": goals, "cost": costs, "guardrail": guards}
    if all(some is None for some in named.values()):
        return ()
    usual = {
        role: [metric for metric in default_metrics() if metric.role == role]
        for role in get_args(Role)
    }
    found: list[Metric] = []
    for role, some in named.items():
        chosen = usual[role] if some is None else _metrics(some)
        taken = {metric.name for metric in found} if some is None else set()
        found += [metric.having(role) for metric in chosen if metric.name not in taken]
    names = [metric.name for metric in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"two metrics are called {twice[0]!r}. Hint: give one of them another name."
        raise AnalysisError(message)
    if not any(metric.role == "goal" for metric in found):
        message = "no metric is a goal, so nothing is decided. Hint: goals=[ps.Rate('success')]"
        raise AnalysisError(message)
    return tuple(found)


def document(metric: Metric) -> dict[str, Json]:
    """Return a metric as JSON, for a plan.

    Raises:
        AnalysisError: if its kind is not registered, so that nobody could read it again.

    >>> from promptstudio_lab.metrics import Rate
    >>> document(Rate("success"))["kind"], read(document(Rate("success"))) == Rate("success")
    ('rate', True)
    """
    kind = next((name for name, known in metrics.items() if known is type(metric)), None)
    if kind is None:
        message = (
            f"{type(metric).__name__} is no registered metric, so a plan cannot hold it."
            " Hint: @promptstudio_lab.metrics.metrics.register('its name')"
        )
        raise AnalysisError(message)
    return {"kind": kind, **metric.settings()}


def read(written: Mapping[str, Any]) -> Metric:  # a plan's own JSON
    """Return the metric that `document` wrote.

    Raises:
        PromptStudioError: if its kind is not installed here.
    """
    words = dict(written)
    return metrics[words.pop("kind")](**words)


def _metrics(named: Any) -> list[Metric]:  # a caller without a type checker may give anything
    found = list(named) if isinstance(named, (list, tuple)) else [named]
    for one in found:
        if not isinstance(one, Metric):
            hint = f"ps.Rate({one!r})" if isinstance(one, str) else "ps.Rate('success')"
            message = f"{one!r} is no metric. Hint: {hint}, ps.Mean, ps.RatioOfSums or ps.Quantile"
            raise AnalysisError(message)
    return found
