"""The notebook's own language for flows: pure, it writes a document and nothing else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from promptstudio_lab.errors import FlowError, did_you_mean
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.graph import DEEPEST, FORMAT, KEY, NOTE, parse_binding
from promptstudio_lab.flows.language.adding import POLICY, Adding
from promptstudio_lab.flows.language.handles import (
    Around,
    Handle,
    handles,
    key_of,
    place_of,
    type_given,
)
from promptstudio_lab.flows.language.shorthand import config_value
from promptstudio_lab.nodes import Port, Ports, Signature, kinds
from promptstudio_lab.nodes.logic.switch import DEFAULT
from promptstudio_lab.nodes.ports import WHEN
from promptstudio_lab.shown import MOST, card, more, printable, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from promptstudio_lab.values import Json

# What a container itself gives to each time that its body runs.
_GIVEN: dict[str, dict[str, str]] = {"map": {"item": "any", "index": "int"}}
_Settings: TypeAlias = dict[str, Any]  # JSON or handles


class Builder:
    """Builds a flow's document node by node.

    Each kind of node is a method: `f.llm("classify", prompt=…, ticket=ticket)`. A keyword that is
    a handle binds an input; any other is part of the node's config or policy. A kind with a body
    is used with `with`: `with f.map("each", items=tickets) as each:`.

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
            facts: finds what a node's config refers to, so that handles know their ports.
        """
        self._nodes: dict[str, dict[str, Json]] = {}
        self._above = ""
        self._inputs: list[Port] = []
        self._outputs: list[Port] = []
        self._implied: set[str] = set()
        self._facts = facts or (lambda _config: Facts())

    def __repr__(self) -> str:
        """Count what it has built."""
        return f"<Builder: {len(self._nodes)} nodes>"

    def _repr_html_(self) -> str:
        rows = [(key, str(node.get("kind"))) for key, node in self._nodes.items()]
        return card(f"{len(rows):,} nodes", table(("node", "kind"), rows[:MOST]), more(len(rows)))

    @property
    def built(self) -> bool:
        """Tell whether anything was built."""
        return bool(self._nodes)

    def document(self) -> dict[str, Json]:
        """Return the document so far."""
        nodes = {name: dict(n) for name, n in self._nodes.items() if n["kind"] != NOTE}
        notes = {name: n["config"] for name, n in self._nodes.items() if n["kind"] == NOTE}
        return {"format": FORMAT, "nodes": nodes, **({"notes": notes} if notes else {})}

    def input(self, name: str, type: str = "text", **settings: Any) -> Handle:  # noqa: A002 — the field's own word; settings are JSON or handles
        """Add a value that each run is given.

        Args:
            name: how runs and datasets call it.
            type: a port type, such as `text` or `json`.
            settings: `default` and `description`.

        In a body this may say more of an input that is there because of a keyword.

        >>> Builder().input("ticket", "text", default="")
        <ticket.value>
        """
        if name in self._implied:
            self._implied.discard(name)
            del self._nodes[self._above + name]
            self._inputs = [port for port in self._inputs if port.name != name]
        return self.node("input", name, type=type, **settings)

    def output(self, key: str = "output", /, **fields: Any) -> Handle:  # handles, or policy
        """Add the flow's answers, by name.

        >>> f = Builder()
        >>> f.output(answer=f.input("question"))
        <output.>
        """
        names = [name for name, value in fields.items() if handles(value) and name != WHEN]
        if not fields:
            message = "an output needs fields, such as f.output(answer=handle)"
            raise FlowError(message)
        return self.node("output", key, fields=names, **fields)

    def switch(
        self,
        value: Handle | None = None,
        key: str = "switch",
        *,
        cases: Iterable[Json] = (),
        **settings: Any,  # JSON or handles
    ) -> Switch:
        """Open branches by a value; used with `with`.

        Args:
            value: what is switched on.
            key: the node's name.
            cases: the cases that are there already; `s.case` adds to them.
            settings: further inputs, `when`, and policy.

        >>> f = Builder()
        >>> kind, text = f.input("kind"), f.input("text")
        >>> with f.switch(kind) as route:
        ...     _ = route.case("loud").transform("up", do="upper", value=text)
        ...     _ = route.default.transform("down", do="lower", value=text)
        >>> f.output(text=route.merge("said"))
        <output.>
        """
        if value is not None:
            settings["value"] = value
        return Switch(self, key, list(cases), settings)

    def note(self, text: str, key: str | None = None) -> None:
        """Write a note beside the flow; it does nothing, and no hash depends on it.

        >>> f = Builder()
        >>> f.note("Labels are those of the help desk.")
        >>> f.document()["notes"]
        {'note': {'text': 'Labels are those of the help desk.'}}
        """
        taken = {name.casefold() for name in self._nodes}
        number = 1
        while key is None:
            free = NOTE if number == 1 else f"{NOTE}_{number}"
            key, number = (free if f"{self._above}{free}" not in taken else None), number + 1
        self._check_key(key)
        self._nodes[self._above + key] = {"kind": NOTE, "v": 1, "config": {"text": text}, "in": {}}

    def verbatim(self, key: str, entry: Mapping[str, Json]) -> Handle:
        """Add a node as a document holds it, whatever is wrong with it: validation tells.

        >>> f = Builder()
        >>> _ = f.verbatim("old", {"kind": "no_longer_installed", "config": {"n": 1}})
        >>> f.document()["nodes"]["old"]
        {'kind': 'no_longer_installed', 'config': {'n': 1}}
        """
        self._check_key(key)
        self._nodes[self._above + key] = dict(entry)
        kind = kinds.get(str(entry.get("kind")))
        ports = self._ports(kind.name, dict(entry.get("config", {}))) if kind else Ports(open=True)
        self._tell(str(entry.get("kind")), key, dict(entry.get("config", {})), {})
        return self._handle(key, ports)

    def inside(self, key: str) -> Builder:
        """Return what builds the body of a node that is there already."""
        inner = Builder(self._facts)
        inner._nodes, inner._above = self._nodes, f"{self._above}{key}/"
        return inner

    def __getattr__(self, kind: str) -> Adding:
        """Return the method that adds a node of a registered kind."""
        return Adding(kind, partial(self.node, kind))

    def __dir__(self) -> list[str]:
        """List the kinds of nodes too: Tab shows them."""
        return [*super().__dir__(), *kinds]

    def node(
        self, kind: str, key: str, /, *, when: _When | None = None, **settings: Any
    ) -> Handle:  # settings are JSON or handles
        """Add one node.

        Args:
            kind: a registered kind.
            key: its name, unique in the flow or in its body.
            when: a branch that must be open, or several of which one must be.
            settings: handles bind inputs; the rest is config and policy.

        Returns:
            What it gives; for a kind with a body, a `Body` to be used with `with`.

        Raises:
            FlowError: for a name that is taken or no name, and for unknown settings.
        """
        self._check_key(key)
        config, policy, bindings = self._sort(kind, key, settings)
        if when is not None:
            branches = when if isinstance(when, list) else [when]
            bindings[WHEN] = [_opened(branch).binding for branch in branches]
        if kinds[kind].container:
            return Body(self, kind, key, (config, policy, bindings), settings)
        self._tell(kind, key, config, settings)
        return self._write(kind, key, config, policy, bindings)

    def _tell(self, kind: str, key: str, config: dict[str, Json], settings: _Settings) -> None:
        """Remember what this body takes and gives, for the node that it is the body of."""
        if kind == "input":
            required = "default" not in config
            self._inputs.append(Port(key, str(config.get("type", "text")), required=required))
        elif kind == "output":
            for name in config.get("fields", []):
                given = handles(settings.get(name))
                self._outputs.append(Port(name, type_given(given[0]) if given else "any"))

    def _write(  # noqa: PLR0913 — the parts of an entry
        self,
        kind: str,
        key: str,
        config: dict[str, Json],
        policy: dict[str, Json],
        bindings: dict[str, list[str]],
        *,
        body: Signature | None = None,
        check: bool = True,
    ) -> Handle:
        ports = self._ports(kind, config, body)
        if check:
            _check_inputs(key, ports, bindings)
        self._nodes[self._above + key] = {
            "kind": kind,
            "v": kinds[kind].version,
            "config": config,
            "in": bindings,
            **({"policy": policy} if policy else {}),
        }
        return self._handle(key, ports)

    def _ports(self, kind: str, config: dict[str, Json], body: Signature | None = None) -> Ports:
        return kinds[kind].ports(config, Around(self._facts(config), body or Signature()))

    def _handle(self, key: str, ports: Ports) -> Handle:
        first = ports.outputs[0].name if ports.outputs else ""
        return Handle(self._above, key, ports, first)

    def _check_key(self, key: str) -> None:
        if not KEY.fullmatch(key):
            message = f"{key!r} is not a name for a node; use letters, digits and underscores"
            raise FlowError(message)
        if self._above.count("/") >= DEEPEST - 1:
            message = f"nodes lie in one another at most {DEEPEST - 1} deep"
            raise FlowError(message)
        if f"{self._above}{key}".casefold() in map(str.casefold, self._nodes):
            message = f"a node called {key!r} exists already: names are unique in a flow"
            raise FlowError(message)

    def _sort(
        self, kind: str, key: str, settings: _Settings
    ) -> tuple[dict[str, Json], dict[str, Json], dict[str, list[str]]]:
        config: dict[str, Json] = {}
        policy: dict[str, Json] = {}
        bindings: dict[str, list[str]] = {}
        known = kinds[kind].schema["properties"]
        for name, value in settings.items():
            given = handles(value)
            if given:
                bindings[name] = [self._bound(handle, key) for handle in given]
            elif name in known:
                config[name] = config_value(name, value)
            elif name in POLICY:
                policy[name] = value
            else:
                message = (
                    f"{kind} node {key!r} has no setting {name!r}."
                    f"{did_you_mean(name, {*known, *POLICY})}"
                )
                raise FlowError(message)
        given_names = known.get("inputs", {}).get("default")
        if given_names is not None and not set(bindings) <= set(config.get("inputs", given_names)):
            # A kind that names its own inputs is told them by what it is given.
            config.setdefault("inputs", [*bindings])
        return config, policy, bindings

    def _bound(self, handle: Handle, key: str) -> str:
        place = place_of(handle)
        if place == self._above:
            return handle.binding
        if self._above.startswith(place):
            message = (
                f"{handle!r} lies outside the body that {key!r} is in; give it to the body by a "
                f"keyword, and take it from there"
            )
        else:
            message = (
                f"{handle!r} lies in the body of {place.rstrip('/')!r}; give it out by an output "
                f"of that body"
            )
        raise FlowError(message)


class Body(Handle):
    """A node with a body. Inside `with` its attributes build the body; after it they are outputs.

    What the body takes is there by name: what the node was given by keyword, and in a map `item`
    and `index`. An output of the body is an output of a loop; a map gives `items` and `errors`.
    """

    def __init__(
        self,
        builder: Builder,
        kind: str,
        key: str,
        parts: tuple[dict[str, Json], dict[str, Json], dict[str, list[str]]],
        settings: _Settings,
    ) -> None:
        """Add the node, and an input to its body for each keyword that is none of its own."""
        super().__init__(builder._above, key, Ports(), "")  # noqa: SLF001 — one class in two
        self._builder, self._kind, self._parts = builder, kind, parts
        self._body, self._open = builder.inside(key), True
        own = builder._ports(kind, parts[0])  # noqa: SLF001 — one class in two
        builder._write(kind, key, *parts, check=False)  # noqa: SLF001 — one class in two
        self._taken: dict[str, Handle] = {}
        for name in parts[2]:
            if own.input(name) is None:
                self._take(name, type_given(handles(settings[name])[0]))
        given = handles(settings.get("items"))
        inner = type_given(given[0]) if given else "any"
        self._item = inner[len("list[") : -1] if inner.startswith("list[") else "any"
        self._settle()

    def __enter__(self) -> Self:
        """Begin the body."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the body: from here on the node's outputs are what its attributes mean."""
        self._settle()
        self._open = False

    def __getattr__(self, name: str) -> Any:  # a handle, or a method that adds a node to the body
        """Return an input of the body or a method that builds it; after it, an output."""
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._open:
            return super().__getattr__(name)
        if name in self._taken or name in _GIVEN.get(self._kind, {}):
            return self[name]
        return getattr(self._body, name)

    def __dir__(self) -> list[str]:
        """List what the body takes and what builds it; after it, nothing that adds a node."""
        inside = [*self._taken, *_GIVEN.get(self._kind, ()), *dir(self._body)]
        return [*super().__dir__(), *(inside if self._open else [])]

    def __getitem__(self, name: str | int) -> Handle:
        """Return an input of the body; after it, an output."""
        if not self._open:
            return super().__getitem__(name)
        given = _GIVEN.get(self._kind, {})
        if name not in self._taken and name in given:
            self._take(str(name), self._item if name == "item" else given[str(name)])
        if name not in self._taken:
            message = f"the body of {self._key!r} has no {name!r}.{did_you_mean(str(name), given)}"
            raise FlowError(message)
        return self._taken[str(name)]

    def _take(self, name: str, kind: str) -> None:
        known = kinds["input"].schema["properties"]["type"]["enum"]
        wanted = kind if kind in known else "list" if kind.startswith("list[") else "any"
        self._taken[name] = self._body.input(name, wanted)
        self._body._implied.add(name)  # noqa: SLF001 — the same

    def _settle(self) -> None:
        body = Signature(tuple(self._body._inputs), tuple(self._body._outputs))  # noqa: SLF001 — one class in two
        self._ports = self._builder._ports(self._kind, self._parts[0], body)  # noqa: SLF001 — the same
        self._port = self._ports.outputs[0].name if self._ports.outputs else ""
        _check_inputs(self._key, self._ports, self._parts[2])


