"""What a lab's organisation keeps, as a browser shows it, and how one opens a thing by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from promptstudio_lab.flows import store as flow_store
from promptstudio_lab.lab.facts import Environment
from promptstudio_lab.lab.flows import Flow
from promptstudio_lab.lab.forks import origin_view
from promptstudio_lab.templates import store as template_store
from promptstudio_lab.warehouse.queries.contents import (
    Look,
    contents,
    place_of_flow,
    place_of_template,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.queries.contents import Contents, Entry, Shelf

# A lab, and a library in it or None for the outermost place.
_Place: TypeAlias = "tuple[str, str | None]"


def tree(lab: Lab) -> dict[str, Json]:
    """Return every lab of the organisation with its libraries, flows and templates.

    A library of flows and a library of templates under the same path are one place to a person,
    so they are one branch.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> template = lab.template("support/classify", "Label this: {{ ticket }}")
    >>> flow = lab.flow("support/triage")
    >>> (support,) = tree(lab)["labs"][0]["libraries"]
    >>> support["path"], support["flows"][0]["path"], support["templates"][0]["version"]
    ('support', 'support/triage', 1)
    """
    with lab.warehouse.reading(lab.actor) as session:
        found = contents(session)
    grower = _Grower(found)
    return {"labs": [grower.lab(*each) for each in found.labs]}


def flow_by_id(lab: Lab, flow_id: str) -> Flow:
    """Return the flow with an id, in whichever of the organisation's labs it lies.

    Raises:
        NotFound: if there is no such flow, or it is another organisation's.
    """
    with lab.warehouse.reading(lab.actor) as session:
        place = place_of_flow(session, flow_id)
    there = Environment(lab.warehouse, lab.actor, place.lab_id, lab.environment.default_model)
    there.trigger = "tab"
    return Flow(there, flow_id, place.path)


def versions_of(flow: Flow) -> dict[str, Json]:
    """Return a flow's saved versions, newest first, its labels' numbers, and a fork's origin.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").flow("echo")
    >>> _ = f.output(answer=f.input("question"))
    >>> found = versions_of(f.label("production"))
    >>> found["labels"], found["versions"][0]["version"]
    ({'production': 1}, 1)
    """
    flow_id = flow.head().id
    with flow.reading() as session:
        rows = flow_store.saved(session, flow_id)
        versions = [
            {
                "version": row.version,
                "seq": row.at_seq,
                "hash": row.content_hash,
                "created_by": row.created_by,
                "created_at": row.created_at.isoformat(),
            }
            for row in rows
        ]
    return {
        "id": flow_id,
        "path": flow.path,
        "versions": versions,
        "labels": flow.labels(),
        "origin": origin_view(flow.origin),
    }


def template_by_id(lab: Lab, template_id: str) -> dict[str, Json]:
    """Return a library's template with all its versions, newest first.

    Raises:
        NotFound: if there is no such template, or it is another organisation's.
    """
    with lab.warehouse.reading(lab.actor) as session:
        place = place_of_template(session, template_id)
        versions = [
            {
                "version": row.version,
                "text": row.content,
                "variables": list(row.variables),
                "note": row.change_note or "",
                "created_by": row.created_by,
                "created_at": row.created_at.isoformat(),
            }
            for row in reversed(template_store.history(session, template_id))
        ]
    return {"id": template_id, "path": place.path, "versions": versions}


class _Grower:
    """Grows the branches of one organisation from rows that are sorted by place once."""

    def __init__(self, found: Contents) -> None:
        self._flow_libraries = _by_place(found.flow_libraries)
        self._template_libraries = _by_place(found.template_libraries)
        self._flows = _by_library(found.flows)
        self._templates = _by_library(found.templates)

    def lab(self, lab_id: str, name: str) -> dict[str, Json]:
        libraries = self._libraries((lab_id, None), (lab_id, None), "")
        return {"id": lab_id, "name": name, **_counted(libraries), "libraries": libraries}

    def _libraries(self, flows_at: _Place | None, templates_at: _Place | None, path: str) -> Json:
        of_flows = self._flow_libraries.get(flows_at, {})
        of_templates = self._template_libraries.get(templates_at, {})
        twins = {
            name: (of_flows.get(name), of_templates.get(name))
            for name in (*of_flows, *of_templates)
        }
        looks = {name: _look(*both) for name, both in twins.items()}
        return [
            {**self._library(*twins[name], path + name), **_shown(looks[name])}
            for name in sorted(twins, key=lambda name: _rank(looks[name], name))
        ]

    def _library(self, for_flows: Shelf | None, for_templates: Shelf | None, path: str) -> Json:
        places = [(each.lab_id, each.id) if each else None for each in (for_flows, for_templates)]
        libraries = self._libraries(places[0], places[1], f"{path}/")
        flows = [
            {**_entry(row, path), "nodes": row.nodes}
            for row in self._flows.get(for_flows.id if for_flows else "", ())
        ]
        templates = [
            _entry(row, path)
            for row in self._templates.get(for_templates.id if for_templates else "", ())
        ]
        return {
            "name": path.rpartition("/")[2],
            "path": path,
            **_counted(libraries, len(flows), len(templates)),
            "libraries": libraries,
            "flows": flows,
            "templates": templates,
        }


def _by_place(shelves: Sequence[Shelf]) -> dict[_Place | None, dict[str, Shelf]]:
    found: dict[_Place | None, dict[str, Shelf]] = {}
    for shelf in shelves:
        found.setdefault((shelf.lab_id, shelf.parent_id), {})[shelf.name] = shelf
    return found


def _by_library(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: _rank(entry.look, entry.name)):
        found.setdefault(entry.library_id, []).append(entry)
    return found


def _entry(row: Entry, library: str) -> dict[str, Json]:
    path = f"{library}/{row.name}"
    shown = _shown(row.look)
    return {"id": row.id, "name": row.name, "path": path, "version": row.version, **shown}


def _look(*twins: Shelf | None) -> Look:
    """Return how a place looks that may be one library of flows and one of templates."""
    looks = [shelf.look for shelf in twins if shelf is not None]
    return Look(
        color=next((look.color for look in looks if look.color), None),
        icon=next((look.icon for look in looks if look.icon), None),
        order_key=next((look.order_key for look in looks if look.order_key), ""),
        tags=tuple(sorted({tag for look in looks for tag in look.tags})),
        pinned=any(look.pinned for look in looks),
    )


def _rank(look: Look, name: str) -> tuple[bool, str, str]:
    return not look.pinned, look.order_key, name.casefold()


def _shown(look: Look) -> dict[str, Json]:
    return {
        "color": look.color,
        "icon": look.icon,
        "tags": list(look.tags),
        "pinned": look.pinned,
    }


def _counted(libraries: Sequence[Json], flows: int = 0, templates: int = 0) -> dict[str, int]:
    return {
        "flow_count": flows + sum(each["flow_count"] for each in libraries),
        "template_count": templates + sum(each["template_count"] for each in libraries),
    }
