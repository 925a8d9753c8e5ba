"""Names for versions of templates: `production` moves, and the log says who moved it from where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptstudio_lab.errors import NotFound, OperationRefused, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import PromptTemplateVersion, TemplateLabel
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, record
from promptstudio_lab.warehouse.places.things import Thing, require_all
from promptstudio_lab.warehouse.rows import find, first

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def label(session: Session, thing: Thing, name: str, version: int) -> None:
    """Let a label name a version; a label that stands elsewhere moves.

    Raises:
        OperationRefused: if the name is no label.
        NotFound: if there is no such version.
    """
    if not _LABEL.fullmatch(name):
        message = f"{name!r} is no label; write a word such as 'production'"
        raise OperationRefused(message)
    require_all(session, "edit", thing)
    ((_, template_id),) = thing.rows
    if not find(session, PromptTemplateVersion, prompt_template_id=template_id, version=version):
        message = f"{thing.path!r} has no version {version}"
        raise NotFound(message)
    row = first(session, TemplateLabel, prompt_template_id=template_id, name=name)
    if row is not None and row.version == version:
        return
    if row is None:
        fields = {"prompt_template_id": template_id, "name": name, "version": version}
        change = Change("template_label", new_id(), "insert", fields)
    else:
        change = Change("template_label", row.id, "update", {"name": name, "version": version})
    record(session, Stream("lab", thing.lab_id), Operation("label template", (change,)))


def unlabel(session: Session, thing: Thing, name: str) -> None:
    """Take a label away: references to it lead nowhere from then on.

    Raises:
        NotFound: if the template has no such label.
    """
    require_all(session, "edit", thing)
    ((_, template_id),) = thing.rows
    row = first(session, TemplateLabel, prompt_template_id=template_id, name=name)
    if row is None:
        hint = did_you_mean(name, labels(session, template_id))
        message = f"{thing.path!r} has no label {name!r}.{hint}"
        raise NotFound(message)
    change = Change("template_label", row.id, "delete")
    record(session, Stream("lab", thing.lab_id), Operation("unlabel template", (change,)))


def labels(session: Session, template_id: str) -> dict[str, int]:
    """Return the versions of a template by their labels."""
    rows = find(session, TemplateLabel, order=("name",), prompt_template_id=template_id)
    return {row.name: row.version for row in rows}


def labelled(session: Session, template_id: str, path: str, name: str) -> int:
    """Return the version that a label names.

    Raises:
        NotFound: if the template has no such label.
    """
    found = labels(session, template_id)
    if name not in found:
        message = f"{path!r} has no label {name!r}.{did_you_mean(name, found)}"
        raise NotFound(message)
    return found[name]
