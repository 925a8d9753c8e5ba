"""A flow compiled to what a run needs and nothing else; it can be pickled and sent away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowInvalid
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


@dataclass(frozen=True, slots=True)
class Step:
    """One node, ready to run."""

    node_id: str
    key: str
    kind: str
    config: Mapping[str, Json]
    policy: Mapping[str, Json]
    bindings: tuple[Binding, ...]
    when: tuple[Binding, ...]
    prompt: Prompt | None


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


@dataclass(frozen=True, slots=True)
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


def compile_steps(graph: Graph, facts: Facts, prompts: Mapping[str, Prompt]) -> tuple[Step, ...]:
    """Return a flow's nodes as steps.

    Args:
        graph: the flow.
        facts: what it refers to.
        prompts: the template version of each node that has a prompt, by node id.

    Raises:
        FlowInvalid: with every problem, if the flow cannot run.
    """
    problems = errors(validate(graph, facts))
    if problems:
        raise FlowInvalid(problems)
    return tuple(_step(graph, node, facts, prompts) for node in graph.nodes)


def _step(graph: Graph, node: Node, facts: Facts, prompts: Mapping[str, Prompt]) -> Step:
    ports = kinds[node.kind].ports(node.config, facts.variables_of)
    bindings: list[Binding] = []
    when: list[Binding] = []
    for edge in graph.into(node.id):
        port = ports.input(edge.target_port)
        binding = Binding(
            port=edge.target_port,
            source=edge.source,
            output=edge.source_port,
            path=tuple(filter(None, edge.source_path.split("."))),
            many=bool(port and port.many),
        )
        (when if port and port.type == "branch" else bindings).append(binding)
    return Step(
        node_id=node.id,
        key=node.key,
        kind=node.kind,
        config=node.config,
        policy=node.policy,
        bindings=tuple(bindings),
        when=tuple(when),
        prompt=prompts.get(node.id),
    )
