"""A million node executions on each engine: written, traced to one template version, archived.

Writing stands beside a bare driver that makes the same rows in the same commits.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import text

from promptstudio_lab.ids import derived_id, new_id
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.archive import archive
from promptstudio_lab.warehouse.entities import (
    PromptFlowVersion,
    PromptLibrary,
    PromptTemplate,
    PromptTemplateVersion,
)
from promptstudio_lab.warehouse.libraries import find_or_make
from promptstudio_lab.warehouse.types import iso
from tests.servers import fresh_database, postgresql
from tests.warehouse.parts import Place, file_of, make_flow, make_node, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.connect import Warehouse

NODES = int(os.environ.get("PSL_BENCH_NODES", "1000000"))
GROUP = 2_000
A_RUN = 5  # nodes of one run
TEMPLATES, VERSIONS = 200, 5
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=180)
ROUNDS = 21
WRITTEN_GOAL, TRACED_GOAL_MS = 0.5, 50

Group = list[tuple[Any, ...]]  # one value a column
Send = Callable[[Group], float]


def main() -> None:
    """Print each figure beside its goal."""
    with tempfile.TemporaryDirectory() as folder:
        measure(f"sqlite:///{Path(folder) / 'warehouse.db'}", Path(folder))
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(stack.enter_context(postgresql())))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        measure(url.render_as_string(hide_password=False), Path(folder))


def measure(url: str, folder: Path) -> None:
    """Measure one engine."""
    with opened(url) as place:
        things = topology(place)
        parents(place, things)
        written(place, things, folder)
        calls(place, things)
        trace(place, things)
        drop(place, folder)


def written(place: Place, things: Things, folder: Path) -> None:
    """Print our speed beside each bare driver's, group by group: the machine is shared."""
    name = place.warehouse.dialect
    took: dict[str, list[float]] = {}
    with ExitStack() as stack:
        if name == "sqlite":
            bare = stack.enter_context(sqlite_driver(place, folder / "bare.db"))
            # Each has a file of its own, and both write every group.
            turns = [{"ours": ours(place), "sqlite3 executemany": bare}]
        else:
            many, copy = stack.enter_context(postgresql_drivers(place))
            # They write to the one table, so each takes its turn.
            turns = [{"ours": ours(place)}, {"psycopg executemany": many}, {"psycopg COPY": copy}]
        for number, group in enumerate(things.groups()):
            for driver, send in turns[number % len(turns)].items():
                took.setdefault(driver, []).append(send(group))
    rates = {driver: GROUP * len(times) / sum(times) for driver, times in took.items()}
    for driver, rate in rates.items():
        if driver != "ours":
            print(
                f"{name}: {NODES:,} node executions in groups of {GROUP:,}: "
                f"{rates['ours']:,.0f} a second, {driver} {rate:,.0f}: "
                f"{rates['ours'] / rate:.2f} of its speed (goal {WRITTEN_GOAL})"
            )


class Things:
    """What the executions refer to, and the shape of the runs."""

    def __init__(self, organization_id: str, flow: str, nodes: list[str]) -> None:
        """Choose templates, and the moments of the runs."""
        self.organization_id, self.flow, self.nodes = organization_id, flow, nodes
        self.templates = [new_id() for _ in range(TEMPLATES)]

    def runs(self) -> Iterator[tuple[str, datetime, random.Random]]:
        """Give each run's id and moment, and its chance."""
        chance = random.Random(1)
        count = NODES // A_RUN
        for number in range(count):
            moment = FIRST + number * SPAN / count
            moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
            digits = f"{int(moment.timestamp() * 1000):012x}"
            parent = f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
            yield derived_id(parent, number), moment, chance

    def groups(self) -> Iterator[Group]:
        """Give the node executions, a group at a time."""
        rows = (row for run in self.runs() for row in self._nodes(*run))
        while group := list(islice(rows, GROUP)):
            yield group

    def _nodes(
        self, run: str, moment: datetime, chance: random.Random
    ) -> Iterator[tuple[Any, ...]]:
        for index, node in enumerate(self.nodes):
            template = self.templates[chance.randrange(TEMPLATES)]
            took = chance.expovariate(1 / 400)
            yield (
                derived_id(run, index), self.organization_id, run, self.flow, 1, node, f"n{index}",
                "", "succeeded", moment, moment + timedelta(milliseconds=took), took,
                chance.randrange(10**6), 100, 20, False, 1, template,
                1 + chance.randrange(VERSIONS), derived_id(run, index, "call"), None, None, None,
                None, moment, "bench",
            )  # fmt: skip


