"""Variants: patches over a flow, at any node, several at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import FlowError, did_you_mean
from promptstudio_lab.flows.graph import Graph, pointer_to
from promptstudio_lab.flows.language.shorthand import prompt_config, returns_schema
from promptstudio_lab.nodes import kinds
from promptstudio_lab.shown import card, named_html, printable, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.values import Json

_LEAST = 2


@dataclass(frozen=True, slots=True)
class Patch:
    """What one variant does otherwise: settings of nodes, by `node.setting`.

    A node of a body goes by its whole name: `each/classify.prompt`.

    >>> (Patch({"classify.model": "simulated:large"}) & Patch({"classify.seed": 1})).settings
    {'classify.model': 'simulated:large', 'classify.seed': 1}
    """

    settings: dict[str, Json]

    _repr_html_ = named_html

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


def patch_of(document: Sequence[Any]) -> Patch:  # JSON of our own
    """Return the patch that `Patch.document` wrote down.

    >>> patch = Patch({"each/say.model": "simulated:large"})
    >>> patch_of(patch.document()) == patch
    True
    """
    settings = {}
    for change in document:
        node, _, setting = change["path"].removeprefix("/nodes/").partition("/config/")
        settings[f"{node.replace('~1', '/')}.{setting}"] = change["value"]
    return Patch(settings)


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


class Grid(dict[str, Patch]):
    """Every combination of some levels of some settings, by name; the first levels are the control.

    Attributes:
        factors: the level that each variant has of each setting: by setting, then by variant.
    """

    def __init__(self, levels: Mapping[str, Mapping[str, Json]]) -> None:
        """Combine levels; each setting has its values by name, the usual one first."""
        super().__init__()
        self.factors: dict[str, dict[str, str]] = {place: {} for place in levels}
        settings = [_split(place)[1] for place in levels]
        short = {
            place: setting if settings.count(setting) == 1 else place
            for place, setting in zip(levels, settings, strict=True)
        }
        for names in product(*levels.values()):
            chosen = dict(zip(levels, names, strict=True))
            variant = ", ".join(f"{short[place]}={name}" for place, name in chosen.items())
            whole = Patch({})
            for place, name in chosen.items():
                whole &= vary(place, levels[place][name])
                self.factors[place][variant] = name
            self[variant] = whole

    @classmethod
    def again(cls, variants: Mapping[str, Patch], factors: Mapping[str, Mapping[str, str]]) -> Grid:
        """Return the grid that had these variants and factors."""
        found = cls({})
        found.clear()
        found.update(variants)
        found.factors = {place: dict(levels) for place, levels in factors.items()}
        return found

    def __repr__(self) -> str:
        """Name the variants."""
        return f"<Grid {printable(' | '.join(self))}>"

    def _repr_html_(self) -> str:
        rows = [[name, *(levels[name] for levels in self.factors.values())] for name in self]
        return card(f"{len(self):,} variants", table(["variant", *self.factors], rows))


def grid(levels: Mapping[str, Mapping[str, Json] | Sequence[Json]]) -> Grid:
    """Return the variants of a grid: every combination of the levels of each setting.

    Args:
        levels: by `node.setting`, its values: a list, or a mapping from names to values. The first
            of each is the control's.

    Raises:
        FlowError: if a setting has fewer than two levels, or two of one name.

    >>> cells = grid(
    ...     {"say.model": ["small", "large"], "say.prompt": {"bare": "Hi", "warm": "Hey!"}}
    ... )
    >>> list(cells)
    ['model=small, prompt=bare', 'model=small, prompt=warm', 'model=large, prompt=bare',
        'model=large, prompt=warm']
    >>> cells.factors["say.model"]["model=large, prompt=warm"]
    'large'
    """
    named = {}
    for place, values in levels.items():
        given = values if isinstance(values, Mapping) else {str(value): value for value in values}
        if len(given) != len(values) or len(given) < _LEAST:
            message = f"{place!r} needs at least two levels of different names, not {list(values)}"
            raise FlowError(message)
        named[place] = given
    return Grid(named)


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
