"""Prompt libraries, templates and their immutable versions."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    AuditableEntity,
    Entity,
    Fact,
    Shown,
    TableParts,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import Count, Document, Key, OptionalKey, OptionalWords, Words


class Library(Shown, AuditableEntity):
    """What both kinds of library are: a named place in a lab, possibly inside another."""

    prompt_lab_id: Mapped[Key]
    parent_id: Mapped[OptionalKey]
    name: Mapped[Words]
    description: Mapped[OptionalWords]

    @classmethod
    def parts(cls) -> TableParts:
        """Name libraries once in their place; NULL parents count as one place."""
        table = str(cls.__tablename__)  # type: ignore[attr-defined]  # set on each table below
        live = text("deleted_at IS NULL AND parent_id IS NULL")
        return (
            refers("prompt_lab", "prompt_lab_id"),
            refers(table, "parent_id"),
            unique_while_live(table, "prompt_lab_id", "parent_id", "name"),
            Index(
                f"ux_{table}_prompt_lab_id_name_root",
                "organization_id",
                "prompt_lab_id",
                "name",
                unique=True,
                sqlite_where=live,
                postgresql_where=live,
            ),
        )


class PromptLibrary(Library, Entity):
    """A place for prompt templates."""

    __tablename__ = "prompt_library"


class PromptTemplate(Shown, AuditableEntity, Entity):
    """A prompt under a name: in a library, or unlisted as the inline prompt of one flow."""

    __tablename__ = "prompt_template"

    prompt_library_id: Mapped[OptionalKey]
    flow_id: Mapped[OptionalKey]
    name: Mapped[Words]
    description: Mapped[OptionalWords]
    current_version: Mapped[Count] = mapped_column(default=0, server_default="0")

    @classmethod
    def parts(cls) -> TableParts:
        """A template lives in one place and is named once there."""
        return (
            refers("prompt_library", "prompt_library_id"),
            refers("prompt_flow", "flow_id"),
            unique_while_live("prompt_template", "prompt_library_id", "name"),
            unique_while_live("prompt_template", "flow_id", "name"),
            CheckConstraint(
                "(prompt_library_id IS NULL) <> (flow_id IS NULL)", name="in_one_place"
            ),
        )


class PromptTemplateVersion(Fact, Entity):
    """One text of a template. It never changes."""

    __tablename__ = "prompt_template_version"
    referred = False

    prompt_template_id: Mapped[Key]
    version: Mapped[Count]
    content: Mapped[Words]
    variables: Mapped[Document]
    content_hash: Mapped[Words]
    change_note: Mapped[OptionalWords]

    @classmethod
    def parts(cls) -> TableParts:
        """Number versions within their template."""
        return (
            refers("prompt_template", "prompt_template_id"),
            UniqueConstraint("organization_id", "prompt_template_id", "version"),
        )


class TemplateLabel(AuditableEntity, Entity):
    """A name for one version of a template, such as `production`. It moves by the change log."""

    __tablename__ = "template_label"
    referred = False

    prompt_template_id: Mapped[Key]
    name: Mapped[Words]
    version: Mapped[Count]

    @classmethod
    def parts(cls) -> TableParts:
        """A label stands once a template, on a version that exists."""
        version = ("organization_id", "prompt_template_id", "version")
        return (
            refers("prompt_template", "prompt_template_id"),
            ForeignKeyConstraint(version, [f"prompt_template_version.{name}" for name in version]),
            unique_while_live("template_label", "prompt_template_id", "name"),
        )
