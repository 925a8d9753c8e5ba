"""How often a unit met its variant is counted from its runs, and no column of its own."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0005_exposures_counted.sql"
    ):
        connection.exec_driver_sql(statement)
