"""Runs recorded durably and drained, beside a bare writer of the same rows in the same groups."""

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

RUNS = 2_000
ROUNDS = 3
GOAL = 1.3


def main() -> None:
    """Print the ratio of each round and the median."""
    ratios = []
    for number in range(1, ROUNDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            ours, groups, path = recorded(Path(folder))
            bare = written(groups, path, Path(folder) / "bare.db")
        ratios.append(ours / bare)
        print(f"round {number}: {ours:.2f} s recorded, {bare:.2f} s bare, {ours / bare:.2f} x")
    print(f"recorded runs vs bare writer: {statistics.median(ratios):.2f} x (goal {GOAL} x)")


def recorded(folder: Path) -> tuple[float, list[Rows], Path]:
    """Return the seconds that the engine took, the groups it wrote, and where."""
    path = folder / "warehouse.db"
    lab = ps.connect(str(path))
    flow = lab.flow("bench/five")
    value = flow.input("text")
    for name in ("a", "b", "c"):
        value = flow.transform(name, do="trim", value=value)
    flow.output(answer=value)
    plan = execution.prepare(lab.environment, flow.head().id, {CONTROL: None})
    items = [(None, str(n), {"text": f" item {n} "}) for n in range(RUNS)]
    inputs = execution.batch_inputs(new_id(), items, [CONTROL])
    groups: list[Rows] = []
    keep = recorder.write

    def noting(connection: object, rows: Rows) -> None:
        groups.append(rows)
        keep(connection, rows)

    recorder.write = noting
    sink = lab.environment.recorder("queued")
    begun = time.perf_counter()
    asyncio.run(
        execute_batch(
            plan,
            inputs,
            sink,
            budget=Budget(),
            progress=Progress(RUNS),
            on_ended=lambda _: None,
            concurrency=100,
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
                f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 — names of our own schema
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
