"""A flow as the notebook's own language: running what is written here builds the same flow.

What the language cannot say exactly, such as a kind that is not installed, is written as the
document holds it, by `verbatim`.
"""

from __future__ import annotations

import keyword
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import NOTE, binding_of
from promptstudio_lab.flows.language.adding import POLICY
from promptstudio_lab.flows.language.builder import Body, Builder
from promptstudio_lab.flows.language.shorthand import prompt_config, returns_schema
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.nodes import Ports, kinds
from promptstudio_lab.nodes.logic.switch import DEFAULT
from promptstudio_lab.nodes.ports import WHEN
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    from promptstudio_lab.flows.graph import Edge, Graph, Node
    from promptstudio_lab.values import Json

_WIDTH = 92
_SHORT = {"string": "text", "integer": "int", "number": "float", "boolean": "bool"}
_IN = "in"
_Words: TypeAlias = dict[str, str]  # source by keyword


class _Inexact(Exception):
    """The language cannot say exactly what a node is."""


def to_python(graph: Graph, facts: Facts | None = None, *, first: str = "") -> str:
    """Return the code that builds a flow.

    Args:
        graph: the flow.
        facts: what it refers to.
        first: the line that makes the builder, as `f = lab.flow("triage")`.

    >>> from promptstudio_lab.flows.graph import FORMAT, from_document
    >>> ask = {"kind": "input", "config": {"type": "text"}}
    >>> out = {"kind": "output", "config": {"fields": ["answer"]}, "in": {"answer": ["ask.value"]}}
    >>> print(to_python(from_document({"format": FORMAT, "nodes": {"out": out, "ask": ask}})))
    ask = f.input("ask", "text")
    f.output("out", answer=ask)
    """
    writer = _Writer(graph, facts or Facts())
    writer.body(None, "f", "")
    return "\n".join([*([first] if first else []), *writer.lines])


