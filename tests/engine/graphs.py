"""Flows with bodies as documents: what tests of maps, loops and people's answers are built of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.flows.graph import FORMAT
from tests.engine.parts import plan_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.engine.plan import Plan
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json

Nodes = dict[str, dict[str, Any]]  # a document's nodes, which are JSON


def node(
    kind: str, config: Json = None, policy: Json = None, **fed: str
) -> dict[str, Any]:  # a node's JSON
    """Return one node of a document, fed by these bindings."""
    return {
        "kind": kind,
        "config": config or {},
        "policy": policy or {},
        "in": {port: [binding] for port, binding in fed.items()},
    }


def ask(text: str = "Say {{ x }}", policy: Json = None, **fed: str) -> dict[str, Any]:  # JSON
    """Return a node that asks the lab's model, or `model`."""
    config: Json = {"prompt": {"text": text}}
    if model := fed.pop("model", ""):
        config["model"] = model
    return node("llm", config, policy, **fed)


def gives(**fed: str) -> dict[str, Any]:  # a node's JSON
    """Return an output node with these fields."""
    return node("output", {"fields": list(fed)}, **fed)


def mapped(inner: Mapping[str, Json], config: Json = None, policy: Json = None) -> Nodes:
    """Return a flow `xs` → map `each` → `ys`, whose body has `item` and these nodes."""
    return {
        "xs": node("input", {"type": "list"}),
        "each": node("map", config, policy, items="xs.value"),
        "each/item": node("input", {"type": "any"}),
        **{f"each/{key}": one for key, one in inner.items()},
        "out": gives(ys="each.items"),
    }


def each_asks(config: Json = None, policy: Json = None, model: str = "") -> Nodes:
    """Return a map that asks a model about each item."""
    inner = {"say": ask(x="item.value", model=model), "out": gives(y="say.text")}
    return mapped(inner, config, policy)


class _Document:
    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def document(self) -> Json:
        """Return it whole."""
        return {"format": FORMAT, "nodes": self._nodes}


def planned(nodes: Nodes, **more: Any) -> Plan:  # a plan's own fields
    """Return the plan of a document that no warehouse knows."""
    return plan_of(_Document(nodes), **more)  # type: ignore[arg-type]  # all that is asked of a builder


def flow_of(lab: Lab, path: str, nodes: Nodes) -> Flow:
    """Return the lab's flow of that path with these nodes."""
    flow = lab.flow(path)
    flow._nodes = nodes
    return flow
