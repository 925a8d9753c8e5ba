"""Each look at an experiment says whether its plan allowed it."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0009_planned_looks.sql"
    ):
        connection.exec_driver_sql(statement)
