"""The notebook's own language for flows: pure, it writes a document and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

from promptstudio_lab.errors import FlowError, did_you_mean
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import FORMAT, KEY, parse_binding
from promptstudio_lab.nodes import kinds
from promptstudio_lab.nodes.logic.switch import DEFAULT
from promptstudio_lab.nodes.ports import WHEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from promptstudio_lab.nodes import Ports
    from promptstudio_lab.values import Json

POLICY = ("retry", "timeout_s", "budget", "on_error", "cache")
# Words with spaces around a slash are a sentence, unless a version says that they are a name.
REFERENCE = re.compile(
    r"[\w.-]+(/[\w.-]+)+(@(\d+|[A-Za-z][A-Za-z0-9_-]*))?|[\w .-]+(/[\w .-]+)+@\d+"
)


class Handle:
    """What a node gives: bind it to another node's input by passing it as a keyword.

    An attribute is an output of that name, else a place inside the value: `kind.label`.
    """

    def __init__(
        self,
        builder: Builder,
        key: str,
        ports: Ports,
        port: str,
        path: str = "",
        *,
        named: bool = False,
    ) -> None:
        """Point at one output of one node; once it was named, all that follows is a place."""
        self._builder, self._key, self._ports = builder, key, ports
        self._port, self._path, self._named = port, path, named

    def __getattr__(self, name: str) -> Handle:
        """Return the output of that name, or the part of the value under that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._path and not self._named and self._ports.output(name):
            return Handle(self._builder, self._key, self._ports, name, named=True)
        path = f"{self._path}.{name}" if self._path else name
        return Handle(self._builder, self._key, self._ports, self._port, path)

    def __repr__(self) -> str:
        """Show the binding as documents write it."""
        return f"<{self.binding}>"

    @property
    def binding(self) -> str:
        """Return the binding as documents write it."""
        return f"{self._key}.{self._port}" + (f".{self._path}" if self._path else "")


