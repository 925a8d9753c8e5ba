"""Partitions by month, permissions, labels, tags, pins, retention, and how things look."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from alembic import op
from sqlalchemy import text

from promptstudio_lab.ids import time_of
from promptstudio_lab.values import content_hash, loads
from promptstudio_lab.warehouse.schema.files import folder, statements
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from sqlalchemy import Connection

revision = "0002"
down_revision = "0001"

_BY_MONTH = (
    "flow_execution",
    "node_execution",
    "node_attempt",
    "prompt_execution",
    "execution_metric",
)
_HASHED = (
    "stream_type",
    "stream_id",
    "seq",
    "op_id",
    "op_type",
    "base_seq",
    "patch",
    "inverse",
    "status",
    "conflicts",
    "undo_of_seq",
    "batch_id",
    "actor_id",
    "actor_kind",
    "client_id",
    "created_at",
)


def upgrade() -> None:
    """Run this revision's SQL, and give every execution the moment that its id carries."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0002_shared_warehouse.sql"
    ):
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "sqlite":
        _date_by_id(connection)
    _chain_again(connection)


def _chain_again(connection: Connection) -> None:
    """Hash the change log anew: from now on a hash covers every column that says what happened."""
    query = "SELECT * FROM change_log ORDER BY organization_id, stream_id, seq"
    rows = [dict(row) for row in connection.execute(text(query)).mappings()]
    for _, stream in groupby(rows, key=lambda row: (row["organization_id"], row["stream_id"])):
        previous: str | None = None
        for row in stream:
            previous = _hash(previous, row)
            connection.execute(
                text("UPDATE change_log SET hash = :hash WHERE id = :id"),
                {"hash": previous, "id": row["id"]},
            )


def _hash(previous: str | None, row: dict[str, Any]) -> str:  # a row's columns have their types
    plain = {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}
    for name in ("patch", "inverse", "conflicts"):
        if isinstance(plain[name], str):
            plain[name] = loads(plain[name])
    if isinstance(plain["created_at"], datetime):
        plain["created_at"] = iso(plain["created_at"])
    return content_hash([previous, {name: plain[name] for name in _HASHED}])


def _date_by_id(connection: Connection) -> None:
    raw = connection.connection.driver_connection
    if raw is None:
        message = "the migration has no connection"
        raise RuntimeError(message)
    raw.create_function("moment_of", 1, lambda key: iso(time_of(key)), deterministic=True)
    for table in _BY_MONTH:
        connection.exec_driver_sql(f"UPDATE {table} SET created_at = moment_of(id)")
