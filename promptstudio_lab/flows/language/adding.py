"""The methods of a builder that add nodes: Tab lists them, and `f.llm?` says what they take."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from promptstudio_lab.errors import did_you_mean
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.flows.language.handles import Handle
    from promptstudio_lab.nodes import Kind
    from promptstudio_lab.values import Json

POLICY = {
    "retry": "how often a failed attempt is made again, as `{'max': 2}`.",
    "timeout_s": "until when an attempt must be over, in seconds.",
    "budget": "what the node may spend, as `ps.usd(1)`.",
    "on_error": "`fail`, which ends the run, or `skip`.",
    "cache": "whether the same question is paid for once.",
}
_WIDTH = 92


class Adding:
    """A method that adds a node of a kind; its signature and its docstring are the kind's."""

    def __init__(self, kind: str, add: Callable[..., Handle]) -> None:
        """Bind a kind; nothing is added yet.

        Raises:
            AttributeError: if there is no such kind.
        """
        if kind.startswith("_"):
            raise AttributeError(kind)
        if kind not in kinds:
            message = f"there is no node kind {kind!r}.{did_you_mean(kind, kinds)}"
            raise AttributeError(message)
        self.__name__ = self.__qualname__ = kind
        self._add = add

    def __call__(self, key: str, /, *many: Handle, **settings: Any) -> Any:  # a handle, or a body
        """Add a node."""
        # An opening that takes several edges is mostly the only one, and `in` no keyword.
        return self._add(key, **({"in": list(many)} if many else {}), **settings)

    def __repr__(self) -> str:
        """Name the kind."""
        return f"<adds a node: {self.__name__}{self.__signature__}>"

    @property
    def __signature__(self) -> inspect.Signature:  # noqa: D105 — read by `inspect`
        kind = kinds[self.__name__]
        given = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(kind, name))
            for name in (*_settings(kind), "when", *_policy(kind))
        ]
        return inspect.Signature(
            [
                inspect.Parameter("key", inspect.Parameter.POSITIONAL_ONLY),
                inspect.Parameter("many", inspect.Parameter.VAR_POSITIONAL),
                *given,
                inspect.Parameter("bound", inspect.Parameter.VAR_KEYWORD),
            ]
        )

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # noqa: D105 — it is the docstring
        kind = kinds[self.__name__]
        told, line, example = (inspect.getdoc(type(kind)) or kind.summary).partition("\n>>> ")
        arguments = [
            "key: its name, unique in the flow or in its body.",
            "many: handles, where the node has an input that takes several.",
            *(f"{name}: {_told(schema)}" for name, schema in _settings(kind).items()),
            "when: the branch that must be open, or several of which one must be.",
            *(f"{name}: {words}" for name, words in _policy(kind).items()),
            "bound: handles on what other nodes give, by the names of this node's inputs.",
        ]
        return "\n".join([told.rstrip(), "", "Args:", *map(_indented, arguments), line + example])


def _settings(kind: Kind) -> Mapping[str, Json]:
    found: Mapping[str, Json] = kind.schema["properties"]
    return found


def _policy(kind: Kind) -> dict[str, str]:
    """Return what every node takes, but for what this kind has a setting of its own for."""
    return {name: words for name, words in POLICY.items() if name not in _settings(kind)}


def _default(kind: Kind, name: str) -> Json:
    required = name in kind.schema.get("required", ())
    nothing = inspect.Parameter.empty if required else None
    return _settings(kind).get(name, {}).get("default", nothing)


def _told(schema: Mapping[str, Json]) -> str:
    words = str(schema.get("description", schema.get("title", "")))
    if "enum" in schema:
        words += f" One of {', '.join(f'`{value}`' for value in schema['enum'])}."
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words += f" From {low:,} to {high:,}."
    return words


def _indented(words: str) -> str:
    return textwrap.fill(
        words, _WIDTH, initial_indent="    ", subsequent_indent="        ", break_on_hyphens=False
    )
