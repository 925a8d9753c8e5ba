"""What a batch will cost, before its first call: an interval from the past, a ceiling by price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.wording import ITEMS
from promptstudio_lab.money import format_usd
from promptstudio_lab.providers.chat import ChatRequest, Message
from promptstudio_lab.providers.prices import worst_case
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.planning.totals import total_of_more
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.queries.spent import spent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.engine.plan import Plan, Step
    from promptstudio_lab.lab.datasets import Dataset
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json

_FEW = 5  # earlier runs, below which they say too little
_BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True, repr=False)
class Estimate:
    """What a batch is expected to cost.

    Attributes:
        items: how many rows it has.
        low_nano_usd: the lower end of the 95 % interval, or None without enough earlier runs.
        expected_nano_usd: the most likely sum, or None likewise.
        high_nano_usd: the upper end, or None likewise.
        worst_nano_usd: what it cannot exceed: the longest prompts and answers, every retry aside;
            models without a known price are left out.
        basis: in words, what the figures rest on.
    """

    items: int
    low_nano_usd: int | None
    expected_nano_usd: int | None
    high_nano_usd: int | None
    worst_nano_usd: int
    basis: str

    _repr_html_ = named_html

    def __repr__(self) -> str:
        """Say it in words."""
        return str(self)

    def __str__(self) -> str:
        """Say it in one line."""
        most = f"at most {format_usd(self.worst_nano_usd)} for {ITEMS.counted(self.items)}"
        if self.expected_nano_usd is None:
            return f"{most} ({self.basis})"
        ends = f"{format_usd(self.low_nano_usd)} to {format_usd(self.high_nano_usd)}"
        return f"about {format_usd(self.expected_nano_usd)} ({ends}), {most} ({self.basis})"


def estimate(
    environment: Environment, flow_id: str | None, plan: Plan, dataset: Dataset
) -> Estimate:
    """Return what running a plan over rows will cost; nothing is run."""
    count = len(dataset)
    worst = sum(_most(plan, values) for _, _, values in dataset.items)
    past: list[int] = []
    if flow_id is not None:
        with environment.warehouse.reading(environment.actor) as session:
            past = spent(session, flow_id)
    if len(past) < _FEW:
        runs = "run" if len(past) == 1 else "runs"
        basis = f"{len(past) or 'no'} earlier {runs}: too few to expect anything"
        return Estimate(count, None, None, None, worst, basis)
    found = total_of_more(past, count)
    return Estimate(
        count,
        max(0, round(found.low)),
        round(found.estimate),
        round(found.high),
        worst,
        f"from the flow's last {len(past):,} runs",
    )


def _most(plan: Plan, values: Mapping[str, Json]) -> int:
    item = max(len(dumps(dict(values))), 1)
    return sum(_most_of(plan, step, item, values, 1) for step in plan.variants["control"].steps)


def _most_of(plan: Plan, step: Step, item: int, values: Mapping[str, Json], times: int) -> int:
    if step.body:
        inside = times * _times(step, values)
        return sum(_most_of(plan, inner, item, values, inside) for inner in step.body)
    if step.prompt is None or ("model" not in step.config and step.kind != "llm"):
        return 0
    name = str(step.config.get("model") or plan.default_model)
    provider, _, model = name.partition(":")
    limit = step.config.get("max_tokens")
    # What stands in for the variables is no longer than the item, or than what a model wrote.
    filled = step.prompt.text + "x" * (item + _BYTES_A_TOKEN * int(limit or 0))
    request = ChatRequest(
        model, (Message("user", filled),), returns=step.config.get("returns"), max_tokens=limit
    )
    return times * worst_case(provider, request)


def _times(step: Step, values: Mapping[str, Json]) -> int:
    if step.kind == "loop":
        return int(step.config.get("max_iterations", 1))
    longest = max((len(v) for v in values.values() if isinstance(v, list)), default=1)
    return longest if step.kind == "map" else 1
