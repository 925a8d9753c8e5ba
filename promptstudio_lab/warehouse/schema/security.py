"""What PostgreSQL itself guards: each login reaches the rows of its own organisation only.

Row-level security is the boundary there. It is made anew whenever the schema moves, so a new
table cannot be without it. On SQLite the file is the boundary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from promptstudio_lab.warehouse.entities import Entity
from promptstudio_lab.warehouse.entities.tenancy import AuditableEntity, Tenant
from promptstudio_lab.warehouse.schema.files import folder, statements

if TYPE_CHECKING:
    from sqlalchemy import Connection

READER, WRITER = "reader", "writer"
# What tells who belongs where must be readable before anybody belongs anywhere: by the owner.
OF_THE_OWNER = ("organization", "membership")
# Facts that are finished once, by whoever began them, and sums that grow with the runs; every other
# fact is never changed.
_FINISHED = (
    "flow_execution",
    "node_attempt",
    "dataset_item",
    "workflow_template_usage",
    "experiment_exposure",
    "experiment_unit",
    "cold_partition",
)
_LONGEST = 40


def tenant_tables() -> list[str]:
    """Return every table whose rows belong to an organisation."""
    return sorted(
        str(mapper.local_table)
        for mapper in Entity.registry.mappers
        if issubclass(mapper.class_, Tenant)
    )


def make_functions(connection: Connection) -> None:
    """Put the functions of `sql/functions` in place; SQLite needs none."""
    file = folder("sql/functions") / f"{connection.dialect.name}.sql"
    for statement in statements(file) if file.exists() else ():
        connection.exec_driver_sql(statement.replace("%", "%%"))


def release(connection: Connection) -> None:
    """Let the owner change all rows while the schema moves; `secure` ends that."""
    for table in tenant_tables():
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}) is not None:
            connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")


def secure(connection: Connection) -> None:
    """Bind every table to the organisation of the login, and grant no more than is needed."""
    for table in [*tenant_tables(), "organization"]:
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        if table not in OF_THE_OWNER:
            connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"DROP POLICY IF EXISTS own_organization ON {table}")
        connection.exec_driver_sql(
            f"CREATE POLICY own_organization ON {table} USING ({_own(table)})"
        )
    grant(connection)


def _own(table: str) -> str:
    if table == "organization":
        return "id IN (SELECT promptstudio_organizations())"
    # In a sub-select it is asked once a statement, not once a row.
    return "organization_id = (SELECT promptstudio_organization())"


def role_name(connection: Connection, kind: str) -> str:
    """Return the name of the group of this database that reads, or reads and writes."""
    database = str(connection.scalar(text("SELECT current_database()")))
    return f"promptstudio_{database[:_LONGEST]}_{kind}"


def make_roles(connection: Connection) -> None:
    """Make the two groups that logins of analysts belong to."""
    for kind in (READER, WRITER):
        name = role_name(connection, kind)
        if not role_exists(connection, name):
            connection.exec_driver_sql(f"CREATE ROLE {quoted(connection, name)} NOLOGIN")
    grant(connection)


def role_exists(connection: Connection, name: str) -> bool:
    """Tell whether the server has a role of that name."""
    query = text("SELECT count(*) FROM pg_roles WHERE rolname = :name")
    return bool(connection.scalar(query, {"name": name}))


def quoted(connection: Connection, name: str) -> str:
    """Return a name as SQL, whatever it holds."""
    return connection.dialect.identifier_preparer.quote_identifier(name)


def grant(connection: Connection) -> None:
    """Grant the groups what they need on every table and view, and nothing on partitions."""
    if not all(role_exists(connection, role_name(connection, kind)) for kind in (READER, WRITER)):
        return
    reader, writer = (quoted(connection, role_name(connection, kind)) for kind in (READER, WRITER))
    for name in connection.scalars(text(_READABLE)).all():
        connection.exec_driver_sql(f"GRANT SELECT ON {name} TO {reader}, {writer}")
    tables = tenant_tables()
    editable = {
        str(mapper.local_table)
        for mapper in Entity.registry.mappers
        if issubclass(mapper.class_, AuditableEntity)
    }
    for table in tables:
        if table not in OF_THE_OWNER:
            verbs = "INSERT, UPDATE" if table in editable or table in _FINISHED else "INSERT"
            connection.exec_driver_sql(f"GRANT {verbs} ON {table} TO {writer}")
    make = "promptstudio_make_partitions(timestamptz)"
    connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {make} FROM PUBLIC")
    connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {make} TO {writer}")


# Tables and views, but no partition: a policy of the parent does not hold for whoever names those.
_READABLE = """
SELECT quote_ident(c.relname) FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND NOT c.relispartition AND pg_get_userbyid(c.relowner) = current_user
ORDER BY 1
"""
