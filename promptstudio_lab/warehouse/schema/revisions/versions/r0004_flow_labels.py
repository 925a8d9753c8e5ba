"""Names for versions of flows."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0004_flow_labels.sql"
    ):
        connection.exec_driver_sql(statement)
