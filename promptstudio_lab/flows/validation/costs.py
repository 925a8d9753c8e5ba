"""Rules about money and load: what nodes and bodies may cost, and how wide they fan out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.flows.validation.environment import models_of
from promptstudio_lab.flows.validation.problem import warnings
from promptstudio_lab.money import format_usd
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.flows.graph import Node
    from promptstudio_lab.flows.validation.problem import Problem, Subject

# What a call is taken to write at most when it sets no `max_tokens`.
_USUAL_TOKENS = 4_096
_WIDEST = 256


def costs(subject: Subject) -> Iterator[Problem]:
    """Return what could break a budget or a rate limit: F302 and F305."""
    for node in subject.graph.nodes:
        budget = node.policy.get("budget")
        if isinstance(budget, int) and not isinstance(budget, bool):
            yield from _budget(subject, node, budget)
        yield from _width(subject, node)


def _budget(subject: Subject, node: Node, budget: int) -> Iterator[Problem]:
    """F302: one call that can never be paid is an error, many that might not be a warning."""
    calls = [node, *subject.graph.within(node.id)]
    once = [most for one in calls if (most := _call(subject, one)) is not None]
    if not once:
        return
    if max(once) > budget:
        message = (
            f"a single call may cost {format_usd(round(max(once)))}, and the budget is "
            f"{format_usd(budget)}: it would never be made"
        )
        yield subject.problem("F302", node, "/policy/budget", message)
        return
    whole = sum((_call(subject, one) or 0) * _times(subject, one, node) for one in calls)
    if whole > budget:
        message = (
            f"all calls together may cost {format_usd(round(whole))}, and the budget is "
            f"{format_usd(budget)}"
        )
        yield from warnings([subject.problem("F302", node, "/policy/budget", message)])


def _call(subject: Subject, node: Node) -> float | None:
    """Return the most that one call of a node writes for, in nano-dollars; None if unknown."""
    if node.kind not in kinds or "max_tokens" not in kinds[node.kind].schema["properties"]:
        return None
    written = node.config.get("max_tokens", _USUAL_TOKENS)
    if isinstance(written, bool) or not isinstance(written, int):
        return None
    prices = [subject.facts.prices.get(model) for _, model in models_of(subject, node)]
    known = [price.output_nano_usd * written for price in prices if price is not None]
    return max(known, default=None)


def _times(subject: Subject, node: Node, limit: Node) -> int:
    """Return how often a node may be called: its retries, and the rounds of loops around it."""
    retry = node.policy.get("retry")
    again = retry.get("max", 0) if isinstance(retry, dict) else 0
    found = 1 + (again if isinstance(again, int) else 0)
    here: Node | None = node
    for _ in range(len(subject.names[node.id].split("/"))):
        if here is None:
            break
        rounds = here.config.get("max_iterations", 1)
        found *= rounds if isinstance(rounds, int) and rounds > 0 else 1
        here = subject.graph.by_id.get(here.parent or "") if here is not limit else None
    return found


def _width(subject: Subject, node: Node) -> Iterator[Problem]:
    """F305: maps in maps work on the product of what each works on at once."""
    width, depth, here = _at_once(node), 1, node
    for _ in range(subject.names[node.id].count("/")):
        above = subject.graph.by_id.get(here.parent or "")
        if above is None:
            break
        width, depth, here = width * _at_once(above), depth + (_at_once(above) > 1), above
    if _at_once(node) > 1 and depth > 1 and width > _WIDEST:
        message = f"{width} items would be worked on at once; lower `concurrency`"
        found = subject.problem("F305", node, "/config/concurrency", message)
        yield from warnings([found])


def _at_once(node: Node) -> int:
    found = node.config.get("concurrency", 1)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 1
