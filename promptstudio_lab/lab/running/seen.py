"""Runs and questions as a tab shows them: plain JSON, and nothing that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.errors import NotFound
from promptstudio_lab.flows import history
from promptstudio_lab.warehouse.access import require_on
from promptstudio_lab.warehouse.queries import painted
from promptstudio_lab.warehouse.queries.kept import questions
from promptstudio_lab.warehouse.queries.seen import run_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session


def open_questions(lab: Lab) -> dict[str, Json]:
    """Return what people are asked by runs that wait for them, oldest first.

    >>> import promptstudio_lab as ps
    >>> open_questions(ps.connect("memory"))
    {'questions': []}
    """
    with lab.warehouse.reading(lab.actor) as session:
        found = questions(session)
    return {"questions": [{**row, "asked_at": row["asked_at"].isoformat()} for row in found]}


def run_by_id(lab: Lab, run_id: str) -> dict[str, Json]:
    """Return how a run stands, node by node, with what each took and gave.

    Raises:
        NotFound: if there is no such run, or it is another organisation's.
    """
    mark_interrupted(lab.warehouse, lab.actor)
    with lab.warehouse.reading(lab.actor) as session:
        found = run_seen(session, run_id)
        require_on(session, "view", "prompt_flow", str(found["flow"]))
        return found


def stop_run(environment: Environment, run_id: str) -> None:
    """End a run that a worker has in hand, or will have.

    Raises:
        NotFound: if there is no such run.
        Conflict: if it is over already.
    """

    def work(session: Session) -> None:
        found = painted.painted(session, run_id)
        require_on(session, "run", "prompt_flow", str(found["flow"]))
        painted.stop(session, run_id)

    environment.warehouse.transact(environment.actor, work)


def about_runs(
    environment: Environment, flow_id: str, graph: Graph, question: Mapping[str, Json]
) -> dict[str, Callable[[], Json]]:
    """Return what can be asked about the runs of a flow, by name; `lab.asking` lists it.

    Args:
        environment: the lab.
        flow_id: the flow.
        graph: it as it stands.
        question: with the `run`, the `node` and so on that it is about.
    """
    run, node = str(question.get("run")), str(question.get("node"))

    def asked(answer: Callable[[Session], Json]) -> Json:
        with environment.warehouse.reading(environment.actor) as session:
            return answer(session)

    def one(session: Session) -> Json:
        found = painted.painted(session, run)
        _require_own(flow_id, found)
        return {**found, "stale": _stale(session, flow_id, graph, int(found["version"]))}

    def values(session: Session) -> Json:
        _require_own(flow_id, painted.painted(session, run))
        return painted.node_seen(session, run, node, _count(question.get("nth", 0)))

    def hot(session: Session) -> Json:
        variant = question.get("variant")
        return painted.heat(session, flow_id, None if variant is None else str(variant))

    return {
        "runs": lambda: asked(lambda session: painted.runs_of(session, flow_id)),
        "run": lambda: asked(one),
        "values": lambda: asked(values),
        "variants": lambda: asked(lambda session: painted.variants_of(session, flow_id)),
        "heat": lambda: asked(hot),
    }


def _require_own(flow_id: str, found: Mapping[str, Json]) -> None:
    if found["flow"] != flow_id:
        message = "that run is of another flow"
        raise NotFound(message)


def _stale(session: Session, flow_id: str, now: Graph, version: int) -> list[Json]:
    """Return the nodes that are not what they were in a version, by id."""
    if version < 1:
        return []
    was = history.version(session, flow_id, version).graph
    return [key for key in now.by_id if key in was.by_id and _does(was, key) != _does(now, key)]


def _does(graph: Graph, node_id: str) -> tuple[Json, ...]:
    node = graph.by_id[node_id]
    fed = sorted(edge.binding for edge in graph.into(node_id))
    return node.kind, dict(node.config), dict(node.policy), fed


def _count(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{value!r} does not say which execution"
        raise NotFound(message)
    return value
