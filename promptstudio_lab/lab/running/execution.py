"""From a flow to results: versions are saved, the plan is compiled, and the engine runs it."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from promptstudio_lab.engine import loop
from promptstudio_lab.engine.batch import CONCURRENCY, Progress, execute_batch
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.cache import Cache
from promptstudio_lab.engine.plan import (
    CONTROL,
    Called,
    FlowNamed,
    Plan,
    Prompt,
    Variant,
    compile_steps,
)
from promptstudio_lab.engine.records import Nowhere, RunInput
from promptstudio_lab.engine.replay.past import Kept
from promptstudio_lab.errors import NotFound
from promptstudio_lab.flows import store
from promptstudio_lab.flows.variants import Patch, patched
from promptstudio_lab.ids import derived_id, new_id
from promptstudio_lab.lab.faces import Bar, Silent, face
from promptstudio_lab.settings import CLASSES
from promptstudio_lab.templates.store import load, save_inline
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.queries.kept import cached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from promptstudio_lab.engine.plan import Step
    from promptstudio_lab.engine.records import RunEnded
    from promptstudio_lab.flows.graph import Graph, Node
    from promptstudio_lab.flows.store import FlowVersion
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.scorers import Scorer
    from promptstudio_lab.warehouse.connect import Session
    from promptstudio_lab.warehouse.queries.kept import NodeGiven

T = TypeVar("T")
_BAR_AFTER_S = 1.0
_BAR_EVERY_S = 0.1
_DRAFT = "00000000-0000-7000-8000-000000000000"


def prepare(  # noqa: PLR0913 — what a run needs
    environment: Environment,
    flow_id: str,
    patches: Mapping[str, Patch | None],
    scorer: Scorer | None = None,
    data: str = CLASSES[0],
    *,
    saved: FlowVersion | None = None,
    until: str | None = None,
) -> Plan:
    """Save what is about to run and return its plan.

    The flow's version, each inline prompt's version and their use by nodes are written first, so
    that every execution can name them.

    Args:
        environment: the lab.
        flow_id: the flow.
        patches: what each variant changes.
        scorer: judges each run.
        data: how closely what it runs on is kept.
        saved: the version that runs; by default the flow as it stands, which is saved first.
        until: the id of the node to run up to; whatever does not lead there may be unfinished.

    Raises:
        FlowInvalid: with every problem, if the flow or a variant cannot run.
        AccessDenied: if the actor may not run it.
    """

    def work(session: Session) -> Plan:
        require_on(session, "run", "prompt_flow", flow_id)
        graph = saved.graph if saved else store.head(session, flow_id).graph
        graphs = {
            name: patched(graph, patch) if patch else graph for name, patch in patches.items()
        }
        if until is not None:
            graphs = {name: chosen.upstream(until) for name, chosen in graphs.items()}
        whole = until is None
        facts = environment.facts(*graphs.values(), session=session, flow_id=flow_id, data=data)
        for checked in graphs.values():
            # What cannot run is refused before anything is written.
            compile_steps(checked, facts, {}, answers=whole)
        version = saved or store.save_version(session, flow_id)
        variants = {}
        for name, chosen in graphs.items():
            prompts = _prompts(environment, session, flow_id, chosen)
            called = _called(environment, session, chosen)
            steps = compile_steps(chosen, facts, prompts, called, answers=whole)
            variants[name] = Variant(name, steps)
        return _plan(environment, flow_id, version.version, version.at_seq, variants, scorer)

    return environment.warehouse.transact(environment.actor, work)


def _called(environment: Environment, session: Session, graph: Graph) -> dict[str, Called]:
    """Compile the flows that a flow runs, each in the version that it names."""
    references = {str(node.config.get("flow")) for node in graph.nodes if node.kind == "subflow"}
    found = {}
    for reference in sorted(references):
        named = store.version_named(session, environment.lab_id, reference)
        if named is None:
            # Validation has refused this before; between the two it can only have been archived.
            message = f"there is no saved flow {reference!r}"
            raise NotFound(message)
        flow_id, version = named
        inner = version.graph
        facts = environment.facts(inner, session=session)
        prompts = _prompts(environment, session, flow_id, inner)
        below = _called(environment, session, inner)
        steps = compile_steps(inner, facts, prompts, below)
        found[reference] = Called(FlowNamed(flow_id, version.version), steps)
    return found


def prepare_draft(
    environment: Environment, graph: Graph, scorer: Scorer | None = None, *, answers: bool = True
) -> Plan:
    """Return the plan of a flow that is kept nowhere; a part of one needs no `answers`."""
    facts = environment.facts(graph)
    prompts = {
        node.id: Prompt(facts.text(node.config["prompt"]) or "")
        for node in graph.nodes
        if isinstance(node.config.get("prompt"), dict)
    }
    compile_steps(graph, facts, {}, answers=answers)
    called = environment.warehouse.transact(
        environment.actor, lambda session: _called(environment, session, graph)
    )
    steps = compile_steps(graph, facts, prompts, called, answers=answers)
    variants = {CONTROL: Variant(CONTROL, steps)}
    return _plan(environment, _DRAFT, 0, 0, variants, scorer)


def _plan(
    environment: Environment,
    flow_id: str,
    version: int,
    seq: int,
    variants: Mapping[str, Variant],
    scorer: Scorer | None,
) -> Plan:
    actor = environment.actor
    return Plan(
        organization_id=actor.organization_id,
        flow_id=flow_id,
        flow_version=version,
        change_seq=seq,
        requested_by=actor.id,
        executed_by=actor.id,
        trigger=environment.trigger,
        origin=environment.origin,
        variants=variants,
        default_model=environment.default_model,
        scorer=scorer,
    )


def execute(
    environment: Environment,
    plan: Plan,
    inputs: Sequence[RunInput],
    remember: Callable[[RunEnded], T],
    **how: Any,  # as `execute_each` takes them
) -> list[T]:
    """Run items and return what is remembered of each, in the order of the inputs.

    An interrupt from the keyboard stops the batch; what has ended by then is kept and returned.

    Args:
        environment: the lab.
        plan: the compiled flow.
        inputs: the items.
        remember: takes from a run what is wanted of it; the rest is let go, however many there are.
        how: see `execute_each`.
    """
    ended: dict[str, T] = {}
    how.setdefault("progress", Progress(len(inputs)))
    execute_each(
        environment,
        plan,
        inputs,
        lambda run: ended.__setitem__(run.run.input.run_id, remember(run)),
        **how,
    )
    return [ended[item.run_id] for item in inputs if item.run_id in ended]


def execute_each(  # noqa: PLR0913 — what a batch needs
    environment: Environment,
    plan: Plan,
    inputs: Iterable[RunInput],
    on_ended: Callable[[RunEnded], object],
    *,
    progress: Progress,
    ack: str = "queued",
    budget: int | None = None,
    concurrency: int = CONCURRENCY,
    title: str = "",
    keep: bool = True,
    on_text: Callable[[str, str], None] | None = None,
    take_up: Callable[[RunInput, str], Awaitable[RunInput | None]] | None = None,
) -> None:
    """Run items; only those that are under way are in memory.

    An interrupt from the keyboard stops the batch; what has ended by then is kept. So it is when a
    node or a scorer raises one itself, or leaves by `sys.exit()`: then that is raised.

    Args:
        environment: the lab.
        plan: the compiled flow.
        inputs: the items, each taken as its turn comes.
        on_ended: gets each item as it ends, in the order of ending.
        progress: how many items there are; kept up to date.
        ack: when a run counts as over: at its `commit`, or once it is `queued`.
        budget: nano-dollars that may be spent.
        concurrency: how many items run at once.
        title: what the progress bar says.
        keep: whether the executions are recorded.
        on_text: gets (node name, text) as models answer.
        take_up: gets each item just before it runs, and under which name its lease is held; gives
            it with what it has behind it, or None to leave it to somebody else.
    """
    recorder = environment.recorder(ack) if keep else None
    work = execute_batch(
        plan,
        inputs,
        recorder or Nowhere(),
        budget=Budget(budget),
        progress=progress,
        on_ended=on_ended,
        concurrency=concurrency,
        cache=Cache(partial(_cached, environment)) if keep and _remembers(plan) else None,
        on_text=on_text,
        take_up=(lambda item: take_up(item, recorder.owner)) if take_up and recorder else None,
    )
    try:
        with Watch(progress, title):
            loop.run(work)
    except loop.BrokenOff as broken:
        raise broken.error from None
    except KeyboardInterrupt:
        progress.stop = True
        if not progress.done:
            raise
    finally:
        if recorder is not None:
            recorder.close()


def _remembers(plan: Plan) -> bool:
    def any_of(steps: tuple[Step, ...]) -> bool:
        return any(step.policy.get("cache") or any_of(step.body) for step in steps)

    return any(any_of(variant.steps) for variant in plan.variants.values())


def _cached(environment: Environment, key: str) -> Kept | None:
    with environment.warehouse.reading(environment.actor) as session:
        found = cached(session, key)
    return kept(found) if found else None


def kept(node: NodeGiven, *, here: bool = False) -> Kept:
    """Return a recorded node as the engine takes it."""
    return Kept(
        node.id,
        node.status,
        node.outputs,
        node.cost,
        node.input_tokens,
        node.output_tokens,
        here,
        node.simulated,
    )


def plain_input(values: Mapping[str, object], variant: str = CONTROL) -> RunInput:
    """Return one item that belongs to no batch."""
    return RunInput(new_id(), variant, values)


def batch_inputs(
    batch_id: str,
    items: Iterable[tuple[str | None, str, Mapping[str, object]]],
    variants: Sequence[str],
) -> Iterator[RunInput]:
    """Give the items of a batch as their turn comes, the variants of each side by side."""
    for item_id, key, values in items:
        for variant in variants:
            yield RunInput(derived_id(batch_id, variant, key), variant, values, key, item_id)


class Watch:
    """Shows a bar for work that takes longer than a second, ten times a second at most."""

    def __init__(self, progress: Progress, title: str) -> None:
        """Show nothing yet."""
        self._progress, self._title = progress, title
        self._done = threading.Event()
        self._bar: Bar = Silent()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        """Begin to look."""
        if self._title:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Leave the final figures standing."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        self._bar.close(self._progress)

    def _work(self) -> None:
        begun = time.monotonic()
        while not self._done.wait(_BAR_EVERY_S):
            if isinstance(self._bar, Silent) and time.monotonic() - begun > _BAR_AFTER_S:
                self._bar = face("progress")(self._title, self._progress)
            self._bar.show(self._progress)


def _prompts(
    environment: Environment, session: Session, flow_id: str, graph: Graph
) -> dict[str, Prompt]:
    found = {}
    for node in graph.nodes:
        prompt = _prompt(environment, session, flow_id, node, graph.name(node))
        if prompt is not None:
            found[node.id] = prompt
    return found


def _prompt(
    environment: Environment, session: Session, flow_id: str, node: Node, name: str
) -> Prompt | None:
    config = node.config.get("prompt")
    if not isinstance(config, dict):
        return None
    if "ref" in config:
        version = load(session, environment.lab_id, str(config["ref"]))
    else:
        version = save_inline(session, flow_id, node.id, name, str(config.get("text", "")))
    store.use_template(session, flow_id, node.id, version.template_id, version.version)
    return Prompt(version.text, version.template_id, version.version)
