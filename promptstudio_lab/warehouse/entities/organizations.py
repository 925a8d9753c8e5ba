"""Organisations, their labs, and the payloads that only they can address."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    AuditableEntity,
    Entity,
    Fact,
    TableParts,
    at_least_zero,
    one_of,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import (
    Count,
    Document,
    Guid,
    Moment,
    OptionalCount,
    OptionalKey,
    OptionalMoment,
    OptionalWords,
    Words,
    now,
)

ROLES = ("viewer", "analyst", "admin")


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
    # The oldest schema whose programs still read this one right.
    readable_from: Mapped[Words] = mapped_column(default="0002", server_default="0002")


class Organization(Entity):
    """A tenant. Its payload key makes the addresses of its payloads unguessable."""

    __tablename__ = "organization"
    __table_args__ = (UniqueConstraint("slug"), Entity.strict)

    id: Mapped[str] = mapped_column(Guid, primary_key=True)
    name: Mapped[Words]
    slug: Mapped[Words]
    payload_key: Mapped[Words]
    created_at: Mapped[Moment] = mapped_column(default=now)


class Membership(AuditableEntity, Entity):
    """A login of PostgreSQL that works in an organisation, and as what."""

    __tablename__ = "membership"
    referred = False

    login: Mapped[Words]
    role: Mapped[Words]

    @classmethod
    def parts(cls) -> TableParts:
        """One role a login and organisation."""
        return (
            unique_while_live("membership", "login"),
            one_of("role", *ROLES),
        )


class RetentionPolicy(AuditableEntity, Entity):
    """How long things are kept, and what happens to them then."""

    __tablename__ = "retention_policy"

    name: Mapped[Words]
    keep_days: Mapped[Count]
    action: Mapped[Words]

    @classmethod
    def parts(cls) -> TableParts:
        """Name policies once an organisation."""
        return (
            unique_while_live("retention_policy", "name"),
            one_of("action", "archive", "anonymise", "delete"),
            at_least_zero("keep_days"),
        )


class ColdPartition(Fact, Entity):
    """One table's rows of one month, moved out of the database into Parquet files."""

    __tablename__ = "cold_partition"
    referred = False

    table_name: Mapped[Words]
    month: Mapped[Words]
    location: Mapped[Words]
    row_count: Mapped[Count]
    byte_count: Mapped[Count]
    total_cost: Mapped[OptionalCount]
    digest: Mapped[Words]
    experiment_ids: Mapped[Document | None]
    restored_at: Mapped[OptionalMoment]

    @classmethod
    def parts(cls) -> TableParts:
        """Find what is cold by table and month."""
        return (
            Index(None, "organization_id", "table_name", "month"),
            at_least_zero("row_count", "byte_count"),
        )


class PromptLab(AuditableEntity, Entity):
    """A team's room: its libraries, flows, templates and datasets."""

    __tablename__ = "prompt_lab"

    name: Mapped[Words]
    description: Mapped[OptionalWords]
    head_seq: Mapped[Count] = mapped_column(default=0, server_default="0")

    @classmethod
    def parts(cls) -> TableParts:
        """Name labs once an organisation."""
        return (unique_while_live("prompt_lab", "name"),)


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
