"""The schema as SQL text, generated from the entities: `sql/schema` is its committed copy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_mock_engine

from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.schema.files import folder

DIALECTS = ("sqlite", "postgresql")


def schema_sql(dialect: str) -> str:
    """Return every statement that makes the schema on `sqlite` or `postgresql`."""
    lines: list[str] = []

    def collect(statement: Any, *_: object, **__: object) -> None:  # any DDL element
        text = str(statement.compile(dialect=engine.dialect)).strip()
        lines.append("\n".join(line.rstrip() for line in text.splitlines()).replace("\t", "    "))

    engine = create_mock_engine(f"{dialect}://", collect)
    for table in Entity.metadata.tables.values():
        # A table's indexes are a set; their text must come out the same every time.
        table.indexes = dict.fromkeys(sorted(table.indexes, key=lambda index: str(index.name)))  # type: ignore[assignment]  # an ordered set
    Entity.metadata.create_all(engine, checkfirst=False)
    return ";\n\n".join(lines) + ";\n"


def write_schema() -> None:
    """Bring `sql/schema` up to date with the entities."""
    for dialect in DIALECTS:
        (folder("sql/schema") / f"{dialect}.sql").write_text(schema_sql(dialect), encoding="utf-8")


if __name__ == "__main__":
    write_schema()