class Builder:
    """Builds a flow's document node by node.

    Each kind of node is a method: `f.llm("classify", prompt=…, ticket=ticket)`. A keyword that is
    a handle binds an input; any other is part of the node's config or policy.

    >>> f = Builder()
    >>> ticket = f.input("ticket", "text")
    >>> kind = f.llm(
    ...     "classify",
    ...     prompt="Label: {{ ticket }}",
    ...     ticket=ticket,
    ...     returns={"label": ["billing", "tech"]},
    ... )
    >>> _ = f.output(label=kind.label)
    >>> f.document()["nodes"]["output"]["in"]
    {'label': ['classify.json.label']}
    """

    def __init__(self, facts: Callable[[Mapping[str, Json]], Facts] | None = None) -> None:
        """Begin an empty flow.

        Args:
            facts: finds what a prompt refers to, so that handles know their ports.
        """
        self._nodes: dict[str, dict[str, Json]] = {}
        self._facts = facts or (lambda _prompt: Facts())

    @property
    def built(self) -> bool:
        """Tell whether anything was built."""
        return bool(self._nodes)

    def document(self) -> dict[str, Json]:
        """Return the document so far."""
        return {"format": FORMAT, "nodes": {key: dict(node) for key, node in self._nodes.items()}}

    def input(self, name: str, type: str = "text", **settings: Any) -> Handle:  # noqa: A002 — the field's own word; settings are JSON or handles
        """Add a value that each run is given.

        Args:
            name: how runs and datasets call it.
            type: a port type, such as `text` or `json`.
            settings: `default` and `description`.
        """
        return self.node("input", name, type=type, **settings)

    def output(self, /, **fields: Handle) -> Handle:
        """Add the flow's answers, by name."""
        if not fields:
            message = "an output needs fields, such as f.output(answer=handle)"
            raise FlowError(message)
        self._check_key("output")
        config, policy, bindings = self._sort("output", "output", fields)
        return self._write("output", "output", {**config, "fields": list(fields)}, policy, bindings)

    def switch(self, value: Handle, key: str = "switch") -> Switch:
        """Open branches by a value; used with `with`."""
        return Switch(self, key, value)

    def __getattr__(self, kind: str) -> Callable[..., Handle]:
        """Return the method that adds a node of a registered kind."""
        if kind.startswith("_"):
            raise AttributeError(kind)
        if kind not in kinds:
            message = f"there is no node kind {kind!r}.{did_you_mean(kind, kinds)}"
            raise AttributeError(message)
        return lambda key, /, **settings: self.node(kind, key, **settings)

    def node(
        self, kind: str, key: str, /, *, when: Handle | None = None, **settings: Any
    ) -> Handle:  # settings are JSON or handles
        """Add one node.

        Args:
            kind: a registered kind.
            key: its name, unique in the flow.
            when: a branch that must be open.
            settings: handles bind inputs; the rest is config and policy.

        Raises:
            FlowError: for a name that is taken or no name, and for unknown settings.
        """
        self._check_key(key)
        config, policy, bindings = self._sort(kind, key, settings)
        if when is not None:
            bindings[WHEN] = [when.binding]
        return self._write(kind, key, config, policy, bindings)

    def _write(
        self,
        kind: str,
        key: str,
        config: dict[str, Json],
        policy: dict[str, Json],
        bindings: dict[str, list[str]],
    ) -> Handle:
        ports = kinds[kind].ports(config, self._facts(config.get("prompt", {})))
        _check_inputs(key, ports, bindings)
        entry: dict[str, Json] = {
            "kind": kind,
            "v": kinds[kind].version,
            "config": config,
            "in": bindings,
        }
        if policy:
            entry["policy"] = policy
        self._nodes[key] = entry
        first = ports.outputs[0].name if ports.outputs else ""
        return Handle(self, key, ports, first)

    def _check_key(self, key: str) -> None:
        if not KEY.fullmatch(key):
            message = f"{key!r} is not a name for a node; use letters, digits and underscores"
            raise FlowError(message)
        if key.casefold() in map(str.casefold, self._nodes):
            message = f"a node called {key!r} exists already: names are unique in a flow"
            raise FlowError(message)

    def _sort(
        self,
        kind: str,
        key: str,
        settings: dict[str, Any],  # JSON or handles
    ) -> tuple[dict[str, Json], dict[str, Json], dict[str, list[str]]]:
        config: dict[str, Json] = {}
        policy: dict[str, Json] = {}
        bindings: dict[str, list[str]] = {}
        known = kinds[kind].schema["properties"]
        for name, value in settings.items():
            handles = _handles(value)
            if handles:
                bindings[name] = [handle.binding for handle in handles]
            elif name in known:
                config[name] = _config_value(name, value)
            elif name in POLICY:
                policy[name] = value
            else:
                message = (
                    f"{kind} node {key!r} has no setting {name!r}."
                    f"{did_you_mean(name, [*known, *POLICY])}"
                )
                raise FlowError(message)
        return config, policy, bindings


class Switch:
    """Branches of a switch: `s.case("billing")`, `s.default`, and `s.merge()` to join them."""

    def __init__(self, builder: Builder, key: str, value: Handle) -> None:
        """Remember what is switched on; the node is added when the block ends."""
        self._builder, self._key, self._value = builder, key, value
        self._cases: list[str] = []
        self._last: list[Handle] = []
        builder.node("switch", key, cases=["…"], value=value)

    def __enter__(self) -> Self:
        """Begin the branches."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write the cases that were named."""
        self._builder._nodes[self._key]["config"] = {"cases": self._cases}  # noqa: SLF001 — one class in two

    @property
    def default(self) -> Branch:
        """Return the branch of every other value."""
        return Branch(self, DEFAULT)

    def case(self, name: str) -> Branch:
        """Return the branch of one value."""
        if name not in self._cases:
            self._cases.append(name)
        return Branch(self, name)

    def merge(self, key: str = "merge", strategy: str = "first") -> Handle:
        """Join what the branches end in, giving whichever is live."""
        nodes = self._builder._nodes  # noqa: SLF001 — one class in two
        used = {
            parse_binding(text)[0]
            for handle in self._last
            for texts in nodes[handle._key]["in"].values()  # noqa: SLF001 — the same
            for text in texts
        }
        ends = [handle for handle in self._last if handle._key not in used]  # noqa: SLF001 — the same
        settings: dict[str, Any] = {"in": ends}  # `in` is no name that Python takes
        return self._builder.node("merge", key, strategy=strategy, **settings)

    def _add(
        self, branch: str, kind: str, key: str, settings: dict[str, Any]
    ) -> Handle:  # JSON or handles
        when = Handle(self._builder, self._key, _NO_PORTS, branch)
        handle = self._builder.node(kind, key, when=when, **settings)
        self._last.append(handle)
        return handle


