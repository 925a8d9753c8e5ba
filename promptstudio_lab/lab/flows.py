"""A flow in a notebook: the builder, and everything that one does with a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.reach.approval import approve
from promptstudio_lab.errors import FlowError, NotFound, did_you_mean
from promptstudio_lab.flows import history, store
from promptstudio_lab.flows.draw import page, svg
from promptstudio_lab.flows.forks import merging
from promptstudio_lab.flows.formats.mermaid import to_mermaid
from promptstudio_lab.flows.formats.python import to_python
from promptstudio_lab.flows.formats.text import read, to_json, to_yaml
from promptstudio_lab.flows.graph import Graph, from_document
from promptstudio_lab.flows.language.builder import Builder
from promptstudio_lab.flows.layout import places
from promptstudio_lab.flows.operations import check_shape, configs_in
from promptstudio_lab.flows.shape import migrated
from promptstudio_lab.flows.store import FlowHead
from promptstudio_lab.flows.validate import validate
from promptstudio_lab.flows.validation.problem import Problems
from promptstudio_lab.flows.variants import Patch, vary
from promptstudio_lab.lab.faces import face
from promptstudio_lab.lab.forks import Merge
from promptstudio_lab.lab.places import Labelled
from promptstudio_lab.lab.running.start import Startable
from promptstudio_lab.lab.templates import Template
from promptstudio_lab.templates import store as template_store
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.history.changelog import Stream
from promptstudio_lab.warehouse.history.undo import redo, undo
from promptstudio_lab.warehouse.history.watch import watch
from promptstudio_lab.warehouse.libraries import DRAFTS
from promptstudio_lab.warehouse.places.references import split_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from promptstudio_lab.flows.diff import Diff
    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.forks.merging import Origin
    from promptstudio_lab.flows.history import FlowView, Side
    from promptstudio_lab.flows.store import FlowVersion
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.history.changelog import Recorded


class Flow(Labelled, Startable, Builder):
    """A flow: build it node by node, look at it, run it, edit it by mouse.

    What a cell builds is carried over to the flow when it is used: an unchanged cell writes
    nothing, a changed one only what changed, so edits made on the canvas stay.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").flow("greet")
    >>> name = f.input("name")
    >>> hello = f.prompt("hello", prompt="Hello {{ name }}!", name=name)
    >>> _ = f.output(greeting=hello)
    >>> f.check()
    <no problems>
    >>> f.run(name="world").outputs
    {'greeting': 'Hello world!'}
    """

    kind = "flow"

    def __init__(self, environment: Environment, flow_id: str | None, path: str) -> None:
        """Bind a flow; use `lab.flow` or `lab.draft` to get one."""
        super().__init__(environment.facts_for)
        self._environment, self.id, self.path = environment, flow_id, path
        self.aggregates: dict[str, dict[str, Json]] = {}

    @classmethod
    def named(cls, environment: Environment, path: str) -> Flow:
        """Return the flow at a path, making it if it is not there; with an `@`, a saved version."""
        if split_reference(path)[1] is not None:
            return SavedFlow.at_reference(environment, path)
        flow_id = environment.warehouse.transact(
            environment.actor,
            lambda session: store.get_or_create(session, environment.lab_id, path),
        )
        return cls(environment, flow_id, path)

    @property
    def graph_now(self) -> Graph:
        """Return the flow as it stands, with what this cell built."""
        return self.head().graph if self.id else self._built_graph()

    def head(self) -> FlowHead:
        """Carry over what this cell built and return the flow as it stands.

        Raises:
            FlowError: for a draft, which is kept nowhere.
        """
        flow_id = self._kept("has no history")

        def work(session: Session) -> FlowHead:
            if not self.built:
                return store.head(session, flow_id)
            built = self.document()
            facts = self._environment.facts(from_document(built), session=session)
            return store.bring_in(session, flow_id, built, facts)

        if not self.built:
            with self._environment.warehouse.reading(self._environment.actor) as session:
                return store.head(session, flow_id)
        return self._environment.warehouse.transact(self._environment.actor, work)

    def settled(self) -> str:
        """Carry over what this cell built, if anything, and return the flow's id.

        Raises:
            FlowError: for a draft, which is kept nowhere.
        """
        return self.head().id if self.built else self._kept("has no history")

    def standing(self) -> tuple[FlowHead, Facts]:
        """Return the flow as it stands and what it may refer to, both of one moment."""
        flow_id = self.settled()
        with self.reading() as session:
            head = store.head(session, flow_id)
            facts = self._environment.facts(head.graph, session=session, flow_id=flow_id)
        return head, facts

    def check(self) -> Problems:
        """Return every problem of the flow; nothing is run and nothing connected to."""
        graph = self.graph_now
        return Problems(validate(graph, self.facts(graph)))

    @property
    def warehouse_id(self) -> str:
        """Return which warehouse the flow lies in, so that two faces can tell if they differ."""
        return self._environment.warehouse.id

    @property
    def environment(self) -> Environment:
        """Return what the flow lies in: the lab's room."""
        return self._environment

    def reading(self) -> AbstractContextManager[Session]:
        """Give a session that reads as the flow's user."""
        return self._environment.warehouse.reading(self._environment.actor)

    def facts(self, graph: Graph) -> Facts:
        """Return what the flow may refer to."""
        return self._environment.facts(graph, flow_id=self.id)

    def vary(self, place: str, value: Json) -> Patch:
        """Return a variant's patch: `f.vary("classify.prompt", "support/classify@2")`."""
        return vary(place, value)

    def save(self) -> int:
        """Save the flow as it stands and return its version; the same content makes no new one."""
        flow_id = self.head().id
        return self._environment.warehouse.transact(
            self._environment.actor, lambda session: store.save_version(session, flow_id)
        ).version

    def at(self, seq: int) -> FlowView:
        """Return the flow as it stood after an operation of its log; 0 is before the first.

        Raises:
            NotFound: if it has no such operation.
        """
        flow_id = self.head().id
        with self.reading() as session:
            return history.at(session, flow_id, seq)

    def version(self, wanted: int | str) -> FlowVersion:
        """Return a saved version: `flow.version("production").graph`.

        Args:
            wanted: its number, or a label.

        Raises:
            NotFound: if there is no such version.
        """
        flow_id = self.head().id
        with self.reading() as session:
            return history.version(session, flow_id, wanted)

    def _version(self) -> int:
        return self.save()

    def _forked(self) -> int | None:
        return None

    def diff(self, before: Side, after: Side = "head") -> Diff:
        """Return what differs: print it, or read its parts.

        Args:
            before: a version's number or label, `"head"`, or the flow as `at` gives it.
            after: the same; by default the flow as it stands.

        Raises:
            NotFound: if there is no such version.
        """
        flow_id = self.head().id
        with self.reading() as session:
            return history.compare(session, flow_id, before, after)

    def restore_version(self, wanted: int | str | FlowView) -> Diff:
        """Make a version the flow as it stands and return what that changed; `undo` takes it back.

        Args:
            wanted: a version's number or label, or the flow as `at` gives it.

        Raises:
            NotFound: if there is no such version.
        """
        flow_id = self.head().id
        return self._environment.warehouse.transact(
            self._environment.actor, lambda session: history.restore(session, flow_id, wanted)
        )

    def fork(self, path: str, version: int | str | None = None) -> Flow:
        """Return a new flow that begins as a version of this one and remembers where it came from.

        Args:
            path: `library/name` of the fork.
            version: the version's number or label; by default the flow is saved as it stands.

        Raises:
            OperationRefused: if there is a flow at the path.
            NotFound: if there is no such version.
        """
        here, flow_id = self._environment, self.head().id
        wanted = self._forked() if version is None else version
        found = here.warehouse.transact(
            here.actor,
            lambda session: merging.fork(session, here.lab_id, flow_id, path, wanted),
        )
        return Flow(here, found, path if "/" in path else f"{DRAFTS}/{path}")

    @property
    def origin(self) -> Origin | None:
        """Return the flow and version that this was forked from, or None if it is no fork."""
        if self.id is None:
            return None
        with self.reading() as session:
            return merging.origin(session, self.id)

    def merge_back(self) -> Merge:
        """Return what this fork changed and its origin has not; `apply` takes it there.

        Raises:
            NotFound: if it is no fork, or its origin is archived.
        """
        return Merge.of(self._environment, self.head().id, self.path)

    def follow(self, after: int, timeout_s: float = 10.0) -> list[Recorded]:
        """Wait until somebody has changed the flow and return what was done; empty if nobody has.

        Args:
            after: the newest sequence that you know, as `head().seq`.
            timeout_s: how long to wait at most, in seconds.
        """
        stream = Stream("flow", self._kept("has no history"))
        return watch(self._environment.warehouse, self._environment.actor, stream, after, timeout_s)

    def approve(self, node: str) -> str:
        """Approve the code of a node for yourself, on this machine, and return its hash as shown.

        Read it first: it will run as you. Any change of it has to be approved again.

        Args:
            node: the node's name.

        Raises:
            FlowError: if there is no such node, or it holds no code.
        """
        graph = self.graph_now
        if node not in graph.by_key:
            message = f"there is no node {node!r}.{did_you_mean(node, graph.by_key)}"
            raise FlowError(message)
        source = graph.by_key[node].config.get("source")
        if not isinstance(source, str):
            message = f"{node!r} holds no code that could be approved"
            raise FlowError(message)
        return approve(source)

    def promote(self, node: str, path: str) -> Template:
        """Move a node's inline prompt into a library, with its history; the node then refers to it.

        Args:
            node: the node's name, as `classify` or `each/classify`.
            path: `library/name`.
        """
        now = self.head()
        if node not in now.graph.by_key:
            message = f"there is no node {node!r}.{did_you_mean(node, now.graph.by_key)}"
            raise FlowError(message)
        self._plan()

        def work(session: Session) -> Template:
            lab_id = self._environment.lab_id
            found = template_store.promote(session, lab_id, now.id, node, path)
            box = store.head(session, now.id).graph.by_key[node]
            config = {**box.config, "prompt": {"ref": found.reference}}
            operation = {"type": "configure", "node": box.id, "config": config}
            facts = self._environment.facts_of([config], session)
            store.edit(session, now.id, operation, lambda _: facts)
            return Template(self._environment, found)

        return self._environment.warehouse.transact(self._environment.actor, work)

    def apply(self, operation: Mapping[str, Json], client_id: str | None = None) -> Recorded:
        """Do one edit, as a canvas would ask for it.

        Args:
            operation: as `flows.operations` describes it.
            client_id: the view that asks.

        Raises:
            OperationRefused: with the reason, when it would break the flow.
        """
        flow_id = self._kept("cannot be edited on a canvas")
        check_shape(operation)

        def work(session: Session) -> Recorded:
            def facts_of(graph: Graph) -> Facts:
                configs = [*(node.config for node in graph.nodes), *configs_in(operation)]
                return self._environment.facts_of(configs, session)

            return store.edit(session, flow_id, operation, facts_of, client_id)

        return self._environment.warehouse.transact(self._environment.actor, work)

    def undo(self, client_id: str | None = None) -> list[Recorded]:
        """Take back your last step on this flow, whichever face it was made on."""
        return self._take_back(undo, client_id)

    def redo(self, client_id: str | None = None) -> list[Recorded]:
        """Do again what your last undo took back."""
        return self._take_back(redo, client_id)

    def _take_back(
        self, step: Callable[..., list[Recorded]], client_id: str | None
    ) -> list[Recorded]:
        flow_id = self.head().id
        return self._environment.warehouse.transact(
            self._environment.actor,
            lambda session: store.take_back(session, flow_id, step, client_id),
        )

    def to_python(self) -> str:
        """Return the code that builds the flow as it stands; run in a cell, it changes nothing.

        >>> import promptstudio_lab as ps
        >>> f = ps.connect("memory").flow("echo")
        >>> f.output(answer=f.input("question"))
        <output.>
        >>> print(f.to_python())
        f = lab.flow("Drafts/echo")
        question = f.input("question", "text")
        f.output(answer=question)
        """
        graph = self.graph_now
        made = "lab.draft()" if self.id is None else f"lab.flow({dumps(self.head().path)})"
        return to_python(graph, self.facts(graph), first=f"f = {made}")

    def to_mermaid(self) -> str:
        """Return the flow as a Mermaid chart, for a Markdown cell or a page."""
        return to_mermaid(self.graph_now)

    def to_json(self) -> str:
        """Return the flow's document as JSON; `lab.import_flow` reads it."""
        return to_json(self.graph_now)

    def to_yaml(self) -> str:
        """Return the flow's document as YAML; `lab.import_flow` reads it."""
        return to_yaml(self.graph_now)

    @classmethod
    def imported(cls, environment: Environment, source: str | Path, path: str) -> Flow:
        """Return a new flow with the content of a file or a text; `lab.import_flow` does it."""
        graph = migrated(read(source))
        placed = any(node.x or node.y for node in graph.nodes)
        graph = graph if placed else graph.moved(places(graph))

        def work(session: Session) -> str:
            flow_id = store.get_or_create(session, environment.lab_id, path)
            store.take_in(session, flow_id, graph)
            return flow_id

        flow_id = environment.warehouse.transact(environment.actor, work)
        return cls(environment, flow_id, path)

    def edit(self) -> Any:  # the editor widget
        """Show the graph editor; each gesture is an operation, and the next cell sees it."""
        self.head()
        return face("edit")(self)

    def graph(self, by: str | None = None) -> Any:  # the graph widget
        """Show the flow as a graph: click what you mean, and `.selected` is a frame of it.

        Args:
            by: what colours the nodes, at first their `kind`: or their `status` in the newest
                run, or their mean `cost`, `latency` or `errors` over the newest runs. The graph's
                `.by` can be set later.

        Raises:
            FlowError: for any other way to colour it.
        """
        return face("graph")(self, by)

    def __repr__(self) -> str:
        """Name the flow and count its nodes."""
        graph, origin = self.graph_now, self.origin
        came = f", forked from {origin}" if origin else ""
        return f"<Flow {self.path!r}: {len(graph.nodes)} nodes, {len(graph.edges)} edges{came}>"

    def _repr_svg_(self) -> str:
        return svg(self.graph_now, self.path)

    def _repr_html_(self) -> str:
        return page(self._repr_svg_(), self.path)

    def _built_graph(self) -> Graph:
        graph = from_document(self.document())
        return graph.moved(places(graph))

    def _key(self) -> str:
        flow_id = self._kept("has no place")
        return self.head().id if self.built else flow_id

    def _become(self, path: str) -> Flow:
        self.path = path
        return self

    def _at(self, path: str) -> Flow:
        return Flow.named(self._environment, path)

    def _kept(self, why: str) -> str:
        if self.id is None:
            message = f"a draft is kept nowhere, so it {why}; use lab.flow(name)"
            raise FlowError(message)
        return self.id


