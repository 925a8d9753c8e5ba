"""Datasets: named rows, versioned by the interval in which each row belongs."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptstudio_lab.warehouse.entities.tenancy import (
    AuditableEntity,
    Entity,
    Fact,
    TableParts,
    refers,
    unique_while_live,
)
from promptstudio_lab.warehouse.types import (
    Count,
    Key,
    OptionalCount,
    OptionalWords,
    Words,
)


class Dataset(AuditableEntity, Entity):
    """Rows under a name, for running and comparing flows."""

    __tablename__ = "dataset"

    prompt_lab_id: Mapped[Key]
    name: Mapped[Words]
    description: Mapped[OptionalWords]
    current_version: Mapped[Count] = mapped_column(default=0, server_default="0")

    @classmethod
    def parts(cls) -> TableParts:
        """Name datasets once a lab."""
        return (
            refers("prompt_lab", "prompt_lab_id"),
            unique_while_live("dataset", "prompt_lab_id", "name"),
        )


class DatasetItem(Fact, Entity):
    """One row of a dataset; its values are a payload, so a person's row can be erased."""

    __tablename__ = "dataset_item"

    dataset_id: Mapped[Key]
    item_key: Mapped[Words]
    position: Mapped[Count]
    content_payload_id: Mapped[Key]
    added_in_version: Mapped[Count]
    removed_in_version: Mapped[OptionalCount]

    @classmethod
    def parts(cls) -> TableParts:
        """One row a key and the version that added it."""
        return (
            refers("dataset", "dataset_id"),
            UniqueConstraint("organization_id", "dataset_id", "item_key", "added_in_version"),
        )