class Branch:
    """One branch: each kind of node is a method, as on the flow itself."""

    def __init__(self, switch: Switch, name: str) -> None:
        """Name a branch of a switch."""
        self._switch, self._name = switch, name

    def __getattr__(self, kind: str) -> Callable[..., Handle]:
        """Return the method that adds a node to this branch."""
        if kind.startswith("_"):
            raise AttributeError(kind)
        return lambda key, /, **settings: self._switch._add(self._name, kind, key, settings)  # noqa: SLF001 — one class in two


def prompt_config(prompt: str | Mapping[str, Json]) -> dict[str, Json]:
    """Return a prompt as config: a reference such as `support/classify@3`, or a text.

    >>> prompt_config("support/classify@3"), prompt_config("Label: {{ x }}")
    ({'ref': 'support/classify@3'}, {'text': 'Label: {{ x }}'})
    >>> prompt_config("Answer yes/no")
    {'text': 'Answer yes/no'}
    """
    if not isinstance(prompt, str):
        return dict(prompt)
    return {"ref": prompt} if REFERENCE.fullmatch(prompt) else {"text": prompt}


def returns_schema(returns: Mapping[str, Json]) -> dict[str, Json]:
    """Return a JSON Schema from the short form: a field's labels, its type or its schema.

    >>> returns_schema({"label": ["a", "b"]})["properties"]
    {'label': {'enum': ['a', 'b']}}
    """
    if returns.get("type") == "object":
        return dict(returns)
    return {
        "type": "object",
        "properties": {name: _field(name, value) for name, value in returns.items()},
        "required": list(returns),
        "additionalProperties": False,
    }


_SHORT = {"text": "string", "int": "integer", "float": "number", "bool": "boolean"}


def _field(name: str, value: Json) -> dict[str, Json]:
    if isinstance(value, (list, tuple)):
        return {"enum": list(value)}
    if isinstance(value, str) and value in _SHORT:
        return {"type": _SHORT[value]}
    if isinstance(value, dict):
        return value
    message = f"returns[{name!r}] is {value!r}; give labels, {', '.join(_SHORT)}, or a JSON Schema"
    raise FlowError(message)


def _config_value(name: str, value: Json) -> Json:
    if name == "prompt":
        return prompt_config(value)
    if name == "returns" and isinstance(value, dict):
        return returns_schema(value)
    return value


def _handles(value: object) -> list[Handle]:
    if isinstance(value, Handle):
        return [value]
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Handle) for v in value):
        return list(value)
    return []


def _check_inputs(key: str, ports: Ports, bindings: Mapping[str, list[str]]) -> None:
    for name in bindings:
        if ports.input(name) is None:
            allowed = [port.name for port in ports.inputs]
            message = f"{key!r} has no input {name!r}.{did_you_mean(name, allowed)}"
            raise FlowError(message)


class _NoPorts:
    def output(self, name: str) -> None:
        """A branch has nothing inside."""


_NO_PORTS: Any = _NoPorts()  # a branch handle is only ever passed to `when`
