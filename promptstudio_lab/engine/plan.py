"""A flow compiled to what a run needs and nothing else; it can be pickled and sent away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowInvalid
from promptstudio_lab.flows.graph import NOTE
from promptstudio_lab.flows.shape import ports_of
from promptstudio_lab.flows.validate import errors, validate
from promptstudio_lab.nodes import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph, Node
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.values import Json

CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The template version that a node runs with.

    Attributes:
        text: the template.
        template_id: the template, or None for a run without a warehouse.
        version: its version.
    """

    text: str
    template_id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """Where one value of an input comes from.

    Attributes:
        port: the input.
        source: the id of the node that gives.
        output: which of its outputs.
        path: the keys to follow inside the value.
        many: whether the input collects several values.
    """

    port: str
    source: str
    output: str
    path: tuple[str, ...]
    many: bool


# A compiled step or plan is told from others by identity: what is computed once for it is found
# again.
@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One node, ready to run.

    Attributes:
        node_id: the node.
        key: its name in its body.
        name: its name in the whole flow, as `each/classify`.
        kind: what it is.
        config: what its kind needs to know.
        policy: how it is run.
        bindings: where its inputs come from.
        when: the branches of which one must be open.
        prompt: the template version that it runs with.
        body: the nodes inside it, or those of the flow that it runs.
        flow: the flow that it is a node of, when that is not the plan's own.
    """

    node_id: str
    key: str
    name: str
    kind: str
    config: Mapping[str, Json]
    policy: Mapping[str, Json]
    bindings: tuple[Binding, ...]
    when: tuple[Binding, ...]
    prompt: Prompt | None
    body: tuple[Step, ...] = ()
    flow: FlowNamed | None = None


@dataclass(frozen=True, slots=True)
class FlowNamed:
    """A version of a flow."""

    flow_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Called:
    """A flow that another one runs, compiled."""

    flow: FlowNamed
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """The steps of one variant.

    Attributes:
        name: `control`, or the variant's name.
        steps: the nodes, sources first.
        variant_id: the row of the variant in the warehouse, when there is one.
    """

    name: str
    steps: tuple[Step, ...]
    variant_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that `execute_batch` needs.

    Attributes:
        organization_id: whose rows they will be.
        flow_id: the flow.
        flow_version: the version that runs.
        change_seq: the newest operation in it.
        requested_by: who asked.
        executed_by: whose process runs it.
        trigger: `cell`, `tab`, `schedule`, `cli` or `assistant`.
        origin: the notebook or the schedule, when known.
        variants: by name; a plain run has `control` alone.
        default_model: the model of nodes that name none.
        scorer: judges each run, when given.
        experiment_id: the experiment that the runs belong to.
        batch_id: the batch that they belong to.
    """

    organization_id: str
    flow_id: str
    flow_version: int
    change_seq: int
    requested_by: str
    executed_by: str
    trigger: str
    origin: str | None
    variants: Mapping[str, Variant]
    default_model: str
    scorer: Scorer | None = None
    experiment_id: str | None = None
    batch_id: str | None = None


def compile_steps(
    graph: Graph,
    facts: Facts,
    prompts: Mapping[str, Prompt],
    called: Mapping[str, Called] | None = None,
    *,
    answers: bool = True,
) -> tuple[Step, ...]:
    """Return a flow's nodes as steps, each with the steps of its body.

    Args:
        graph: the flow.
        facts: what it refers to.
        prompts: the template version of each node that has a prompt, by node id.
        called: the flows that it runs, by reference as its nodes write it.
        answers: whether it must have an output; a part of a flow need not.

    Raises:
        FlowInvalid: with every problem, if the flow cannot run.
    """
    problems = errors(validate(graph, facts))
    if not answers:
        problems = tuple(p for p in problems if p.code != "F106" or p.node is not None)
    if problems:
        raise FlowInvalid(problems)
    return _Compiler(graph, facts, prompts, called or {}).body(None)


@dataclass(frozen=True, slots=True)
class _Compiler:
    graph: Graph
    facts: Facts
    prompts: Mapping[str, Prompt]
    called: Mapping[str, Called]

    def body(self, parent: str | None) -> tuple[Step, ...]:
        inside = self.graph.inside(parent)
        return tuple(self._step(node) for node in inside if node.kind != NOTE)

    def _step(self, node: Node) -> Step:
        bindings, when = self._bindings(node)
        return Step(
            node_id=node.id,
            key=node.key,
            name=self.graph.name(node),
            kind=node.kind,
            config=node.config,
            policy=node.policy,
            bindings=bindings,
            when=when,
            prompt=self.prompts.get(node.id),
            body=self.body(node.id) if kinds[node.kind].container else self._called(node),
        )

    def _called(self, node: Node) -> tuple[Step, ...]:
        found = self.called.get(str(node.config.get("flow"))) if node.kind == "subflow" else None
        return tuple(_within(found.flow, step) for step in found.steps) if found else ()

    def _bindings(self, node: Node) -> tuple[tuple[Binding, ...], tuple[Binding, ...]]:
        ports = ports_of(self.graph, node, self.facts)
        bindings: list[Binding] = []
        when: list[Binding] = []
        for edge in self.graph.into(node.id):
            port = ports.input(edge.target_port) if ports else None
            binding = Binding(
                port=edge.target_port,
                source=edge.source,
                output=edge.source_port,
                path=tuple(filter(None, edge.source_path.split("."))),
                many=bool(port and port.many),
            )
            (when if port and port.type == "branch" else bindings).append(binding)
        return tuple(bindings), tuple(when)


def _within(flow: FlowNamed, step: Step) -> Step:
    body = tuple(_within(flow, inner) for inner in step.body)
    return replace(step, body=body, flow=step.flow or flow)
