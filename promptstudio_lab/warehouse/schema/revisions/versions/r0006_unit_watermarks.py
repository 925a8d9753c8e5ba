"""Units of experiments tell when a run was last added to them."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.archived import add_up
from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run this revision's SQL, and add up what was archived before there were sums."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0006_unit_watermarks.sql"
    ):
        connection.exec_driver_sql(statement)
    add_up(connection)