class SavedFlow(Flow):
    """A saved version of a flow: look at it and run it; it never changes.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> f = lab.flow("support/echo")
    >>> _ = f.output(answer=f.input("question"))
    >>> f.label("production").labels()
    {'production': 1}
    >>> lab.flow("support/echo@production")
    <Flow 'support/echo@1': 2 nodes, 1 edges>
    >>> lab.flow("support/echo@production").run(question="Hi").outputs
    {'answer': 'Hi'}
    """

    _saved: FlowVersion

    def __init__(
        self, environment: Environment, flow_id: str, path: str, found: FlowVersion
    ) -> None:
        """Bind a version; use `lab.flow("library/name@3")` to get one."""
        super().__init__(environment, flow_id, path)
        self._saved = found

    @classmethod
    def at_reference(cls, environment: Environment, reference: str) -> SavedFlow:
        """Return the version that a reference names now: a label may move later.

        Raises:
            NotFound: if there is no such flow, version or label.
        """
        path, at = split_reference(reference)
        with environment.warehouse.reading(environment.actor) as session:
            flow_id = store.find_flow(session, environment.lab_id, path)
            if flow_id is None or at is None:
                message = f"there is no flow {path!r}"
                raise NotFound(message)
            wanted = int(at) if at.isdecimal() else at
            found = history.version(session, flow_id, wanted)
        return cls(environment, flow_id, path, found)

    def head(self) -> FlowHead:
        """Return the version as a flow that stands.

        Raises:
            FlowError: if a cell built onto it.
        """
        if self.built:
            raise FlowError(self._fixed())
        found = self._saved
        flow_id = self._kept("has no history")
        return FlowHead(flow_id, self.path, found.at_seq, found.version, found.graph, None)

    def save(self) -> int:
        """Return the version's number."""
        return self._saved.version

    def _forked(self) -> int:
        return self._saved.version

    def merge_back(self) -> Merge:
        """Refuse: what a fork gives back is what it is now."""
        raise FlowError(self._fixed())

    def restore_version(self, wanted: int | str | FlowView) -> Diff:  # noqa: ARG002 — of the same form
        """Refuse: a version never changes."""
        raise FlowError(self._fixed())

    def promote(self, node: str, path: str) -> Template:  # noqa: ARG002 — of the same form
        """Refuse: a version never changes."""
        raise FlowError(self._fixed())

    def apply(self, operation: Mapping[str, Json], client_id: str | None = None) -> Recorded:  # noqa: ARG002 — of the same form
        """Refuse: a version never changes."""
        raise FlowError(self._fixed())

    def edit(self) -> Any:  # the editor widget
        """Refuse: a version never changes."""
        raise FlowError(self._fixed())

    def __repr__(self) -> str:
        """Name the version and count its nodes."""
        graph = self._saved.graph
        name = f"{self.path}@{self._saved.version}"
        return f"<Flow {name!r}: {len(graph.nodes)} nodes, {len(graph.edges)} edges>"

    def _take_back(
        self,
        step: Callable[..., list[Recorded]],  # noqa: ARG002 — of the same form
        client_id: str | None,  # noqa: ARG002 — of the same form
    ) -> list[Recorded]:
        raise FlowError(self._fixed())

    def _fixed(self) -> str:
        return (
            f"{self.path}@{self._saved.version} never changes; "
            f"edit lab.flow({self.path!r}), or bring it back there: "
            f".restore_version({self._saved.version})"
        )
