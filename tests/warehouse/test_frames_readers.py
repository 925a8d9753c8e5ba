"""Reader processes: one library a process, and nothing of them is left behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.frames import pool
from promptstudio_lab.warehouse.frames.pool import Odd, Part, readers
from promptstudio_lab.warehouse.frames.query import query
from tests.warehouse.parts import settled

ROWS = 20_000
PATIENCE_S = 20.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a SQLite file, in WAL mode, with a strict table of pairs."""
    path = tmp_path / "it's a [file]?.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE pair (a INTEGER, b TEXT) STRICT")
        numbers = ((n, None if n < ROWS - 1 else "last") for n in range(ROWS))
        raw.executemany("INSERT INTO pair VALUES (?, ?)", numbers)
        raw.commit()
    return path


WHOLE = Part("SELECT 0 AS a, '' AS b UNION ALL SELECT a, b FROM pair", (), ("whole", "text"))
LOWER = Part("SELECT 0 AS a UNION ALL SELECT a FROM pair WHERE a < ?", (ROWS // 2,), ("whole",))
UPPER = Part("SELECT 0 AS a UNION ALL SELECT a FROM pair WHERE a >= ?", (ROWS // 2,), ("whole",))


def read(path: Path, *parts: Part) -> list[pl.DataFrame]:
    return [pl.DataFrame(table) for table in readers.read(path, parts)]


def test_a_long_empty_beginning_is_still_text(file: Path) -> None:
    (frame,) = read(file, WHOLE)
    assert frame.schema == {"a": pl.Int64, "b": pl.String}
    assert frame["b"].null_count() == ROWS - 1
    assert frame["b"][-1] == "last"
    assert frame["a"].to_list() == list(range(ROWS))


def test_a_killed_reader_is_replaced(file: Path) -> None:
    read(file, LOWER, UPPER)
    before = readers.process_ids
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    assert [frame.height for frame in read(file, LOWER, UPPER)] == [ROWS // 2] * 2
    assert before[0] not in readers.process_ids
    readers.end()
    assert not any(alive(process) for process in before)
    assert readers.process_ids == []
    assert read(file, LOWER)[0].height == ROWS // 2


def test_readers_that_keep_dying_are_an_error_of_ours(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers.end()
    monkeypatch.setattr(pool, "_PROGRAM", "raise SystemExit(1)")
    with pytest.raises(WarehouseError, match="ended 2 times"):
        read(file, WHOLE)
    assert readers.process_ids == []


def test_what_the_library_refuses_is_told(file: Path) -> None:
    with pytest.raises(WarehouseError, match="no such table: nowhere"):
        read(file, Part("SELECT * FROM nowhere", (), ("whole",)))
    with pytest.raises(WarehouseError, match="readonly database"):
        read(file, Part("DELETE FROM pair", (), ("whole",)))
    with pytest.raises(WarehouseError, match="failed to open"):
        read(file.with_name("missing.db"), WHOLE)
    with pytest.raises(WarehouseError, match="'last'"):
        read(file, Part("SELECT 1 AS a UNION ALL SELECT b FROM pair", (), ("whole",)))
    late = (
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 70000) "
        "SELECT CASE WHEN n < 70000 THEN n ELSE 'late' END AS a, 0 AS odd FROM n"
    )
    with pytest.raises(Odd):
        read(file, Part(late, ()))
    assert read(file, WHOLE)[0].height == ROWS


def test_readers_leave_the_file_alone(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        raw.execute("PRAGMA wal_autocheckpoint=0")
        raw.execute("INSERT INTO pair VALUES (-1, 'new')")
        log = Path(f"{file}-wal")
        size, inode = log.stat().st_size, log.stat().st_ino
        assert size > 0
        assert read(file, WHOLE)[0].height == ROWS + 1
        readers.end()
        assert (log.stat().st_size, log.stat().st_ino) == (size, inode)
        # A reader that waits holds nothing, so the log can be begun anew.
        read(file, WHOLE)
        assert raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_both_halves_are_of_one_state(file: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as raw:
            number = 0
            while not stop.wait(0.001):
                number += 1
                raw.execute("BEGIN IMMEDIATE")
                raw.execute("UPDATE pair SET b = ? WHERE a IN (0, ?)", (str(number), ROWS - 1))
                raw.execute("COMMIT")

    ask = "SELECT '' AS b UNION ALL SELECT b FROM pair WHERE a = ?"
    first, last = (Part(ask, (at,), ("text",)) for at in (0, ROWS - 1))
    writing = threading.Thread(target=write)
    writing.start()
    try:
        time.sleep(0.1)
        seen = [tuple(frame["b"][0] for frame in read(file, first, last)) for _ in range(40)]
    finally:
        stop.set()
        writing.join()
    assert all(one == other for one, other in seen)
    assert len(set(seen)) > 5


def test_a_busy_file_is_read_by_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions, keep = iter(range(1_000)), pool._Process.version

    def moving(self: pool._Process, do: str, uri: str = "") -> int:
        return keep(self, do, uri) + next(versions)

    monkeypatch.setattr(pool._Process, "version", moving)
    assert [frame.height for frame in read(file, LOWER, UPPER)] == [ROWS // 2] * 2


def test_an_interrupt_ends_what_is_under_way(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(file, LOWER)
    before = readers.process_ids

    def interrupted(_: pool._Process) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool._Process, "answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(file, LOWER)
    assert not set(before) & set(readers.process_ids)
    assert read(file, LOWER)[0].height == ROWS // 2


def test_a_fork_has_readers_of_its_own(file: Path) -> None:
    read(file, LOWER)
    before = readers.process_ids
    child = os.fork()
    if child == 0:
        own = readers.process_ids == []
        right = read(file, LOWER)[0].height == ROWS // 2
        apart = not set(before) & set(readers.process_ids)
        readers.end()
        os._exit(0 if own and right and apart else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert readers.process_ids == before
    assert read(file, LOWER)[0].height == ROWS // 2


PARENT = """
import sys, time
from pathlib import Path
from promptstudio_lab.warehouse.frames.pool import Part, readers
part = Part("SELECT 0 AS a UNION ALL SELECT a FROM pair", (), ("whole",))
readers.read(Path(sys.argv[1]), [part, part])
print(*readers.process_ids, flush=True)
if sys.argv[2] == "reads":
    endless = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT max(a) FROM n"
    readers.read(Path(sys.argv[1]), [Part(endless, (), ("whole",))])
elif sys.argv[2] == "waits":
    time.sleep(60)
"""


@pytest.mark.parametrize("what", ["ends", "waits", "reads"])
def test_readers_end_with_their_parent(file: Path, what: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(file), what], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2
        if what != "ends":
            assert all(alive(child) for child in children)
            time.sleep(0.3)
            parent.kill()
    deadline = time.monotonic() + PATIENCE_S
    while any(alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(child) for child in children)


def alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_reader_is_light_and_its_parent_has_one_library(file: Path) -> None:
    read(file, WHOLE)
    child = Path(f"/proc/{readers.process_ids[0]}/maps").read_text(encoding="utf-8")
    parent = Path("/proc/self/maps").read_text(encoding="utf-8")
    assert "libadbc_driver_sqlite" in child
    assert "_sqlite3" not in child
    assert "libadbc_driver_sqlite" not in parent
    program = "import sys; import promptstudio_lab.warehouse.frames.reader; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not {b"sqlalchemy", b"polars", b"sqlite3"} & set(done.stdout.split())


def test_nothing_is_left_in_memory_when_a_frame_goes(file: Path) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text(encoding="utf-8").count("promptstudio-frame")

    before = mapped()
    frame = read(file, WHOLE)
    del frame
    assert mapped() == before
    held = [str(at.readlink()) for at in Path("/proc/self/fd").iterdir() if at.exists()]
    assert not [name for name in held if "promptstudio-frame" in name]


def test_no_process_is_started_for_little(sqlite_url: str) -> None:
    readers.end()
    with closing(Warehouse(sqlite_url)) as warehouse:
        place = settled(warehouse)
        assert query(warehouse, place.actor, "SELECT 1 AS one")["one"].to_list() == [1]
    assert readers.process_ids == []
