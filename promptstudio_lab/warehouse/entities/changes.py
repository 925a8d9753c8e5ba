"""The change log: one mechanism for audit, undo, versions and collaboration."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from promptstudio_lab.warehouse.entities.tenancy import Entity, Fact, TableParts, one_of
from promptstudio_lab.warehouse.types import (
    Count,
    Document,
    Key,
    OptionalCount,
    OptionalKey,
    OptionalWords,
    Words,
)


class ChangeLog(Fact, Entity):
    """One operation: gapless within its stream, repeatable by its operation id, with its inverse.

    Free text in `patch` and `inverse` is a payload reference, so it can be erased while the hash
    chain still holds.
    """

    __tablename__ = "change_log"
    referred = False

    stream_type: Mapped[Words]
    stream_id: Mapped[Key]
    seq: Mapped[Count]
    op_id: Mapped[Key]
    op_type: Mapped[Words]
    base_seq: Mapped[Count]
    patch: Mapped[Document]
    inverse: Mapped[Document]
    status: Mapped[Words]
    conflicts: Mapped[Document | None]
    undo_of_seq: Mapped[OptionalCount]
    batch_id: Mapped[OptionalKey]
    actor_id: Mapped[Words]
    actor_kind: Mapped[Words]
    client_id: Mapped[OptionalWords]
    hash: Mapped[Words]

    @classmethod
    def parts(cls) -> TableParts:
        """Gapless streams and idempotent operations."""
        return (
            UniqueConstraint("organization_id", "stream_id", "seq"),
            UniqueConstraint("organization_id", "op_id"),
            one_of("stream_type", "flow", "lab"),
            one_of("status", "applied", "superseded"),
        )
