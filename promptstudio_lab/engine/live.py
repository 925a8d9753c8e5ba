"""One run while it goes on: what all its nodes share, however deep they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptstudio_lab.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.engine.budget import Budget
    from promptstudio_lab.engine.cache import Cache
    from promptstudio_lab.engine.plan import Step
    from promptstudio_lab.engine.records import NodeEnded, RunStarted, Sink


@dataclass
class Live:
    """What the nodes of one run share.

    Attributes:
        run: the run.
        sink: whoever listens.
        budget: what may be spent.
        on_text: gets (node name, text) as models answer.
        cache: finds what other runs have paid for already, when there is one.
        ended: the nodes that have ended, in that order.
    """

    run: RunStarted
    sink: Sink
    budget: Budget
    on_text: Callable[[str, str], None] | None = None
    cache: Cache | None = None
    ended: list[NodeEnded] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take what is known already."""
        self.past = self.run.input.past

    def key(self, step: Step, path: str) -> str:
        """Return the key of a node's execution: the same for the same node of the same run.

        A run that goes on after an interruption keeps what is written and writes anew.
        """
        run_id, epoch = self.run.input.run_id, self.past.epoch
        if epoch > 1:
            return derived_id(run_id, step.node_id, path, epoch)
        return derived_id(run_id, step.node_id, path)
