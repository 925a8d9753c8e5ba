"""What is asked about when one asks where something came from: a thing, or its name, as ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptstudio_lab.analytics.lineage import Lineage, lineage
from promptstudio_lab.analytics.source import Source
from promptstudio_lab.ids import is_id
from promptstudio_lab.lab.experimenting.looking import Looking
from promptstudio_lab.lab.faces import face
from promptstudio_lab.lab.flows import Flow
from promptstudio_lab.lab.running.results import Run
from promptstudio_lab.lab.templates import Template
from promptstudio_lab.templates import store

if TYPE_CHECKING:
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.warehouse.frames.period import When

# Whatever has the id, its chains are those of the calls that hang together with it.
_ANY = (
    "prompt_execution_id", "node_execution_id", "flow_execution_id", "prompt_template_id",
    "flow_id", "node_id",
)  # fmt: skip


def lineage_of(
    environment: Environment,
    thing: Template | Flow | Run | Looking | str,
    since: When | None,
    until: When | None,
) -> Lineage:
    """Return what a thing came from and what came of it.

    Raises:
        NotFound: if there is no template of that name.
    """
    where, about = _where(environment, thing)
    source = Source(environment.warehouse, environment.actor, since, until)
    return lineage(source, where, about=about, show=_drawn)


def _drawn(found: Lineage, by: str | None) -> Any:  # the graph widget
    return face("lineage")(found, by)


def _where(
    environment: Environment, thing: Template | Flow | Run | Looking | str
) -> tuple[dict[str, object], str]:
    if isinstance(thing, Template):
        return _template(environment, thing.reference), thing.reference
    if isinstance(thing, Flow):
        return {"flow_id": thing.head().id}, thing.path
    if isinstance(thing, Looking):
        return {"experiment_id": thing.id}, f"experiment {thing.name}"
    if isinstance(thing, Run):
        return {"flow_execution_id": thing.id}, f"run {thing.id}"
    if is_id(thing):
        return dict.fromkeys(_ANY, thing), thing
    return _template(environment, thing), thing


def _template(environment: Environment, reference: str) -> dict[str, object]:
    path, version = store.parse_reference(reference)
    with environment.warehouse.reading(environment.actor) as session:
        # A label, or a number that there is not, is told by whoever keeps the versions.
        found = store.load(session, environment.lab_id, reference if version else path)
    whole: dict[str, object] = {"prompt_template_id": found.template_id}
    return whole if version is None else {**whole, "template_version": found.version}