NODE = (
    "id", "organization_id", "flow_execution_id", "flow_id", "flow_version", "node_id", "node_key",
    "path", "status", "started_at", "completed_at", "execution_time_ms", "cost", "input_tokens",
    "output_tokens", "cache_hit", "attempt_count", "prompt_template_id", "template_version",
    "prompt_execution_id", "input_payload_id", "output_payload_id", "error_code",
    "error_payload_id", "created_at", "created_by",
)  # fmt: skip
RUN = (
    "id", "organization_id", "flow_id", "flow_version", "change_seq", "requested_by", "executed_by",
    "trigger", "status", "started_at", "total_cost", "success", "created_at", "created_by",
)  # fmt: skip
CALL = (
    "id", "organization_id", "flow_execution_id", "node_execution_id", "call_index",
    "prompt_template_id", "template_version", "provider", "model", "status", "cost", "latency_ms",
    "created_at", "created_by",
)  # fmt: skip


def topology(place: Place) -> Things:
    """Make a flow of five nodes and the templates that its nodes use."""
    flow = make_flow(place)
    nodes = [make_node(place, flow, node_key=f"n{n}") for n in range(A_RUN)]
    things = Things(place.actor.organization_id, flow, nodes)

    def work(session: Session) -> None:
        library = find_or_make(session, PromptLibrary, place.lab_id, ["Drafts"])
        session.add(
            PromptFlowVersion(
                id=new_id(), flow_id=flow, version=1, at_seq=0, document={}, content_hash="x"
            )
        )
        for number, key in enumerate(things.templates):
            session.add(
                PromptTemplate(
                    id=key, prompt_library_id=library.id, name=f"t{number}", current_version=5
                )
            )
        session.flush()
        for key in things.templates:
            for version in range(1, VERSIONS + 1):
                session.add(
                    PromptTemplateVersion(
                        id=new_id(),
                        prompt_template_id=key,
                        version=version,
                        content="x",
                        variables=[],
                        content_hash="x",
                    )
                )

    place.do(work)
    return things


def parents(place: Place, things: Things) -> None:
    """Write the runs that the node executions belong to."""
    own = things.organization_id
    rows = (
        (run, own, things.flow, 1, 0, "b", "b", "cell", "succeeded", at, 1, True, at, "bench")
        for run, at, _ in things.runs()
    )
    while group := list(islice(rows, GROUP)):
        place.write(partial(into, "flow_execution", RUN, group))


def into(table: str, columns: Sequence[str], rows: Group, connection: Connection) -> None:
    """Insert a group."""
    insert_missing(connection, table, columns, rows)


def calls(place: Place, things: Things) -> None:
    """Write the provider calls, one a node execution."""
    at = {name: NODE.index(name) for name in NODE}
    for group in things.groups():
        rows = [
            (
                r[at["prompt_execution_id"]], r[1], r[at["flow_execution_id"]], r[0], 0,
                r[at["prompt_template_id"]], r[at["template_version"]], "p", "m", "succeeded",
                r[at["cost"]], 1.0, r[at["created_at"]], "bench",
            )
            for r in group
        ]  # fmt: skip
        place.write(partial(into, "prompt_execution", CALL, rows))


