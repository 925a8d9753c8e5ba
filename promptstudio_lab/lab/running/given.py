"""Whether a flow can take what it is given and be judged: told before anything is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowError, did_you_mean
from promptstudio_lab.flows.shape import signature
from promptstudio_lab.nodes.data.input import refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.values import Json


def check_given(
    wanted: Mapping[str, Mapping[str, Json]], given: Mapping[str, Json], *, extra: bool = False
) -> None:
    """Check the values of one run against the flow's inputs.

    Args:
        wanted: the config of each input, by name.
        given: values by name; null is no value, but for an input of any type or of JSON.
        extra: whether there may be more, as in a row of a dataset.

    Raises:
        FlowError: naming the input and what is wrong with its value.

    >>> check_given({"n": {"type": "int"}}, {"n": "four"})
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.FlowError: the flow's input 'n' takes int, not the text 'four'.
    """
    for name in () if extra else given:
        if name not in wanted:
            message = f"the flow has no input {name!r}.{did_you_mean(name, wanted)}"
            raise FlowError(message)
    for key, config in wanted.items():
        if key not in given and "default" not in config:
            there = f" Given are {', '.join(sorted(given))}." if given else ""
            message = f"the flow's input {key!r} gets no value.{there}"
            raise FlowError(message)
        reason = refused(config, given[key]) if key in given else None
        if reason is not None:
            message = f"the flow's input {key!r} {reason}."
            raise FlowError(message)


def check_scorer(
    scorer: Scorer, graph: Graph, facts: Facts, fields: Collection[str] | None = None
) -> None:
    """Check that a scorer finds what it looks for, before runs are paid for that it cannot judge.

    Args:
        scorer: judges the runs.
        graph: the flow.
        facts: what it refers to.
        fields: those of the items; None where nobody knows them yet.

    Raises:
        FlowError: with what the scorer lacks.
    """
    outputs = [port.name for port in signature(graph, facts).outputs]
    if reason := scorer.lacks(outputs, fields):
        message = f"the scorer could judge nothing: {reason}"
        raise FlowError(message)
