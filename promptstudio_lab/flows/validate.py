"""Validation: every problem of a flow in one pass; nothing is imported, connected to or run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.flows.graph import DEEPEST
from promptstudio_lab.flows.validation import environment, settings, structure, wiring
from promptstudio_lab.flows.validation.costs import costs
from promptstudio_lab.flows.validation.liveness import liveness
from promptstudio_lab.flows.validation.problem import Problem, Subject, errors
from promptstudio_lab.flows.validation.structure import find_cycle
from promptstudio_lab.flows.validation.wiring import refuse_edge
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph, Node

__all__ = ["Problem", "errors", "find_cycle", "refuse_edge", "validate"]


def validate(graph: Graph, facts: Facts) -> tuple[Problem, ...]:
    """Return every problem of a flow and of the bodies in it.

    Args:
        graph: the flow.
        facts: what there is to refer to: templates, providers, flows, prices and so on.

    Returns:
        Problems in the order of the nodes, the flow's own last.

    >>> from promptstudio_lab.flows.facts import Facts
    >>> from promptstudio_lab.flows.graph import Graph
    >>> [str(problem) for problem in validate(Graph(), Facts())]
    ['F106 error the flow has no nodes']
    """
    subject = Subject.of(graph, facts)
    found: list[Problem] = []
    for node in graph.nodes:
        found += _node(subject, node)
    for node in graph.nodes:
        found += wiring.inputs(subject, node)
    found += structure.whole(subject)
    whole = not errors(tuple(found))
    # Where a run would end without an answer is only worth a word of a flow that can run.
    found += [problem for problem in liveness(subject) if whole or problem.severity == "error"]
    found += costs(subject)
    return tuple(found)


def _node(subject: Subject, node: Node) -> list[Problem]:
    found = [*settings.policy(subject, node)]
    kind = kinds.get(node.kind)
    if kind is None:
        return [*found, structure.unknown_kind(subject, node)]
    wrong = list(settings.config(subject, node, kind))
    found += wrong
    if not errors(tuple(wrong)):
        found += settings.meaning(subject, node, kind)
        found += environment.refers(subject, node)
        # What lies in itself has no openings that could be told.
        if subject.names[node.id].count("/") < DEEPEST - 1:
            subject.shape(node)
    return found
