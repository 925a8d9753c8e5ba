"""On PostgreSQL row security is the boundary: whatever a member sends, others' rows stay theirs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import aliased

from promptstudio_lab.errors import AccessDenied, WarehouseError
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import Entity, FlowNode, PromptFlow
from promptstudio_lab.warehouse.members import add_member, remove_member
from promptstudio_lab.warehouse.organizations import enter
from promptstudio_lab.warehouse.rows import count_by, find
from promptstudio_lab.warehouse.schema.security import OF_THE_OWNER, tenant_tables
from tests.warehouse.parts import make_flow, make_node
from tests.warehouse.shared import Team, member, run, team

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL
    from sqlalchemy.orm import Session

    Probe = Callable[[Session], Any]  # a count, or what stands for one

NODE: Any = FlowNode.__table__  # a table, as Core takes it
FLOW: Any = PromptFlow.__table__  # the same


@pytest.fixture(scope="module")
def shared_team(postgresql_server: URL) -> Iterator[Team]:
    """Give one warehouse with a flow of `acme`'s for all tests."""
    with team(postgresql_server) as found:
        make_node(found.acme, make_flow(found.acme))
        yield found


def rows(statement: Any) -> Probe:
    return lambda session: len(session.execute(statement).all())


def raw(statement: str) -> Probe:
    return lambda session: len(session.connection().exec_driver_sql(statement).all())


def changed(statement: Any) -> Probe:
    return lambda session: getattr(session.execute(statement), "rowcount", -1)


def by_key(session: Session) -> int:
    key = session.info["acme_node"]
    return len([row for row in [session.get(FlowNode, key)] if row])


def in_bulk(session: Session) -> int:
    key = session.info["acme_node"]
    session.execute(update(FlowNode), [{"id": key, "node_key": "taken"}])
    return 0


OTHER = aliased(FlowNode)
PROBES: dict[str, Probe] = {
    "entity": rows(select(FlowNode)),
    "column": rows(select(FlowNode.id)),
    "alias": rows(select(OTHER.id)),
    "count": lambda s: s.scalar(select(func.count()).select_from(FlowNode)),
    "exists": lambda s: s.scalar(select(select(FlowNode.id).exists())),
    "join": rows(select(FlowNode.id).join(PromptFlow, PromptFlow.id == FlowNode.flow_id)),
    "outer join": rows(
        select(FlowNode.id).join(PromptFlow, PromptFlow.id == FlowNode.flow_id, isouter=True)
    ),
    "subquery": rows(select(select(FlowNode.id).subquery())),
    "common table": rows(select(select(FlowNode.id).cte())),
    "scalar subquery": lambda s: s.scalar(
        select(select(func.count(FlowNode.id)).scalar_subquery())
    ),
    "union": rows(select(FlowNode.id).union_all(select(FlowNode.id))),
    "membership": rows(select(FlowNode.id).where(FlowNode.flow_id.in_(select(PromptFlow.id)))),
    "lateral": rows(
        select(FLOW.c.id, select(NODE.c.id).where(NODE.c.flow_id == FLOW.c.id).lateral().c.id)
    ),
    "core": rows(select(NODE)),
    "core count": lambda s: s.scalar(select(func.count()).select_from(NODE)),
    "text": raw("SELECT * FROM flow_node"),
    "from statement": rows(select(FlowNode).from_statement(text("SELECT * FROM flow_node"))),
    "on the connection": lambda s: len(s.connection().execute(select(FlowNode)).all()),
    "window": raw("SELECT count(*) OVER () FROM flow_node"),
    "view": raw("SELECT * FROM v_node_execution UNION ALL SELECT * FROM v_node_execution"),
    "log": raw("SELECT patch FROM change_log WHERE stream_type = 'flow'"),
    "payloads": raw("SELECT body FROM payload"),
    "organisations": raw("SELECT payload_key FROM organization WHERE slug = 'acme'"),
    "members": raw("SELECT login FROM membership WHERE login LIKE 'acme%%'"),
    "key": by_key,
    "find": lambda s: len(find(s, FlowNode)),
    "groups": lambda s: len(count_by(s, FlowNode, "flow_id")),
    "core update": changed(update(NODE).values(node_key="taken")),
    "update": changed(update(FlowNode).values(node_key="taken")),
    "text update": changed(text("UPDATE flow_node SET node_key = 'taken'")),
    "locking": raw("SELECT id FROM flow_node FOR UPDATE"),
}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_nothing_of_others_is_seen_or_changed(shared_team: Team, probe: Probe) -> None:
    key = shared_team.acme.see(lambda session: find(session, FlowNode))[0].id

    def work(session: Session) -> Any:  # what the probe says
        session.info["acme_node"] = key
        return probe(session)

    assert shared_team.beta.do(work) == 0
    assert shared_team.acme.see(lambda s: find(s, FlowNode))[0].node_key != "taken"


