"""What the engine tells: plain values, which a sink may write down or ignore.

They are named tuples: a run makes a dozen, and a frozen dataclass takes several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from promptstudio_lab.engine.replay.past import FIRST
from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.ids import time_of
from promptstudio_lab.values import check_text, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from promptstudio_lab.engine.plan import Plan, Prompt, Step, Variant
    from promptstudio_lab.engine.replay.past import Kept, Past
    from promptstudio_lab.errors import ProviderError
    from promptstudio_lab.providers.chat import ChatRequest, Reply
    from promptstudio_lab.scorers import Score
    from promptstudio_lab.values import Json

Status = Literal["succeeded", "failed", "skipped", "cancelled", "partial", "waiting"]


@dataclass(frozen=True, slots=True)
class RunInput:
    """One item to run.

    Attributes:
        run_id: the key of its flow execution: the same item of the same batch has the same.
        variant: which variant of the plan runs.
        values: the item, by column; the flow's inputs take theirs by name.
        unit_key: what experiments pair by.
        item_id: the row of the dataset, when it is kept there.
        past: what the run, or another one of the same flow, gave already.
        propensity: how probable the variant was when the unit was assigned to it; None where
            nothing was drawn, because every unit meets every variant.
    """

    run_id: str
    variant: str
    values: Mapping[str, Json]
    unit_key: str | None = None
    item_id: str | None = None
    past: Past = FIRST
    propensity: float | None = None


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins, or goes on.

    Attributes:
        made_at: the time in its id, which its rows' ids share: months are told apart by both.
    """

    plan: Plan
    variant: Variant
    input: RunInput
    started_at: datetime
    made_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Read the time once for all rows."""
        object.__setattr__(self, "made_at", time_of(self.input.run_id))


class Measured(NamedTuple):
    """A further measurement of a node."""

    name: str
    value: float
    unit: str | None
    dimensions: Mapping[str, Json]


def measured(name: str, value: float, unit: str | None, dimensions: Mapping[str, Json]) -> Measured:
    """Return a measurement that every engine can keep.

    Raises:
        ValueRefused: for a value that is no finite number, and dimensions without a JSON form.

    >>> measured("words", 12, None, {})
    Measured(name='words', value=12.0, unit=None, dimensions={})
    """
    number: Json = value  # a caller without a type checker may give anything
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not isfinite(number):
        message = f"the metric {name!r} is {value!r}, which is no finite number"
        raise ValueRefused(message)
    check_text(name, "a metric's name")
    dumps(dict(dimensions))
    return Measured(name, float(value), unit, dict(dimensions))


class AttemptStarted(NamedTuple):
    """A provider call is about to be made, or a node about to reach outside in another way."""

    run: RunStarted
    step: Step
    path: str
    node_execution_id: str
    attempt: int
    started_at: datetime


class CallEnded(NamedTuple):
    """A provider call is over: `reply` is what came, `failure` why it was not good enough."""

    attempt: AttemptStarted
    completed_at: datetime
    prompt_execution_id: str
    prompt: Prompt
    provider: str
    model: str
    request: ChatRequest
    reply: Reply | None
    failure: ProviderError | None
    latency_ms: float
    cost: int | None
    price_source: str | None


class NodeEnded(NamedTuple):
    """A node is over.

    Attributes:
        path: where in the flow's bodies it ran, as `each[3]`; empty for the flow's own nodes.
        cost: nano-dollars, the sum over its calls; None when one of them has no known price. What
            the nodes inside it cost is theirs.
        cache_key: under which it can be found again, when it may be.
        original: what really ran, when this only repeats it.
        question: what a person is asked, while the node waits.
        metrics: what it measured.
        announced: what was told before it reached outside, where that was no provider call.
    """

    run: RunStarted
    step: Step
    path: str
    node_execution_id: str
    status: Status
    started_at: datetime
    completed_at: datetime
    execution_time_ms: float
    inputs: Mapping[str, Json] | None
    outputs: Mapping[str, Json] | None
    error_code: str | None
    error: str | None
    calls: tuple[CallEnded, ...]
    cost: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_key: str | None = None
    original: Kept | None = None
    question: Mapping[str, Json] | None = None
    metrics: tuple[Measured, ...] = ()
    announced: AttemptStarted | None = None

    @property
    def simulated(self) -> bool:
        """Return whether a stand-in answered, now or when this first ran."""
        repeated = self.original is not None and self.original.simulated
        return repeated or any(call.reply.simulated for call in self.calls if call.reply)


class RunEnded(NamedTuple):
    """A run is over.

    Attributes:
        outputs: the flow's answers by name.
        cost: nano-dollars over all calls; None when one of them has no known price.
        simulated: whether a stand-in answered any call.
    """

    run: RunStarted
    status: Status
    completed_at: datetime
    execution_time_ms: float
    outputs: Mapping[str, Json]
    score: Score | None
    cost: int | None
    input_tokens: int | None
    output_tokens: int | None
    simulated: bool
    error_code: str | None
    error: str | None
    failed_node: str | None
    nodes: tuple[NodeEnded, ...]


Record: TypeAlias = RunStarted | AttemptStarted | NodeEnded | RunEnded


class Sink(Protocol):
    """Whoever listens to the engine."""

    async def run_started(self, run: RunStarted) -> None:
        """Hear that a run begins."""
        ...

    async def attempt_started(self, attempt: AttemptStarted) -> None:
        """Hear of what reaches outside before it does; it does when this returns."""
        ...

    async def call_ended(self, call: CallEnded) -> None:
        """Hear how a call ended."""
        ...

    async def node_ended(self, node: NodeEnded) -> None:
        """Hear how a node ended."""
        ...

    async def run_ended(self, run: RunEnded) -> None:
        """Hear how a run ended; the caller is told when this returns."""
        ...


class Nowhere:
    """A sink that keeps nothing: a run needs no database."""

    async def run_started(self, run: RunStarted) -> None:
        """Keep nothing."""

    async def attempt_started(self, attempt: AttemptStarted) -> None:
        """Keep nothing."""

    async def call_ended(self, call: CallEnded) -> None:
        """Keep nothing."""

    async def node_ended(self, node: NodeEnded) -> None:
        """Keep nothing."""

    async def run_ended(self, run: RunEnded) -> None:
        """Keep nothing."""
