"""Partitions by month, permissions, labels, tags, pins, retention, and how things look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import op

from promptstudio_lab.ids import time_of
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


def upgrade() -> None:
    """Run this revision's SQL, and give every execution the moment that its id carries."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0002_shared_warehouse.sql"
    ):
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "sqlite":
        _date_by_id(connection)


def _date_by_id(connection: Connection) -> None:
    raw = connection.connection.driver_connection
    if raw is None:
        message = "the migration has no connection"
        raise RuntimeError(message)
    raw.create_function("moment_of", 1, lambda key: iso(time_of(key)), deterministic=True)
    for table in _BY_MONTH:
        connection.exec_driver_sql(f"UPDATE {table} SET created_at = moment_of(id)")  # noqa: S608 — names above
