"""What a fork remembers of its merges holds nothing that people wrote."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0008_merged_places.sql"
    ):
        connection.exec_driver_sql(statement)
