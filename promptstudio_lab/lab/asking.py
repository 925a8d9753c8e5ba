"""What an inspector asks about a flow and its surroundings: to look at, never to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import NotFound, PromptStudioError, did_you_mean
from promptstudio_lab.flows import history
from promptstudio_lab.lab.running.seen import about_runs
from promptstudio_lab.providers import prices, providers
from promptstudio_lab.providers.simulated import PRICES
from promptstudio_lab.rendering.plain import Hole, parse, render
from promptstudio_lab.templates import store as template_store
from promptstudio_lab.warehouse.entities import Dataset, DatasetItem, PromptFlowVersion
from promptstudio_lab.warehouse.places.labels import labels
from promptstudio_lab.warehouse.rows import count_by, find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json

_MILLION = 1_000_000
_NANO = 1_000_000_000


def ask(flow: Flow, environment: Environment, question: Mapping[str, Json]) -> Json:
    """Return what a question's `about` names.

    | about | answer |
    |---|---|
    | `models` | every model with a known price, dollars a million tokens |
    | `templates` | the paths of the lab's templates |
    | `template` | the versions of the template at `path`, newest first, and its labels |
    | `datasets` | names and sizes |
    | `preview` | the prompt of `node` with the values of row `item` of `dataset`, in pieces |
    | `row` | the values of row `item` of `dataset` |
    | `python` | the code that builds the flow as it stands |
    | `versions` | the flow's saved versions, newest first |
    | `difference` | what differs between version `version` and the flow as it stands |
    | `merge` | what a fork changed and its origin has not, one change each |
    | `runs` | the flow's newest runs |
    | `run` | run `run`, with what each node came to, and which were edited since |
    | `values` | what `node` took, gave and asked in run `run`, the `nth` time it ran there |
    | `variants` | the variants of the flow's experiments |
    | `heat` | what nodes cost, take and fail over many runs, of one `variant` or of all |

    Raises:
        NotFound: if there is nothing of that name.
    """
    known: dict[str, Callable[[], Json]] = {
        "models": lambda: models(environment.default_model),
        "templates": lambda: _templates(environment),
        "template": lambda: _template(environment, str(question.get("path"))),
        "datasets": lambda: _datasets(environment),
        "preview": lambda: _preview(flow, environment, question),
        "row": lambda: _row(environment, question),
        "python": flow.to_python,
        "versions": lambda: _versions(flow),
        "difference": lambda: _difference(flow, question.get("version")),
        "merge": lambda: flow.merge_back().document(),
        **about_runs(environment, str(flow.id), flow.graph_now, question),
    }
    about = question.get("about")
    if not isinstance(about, str) or about not in known:
        message = f"nothing can be asked about {about!r}.{did_you_mean(str(about), known)}"
        raise NotFound(message)
    return known[about]()


def models(default_model: str) -> list[Json]:
    """Return the models whose prices are known, the lab's own first.

    >>> [model["name"] for model in models("simulated:small") if model["default"]]
    ['simulated:small']
    """
    names = dict.fromkeys((default_model, *(f"simulated:{name}" for name in PRICES)))
    found: list[Json] = []
    for name in names:
        provider, _, model = name.partition(":")
        asked = prices.per_token(provider, model)
        found.append(
            {
                "name": name,
                "default": name == default_model,
                "installed": provider in providers,
                "input_usd": None if asked is None else asked[0] * _MILLION / _NANO,
                "output_usd": None if asked is None else asked[1] * _MILLION / _NANO,
            }
        )
    return found


def _templates(environment: Environment) -> list[Json]:
    with environment.warehouse.reading(environment.actor) as session:
        return [
            {"path": path, "version": row.current_version}
            for path, row in template_store.listed(session, environment.lab_id)
        ]


def _template(environment: Environment, path: str) -> Json:
    with environment.warehouse.reading(environment.actor) as session:
        found = template_store.load(session, environment.lab_id, path)
        return {
            "path": path,
            "labels": labels(session, "template", found.template_id),
            "versions": [
                {
                    "version": row.version,
                    "text": row.content,
                    "note": row.change_note or "",
                    "by": row.created_by,
                    "at": row.created_at.isoformat(),
                }
                for row in reversed(template_store.history(session, found.template_id))
            ],
        }


def _datasets(environment: Environment) -> list[Json]:
    with environment.warehouse.reading(environment.actor) as session:
        counts = count_by(session, DatasetItem, "dataset_id")
        return [
            {"name": row.name, "items": counts.get(row.id, 0)}
            for row in find(session, Dataset, order=("name",), prompt_lab_id=environment.lab_id)
        ]


def _preview(flow: Flow, environment: Environment, question: Mapping[str, Json]) -> Json:
    graph = flow.graph_now
    node = graph.by_id.get(str(question.get("node")))
    prompt = node.config.get("prompt") if node else None
    if node is None or not isinstance(prompt, dict):
        message = "there is no such node with a prompt in this flow"
        raise NotFound(message)
    text = flow.facts(graph).text(prompt)
    if text is None:
        message = f"there is no template {prompt.get('ref')!r}"
        raise NotFound(message)
    values = _row(environment, question)
    fed = {edge.target_port: graph.by_id[edge.source] for edge in graph.into(node.id)}
    by_name = {
        name: values[source.key]
        for name, source in fed.items()
        if source.kind == "input" and source.key in values
    }
    return {"pieces": [_piece(part, {**values, **by_name}) for part in parse(text)]}


def _row(environment: Environment, question: Mapping[str, Json]) -> dict[str, Json]:
    name, at = question.get("dataset"), question.get("item", 0)
    if not isinstance(name, str) or not name:
        return {}
    from promptstudio_lab.lab.datasets import Dataset as Rows

    items = Rows.at(environment, name).items
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < len(items):
        message = f"{name!r} has {len(items)} items, not one at {at!r}"
        raise NotFound(message)
    return items[at].values


def _piece(part: str | Hole, values: Mapping[str, Json]) -> Json:
    if isinstance(part, str):
        return {"text": part, "variable": None, "known": True}
    name = ".".join((part.name, *part.path))
    whole = "{{ " + name + " }}"
    try:
        return {"text": render(whole, values), "variable": name, "known": True}
    except PromptStudioError:
        return {"text": whole, "variable": name, "known": False}


def _versions(flow: Flow) -> list[Json]:
    head = flow.head()
    with flow.reading() as session:
        rows = find(session, PromptFlowVersion, order=("-version",), flow_id=head.id)
        named = labels(session, "flow", head.id)
        return [
            {
                "version": row.version,
                "seq": row.at_seq,
                "nodes": len(row.document.get("nodes", {})),
                "by": row.created_by,
                "at": row.created_at.isoformat(),
                "current": row.content_hash == head.graph.hash,
                "labels": sorted(name for name, at in named.items() if at == row.version),
            }
            for row in rows
        ]


def _difference(flow: Flow, version: Json) -> Json:
    head = flow.head()
    if isinstance(version, bool) or not isinstance(version, int):
        message = f"{version!r} is no version's number"
        raise NotFound(message)
    with flow.reading() as session:
        found = history.compare(session, head.id, version, "head")
        was = history.version(session, head.id, version).graph
    changed = {each.id for each in found.nodes_changed}
    changed |= {each.id for each in found.nodes_renamed}
    bindings = {edge.binding for edge in was.edges}
    return {
        "lines": str(found).splitlines(),
        "same": found.same,
        "added": [each.id for each in found.nodes_added],
        "changed": sorted(changed),
        "removed": [
            {"id": each.id, "key": each.key, "kind": each.kind} for each in found.nodes_removed
        ],
        "edges": [edge.id for edge in head.graph.edges if edge.binding not in bindings],
    }
