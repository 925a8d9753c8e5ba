"""Where forks of flows came from."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0007_flow_forks.sql"
    ):
        connection.exec_driver_sql(statement)