class Switch:
    """Branches of a switch: `s.case("billing")`, `s.default`, and `s.merge()` to join them."""

    def __init__(self, builder: Builder, key: str, cases: list[Json], settings: _Settings) -> None:
        """Add the node; its cases are those that are named while the block is open."""
        self._builder, self._key, self._cases = builder, key, cases
        self._last: list[Handle] = []
        when = settings.pop("when", None)
        builder._check_key(key)  # noqa: SLF001 — one class in two
        self._parts = builder._sort("switch", key, settings)  # noqa: SLF001 — one class in two
        if when is not None:
            branches = when if isinstance(when, list) else [when]
            self._parts[2][WHEN] = [_opened(branch).binding for branch in branches]
        self._settle(check=False)

    def __repr__(self) -> str:
        """Name the switch and its cases."""
        named = [case.get("name") if isinstance(case, dict) else case for case in self._cases]
        return f"<Switch {self._key!r}: {printable(', '.join(map(str, named)))}>"

    def _repr_html_(self) -> str:
        return card(repr(self))

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
        self._settle(check=error is None)

    def _settle(self, *, check: bool) -> None:
        config, policy, bindings = self._parts
        whole = {**config, "cases": list(self._cases)}
        self._builder._write("switch", self._key, whole, policy, bindings, check=check)  # noqa: SLF001 — one class in two

    @property
    def default(self) -> Branch:
        """Return the branch of every other value."""
        return Branch(self, DEFAULT)

    def case(self, name: str, when: str | None = None) -> Branch:
        """Return the branch of one value, or of an expression that holds.

        Args:
            name: what the branch is called; without `when` also the value.
            when: an expression over the switch's inputs.
        """
        names = [case.get("name") if isinstance(case, dict) else case for case in self._cases]
        if name not in names and name != DEFAULT:
            self._cases.append(name if when is None else {"name": name, "when": when})
            self._settle(check=False)
        return Branch(self, name)

    def merge(self, key: str = "merge", strategy: str = "first") -> Handle:
        """Join what the branches end in, giving whichever is live."""
        nodes, above = self._builder._nodes, self._builder._above  # noqa: SLF001 — one class in two
        used = {
            parse_binding(text)[0]
            for handle in self._last
            for texts in nodes[above + key_of(handle)]["in"].values()
            for text in texts
        }
        ends = [handle for handle in self._last if key_of(handle) not in used]
        settings: _Settings = {"in": ends}  # `in` is no name that Python takes
        return self._builder.node("merge", key, strategy=strategy, **settings)

    def _opening(self, branch: str) -> Handle:
        return Handle(self._builder._above, self._key, Ports(), branch)  # noqa: SLF001 — one class in two

    def _add(
        self, branch: str, kind: str, key: str, /, **settings: Any
    ) -> Handle:  # JSON or handles
        settings.setdefault("when", self._opening(branch))
        handle = self._builder.node(kind, key, **settings)
        self._last.append(handle)
        return handle


