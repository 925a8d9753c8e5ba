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

from promptstudio_lab.settings import CLASSES
from promptstudio_lab.warehouse.types import (
    Count,
    Flag,
    Guid,
    Moment,
    OptionalKey,
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


TableParts = tuple[Any, ...]  # SQLAlchemy's own type for __table_args__


class Entity(DeclarativeBase):
    """The root of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    strict: ClassVar[dict[str, bool]] = {"sqlite_strict": True}


class Tenant:
    """A row that belongs to one organisation; every reference to it carries the organisation."""

    # Whether other tables refer to this one: the extra key costs every insert.
    referred: ClassVar[bool] = True
    storage: ClassVar[dict[str, Any]] = {}  # options of a dialect, such as its partitions

    id: Mapped[str] = mapped_column(Guid, primary_key=True, sort_order=-2)
    organization_id: Mapped[str] = mapped_column(Guid, sort_order=-1)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> TableParts:
        """Put the tenant's key and the class's own parts together."""
        key = (UniqueConstraint("organization_id", "id"),) if cls.referred else ()
        return (*key, _organization(), *cls.rules(), *cls.parts(), {**Entity.strict, **cls.storage})

    @classmethod
    def rules(cls) -> TableParts:
        """Return the constraints that all tables of its kind have."""
        return ()

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
    personal_data: Mapped[Flag] = mapped_column(default=False, server_default="0", sort_order=91)
    retention_policy_id: Mapped[OptionalKey] = mapped_column(sort_order=91)
    legal_hold: Mapped[Flag] = mapped_column(default=False, server_default="0", sort_order=91)

    @classmethod
    def rules(cls) -> TableParts:
        """Check the classification, and that a retention policy is the organisation's own."""
        return (
            one_of("data_classification", *CLASSES),
            refers("retention_policy", "retention_policy_id"),
        )


class Partitioned(Fact):
    """A row of a run, kept by month: the month is in its id, and `created_at` is the id's moment.

    PostgreSQL keeps each month in a partition, so what must be unique is derived into the id.
    """

    storage: ClassVar[dict[str, Any]] = {"postgresql_partition_by": "RANGE (id)"}  # of its dialect


class Shown:
    """How a thing looks among others: what people choose, and no run depends on."""

    color: Mapped[OptionalWords] = mapped_column(sort_order=80)
    icon: Mapped[OptionalWords] = mapped_column(sort_order=80)
    category: Mapped[OptionalWords] = mapped_column(sort_order=80)
    order_key: Mapped[Words] = mapped_column(default="", server_default="", sort_order=80)


class Attached:
    """A row that belongs to one library, flow or template of the organisation."""

    prompt_library_id: Mapped[OptionalKey]
    workflow_library_id: Mapped[OptionalKey]
    prompt_template_id: Mapped[OptionalKey]
    prompt_flow_id: Mapped[OptionalKey]

    TARGETS: ClassVar[tuple[str, ...]] = (
        "prompt_library",
        "workflow_library",
        "prompt_template",
        "prompt_flow",
    )

    @classmethod
    def attached(cls, *also: str) -> TableParts:
        """Return the references, the check that one is set, and that it stands there once.

        Args:
            also: columns that tell two rows of one target apart.
        """
        table = str(cls.__tablename__)  # type: ignore[attr-defined]  # set on each table
        columns = [f"{target}_id" for target in cls.TARGETS]
        given = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END" for name in columns)
        return (
            *(refers(target, f"{target}_id") for target in cls.TARGETS),
            *(unique_while_live(table, name, *also) for name in columns),
            CheckConstraint(f"{given} = 1", name="one_target"),
        )


def refers(table: str, column: str) -> ForeignKeyConstraint:
    """Return the reference from `column` to a row of `table` in the same organisation."""
    return ForeignKeyConstraint(
        ["organization_id", column], [f"{table}.organization_id", f"{table}.id"]
    )


def one_of(column: str, *allowed: str) -> CheckConstraint:
    """Return the check that `column` holds one of the allowed words."""
    words = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def at_least_zero(*columns: str) -> CheckConstraint:
    """Return the check that none of the columns is negative."""
    return CheckConstraint(" AND ".join(f"{name} >= 0" for name in columns), name="not_negative")


def unique_while_live(table: str, *columns: str, name: str = "") -> Index:
    """Return a unique index over the rows that are not deleted; `name` shortens a long one."""
    live = text("deleted_at IS NULL")
    return Index(
        f"ux_{table}_{name or '_'.join(columns)}_live",
        "organization_id",
        *columns,
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )


def _organization() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization_id"], ["organization.id"])