def test_the_probes_find_what_is_ones_own(shared_team: Team) -> None:
    """A probe that finds nothing anywhere proves nothing."""
    key = shared_team.acme.see(lambda session: find(session, FlowNode))[0].id
    blind = []
    for name, probe in PROBES.items():
        if "update" in name or name == "view":
            continue

        def work(session: Session, probe: Probe = probe) -> Any:  # the same
            session.info["acme_node"] = key
            return probe(session)

        if not shared_team.acme.do(work):
            blind.append(name)
    assert blind == []


def test_rows_cannot_be_changed_by_their_keys_in_bulk(shared_team: Team) -> None:
    key = shared_team.acme.see(lambda session: find(session, FlowNode))[0].id

    def work(session: Session) -> int:
        session.info["acme_node"] = key
        return in_bulk(session)

    with pytest.raises(Exception, match=r"expected to update 1 row|KeyError|row_version"):
        shared_team.beta.do(work)


@pytest.mark.parametrize("bound", [False, True], ids=["unbound", "bound"])
def test_rows_cannot_be_planted(shared_team: Team, *, bound: bool) -> None:
    acme = shared_team.acme.actor.organization_id
    values = {"id": new_id(), "organization_id": acme, "name": "planted", "created_by": "x"}
    with shared_team.raw(shared_team.beta.actor.id) as connection:
        if bound:
            connection.execute(
                "SELECT set_config('promptstudio.organization_id', %s, false)", [acme]
            )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(
                "INSERT INTO prompt_lab (id, organization_id, name, created_at, created_by) "
                "VALUES (%(id)s, %(organization_id)s, %(name)s, now(), %(created_by)s)",
                values,
            )


def test_a_member_cannot_choose_another_organisation(shared_team: Team) -> None:
    acme = shared_team.acme.actor.organization_id
    with shared_team.raw(shared_team.beta.actor.id) as connection:
        connection.execute("SELECT set_config('promptstudio.organization_id', %s, false)", [acme])
        assert count(connection, "flow_node") == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(SQL("SET ROLE {}").format(Identifier(shared_team.acme.actor.id)))


def count(connection: psycopg.Connection[Any], table: str) -> int:
    query = SQL("SELECT count(*) FROM {}").format(Identifier(table))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else -1


def test_the_owner_without_an_organisation_sees_no_rows(shared_team: Team) -> None:
    with shared_team.raw(str(shared_team.url.username)) as connection:
        assert {count(connection, t) for t in tenant_tables() if t not in OF_THE_OWNER} == {0}
        connection.execute("SELECT set_config('promptstudio.organization_id', '', false)")
        assert count(connection, "flow_node") == 0


def test_a_connection_that_goes_back_to_the_pool_is_nobodys(shared_team: Team) -> None:
    owner = shared_team.owner
    assert owner.see(lambda session: find(session, FlowNode))
    for _ in range(10):
        with owner.warehouse.engine.connect() as connection:
            assert connection.execute(select(NODE)).all() == []


def test_a_key_that_others_have_says_nothing(shared_team: Team) -> None:
    """Every unique index begins with the organisation, so a name that is taken is no oracle."""
    lab = shared_team.acme.see(lambda session: find(session, PromptFlow))[0].name
    assert make_flow(shared_team.beta, lab)


def test_a_row_cannot_refer_to_anothers(shared_team: Team) -> None:
    flow = shared_team.acme.see(lambda session: find(session, PromptFlow))[0].id
    statement = (
        "INSERT INTO flow_node (id, organization_id, flow_id, node_key, kind, kind_version, "
        "config, policy, created_at, created_by) VALUES "
        "(%s, promptstudio_organization(), %s, 'k', 'llm', 1, '{}', '{}', now(), 'x')"
    )
    with (
        shared_team.raw(shared_team.beta.actor.id) as connection,
        pytest.raises(psycopg.errors.ForeignKeyViolation),
    ):
        connection.execute(statement, [new_id(), flow])


def test_views_are_read_with_the_readers_own_rights(shared_team: Team) -> None:
    with shared_team.raw(shared_team.beta.actor.id) as connection:
        for view in views(connection):
            query = SQL(
                "SELECT count(*) FROM {} WHERE organization_id <> promptstudio_organization()"
            )
            assert connection.execute(query.format(Identifier(view))).fetchone() == (0,), view


