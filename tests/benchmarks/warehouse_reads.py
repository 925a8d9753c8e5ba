"""A million node executions into polars, beside `pl.read_database` on the same columns."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import polars as pl
from sqlalchemy import URL, create_engine, make_url

import promptstudio_lab as ps
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab import _warehouses
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.frames.pool import readers
from tests.servers import NotHere, fresh_database, postgresql
from tests.warehouse.parts import Place, make_flow, make_node
from tests.warehouse.runs import NODE_COLUMNS, RUN_COLUMNS, node_rows, run_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.warehouse.append import Row

ROWS = 1_000_000
ROUNDS = 3
GOAL = 5.0
GROUP = 50_000


def main() -> None:
    """Print the ratios on each engine."""
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{Path(folder) / 'warehouse.db'}")
    try:
        with postgresql() as server, fresh_database(server) as url:
            measure("PostgreSQL", url.render_as_string(hide_password=False))
    except NotHere as error:
        print(f"PostgreSQL: could not run: {error}")


def measure(engine: str, url: str) -> None:
    """Print how many times as quick a frame is as `pl.read_database`, in the same rounds."""
    with filled(url) as lab:
        rounds = [round_of(lab, make_url(url)) for _ in range(ROUNDS)]
    for number, (theirs, cold, warm) in enumerate(rounds, 1):
        print(f"{engine} {number}: read_database {theirs:.2f} s, {cold:.2f} cold, {warm:.2f} warm")
    for at, name in ((1, "cold, processes included"), (2, "warm")):
        ratio = median(one[0] / one[at] for one in rounds)
        print(f"{engine}: lab.frames {name}: {ratio:.1f} x as quick (goal {GOAL:.0f} x)")


def round_of(lab: Lab, url: URL) -> tuple[float, float, float]:
    """Return the seconds of `pl.read_database`, of a first frame and of a second one."""
    frames = lab.frames.node_executions()
    names = frames.collect_schema().names()
    driver = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(url.set(drivername=driver))
    sql = f"SELECT {', '.join(names)} FROM node_execution"
    with engine.connect() as connection:
        theirs = seconds(lambda: pl.read_database(sql, connection, infer_schema_length=None))
    engine.dispose()
    readers.end()
    return theirs, seconds(frames.collect), seconds(frames.collect)


def seconds(read: Callable[[], pl.DataFrame]) -> float:
    """Return how long a read takes that must find every row."""
    begun = time.perf_counter()
    frame = read()
    took = time.perf_counter() - begun
    if frame.height != ROWS:
        message = f"{frame.height} rows instead of {ROWS}"
        raise RuntimeError(message)
    return took


@contextmanager
def filled(url: str) -> Iterator[Lab]:
    """Give a lab with a million node executions of one run."""
    lab = ps.connect(url)
    with closing(lab.warehouse):
        place = Place(lab.warehouse, lab.actor, lab.id)
        flow, run = make_flow(place), new_id()
        node = make_node(place, flow)
        own = lab.actor.organization_id
        place.write(
            lambda c: insert_missing(c, "flow_execution", RUN_COLUMNS, [run_row(own, flow, run)])
        )
        for start in range(0, ROWS, GROUP):
            place.write(partial(insert_nodes, node_rows(own, flow, run, node, GROUP, start)))
        yield lab
    _warehouses.pop(url, None)


def insert_nodes(rows: list[Row], connection: Connection) -> None:
    """Write some nodes."""
    insert_missing(connection, "node_execution", NODE_COLUMNS, rows)


if __name__ == "__main__":
    main()