def ours(place: Place) -> Send:
    """Return what writes a group as the recorder does, and the seconds it takes."""

    def send(group: Group) -> float:
        begun = time.perf_counter()
        place.write(lambda c: insert_missing(c, "node_execution", NODE, group))
        return time.perf_counter() - begun

    return send


@contextmanager
def sqlite_driver(place: Place, path: Path) -> Iterator[Send]:
    """Give plain sqlite3 with a table and indexes like ours."""
    with closing(sqlite3.connect(file_of(place.warehouse.url))) as like:
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name = ?"
        schema = like.execute(query, ("node_execution",)).fetchall()
    marks = ", ".join("?" * len(NODE))
    insert = f"INSERT INTO node_execution ({', '.join(NODE)}) VALUES ({marks})"
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536"):
            bare.execute(f"PRAGMA {pragma}")
        for (sql,) in schema:
            bare.execute(sql)

        def send(group: Group) -> float:
            ready = [tuple(iso(v) if isinstance(v, datetime) else v for v in row) for row in group]
            begun = time.perf_counter()
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany(insert, ready)
            bare.execute("COMMIT")
            return time.perf_counter() - begun

        yield send
    path.unlink()


@contextmanager
def postgresql_drivers(place: Place) -> Iterator[tuple[Send, Send]]:
    """Give psycopg's two ways into the very same table: its months, indexes and references."""
    url = place.warehouse._parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    columns, marks = ", ".join(NODE), ", ".join(["%s"] * len(NODE))
    insert = f"INSERT INTO node_execution ({columns}) VALUES ({marks})"
    with psycopg.connect(url) as connection, connection.cursor() as cursor:

        def many(group: Group) -> float:
            begun = time.perf_counter()
            cursor.executemany(insert, group)
            connection.commit()
            return time.perf_counter() - begun

        def copy(group: Group) -> float:
            begun = time.perf_counter()
            with cursor.copy(f"COPY node_execution ({columns}) FROM STDIN") as target:
                for row in group:
                    target.write_row(row)
            connection.commit()
            return time.perf_counter() - begun

        yield many, copy


def trace(place: Place, things: Things) -> None:
    """Print how long it takes to say where one template version was used."""
    query = text(
        "SELECT * FROM v_template_performance WHERE organization_id = :own "
        "AND prompt_template_id = :template AND template_version = 3"
    )
    took = []
    with place.warehouse.engine.connect() as connection:
        if place.warehouse.dialect == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
        else:
            connection.exec_driver_sql("SELECT 1")
    for number in range(ROUNDS):
        bound = {"own": things.organization_id, "template": things.templates[number]}
        with place.warehouse.reading(place.actor) as session:
            begun = time.perf_counter()
            rows = session.execute(query, bound).mappings().all()
            took.append((time.perf_counter() - begun) * 1000)
        found = sum(row["node_executions"] for row in rows)
        assert len(rows) == A_RUN
        assert found > NODES / TEMPLATES / VERSIONS / 2
    print(
        f"{place.warehouse.dialect}: one template version among {NODES:,} calls: "
        f"{statistics.median(took):.1f} ms (goal {TRACED_GOAL_MS})"
    )


def drop(place: Place, folder: Path) -> None:
    """Print what archiving a month takes and gives back."""
    before, begun = size(place.warehouse), time.perf_counter()
    done = archive(place.warehouse, place.actor, "2026-02", folder)
    took = time.perf_counter() - begun
    back = before - size(place.warehouse)
    print(
        f"{place.warehouse.dialect}: a month of {done.rows:,} rows archived in {took:.1f} s; "
        f"{back / 1e6:,.0f} MB given back, {done.byte_count / 1e6:,.0f} MB of files"
    )


def size(warehouse: Warehouse) -> int:
    """Return what the database takes on disk."""
    with warehouse.engine.connect() as connection:
        if warehouse.dialect == "sqlite":
            pages, page = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "page_size")
            )
            return int(pages) * int(page)
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


if __name__ == "__main__":
    main()