def views(connection: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relkind = 'v' AND relname LIKE 'v\\_%'"
    return [str(row[0]) for row in connection.execute(query)]


def test_months_cannot_be_named_past_their_table(shared_team: Team) -> None:
    with shared_team.raw(shared_team.acme.actor.id) as connection:
        leaves = connection.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        ).fetchall()
        assert len(leaves) >= 20
        for (leaf,) in leaves:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                count(connection, str(leaf))


_JOIN = (
    "INSERT INTO membership (id, organization_id, login, role, created_at, created_by) "
    "VALUES (gen_random_uuid(), promptstudio_organization(), 'x', 'admin', now(), 'x')"
)
_REPLACE = (
    "CREATE OR REPLACE FUNCTION promptstudio_organization() RETURNS uuid LANGUAGE sql AS "
    "'SELECT NULL::uuid'"
)


def refused(team: Team, login: str, statement: Any) -> None:  # text, or a composed statement
    """Prove that a login may not do something."""
    with (
        team.raw(login) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM flow_node",
        "UPDATE prompt_template_version SET content = 'x'",
        "UPDATE change_log SET actor_id = 'x'",
        "UPDATE node_execution SET cost = 0",
        "UPDATE organization SET slug = 'x'",
        _JOIN,
        "ALTER TABLE flow_node DISABLE ROW LEVEL SECURITY",
        _REPLACE,
        "DROP POLICY own_organization ON flow_node",
    ],
)
def test_a_member_may_not_rewrite_history_or_rights(shared_team: Team, statement: str) -> None:
    refused(shared_team, shared_team.acme.actor.id, statement)


def test_every_table_has_the_column_the_key_and_the_policy(shared_team: Team) -> None:
    query = """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.qual, a.attnotnull
        FROM pg_class AS c
        LEFT JOIN pg_policies AS p ON p.tablename = c.relname AND p.policyname = 'own_organization'
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'organization_id'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    """
    with shared_team.raw(str(shared_team.url.username)) as connection:
        found = {str(row[0]): row[1:] for row in connection.execute(query)}
    nobodys = {"organization", "warehouse_info", "promptstudio_alembic_version"}
    for table, (secured, forced, policy, column) in found.items():
        if table in nobodys - {"organization"}:
            continue
        assert secured, table
        assert forced or table in OF_THE_OWNER, table
        assert "promptstudio_organization" in str(policy), table
        assert column or table == "organization", table
    assert set(tenant_tables()) <= set(found)
    assert len(found) > len(Entity.metadata.tables) + 15


def test_a_viewer_reads_and_changes_nothing(shared_team: Team) -> None:

    owner, login = shared_team.owner, f"viewer_{shared_team.suffix}"
    add_member(owner.warehouse, owner.actor, login, "viewer", "acme")
    with member(shared_team.url.set(username=login)) as viewer:
        assert len(viewer.see(lambda session: find(session, FlowNode))) == 1
        with pytest.raises(AccessDenied, match="is a viewer here, and viewers change nothing"):
            make_flow(viewer)
    refused(shared_team, login, "UPDATE flow_node SET node_key = 'x'")
    remove_member(owner.warehouse, owner.actor, login)
    refused(shared_team, login, "SELECT count(*) FROM flow_node")


def test_who_works_nowhere_is_told_whom_to_ask(shared_team: Team, postgresql_server: URL) -> None:

    login = f"nobody_{shared_team.suffix}"
    run(postgresql_server, SQL("CREATE ROLE {} LOGIN").format(Identifier(login)))
    with pytest.raises((AccessDenied, WarehouseError), match=f"promptstudio analyst add {login}"):
        enter(Warehouse(shared_team.as_login(login)))


def test_rows_of_an_unforeseen_month_find_their_place(shared_team: Team) -> None:

    acme = shared_team.acme
    flow = acme.see(lambda session: find(session, PromptFlow))[0].id
    moment = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)
    stamp = f"{int(moment.timestamp() * 1000):012x}"
    key = f"{stamp[:8]}-{stamp[8:]}{new_id()[13:]}"
    columns = (
        "id", "organization_id", "flow_id", "flow_version", "change_seq", "requested_by",
        "executed_by", "trigger", "status", "started_at", "created_at", "created_by",
    )  # fmt: skip
    own, did = acme.actor.organization_id, ("a", "a", "cell", "succeeded")
    row = (key, own, flow, 1, 1, *did, moment, moment, "a")
    acme.write(lambda c: insert_missing(c, "flow_execution", columns, [row]))
    with shared_team.raw(str(shared_team.superuser.username)) as connection:
        assert count(connection, "flow_execution_p20190501") == 1
