"""Sums by unit, looks at an experiment, propensities: what ran before is added up once."""

from __future__ import annotations

from alembic import op

from promptstudio_lab.warehouse.schema.files import folder, statements

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run this revision's SQL."""
    connection = op.get_bind()
    for statement in statements(
        folder("sql/migrations") / connection.dialect.name / "0003_experiment_sums.sql"
    ):
        connection.exec_driver_sql(statement)