class _Writer:
    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.graph, self.lines = graph, list[str]()
        self._facts = facts
        self._taken = {"f", *keyword.kwlist, *keyword.softkwlist}
        self._said: dict[str, str] = {}  # the name in code, by id of a node that the language says
        self._strange: dict[str, str] = {}  # the same for nodes whose kind is not installed

    def body(self, parent: str | None, builder: str, space: str) -> None:
        for node in _sorted(self.graph, parent):
            name = self._name(node)
            try:
                self._write(node, name, builder, space)
            except _Inexact:
                self._verbatim(node, name, builder, space)

    def _name(self, node: Node) -> str:
        plain = node.key.replace("-", "_")
        name, number = plain, 2
        while name in self._taken:
            name, number = f"{plain}_{number}", number + 1
        self._taken.add(name)
        return name

    def _verbatim(self, node: Node, name: str, builder: str, space: str) -> None:
        entry = {"kind": node.kind, "v": node.version, "config": dict(node.config)}
        if node.policy:
            entry["policy"] = dict(node.policy)
        fed: dict[str, list[str]] = {}
        for edge in self.graph.into(node.id):
            fed.setdefault(edge.target_port, []).append(self._text(edge))
        if node.kind != NOTE:
            entry["in"] = fed
        call = _call(f"{builder}.verbatim", [_literal(node.key), _literal(entry)], {}, space)
        self.lines.append(f"{space}{name} = {call}")
        if node.kind not in kinds:
            self._strange[node.id] = name
        if self.graph.inside(node.id):
            self.lines.append(f"{space}{name} = {builder}.inside({_literal(node.key)})")
            self.body(node.id, name, space)

    def _text(self, edge: Edge) -> str:
        source = self.graph.by_id.get(edge.source)
        return binding_of(source.key if source else edge.source, edge.source_port, edge.source_path)

    def _write(self, node: Node, name: str, builder: str, space: str) -> None:
        if node.kind == NOTE:
            if {*node.config} != {"text"} or not isinstance(node.config["text"], str):
                raise _Inexact
            parts = [_literal(node.config["text"]), _literal(node.key)]
            self.lines.append(space + _call(f"{builder}.note", parts, {}, space))
            return
        kind = kinds.get(node.kind)
        if kind is None or kind.version != node.version:
            raise _Inexact
        words, positional, branch = self._words(node)
        method, parts = self._method(node, words, positional, branch or builder)
        inside = self.graph.inside(node.id)
        if kind.container:
            self._check_body(node)
        elif inside:
            raise _Inexact
        self._said[node.id] = name
        call = _call(method, parts, words, space)
        if kind.container:
            self.lines.append(f"{space}with {call} as {name}:")
            self.body(node.id, name, f"{space}    ")
            self.lines += [] if inside else [f"{space}    pass"]
        else:
            named = f"{name} = " if node.kind == "switch" or self.graph.out_of(node.id) else ""
            self.lines.append(f"{space}{named}{call}")

    def _method(
        self, node: Node, words: _Words, positional: list[str], builder: str
    ) -> tuple[str, list[str]]:
        key = _literal(node.key)
        if node.kind == "input" and isinstance(node.config.get("type"), str):
            return f"{builder}.input", [key, words.pop("type")]
        if node.kind == "output" and self._is_plain_output(node):
            words.pop("fields")
            return f"{builder}.output", [] if node.key == "output" else [key]
        if node.kind == "switch":
            if {*node.config} != {"cases"} or {"key", "self"} & {*words}:
                raise _Inexact
            value = words.pop("value", "None")
            return f"{builder}.switch", [value, key]
        if node.kind.isidentifier() and not hasattr(Body, node.kind) and node.kind not in _OWN:
            return f"{builder}.{node.kind}", [key, *positional]
        if positional:
            words[_IN] = f"[{', '.join(positional)}]"
        return f"{builder}.node", [_literal(node.kind), key]

    def _is_plain_output(self, node: Node) -> bool:
        bound = [edge.target_port for edge in self.graph.into(node.id)]
        fields = node.config.get("fields")
        names = {name for name in bound if name != WHEN}
        return {*node.config} == {"fields"} and isinstance(fields, list) and {*fields} == names

    def _words(self, node: Node) -> tuple[_Words, list[str], str]:
        """Return a node's keywords, what it is given by place, and the branch that it is in."""
        fed: dict[str, list[Edge]] = {}
        for edge in self.graph.into(node.id):
            fed.setdefault(edge.target_port, []).append(edge)
        self._check_names(node, fed)
        words = {name: _setting(name, value) for name, value in node.config.items()}
        when = [self._expression(edge) for edge in fed.pop(WHEN, [])]
        positional = [self._expression(edge) for edge in fed.pop(_IN, [])]
        fields = node.config.get("fields", []) if node.kind == "output" else []
        order = sorted(fed, key=lambda name: fields.index(name) if name in fields else -1)
        for name in order:
            given = [self._expression(edge) for edge in fed[name]]
            words[name] = given[0] if len(given) == 1 else f"[{', '.join(given)}]"
        words |= {name: _literal(value) for name, value in node.policy.items()}
        branch = when[0].removesuffix(_OPENING) if len(when) == 1 else ""
        if when and (node.kind in ("input", "output", "switch") or not when[0].endswith(_OPENING)):
            branch = ""
        if when and not branch:
            words[WHEN] = when[0] if len(when) == 1 else f"[{', '.join(when)}]"
        return words, positional, branch

    def _check_names(self, node: Node, fed: dict[str, list[Edge]]) -> None:
        known = kinds[node.kind].schema["properties"]
        ports = ports_of(self.graph, node, self._facts)
        strange = [
            *(name for name in node.config if name not in known or name in fed),
            *(name for name in node.policy if name not in POLICY or name in known or name in fed),
            *(name for name in fed if ports is None or ports.input(name) is None),
            *(name for name in (*node.config, *fed) if not name or name == "self"),
        ]
        if strange:
            raise _Inexact

    def _check_body(self, node: Node) -> None:
        """Refuse a body whose inputs would hide the methods that build it."""
        own = kinds[node.kind].ports(node.config, self._facts)
        fed = {edge.target_port for edge in self.graph.into(node.id)} - {WHEN}
        extra = {name for name in fed if own.input(name) is None}
        inputs = {inner.key for inner in self.graph.inside(node.id) if inner.kind == "input"}
        if not extra <= inputs or any(hasattr(Body, name) or name in _OWN for name in extra):
            raise _Inexact
        if extra & {*kinds}:
            raise _Inexact

    def _expression(self, edge: Edge) -> str:
        """Return how code names what an edge carries."""
        source = self.graph.by_id.get(edge.source)
        if source is None:
            raise _Inexact
        parts = edge.source_path.split(".") if edge.source_path else []
        if source.id in self._strange and all(parts):
            return self._strange[source.id] + "".join(
                f"[{_literal(part)}]" for part in [edge.source_port, *parts]
            )
        name = self._said.get(source.id)
        ports = ports_of(self.graph, source, self._facts)
        if name is None or ports is None or not ports.output(edge.source_port) or not all(parts):
            raise _Inexact
        if source.kind == "switch":
            if parts:
                raise _Inexact
            case = f".case({_literal(edge.source_port)})"
            return name + (".default" if edge.source_port == DEFAULT else case) + _OPENING
        return name + "".join(_part(part) for part in _steps(ports, edge.source_port, parts))


