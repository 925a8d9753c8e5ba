"""Which rows a month's archive takes: its executions, and the payloads that nothing else needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import Conflict
from promptstudio_lab.warehouse.archive.content import (
    EXECUTIONS,
    PAYLOAD,
    batches,
    canonical_columns,
)
from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.types import CanonicalJson, iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

    from promptstudio_lab.warehouse.append import Row
    from promptstudio_lab.warehouse.archive.month import Month

_OWN = "organization_id = ?"
_INSIDE = f"{_OWN} AND id >= ? AND id < ?"
_OUTSIDE = f"{_OWN} AND (id < ? OR id >= ?)"
_LOG = "change_log"
# What a document of the log says in place of a text.
_NAMED = {
    "sqlite": (
        "SELECT node.atom FROM {table}, json_tree({table}.{column}) AS node "
        "WHERE {table}.organization_id = ? AND node.key = '$payload'"
    ),
    "postgresql": (
        "SELECT CAST((regexp_matches(CAST({column} AS text), "
        """'"\\$payload": *"([0-9a-f-]{{36}})"', 'g'))[1] AS uuid) """
        "FROM {table} WHERE organization_id = ?"
    ),
}


class Scope(NamedTuple):
    """One organisation's month."""

    organization_id: str
    month: Month

    @property
    def bound(self) -> tuple[str, str, str]:
        """Return the values of a predicate of the month."""
        return (self.organization_id, *self.month.ids)


def any_of(connection: Connection, scope: Scope) -> bool:
    """Tell whether the month has any row."""
    each = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {_INSIDE})" for table in EXECUTIONS)
    query = f"SELECT CASE WHEN {each} THEN 1 ELSE 0 END"
    return bool(_run(connection, query, scope.bound * len(EXECUTIONS))[0][0])


def rows_of(connection: Connection, table: str, scope: Scope) -> Iterator[list[Row]]:
    """Give the rows that go, in canonical form and sorted by id."""
    dialect = connection.dialect.name
    where, bound = _which(table, scope, dialect)
    columns = canonical_columns(table, dialect)
    query = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY id"
    return batches(connection, query, bound)


def delete(connection: Connection, table: str, scope: Scope) -> None:
    """Delete the rows that go."""
    where, bound = _which(table, scope, connection.dialect.name)
    _run(connection, f"DELETE FROM {table} WHERE {where}", bound)


def forget_folds(connection: Connection, scope: Scope) -> None:
    """Delete the log of folds, which names runs that go: whoever holds units reads them anew."""
    _run(connection, f"DELETE FROM experiment_fold WHERE {_OWN}", (scope.organization_id,))


def experiments(connection: Connection, scope: Scope) -> list[str]:
    """Return the experiments that the month's runs belong to."""
    found = _run(
        connection,
        f"SELECT DISTINCT experiment_id FROM flow_execution WHERE {_INSIDE} "
        "AND experiment_id IS NOT NULL ORDER BY experiment_id",
        scope.bound,
    )
    return [str(row[0]) for row in found]


def check_finished(connection: Connection, scope: Scope) -> None:
    """Refuse a month in which something is not over, or that other months hold on to.

    Raises:
        Conflict: naming what stands in the way.
    """
    count = f"SELECT count(*) FROM flow_execution WHERE {_INSIDE} AND status = 'running'"
    if running := _run(connection, count, scope.bound)[0][0]:
        message = (
            f"{running} runs of {scope.month} are still running; archive it when they are over"
        )
        raise Conflict(message)
    for table, column in _references():
        within = f"{column} >= ? AND {column} < ?"
        also = "" if table not in EXECUTIONS else " AND (id < ? OR id >= ?)"
        ids = scope.month.ids if also else ()
        query = f"SELECT count(*) FROM {table} WHERE {_OWN} AND {within}{also}"
        if others := _run(connection, query, (*scope.bound, *ids))[0][0]:
            message = (
                f"{others} rows of {table} from other months refer to runs of {scope.month}, "
                "so it stays in the database"
            )
            raise Conflict(message)
    for table in EXECUTIONS:
        query = (
            f"SELECT count(*) FROM {table} WHERE {_INSIDE} AND (created_at < ? OR created_at >= ?)"
        )
        bound = (*scope.bound, *_span(scope.month, connection.dialect.name))
        if strange := _run(connection, query, bound)[0][0]:
            message = (
                f"{strange} rows of {table} have an id of {scope.month} and another month's "
                "created_at; they must agree before the month can be archived"
            )
            raise Conflict(message)


def _span(month: Month, dialect: str) -> tuple[object, object]:
    if dialect == "sqlite":
        return iso(month.since), iso(month.until)
    return month.since, month.until


def _references() -> list[tuple[str, str]]:
    """Return (table, column) of every reference to a row that is kept by month."""
    return [
        (table.name, foreign.column_keys[-1])
        for table in Entity.metadata.sorted_tables
        for foreign in table.foreign_key_constraints
        if foreign.referred_table.name in EXECUTIONS
    ]


def _which(table: str, scope: Scope, dialect: str) -> tuple[str, tuple[object, ...]]:
    if table != PAYLOAD:
        return _INSIDE, scope.bound
    inside = [
        f"SELECT {column} FROM {name} WHERE {_INSIDE} AND {column} IS NOT NULL"
        for name, column in _payload_columns()
        if name in EXECUTIONS
    ]
    outside = [
        f"SELECT {column} FROM {name} WHERE {_OUTSIDE if name in EXECUTIONS else _OWN} "
        f"AND {column} IS NOT NULL"
        for name, column in _payload_columns()
    ]
    outside += [
        _NAMED[dialect].format(table=_LOG, column=column.name)
        for column in Entity.metadata.tables[_LOG].columns
        if isinstance(column.type, CanonicalJson)
    ]
    queries = [*inside, *outside]
    bound = [value for query in queries for value in scope.bound[: query.count("?")]]
    alone = f"{_all(inside)} EXCEPT {_all(outside)}"
    return f"{_OWN} AND id IN ({alone})", (scope.organization_id, *bound)


def _all(queries: list[str]) -> str:
    return f"SELECT * FROM ({' UNION ALL '.join(queries)}) AS named"


def _payload_columns() -> list[tuple[str, str]]:
    return [
        (table.name, column.name)
        for table in Entity.metadata.sorted_tables
        if _owned(table)
        for column in table.columns
        if column.name.endswith("payload_id")
    ]


def _owned(table: Table) -> bool:
    return "organization_id" in table.columns


def _run(connection: Connection, sql: str, bound: tuple[object, ...]) -> list[tuple[object, ...]]:
    marked = sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
    found = connection.exec_driver_sql(marked, bound)
    return [tuple(row) for row in found] if found.returns_rows else []
