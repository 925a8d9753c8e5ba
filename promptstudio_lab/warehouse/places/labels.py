"""Names for versions: `production` moves, and the log says who moved it from where.

A template and a flow have them alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import NotFound, OperationRefused, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import (
    FlowLabel,
    PromptFlowVersion,
    PromptTemplateVersion,
    TemplateLabel,
)
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record
from promptstudio_lab.warehouse.places.things import Thing, require_all
from promptstudio_lab.warehouse.rows import find, first

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.places.things import Kind


class _Named(NamedTuple):
    """Where labels lie, what they name, and the column of what has them."""

    labels: type[TemplateLabel | FlowLabel]
    versions: type[PromptTemplateVersion | PromptFlowVersion]
    owner: str


_NAMED: dict[Kind, _Named] = {
    "flow": _Named(FlowLabel, PromptFlowVersion, "flow_id"),
    "template": _Named(TemplateLabel, PromptTemplateVersion, "prompt_template_id"),
}
# What a flow is called that is no version.
_AS_IT_STANDS = "head"
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def label(session: Session, thing: Thing, name: str, version: int) -> None:
    """Let a label name a version; a label that stands elsewhere moves.

    Raises:
        OperationRefused: if the name is no label.
        NotFound: if there is no such version.
    """
    if not _LABEL.fullmatch(name) or name == _AS_IT_STANDS:
        message = f"{name!r} is no label; write a word such as 'production'"
        raise OperationRefused(message)
    require_all(session, "edit", thing)
    of, ((_, key),) = _NAMED[thing.kind], thing.rows
    if not find(session, of.versions, **{of.owner: key}, version=version):
        message = f"{thing.path!r} has no version {version}"
        raise NotFound(message)
    row = first(session, of.labels, **{of.owner: key}, name=name)
    if row is not None and row.version == version:
        return
    if row is None:
        fields = {of.owner: key, "name": name, "version": version}
        change = Change(of.labels.__tablename__, new_id(), "insert", fields)
    else:
        moved = {"name": name, "version": version}
        change = Change(of.labels.__tablename__, row.id, "update", moved)
    record(session, Stream("lab", thing.lab_id), Operation(f"label {thing.kind}", (change,)))


def unlabel(session: Session, thing: Thing, name: str) -> None:
    """Take a label away: references to it lead nowhere from then on.

    Raises:
        NotFound: if there is no such label.
    """
    require_all(session, "edit", thing)
    of, ((_, key),) = _NAMED[thing.kind], thing.rows
    row = first(session, of.labels, **{of.owner: key}, name=name)
    if row is None:
        hint = did_you_mean(name, labels(session, thing.kind, key))
        message = f"{thing.path!r} has no label {name!r}.{hint}"
        raise NotFound(message)
    change = Change(of.labels.__tablename__, row.id, "delete")
    record(session, Stream("lab", thing.lab_id), Operation(f"unlabel {thing.kind}", (change,)))


def labels(session: Session, kind: Kind, key: str) -> dict[str, int]:
    """Return the versions of a flow or a template by their labels.

    Args:
        session: a unit of work.
        kind: `flow` or `template`.
        key: its id.
    """
    of = _NAMED[kind]
    rows = find(session, of.labels, order=("name",), **{of.owner: key})
    return {row.name: row.version for row in rows}


def labelled(session: Session, kind: Kind, key: str, path: str, name: str) -> int:
    """Return the version that a label names.

    Raises:
        NotFound: if there is no such label.
    """
    found = labels(session, kind, key)
    if name not in found:
        message = f"{path!r} has no label {name!r}.{did_you_mean(name, found)}"
        raise NotFound(message)
    return found[name]
