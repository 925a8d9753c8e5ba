"""A plan as a document: a run keeps what it ran, so that it can go on or be repeated exactly."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from promptstudio_lab.engine.plan import Binding, FlowNamed, Plan, Prompt, Step, Variant
from promptstudio_lab.scorers import scorers

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

_PLAIN = (
    "organization_id",
    "flow_id",
    "flow_version",
    "change_seq",
    "default_model",
    "experiment_id",
    "batch_id",
)


def pinned(plan: Plan) -> dict[str, Json]:
    """Return a plan as JSON: equal plans give equal documents, whoever runs them."""
    return {
        **{name: getattr(plan, name) for name in _PLAIN},
        "scorer": plan.scorer.describe() if plan.scorer else None,
        "variants": {
            name: {
                "variant_id": variant.variant_id,
                "steps": [_document(step) for step in variant.steps],
            }
            for name, variant in plan.variants.items()
        },
    }


def unpinned(document: Json, *, asked: str, runs: str, trigger: str, origin: str | None) -> Plan:
    """Return the plan of a document.

    Args:
        document: as `pinned` gave it.
        asked: who asks this time.
        runs: whose process runs it.
        trigger: what set it off.
        origin: the notebook or the schedule, when known.
    """
    judge = dict(document["scorer"]) if document["scorer"] else None
    return Plan(
        **{name: document[name] for name in _PLAIN},
        requested_by=asked,
        executed_by=runs,
        trigger=trigger,
        origin=origin,
        variants={
            name: Variant(name, tuple(map(_step, found["steps"])), found["variant_id"])
            for name, found in document["variants"].items()
        },
        scorer=scorers[judge.pop("scorer")](**judge) if judge else None,
    )


def _document(step: Step) -> dict[str, Json]:
    found = asdict(step)
    # A step without these has none of them: the document stays short.
    lean = {name: value for name, value in found.items() if value not in (None, (), {}, "")}
    if step.body:
        lean["body"] = [_document(inner) for inner in step.body]
    return lean


def _step(found: Json) -> Step:
    return Step(
        node_id=found["node_id"],
        key=found["key"],
        name=found["name"],
        kind=found["kind"],
        config=found.get("config", {}),
        policy=found.get("policy", {}),
        bindings=tuple(map(_binding, found.get("bindings", ()))),
        when=tuple(map(_binding, found.get("when", ()))),
        prompt=Prompt(**found["prompt"]) if "prompt" in found else None,
        body=tuple(map(_step, found.get("body", ()))),
        flow=FlowNamed(**found["flow"]) if "flow" in found else None,
    )


def _binding(found: Json) -> Binding:
    return Binding(**{**found, "path": tuple(found["path"])})
