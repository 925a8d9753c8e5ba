"""A log tells which runs were added to units; units themselves no longer say when."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0010_fold_log.sql"
    ):
        connection.exec_driver_sql(statement)
