"""The program of a reader process: SQL over one SQLite file in, Arrow out.

It imports next to nothing, so that it starts quickly and holds one SQLite library only, the
driver's. It lives as long as the other end of its socket.
"""

from __future__ import annotations

import os
import select
import socket
from threading import Thread
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import pyarrow as pa

from promptstudio_lab.warehouse.frames.wire import Message, receive, send

_BATCH_ROWS = "65536"
# A column of whole numbers that goes on with words: the driver has guessed from the first batch.
_MISMATCH = "Type mismatch"


class Reading:
    """One open file, in one state."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._database: Any = None  # the driver's handles have no common type
        self._connection: Any = None  # as above

    def answer(self, request: Message, sink: int | None) -> Message:
        """Do what is asked for and return what to say."""
        match request["do"]:
            case "open":
                return {"version": self._open(request["uri"])}
            case "begin":
                return {"version": self._begin()}
            case "read" if sink is not None:
                return self._read(request, sink)
        self.close()
        return {}

    def close(self) -> None:
        """Let the file go: a process that waits holds nothing."""
        for handle in (self._connection, self._database):
            if handle is not None:
                handle.close()
        self._connection = self._database = None

    def _open(self, uri: str) -> int:
        self.close()
        driver = adbc_driver_sqlite._driver_path()  # noqa: SLF001 — the package offers nothing else without its DB-API
        self._database = adbc.AdbcDatabase(driver=driver, uri=uri)
        self._connection = adbc.AdbcConnection(self._database)
        return self._version()

    def _begin(self) -> int:
        """Hold the present state; the version tells whether that is still the one at opening."""
        self._rows("BEGIN")
        self._rows("SELECT count(*) FROM sqlite_master")
        return self._version()

    def _version(self) -> int:
        found: int = self._rows("PRAGMA data_version").column(0)[0].as_py()
        return found

    def _rows(self, sql: str) -> Any:  # pyarrow ships no types
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            stream, _ = statement.execute_query()
            return pa.RecordBatchReader.from_stream(stream).read_all()

    def _read(self, request: Message, sink: int) -> Message:
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_options(**{"adbc.sqlite.query.batch_rows": _BATCH_ROWS})
            statement.set_sql_query(request["sql"])
            if request["parameters"]:
                statement.bind(_one_row(request["parameters"]))
            stream, _ = statement.execute_query()
            batches = pa.RecordBatchReader.from_stream(stream)
            with os.fdopen(os.dup(sink), "wb", buffering=0) as file:
                if "kinds" in request:
                    return _write_typed(batches, file, request["kinds"])
                return _write_checked(batches, file)


def _one_row(values: list[Any]) -> Any:  # JSON values in, a record batch out; pyarrow has no types
    columns = [pa.array([value], pa.int64() if value is None else None) for value in values]
    return pa.record_batch(columns, names=[str(n) for n in range(len(values))])


def _write_typed(batches: Any, file: Any, kinds: list[str]) -> Message:  # pyarrow has no types
    """Write the rows of a table; the first only told the driver the types."""
    targets = [_TARGETS[kind] for kind in kinds]
    schema = pa.schema(zip(batches.schema.names, targets, strict=True))
    skipped = 1
    with pa.ipc.new_stream(file, schema) as out:
        for batch in batches:
            columns = [
                column.cast(target)
                for column, target in zip(batch.slice(skipped).columns, targets, strict=True)
            ]
            out.write_batch(pa.record_batch(columns, schema=schema))
            skipped = 0
    return {}


_TARGETS = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "moment": pa.timestamp("us", "UTC"),
}


def _write_checked(batches: Any, file: Any) -> Message:  # pyarrow has no types
    """Write the rows of a query; its last column is not 0 where a value is not as expected."""
    names = batches.schema.names[:-1]
    with pa.ipc.new_stream(file, pa.schema([batches.schema.field(n) for n in names])) as out:
        for batch in batches:
            if any(batch.column(len(names)).unique().to_pylist()):
                return {"odd": True}
            out.write_batch(batch.select(names))
    return {}


def _said(reading: Reading, request: Message, sink: int | None) -> Message:
    try:
        return reading.answer(request, sink)
    except (adbc.Error, OSError, pa.ArrowException) as error:
        words = str(error).partition("\nquery:")[0]
        return {"odd": True} if _MISMATCH in words else {"error": words}


def _end_with(peer: socket.socket) -> None:
    waiting = select.poll()
    waiting.register(peer, 0)  # hang-ups only: what is said is for the other thread
    waiting.poll()
    os._exit(0)


def main(descriptor: int) -> None:
    """Answer until the other end is gone, even in the middle of a read."""
    peer = socket.socket(fileno=descriptor)
    Thread(target=_end_with, args=(peer,), daemon=True).start()
    reading = Reading()
    while True:
        request, sink = receive(peer)
        answer = _said(reading, request, sink)
        if sink is not None:
            os.close(sink)
        send(peer, answer)
