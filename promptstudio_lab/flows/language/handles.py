"""What a node gives, as code names it: pass it as a keyword to bind another node's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.flows.graph import binding_of
from promptstudio_lab.nodes.ports import type_at
from promptstudio_lab.shown import card, facts, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.nodes import Ports, Signature
    from promptstudio_lab.values import Json


class Handle:
    """What a node gives: bind it to another node's input by passing it as a keyword.

    An attribute is an output of that name, else a place inside the value: `kind.label`. Brackets
    say the same for names that are no words of Python: `kind["first label"]`.
    """

    def __init__(
        self, place: str, key: str, ports: Ports, port: str, path: str = "", *, named: bool = False
    ) -> None:
        """Point at one output of one node; once it was named, all that follows is a place."""
        self._place, self._key, self._ports = place, key, ports
        self._port, self._path, self._named = port, path, named

    def __getattr__(self, name: str) -> Handle:
        """Return the output of that name, or the part of the value under that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str | int) -> Handle:
        """Return the same as an attribute of that name."""
        word = str(name)
        fresh = not self._path and not self._named
        # A node whose kind is unknown may have any output.
        if fresh and (self._ports.output(word) or not self._port):
            return Handle(self._place, self._key, self._ports, word, named=True)
        path = f"{self._path}.{word}" if self._path else word
        return Handle(self._place, self._key, self._ports, self._port, path, named=self._named)

    def __repr__(self) -> str:
        """Show the binding as documents write it."""
        return f"<{printable(self.binding)}>"

    def _repr_html_(self) -> str:
        return card(self.binding, facts({"gives": type_given(self)}))

    @property
    def binding(self) -> str:
        """Return the binding as documents write it."""
        return binding_of(self._key, self._port, self._path)


def place_of(handle: Handle) -> str:
    """Return the body that a handle belongs to, as the start of whole names: `each/`, or empty."""
    return handle._place  # noqa: SLF001 — a handle's attributes are the value's, so it has no name of its own


def key_of(handle: Handle) -> str:
    """Return the key of the node that a handle belongs to."""
    return handle._key  # noqa: SLF001 — the same


def type_given(handle: Handle) -> str:
    """Return the type of what a handle gives, as far as it is known."""
    port = handle._ports.output(handle._port)  # noqa: SLF001 — the same
    return (type_at(port, handle._path) if port else None) or "any"  # noqa: SLF001 — the same


def handles(value: object) -> list[Handle]:
    """Return the handles that a keyword was given; empty if it was given anything else."""
    if isinstance(value, Handle):
        return [value]
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Handle) for v in value):
        return list(value)
    return []


@dataclass(frozen=True, slots=True)
class Around:
    """What a kind may know of a node that is being built.

    Attributes:
        facts: what the flow refers to.
        body: what the nodes inside the node take and give so far.
    """

    facts: Facts
    body: Signature

    def variables(self, prompt: Mapping[str, Json]) -> tuple[str, ...] | None:
        """Return a prompt's variables, or None when its text cannot be known."""
        return self.facts.variables(prompt)

    def flow(self, reference: str) -> Signature | None:
        """Return what another flow takes and gives, or None when it is not known."""
        return self.facts.flow(reference)
