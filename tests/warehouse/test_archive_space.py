"""What is archived gives its space back, and who may archive."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from promptstudio_lab.errors import AccessDenied
from promptstudio_lab.ids import derived_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.archive import archive, cold_rows, months, restore_month
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, TABLES
from promptstudio_lab.warehouse.entities import Entity
from tests.warehouse.months import MARCH, id_at, made, run
from tests.warehouse.parts import Place, file_of, opened
from tests.warehouse.shared import team

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL, Connection

MANY = 400
LETTERS = 4_000
RUNS = Entity.metadata.tables["flow_execution"]


def much(place: Place) -> None:
    """Write a month of many runs, each with a long text."""
    things = made(place)
    first, own = run(place, things, MARCH), place.actor.organization_id

    def work(connection: Connection) -> None:
        columns = [column.name for column in RUNS.columns]
        row = connection.execute(RUNS.select().where(RUNS.c.id == first)).mappings().one()
        runs, texts = [], []
        for number in range(MANY):
            moment = MARCH + timedelta(seconds=number)
            key = id_at(moment)
            body = derived_id(key, "text")
            texts.append((body, own, f'"{key * (LETTERS // 36)}"', LETTERS, MARCH, "x"))
            own_fields = {"id": key, "created_at": moment, "input_payload_id": body}
            runs.append(tuple({**row, **own_fields}[name] for name in columns))
        insert_missing(
            connection,
            "payload",
            ("id", "organization_id", "body", "byte_count", "created_at", "created_by"),
            texts,
        )
        insert_missing(connection, "flow_execution", columns, runs)

    place.write(work)


@pytest.mark.parametrize("mode", [0, 2])
def test_file_shrinks_by_what_was_archived(sqlite_url: str, mode: int) -> None:
    path = file_of(sqlite_url)
    with opened(sqlite_url) as place:
        pass
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA auto_vacuum={mode}")
        raw.execute("VACUUM")
    with opened(sqlite_url) as place:
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("PRAGMA auto_vacuum").fetchone() == (mode,)
        empty = sqlite_bytes(place)
        much(place)
        full = sqlite_bytes(place)
        archive(place.warehouse, place.actor, "2026-03")
        left = path.stat().st_size
        assert path.with_name(f"{path.name}-wal").stat().st_size == 0
        assert full - empty > MANY * LETTERS
        assert full - left > 0.9 * (full - empty)
        assert sqlite_bytes(place) == left
        restore_month(place.warehouse, place.actor, "2026-03")
        assert len(place.see(lambda s: s.execute(RUNS.select()).all())) == MANY + 1


def sqlite_bytes(place: Place) -> int:
    with place.warehouse.engine.connect() as connection:
        pages, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "page_size")
        )
    return int(pages) * int(size)


def test_tables_shrink_by_what_was_archived(postgresql_place: Place, tmp_path: Path) -> None:
    place = postgresql_place
    empty = postgresql_bytes(place)
    much(place)
    full = postgresql_bytes(place)
    archive(place.warehouse, place.actor, "2026-03", tmp_path)
    left = postgresql_bytes(place)
    assert full - left > 0.9 * (full - empty)
    assert full - empty > 500_000
    restore_month(place.warehouse, place.actor, "2026-03")
    assert len(place.see(lambda s: s.execute(RUNS.select()).all())) == MANY + 1


def postgresql_bytes(place: Place) -> int:
    query = text(
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c "
        "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace "
        "AND c.relname ~ :names"
    )
    with place.warehouse.engine.connect() as connection:
        return int(connection.execute(query, {"names": f"^({'|'.join(TABLES)})"}).scalar_one())


def test_owner_archives_and_each_team_reads_its_own(postgresql_server: URL, tmp_path: Path) -> None:
    with team(postgresql_server) as found:
        for place in (found.acme, found.beta):
            run(place, made(place), MARCH)
        with pytest.raises(AccessDenied, match="its owner runs: promptstudio archive"):
            archive(found.acme.warehouse, found.acme.actor, "2026-03", tmp_path)
        done = archive(found.owner.warehouse, found.owner.actor, "2026-03", tmp_path)
        assert done.rows == 2 * (len(EXECUTIONS) + 3)
        with found.owner.warehouse.engine.connect() as connection:
            gone = text("SELECT count(*) FROM pg_class WHERE relname LIKE '%_p20260301'")
            assert connection.scalar(gone) == 0
        for place in (found.acme, found.beta):
            frame = cold_rows(place.warehouse, place.actor, "flow_execution")
            assert frame is not None
            assert frame.collect()["organization_id"].to_list() == [place.actor.organization_id]
            assert set(months(place.warehouse, place.actor)["where"]) == {"cold"}
        restore_month(found.acme.warehouse, found.acme.actor, "2026-03")
        assert len(found.acme.see(lambda s: s.execute(RUNS.select()).all())) == 1
        assert cold_rows(found.acme.warehouse, found.acme.actor, "flow_execution") is None
        assert cold_rows(found.beta.warehouse, found.beta.actor, "flow_execution") is not None
        viewer = replace(found.beta.actor, role="viewer")
        with pytest.raises(AccessDenied, match="viewers change nothing"):
            restore_month(found.beta.warehouse, viewer, "2026-03")
