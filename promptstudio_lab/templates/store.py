"""Templates in the warehouse: by path, by version, and the inline prompts of flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import NotFound, OperationRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.rendering import variables
from promptstudio_lab.values import content_hash
from promptstudio_lab.warehouse.entities import (
    PromptLibrary,
    PromptTemplate,
    PromptTemplateVersion,
    WorkflowTemplateUsage,
)
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Stream, lock, record
from promptstudio_lab.warehouse.libraries import find_library, find_or_make, path_of, split
from promptstudio_lab.warehouse.places.labels import labelled
from promptstudio_lab.warehouse.places.references import split_reference
from promptstudio_lab.warehouse.rows import find, first

if TYPE_CHECKING:
    from promptstudio_lab.warehouse.connect import Session


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """One text of a template.

    Attributes:
        template_id: the template.
        version: its number, from 1.
        text: the text itself.
        path: `library/name`, or the flow's node for an inline prompt.
    """

    template_id: str
    version: int
    text: str
    path: str

    @property
    def reference(self) -> str:
        """Return how a flow names this very version."""
        return f"{self.path}@{self.version}"


def parse_reference(reference: str) -> tuple[str, int | str | None]:
    """Return the path and the version or label that a reference names; None means the newest.

    >>> parse_reference("support/classify@3"), parse_reference("support/classify@production")
    (('support/classify', 3), ('support/classify', 'production'))
    >>> parse_reference("support/classify")
    ('support/classify', None)
    """
    path, at = split_reference(reference)
    return path, int(at) if at is not None and at.isdecimal() else at


def save(session: Session, lab_id: str, path: str, text: str, note: str = "") -> TemplateVersion:
    """Save a text under a path as its current version; a text that it has had makes no new one.

    Raises:
        TemplateSyntaxError: if the text is no template.
    """
    parts, name = _place(path)
    library = find_or_make(session, PromptLibrary, lab_id, parts)
    template = _in_library(session, library.id, name)
    writing = _Writing(session, Stream("lab", lab_id), new_id())
    if template is None:
        fields = {"prompt_library_id": library.id, "flow_id": None, "name": name}
        template = writing.make(fields)
    return writing.version(template, path, text, note)


def save_inline(
    session: Session, flow_id: str, node_id: str, node_key: str, text: str
) -> TemplateVersion:
    """Save a node's inline prompt as an unlisted template of its flow, versioned by content.

    The node's identity finds its template again, so a rename keeps the history.
    """
    used = [row.prompt_template_id for row in find(session, WorkflowTemplateUsage, node_id=node_id)]
    template = first(session, PromptTemplate, flow_id=flow_id, id=used)
    if template is None:
        template = first(session, PromptTemplate, flow_id=flow_id, name=node_key)
    elif not first(session, PromptTemplate, flow_id=flow_id, name=node_key):
        change = Change("prompt_template", template.id, "update", {"name": node_key})
        record(session, Stream("flow", flow_id), Operation("rename template", (change,)))
    writing = _Writing(session, Stream("flow", flow_id), new_id())
    if template is None:
        fields = {"prompt_library_id": None, "flow_id": flow_id, "name": node_key}
        template = writing.make(fields)
    return writing.version(template, node_key, text, "")


def load(session: Session, lab_id: str, reference: str) -> TemplateVersion:
    """Return the version that a reference names.

    Raises:
        NotFound: if there is no such template, version or label.
    """
    path, version = parse_reference(reference)
    parts, name = split(path)
    library = find_library(session, PromptLibrary, lab_id, parts)
    template = _in_library(session, library.id, name) if library else None
    if template is None:
        message = f"there is no template {path!r} in this lab"
        raise NotFound(message)
    if isinstance(version, str):
        version = labelled(session, "template", template.id, path, version)
    wanted = template.current_version if version is None else version
    row = first(session, PromptTemplateVersion, prompt_template_id=template.id, version=wanted)
    if row is None:
        highest = len(history(session, template.id))
        message = f"{path!r} has versions 1 to {highest}, not {wanted}"
        raise NotFound(message)
    return TemplateVersion(template.id, wanted, row.content, path)


def history(session: Session, template_id: str) -> list[PromptTemplateVersion]:
    """Return all versions of a template, oldest first."""
    return find(session, PromptTemplateVersion, order=("version",), prompt_template_id=template_id)


def promote(
    session: Session, lab_id: str, flow_id: str, node_key: str, path: str
) -> TemplateVersion:
    """Move a node's inline prompt into a library, with its whole history.

    Raises:
        NotFound: if the node has no inline prompt that was ever saved.
        OperationRefused: if the path is taken.
    """
    template = first(session, PromptTemplate, flow_id=flow_id, name=node_key)
    if template is None:
        message = f"{node_key!r} has no inline prompt that was saved; run the flow once"
        raise NotFound(message)
    parts, name = _place(path)
    library = find_or_make(session, PromptLibrary, lab_id, parts)
    if _in_library(session, library.id, name) is not None:
        message = f"there is a template {path!r} already"
        raise OperationRefused(message)
    fields = {"prompt_library_id": library.id, "flow_id": None, "name": name}
    change = Change("prompt_template", template.id, "update", fields)
    record(session, Stream("lab", lab_id), Operation("promote template", (change,)))
    current = next(
        row for row in history(session, template.id) if row.version == template.current_version
    )
    return TemplateVersion(template.id, current.version, current.content, path)


def listed(session: Session, lab_id: str) -> list[tuple[str, PromptTemplate]]:
    """Return (path, template) of every template in the lab's libraries, by path."""
    libraries = find(session, PromptLibrary, prompt_lab_id=lab_id)
    paths = {library.id: path_of(session, PromptLibrary, library.id) for library in libraries}
    rows = find(session, PromptTemplate, prompt_library_id=list(paths))
    named = [(f"{paths[str(row.prompt_library_id)]}/{row.name}", row) for row in rows]
    return sorted(named, key=lambda pair: pair[0])


