"""Who may do what with a library, and what people put on things: tags and pins."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    Attached,
    AuditableEntity,
    Entity,
    TableParts,
    one_of,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import Key, OptionalMoment, Words

PERMISSIONS = ("view", "run", "edit", "manage")


class LibraryPermission(AuditableEntity):
    """What one person, or everybody of one role, may do in a library and all below it."""

    library_id: Mapped[Key]
    principal_kind: Mapped[Words]
    principal: Mapped[Words]
    permission: Mapped[Words]
    expires_at: Mapped[OptionalMoment]

    @classmethod
    def parts(cls) -> TableParts:
        """One permission a principal."""
        table = str(cls.__tablename__)  # type: ignore[attr-defined]  # set on each table below
        return (
            refers(table.removesuffix("_permission"), "library_id"),
            unique_while_live(table, "library_id", "principal_kind", "principal", name="principal"),
            one_of("principal_kind", "user", "role"),
            one_of("permission", *PERMISSIONS),
        )


class PromptLibraryPermission(LibraryPermission, Entity):
    """A permission on a library of templates."""

    __tablename__ = "prompt_library_permission"
    referred = False


class WorkflowLibraryPermission(LibraryPermission, Entity):
    """A permission on a library of flows."""

    __tablename__ = "workflow_library_permission"
    referred = False


class Tag(Attached, AuditableEntity, Entity):
    """A word that finds things again."""

    __tablename__ = "tag"
    referred = False

    name: Mapped[Words]

    @classmethod
    def parts(cls) -> TableParts:
        """A thing has a tag once."""
        return cls.attached("name")


class Pin(Attached, AuditableEntity, Entity):
    """A thing kept on top: for one person, or under no name for everybody who opens its library."""

    __tablename__ = "pin"
    referred = False

    pinned_for: Mapped[Words] = mapped_column(default="", server_default="")

    @classmethod
    def parts(cls) -> TableParts:
        """A thing is pinned once for each."""
        return cls.attached("pinned_for")
