"""Organisations, their labs, and the payloads that only they can address."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    AuditableEntity,
    Entity,
    Fact,
    TableParts,
    classified,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import (
    Count,
    Guid,
    Moment,
    OptionalKey,
    OptionalMoment,
    OptionalWords,
    Words,
    now,
)


class WarehouseInfo(Entity):
    """The warehouse's own identity: one row, so that faces can tell whether they mean the same."""

    __tablename__ = "warehouse_info"
    __table_args__ = (
        UniqueConstraint("single"),
        CheckConstraint("single = 1", name="single"),
        Entity.strict,
    )

    id: Mapped[str] = mapped_column(Guid, primary_key=True)
    single: Mapped[Count]


class Organization(Entity):
    """A tenant. Its payload key makes the addresses of its payloads unguessable."""

    __tablename__ = "organization"
    __table_args__ = (UniqueConstraint("slug"), Entity.strict)

    id: Mapped[str] = mapped_column(Guid, primary_key=True)
    name: Mapped[Words]
    slug: Mapped[Words]
    payload_key: Mapped[Words]
    created_at: Mapped[Moment] = mapped_column(default=now)


class PromptLab(AuditableEntity, Entity):
    """A team's room: its libraries, flows, templates and datasets."""

    __tablename__ = "prompt_lab"

    name: Mapped[Words]
    description: Mapped[OptionalWords]
    head_seq: Mapped[Count] = mapped_column(default=0, server_default="0")

    @classmethod
    def parts(cls) -> TableParts:
        """Name labs once an organisation."""
        return (unique_while_live("prompt_lab", "name"), classified())


class SubjectKey(Fact, Entity):
    """The key of one person's payloads: destroying it erases them."""

    __tablename__ = "subject_key"

    subject_ref: Mapped[Words]
    wrapped_key: Mapped[OptionalWords]
    destroyed_at: Mapped[OptionalMoment]

    @classmethod
    def parts(cls) -> TableParts:
        """One key a person."""
        return (UniqueConstraint("organization_id", "subject_ref"),)


class Payload(Fact, Entity):
    """An input, output, request or response: canonical JSON text under its keyed hash."""

    __tablename__ = "payload"
    referred = False

    body: Mapped[Words]
    byte_count: Mapped[Count]
    subject_key_id: Mapped[OptionalKey]

    @classmethod
    def parts(cls) -> TableParts:
        """Tie a payload to its subject's key."""
        return (refers("subject_key", "subject_key_id"),)
