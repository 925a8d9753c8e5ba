"""Runs recorded durably, beside a bare writer of the same rows in the same groups.

Drained: all are on disk at the end. Acknowledged: whoever asked for a run hears of it only once it
is on disk, with synchronous=FULL, while 100 or one of them are under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import uuid_utils

import promptstudio_lab as ps
from promptstudio_lab.engine import recorder
from promptstudio_lab.engine.batch import Progress, execute_batch
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.engine.rows import UPDATES, Rows
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.running import execution
from promptstudio_lab.warehouse.types import iso

ROUNDS = 3


class Way(NamedTuple):
    """One way to record: what it is called, when a run counts as over, and how many at once."""

    name: str
    ack: str
    at_once: int
    runs: int
    goal: float


WAYS = (
    Way("drained", "queued", 100, 2_000, 1.3),
    Way("acknowledged, 100 in flight", "commit", 100, 2_000, 1.3),
    Way("acknowledged, one by one", "commit", 1, 500, 1.4),
)


def main() -> None:
    """Print the median ratio of each way."""
    for way in WAYS:
        ratios = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                ours, groups, path = recorded(Path(folder), way)
                bare = written(groups, path, Path(folder) / "bare.db")
            ratios.append(ours / bare)
        every = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        middle = statistics.median(ratios)
        print(f"recorded runs, {way.name}: {middle:.2f} x a bare writer (goal {way.goal}; {every})")


def recorded(folder: Path, way: Way) -> tuple[float, list[Rows], Path]:
    """Return the seconds that the engine took, the groups it wrote, and where."""
    path = folder / "warehouse.db"
    lab = ps.connect(str(path))
    flow = lab.flow("bench/five")
    value = flow.input("text")
    for name in ("a", "b", "c"):
        value = flow.transform(name, do="trim", value=value)
    flow.output(answer=value)
    plan = execution.prepare(lab.environment, flow.head().id, {CONTROL: None})
    items = [(None, str(n), {"text": f" item {n} "}) for n in range(way.runs)]
    inputs = list(execution.batch_inputs(new_id(), items, [CONTROL]))
    groups: list[Rows] = []
    keep = recorder.write

    def noting(connection: object, rows: Rows) -> None:
        groups.append(rows)
        keep(connection, rows)

    recorder.write = noting
    sink = lab.environment.recorder(way.ack)
    begun = time.perf_counter()
    asyncio.run(
        execute_batch(
            plan,
            inputs,
            sink,
            budget=Budget(),
            progress=Progress(way.runs),
            on_ended=lambda _: None,
            concurrency=way.at_once,
        )
    )
    sink.close()
    took = time.perf_counter() - begun
    recorder.write = keep
    return took, groups, path


def written(groups: list[Rows], like: Path, path: Path) -> float:
    """Return the seconds that plain sqlite3 takes for the same rows in the same groups."""
    schema = sqlite3.connect(like).execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index')"
    )
    bare = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
        bare.execute(f"PRAGMA {pragma}")
    for (sql,) in schema:
        bare.execute(sql)
    ready = [_statements(group) for group in groups]
    begun = time.perf_counter()
    for statements in ready:
        made = [(sql, [_made(row) for row in rows]) for sql, rows in statements]
        bare.execute("BEGIN IMMEDIATE")
        for sql, rows in made:
            bare.executemany(sql, rows)
        bare.execute("COMMIT")
    return time.perf_counter() - begun


def _made(row: tuple[object, ...]) -> tuple[object, ...]:
    """Make one row as anybody would: its id, its moments as text, its values as JSON."""
    str(uuid_utils.uuid7())  # the row has its own already; a bare writer would have to make it
    return tuple(_cell(value) for value in row)


class _Value:
    """A value that a writer has to put into JSON, and to find an address for."""

    def __init__(self, text: str) -> None:
        self.value = json.loads(text)


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, _Value):
        text = json.dumps(value.value, sort_keys=True, separators=(",", ":"))
        hashlib.blake2b(text.encode(), key=b"key", digest_size=32).hexdigest()
        return text
    return value


def _statements(group: Rows) -> list[tuple[str, list[tuple[object, ...]]]]:
    inserts = [
        (
            (
                f"INSERT INTO {table} ({', '.join(columns)}) "
                f"VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING"
            ),
            [
                tuple(
                    _Value(cell) if table == "payload" and name == "body" else cell
                    for name, cell in zip(columns, row, strict=True)
                )
                for row in rows
            ],
        )
        for table, (columns, rows) in group.in_order()
    ]
    return [*inserts, *((UPDATES[name], rows) for name, rows in group.updates.items())]


if __name__ == "__main__":
    main()
