"""The doctor sees every risk that is there, says what to do, and cries no wolf."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL, Identifier

from promptstudio_lab.ids import time_of
from promptstudio_lab.warehouse import health
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.health import examine
from promptstudio_lab.warehouse.organizations import enter
from tests.warehouse.parts import Place, file_of, make_flow
from tests.warehouse.shared import Team, team

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

CHILDREN_FIRST = (
    "execution_metric",
    "prompt_execution",
    "node_attempt",
    "node_execution",
    "flow_execution",
)


@pytest.fixture
def own_team(postgresql_server: URL) -> Iterator[Team]:
    """Give a shared warehouse that a test may spoil."""
    with team(postgresql_server) as found:
        yield found


def told(place: Place) -> str:
    risks = examine(place.warehouse, place.actor).risks
    assert all(risk.remedy for risk in risks)
    return "\n".join(risk.what for risk in risks)


def test_facts_are_told_on_both_engines(own_place: Place) -> None:
    facts = examine(own_place.warehouse, own_place.actor).facts
    assert {"engine", "journal", "partitions", "size", "schema", "runs", "cold"} <= set(facts)
    assert (facts["schema"], facts["runs"], facts["cold"]) == ("0010", "0", "nothing")


def test_a_private_file_of_a_sound_library_has_no_risk(
    sqlite_place: Place, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(sqlite_url).chmod(0o600)
    monkeypatch.setattr(health, "_unmended", lambda _: False)
    assert told(sqlite_place) == ""


def test_a_file_that_others_can_read_is_a_risk(sqlite_place: Place, sqlite_url: str) -> None:
    file_of(sqlite_url).chmod(0o644)
    assert "others on this machine can read the file" in told(sqlite_place)


@pytest.mark.parametrize(
    ("version", "risky"),
    [((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 51, 3), False)],
)
def test_the_libraries_that_can_damage_a_log_are_known(
    version: tuple[int, ...], *, risky: bool
) -> None:
    assert health._unmended(version) is risky


def test_little_room_is_a_risk(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LITTLE_SPACE", 1 << 60)
    assert "are free on its disk" in told(sqlite_place)


def test_a_long_log_is_a_risk(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LONG_LOG", 0)
    assert "the log has grown" in told(sqlite_place)


def test_members_of_a_shared_warehouse_are_told_what_the_server_risks(own_team: Team) -> None:
    # The tests' server does not wait for its disk, and says so.
    assert told(own_team.acme) == (
        "the server acknowledges what it has not written: a power cut loses rows"
    )
    assert "member of the warehouse" in examine(*own_team.acme[:2]).facts["login"]
    assert "owner of the warehouse" in examine(*own_team.owner[:2]).facts["login"]


def test_a_superuser_and_a_table_without_guard_are_risks(own_team: Team) -> None:
    with own_team.raw(str(own_team.url.username)) as connection:
        connection.execute("ALTER TABLE flow_node NO FORCE ROW LEVEL SECURITY")
    assert "row security is not in force on flow_node" in told(own_team.acme)
    url = own_team.superuser.render_as_string(hide_password=False)
    with closing(Warehouse(url)) as warehouse:
        actor = enter(warehouse, "acme")
        assert "is a superuser: row security does not bind it" in told(Place(warehouse, actor, ""))


def test_missing_partitions_are_a_risk(own_team: Team) -> None:
    query = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
    with own_team.raw(str(own_team.url.username)) as connection:
        months = sorted({str(row[0])[-8:] for row in connection.execute(query)})
        for month in months[-2:]:
            for table in CHILDREN_FIRST:
                leaf = SQL("{}").format(Identifier(f"{table}_p{month}"))
                detach = SQL("ALTER TABLE {} DETACH PARTITION {}")
                connection.execute(detach.format(Identifier(table), leaf))
                connection.execute(SQL("DROP TABLE {}").format(leaf))
    assert "partitions are made only up to" in told(own_team.acme)


def test_runs_whose_process_is_gone_are_a_risk(own_place: Place) -> None:
    flow = make_flow(own_place)
    own, long_ago = own_place.actor.organization_id, datetime(2026, 1, 2, tzinfo=UTC)
    columns = (
        "id", "organization_id", "flow_id", "flow_version", "change_seq", "requested_by",
        "executed_by", "trigger", "status", "started_at", "lease_until", "created_at", "created_by",
    )  # fmt: skip
    did = ("a", "a", "cell", "running")
    row = (flow, own, flow, 1, 1, *did, long_ago, long_ago, time_of(flow), "a")
    own_place.write(lambda c: insert_missing(c, "flow_execution", columns, [row]))
    assert "1 runs show as running" in told(own_place)
