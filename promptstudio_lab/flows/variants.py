"""Variants: patches over a flow, at any node, several at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowError, did_you_mean
from promptstudio_lab.flows.graph import Graph, pointer_to
from promptstudio_lab.flows.shorthand import prompt_config, returns_schema
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from promptstudio_lab.values import Json


@dataclass(frozen=True, slots=True)
class Patch:
    """What one variant does otherwise: settings of nodes, by `node.setting`.

    A node of a body goes by its whole name: `each/classify.prompt`.

    >>> (Patch({"classify.model": "simulated:large"}) & Patch({"classify.seed": 1})).settings
    {'classify.model': 'simulated:large', 'classify.seed': 1}
    """

    settings: dict[str, Json]

    def __and__(self, other: Patch) -> Patch:
        """Return both patches as one."""
        return Patch({**self.settings, **other.settings})

    def document(self) -> list[Json]:
        """Return the patch as JSON Patch operations over the flow's document."""
        return [
            {"op": "add", "path": pointer_to(node, f"/config/{setting}"), "value": value}
            for place, value in self.settings.items()
            for node, setting in [_split(place)]
        ]


def vary(place: str, value: Json) -> Patch:
    """Return the patch that sets one setting of one node.

    Args:
        place: `node.setting`, such as `classify.prompt`.
        value: as the builder takes it.
    """
    _, setting = _split(place)
    if setting == "prompt":
        value = prompt_config(value)
    elif setting == "returns" and isinstance(value, dict):
        value = returns_schema(value)
    return Patch({place: value})


def patched(graph: Graph, patch: Patch) -> Graph:
    """Return the flow with a patch applied.

    Raises:
        FlowError: if the flow has no such node, or the node no such setting.
    """
    nodes = dict(graph.by_key)
    for place, value in patch.settings.items():
        key, setting = _split(place)
        if key not in nodes:
            message = f"there is no node {key!r} to vary.{did_you_mean(key, nodes)}"
            raise FlowError(message)
        known = kinds[nodes[key].kind].schema["properties"]
        if setting not in known:
            message = f"{key!r} has no setting {setting!r} to vary.{did_you_mean(setting, known)}"
            raise FlowError(message)
        nodes[key] = replace(nodes[key], config={**nodes[key].config, setting: value})
    return Graph(tuple(nodes.values()), graph.edges)


def _split(place: str) -> tuple[str, str]:
    node, dot, setting = place.rpartition(".")
    if not dot or not node or not setting:
        message = f"{place!r} is not a place such as 'classify.prompt'"
        raise FlowError(message)
    return node, setting