_OPENING = ".opening"
_OWN = frozenset(name for name in dir(Builder) if not name.startswith("_"))


def _steps(ports: Ports, port: str, parts: list[str]) -> list[str]:
    """Return what follows a node's name: its first output need not be said."""
    hidden = port == ports.outputs[0].name and not (parts and ports.output(parts[0]))
    return parts if hidden else [port, *parts]


def _part(name: str) -> str:
    plain = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    return f".{name}" if plain and not hasattr(Body, name) else f"[{_literal(name)}]"


def _sorted(graph: Graph, parent: str | None) -> list[Node]:
    """Return a body's nodes, what feeds others first; in a cycle they stay as they are."""
    inside = graph.inside(parent)
    ids = {node.id for node in inside}
    before = {
        node.id: [edge.source for edge in graph.into(node.id) if edge.source in ids]
        for node in inside
    }
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return list(inside)
    return [graph.by_id[node_id] for node_id in order]


def _setting(name: str, value: Json) -> str:
    if name == "prompt":
        return _prompt(value)
    if name == "returns" and isinstance(value, dict):
        return _returns(value)
    return _literal(value)


def _prompt(value: Json) -> str:
    if not isinstance(value, dict):
        raise _Inexact
    for word in ("text", "ref"):
        text = value.get(word)
        if isinstance(text, str) and prompt_config(text) == value:
            return _literal(text)
    return _literal(value)


def _returns(value: dict[str, Json]) -> str:
    properties = value.get("properties")
    if isinstance(properties, dict) and "type" not in properties:
        short = {name: _field(field) for name, field in properties.items()}
        # The order of the fields is that of `required` too.
        if all(isinstance(field, (str, list, dict)) for field in short.values()) and dumps(
            returns_schema(short)
        ) == dumps(value):
            return _literal(short)
    if value.get("type") != "object":
        raise _Inexact
    return _literal(value)


def _field(schema: Json) -> Json:
    if not isinstance(schema, dict):
        return None
    if {*schema} == {"enum"} and isinstance(schema["enum"], list):
        return schema["enum"]
    if {*schema} == {"type"} and schema["type"] in list(_SHORT):
        return _SHORT[schema["type"]]
    return schema


def _literal(value: Json) -> str:
    if isinstance(value, str):
        quoted = repr(value)
        plain = '"' not in value and quoted.startswith("'")
        return f'"{quoted[1:-1]}"' if plain else quoted
    if isinstance(value, dict):
        return _within("{", [f"{_literal(k)}: {_literal(v)}" for k, v in value.items()], "}")
    if isinstance(value, (list, tuple)):
        return _within("[", [_literal(part) for part in value], "]")
    return repr(value)


def _within(start: str, parts: list[str], end: str) -> str:
    line = f"{start}{', '.join(parts)}{end}"
    if len(line) <= _WIDTH // 2 and "\n" not in line:
        return line
    inside = "".join(f"\n    {_indented(part, '')}," for part in parts)
    return f"{start}{inside}\n{end}"


def _call(method: str, parts: list[str], words: _Words, space: str) -> str:
    plain = {name: text for name, text in words.items() if _is_word(name)}
    other = {name: text for name, text in words.items() if not _is_word(name)}
    arguments = [*parts, *(f"{name}={text}" for name, text in plain.items())]
    if other:
        inner = ", ".join(f"{_literal(name)}: {text}" for name, text in other.items())
        arguments.append(f"**{{{inner}}}")
    line = f"{method}({', '.join(arguments)})"
    if len(space) + len(line) <= _WIDTH and "\n" not in line:
        return line
    inside = "".join(f"\n{space}    {_indented(text, space)}," for text in arguments)
    return f"{method}({inside}\n{space})"


def _indented(text: str, space: str) -> str:
    return text.replace("\n", f"\n{space}    ")


def _is_word(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)