def _place(path: str) -> tuple[tuple[str, ...], str]:
    if parse_reference(path)[1] is not None:
        message = f"{path!r} ends in a version or a label; a template is saved under its name alone"
        raise OperationRefused(message)
    return split(path)


def _in_library(session: Session, library_id: str, name: str) -> PromptTemplate | None:
    return first(session, PromptTemplate, prompt_library_id=library_id, name=name)


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writing into the log of a lab or a flow; what is written at once is one step of undo."""

    session: Session
    stream: Stream
    batch_id: str

    def make(self, fields: dict[str, str | None]) -> PromptTemplate:
        key = new_id()
        self._record("create template", Change("prompt_template", key, "insert", fields))
        return find(self.session, PromptTemplate, id=key)[0]

    def version(self, template: PromptTemplate, path: str, text: str, note: str) -> TemplateVersion:
        """Make a text the current version; a version itself never changes and is never undone."""
        names, digest = variables(text), content_hash(text)
        # Versions are numbered one after the other, whoever else saves one.
        lock(self.session, self.stream)
        self.session.refresh(template)
        versions = history(self.session, template.id)
        number = next((row.version for row in versions if row.content_hash == digest), None)
        if number is None:
            number = len(versions) + 1
            row = PromptTemplateVersion(
                id=new_id(),
                prompt_template_id=template.id,
                version=number,
                content=text,
                variables=list(names),
                content_hash=digest,
                change_note=note or None,
            )
            self.session.add(row)
        if number != template.current_version:
            current = {"current_version": number}
            self._record("save version", Change("prompt_template", template.id, "update", current))
        return TemplateVersion(template.id, number, text, path)

    def _record(self, name: str, change: Change) -> None:
        record(self.session, self.stream, Operation(name, (change,), batch_id=self.batch_id))
