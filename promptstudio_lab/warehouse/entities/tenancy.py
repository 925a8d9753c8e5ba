"""What all tables have in common, and how one refers to another within its organisation."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from promptstudio_lab.warehouse.types import (
    Count,
    Guid,
    Moment,
    OptionalMoment,
    OptionalWords,
    Words,
    now,
)

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "ux_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

CLASSES = ("public", "internal", "confidential", "restricted")

TableParts = tuple[Any, ...]  # SQLAlchemy's own type for __table_args__


class Entity(DeclarativeBase):
    """The root of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    strict: ClassVar[dict[str, bool]] = {"sqlite_strict": True}


class Tenant:
    """A row that belongs to one organisation; every reference to it carries the organisation."""

    # Whether other tables refer to this one: the extra key costs every insert.
    referred: ClassVar[bool] = True

    id: Mapped[str] = mapped_column(Guid, primary_key=True, sort_order=-2)
    organization_id: Mapped[str] = mapped_column(Guid, sort_order=-1)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> TableParts:
        """Put the tenant's key and the class's own parts together."""
        key = (UniqueConstraint("organization_id", "id"),) if cls.referred else ()
        return (*key, _organization(), *cls.parts(), Entity.strict)

    @classmethod
    def parts(cls) -> TableParts:
        """Return the table's own constraints and indexes."""
        return ()


class Fact(Tenant):
    """A row that is written once: who made it and when."""

    created_at: Mapped[Moment] = mapped_column(default=now, sort_order=90)
    created_by: Mapped[Words] = mapped_column(sort_order=90)


class AuditableEntity(Fact):
    """A row that people change: every change is versioned and a deletion can be undone."""

    updated_at: Mapped[OptionalMoment] = mapped_column(sort_order=91)
    updated_by: Mapped[OptionalWords] = mapped_column(sort_order=91)
    deleted_at: Mapped[OptionalMoment] = mapped_column(sort_order=91)
    deleted_by: Mapped[OptionalWords] = mapped_column(sort_order=91)
    row_version: Mapped[Count] = mapped_column(default=1, server_default="1", sort_order=91)
    data_classification: Mapped[Words] = mapped_column(
        default="internal", server_default="internal", sort_order=91
    )


def refers(table: str, column: str, *, deferred: bool = False) -> ForeignKeyConstraint:
    """Return the reference from `column` to a row of `table` in the same organisation."""
    later: dict[str, Any] = {}  # SQLAlchemy takes these as keywords of several types
    if deferred:
        later = {"deferrable": True, "initially": "DEFERRED", "use_alter": True}
    return ForeignKeyConstraint(
        ["organization_id", column], [f"{table}.organization_id", f"{table}.id"], **later
    )


def one_of(column: str, *allowed: str) -> CheckConstraint:
    """Return the check that `column` holds one of the allowed words."""
    words = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def at_least_zero(*columns: str) -> CheckConstraint:
    """Return the check that none of the columns is negative."""
    return CheckConstraint(" AND ".join(f"{name} >= 0" for name in columns), name="not_negative")


def classified() -> CheckConstraint:
    """Return the check on `data_classification`."""
    return one_of("data_classification", *CLASSES)


def unique_while_live(table: str, *columns: str) -> Index:
    """Return a unique index over the rows that are not deleted."""
    live = text("deleted_at IS NULL")
    return Index(
        f"ux_{table}_{'_'.join(columns)}_live",
        "organization_id",
        *columns,
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )


def _organization() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization_id"], ["organization.id"])
