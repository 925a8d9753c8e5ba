"""What is known of a run before it begins, or goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        simulated: whether a stand-in answered for it.
    """

    node_execution_id: str
    status: str
    outputs: Mapping[str, Json] | None
    cost: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    here: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a run before it begins, or goes on.

    Attributes:
        epoch: how often it begins, this time included; 0 while it is only queued.
        kept: what nodes gave, by node id and path.
        answers: what people answered, by node id and path.
        cost: what its nodes have cost so far, in nano-dollars; None when that is not known.
        input_tokens: what their calls read.
        output_tokens: what their calls wrote.
        simulated: whether a stand-in answered any of them.
        closed: whether nothing may reach outside: what is not kept cannot run.
    """

    epoch: int = 1
    kept: Mapping[tuple[str, str], Kept] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    cost: int | None = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    simulated: bool = False
    closed: bool = False


FIRST = Past()
QUEUED = Past(epoch=0)
