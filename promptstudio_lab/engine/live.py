"""One run while it goes on: what all its nodes share, however deep they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptstudio_lab.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.cache import Cache
    from promptstudio_lab.engine.plan import Step
    from promptstudio_lab.engine.records import NodeEnded, RunStarted, Sink
    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Kept:
    """What a node gave earlier, so that it need not run again.

    Attributes:
        node_execution_id: the execution that really ran.
        status: how that ended.
        outputs: what it gave.
        cost: nano-dollars, or None when that is not known.
        input_tokens: what its calls read.
        output_tokens: what its calls wrote.
        here: whether it is a row of this very run, which goes on after an interruption.
    """

    node_execution_id: str
    status: str
    outputs: Mapping[str, Json] | None
    cost: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    here: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a run before it begins, or goes on.

    Attributes:
        epoch: how often it begins, this time included.
        kept: what nodes gave, by node id and path.
        answers: what people answered, by node id and path.
        cost: what its nodes have cost so far, in nano-dollars; None when that is not known.
        input_tokens: what their calls read.
        output_tokens: what their calls wrote.
        simulated: whether a stand-in answered any of them.
    """

    epoch: int = 1
    kept: Mapping[tuple[str, str], Kept] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    cost: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    simulated: bool = False


@dataclass
class Live:
    """What the nodes of one run share.

    Attributes:
        run: the run.
        sink: whoever listens.
        budget: what may be spent.
        on_text: gets (node name, text) as models answer.
        past: what the run, or another one of the same flow, gave already.
        cache: finds what other runs have paid for already, when there is one.
        ended: the nodes that have ended, in that order.
    """

    run: RunStarted
    sink: Sink
    budget: Budget
    on_text: Callable[[str, str], None] | None = None
    past: Past = field(default_factory=Past)
    cache: Cache | None = None
    ended: list[NodeEnded] = field(default_factory=list)

    def key(self, step: Step, path: str) -> str:
        """Return the key of a node's execution: the same for the same node of the same run.

        A run that goes on after an interruption keeps what is written and writes anew.
        """
        parts = (step.node_id, path)
        epoch = self.run.epoch
        return derived_id(self.run.input.run_id, *parts, *((epoch,) if epoch > 1 else ()))
