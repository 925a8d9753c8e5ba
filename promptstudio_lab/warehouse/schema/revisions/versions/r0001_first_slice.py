"""The first schema: labs, libraries, templates, flows, executions, experiments, datasets."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0001_first_slice.sql"
    ):
        connection.exec_driver_sql(statement)