class Branch:
    """One branch: each kind of node is a method, as on the flow itself; also a node's `when`."""

    def __init__(self, switch: Switch, name: str) -> None:
        """Name a branch of a switch."""
        self._switch, self._name = switch, name

    def __repr__(self) -> str:
        """Name the branch."""
        return f"<Branch {self._name!r} of {self._switch!r}>"

    def _repr_html_(self) -> str:
        return card(repr(self))

    @property
    def opening(self) -> Handle:
        """Return what opens when the branch is taken."""
        return self._switch._opening(self._name)  # noqa: SLF001 — one class in two

    def __getattr__(self, kind: str) -> Adding:
        """Return the method that adds a node to this branch."""
        return Adding(kind, partial(self._switch._add, self._name, kind))  # noqa: SLF001 — one class in two

    def __dir__(self) -> list[str]:
        """List the kinds of nodes too: Tab shows them."""
        return [*super().__dir__(), *kinds]


_When: TypeAlias = "Handle | Branch | list[Handle | Branch]"


def _opened(branch: Handle | Branch) -> Handle:
    return branch.opening if isinstance(branch, Branch) else branch


def _check_inputs(key: str, ports: Ports, bindings: Mapping[str, list[str]]) -> None:
    for name in bindings:
        if ports.input(name) is None:
            allowed = [port.name for port in ports.inputs]
            message = f"{key!r} has no input {name!r}.{did_you_mean(name, allowed)}"
            raise FlowError(message)
