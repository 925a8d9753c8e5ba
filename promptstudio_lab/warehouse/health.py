"""What a warehouse stands on, and every risk it stands in, each with its remedy."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from promptstudio_lab.warehouse.schema.migrate import head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse

# The releases in which a checkpoint beside a write can no longer damage the log.
_MENDED = (3, 51, 3)
_BACKPORTED = {(3, 44): 6, (3, 50): 7}
_MEGABYTE = 1_000_000
_LONG_LOG = 256 * _MEGABYTE
_LITTLE_SPACE = 1000 * _MEGABYTE
_MONTHS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that can go wrong, and what to do about it."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Health:
    """What `examine` found.

    Attributes:
        facts: values by what they are, in the order of telling.
        risks: the gravest first.
    """

    facts: dict[str, str]
    risks: tuple[Risk, ...]


def examine(warehouse: Warehouse, actor: Actor) -> Health:
    """Look at a warehouse and change nothing.

    Args:
        warehouse: an open one.
        actor: who looks; sizes of runs are those of the actor's organisation.
    """
    risks = [] if warehouse.read_only is None else [_closed(warehouse.read_only)]
    with warehouse.reading(actor) as session:
        if warehouse.dialect == "sqlite":
            path = Path(str(session.connection().exec_driver_sql(_FILE).scalar_one()))
            facts, found = _sqlite_facts(session, path), _sqlite_risks(session, path)
        else:
            facts, found = _server_facts(session), _server_risks(session)
        facts |= {"schema": head(), "runs": f"{session.scalar(_RUNS):,}", "cold": _cold(session)}
        risks += [*found, *_stuck(session)]
    return Health(facts, tuple(risks))


def _closed(why: str) -> Risk:
    return Risk(f"nothing can be written: {why}", "make it writable, or upgrade this installation")


def _cold(session: Session) -> str:
    months = session.scalars(_MONTHS).all()
    return f"{months[0]} to {months[-1]}" if months else "nothing"


def _stuck(session: Session) -> Iterator[Risk]:
    stuck = session.scalar(_STUCK) or 0
    if stuck:
        yield Risk(
            f"{stuck:,} runs show as running, and their process has not been heard of",
            "lab.runs() marks them as interrupted; running the batch again resumes them",
        )


_FILE = "SELECT file FROM pragma_database_list WHERE name = 'main'"
_RUNS = text("SELECT count(*) FROM flow_execution")
_MONTHS = text("SELECT DISTINCT month FROM cold_partition WHERE restored_at IS NULL ORDER BY month")
_STUCK = text(
    "SELECT count(*) FROM flow_execution WHERE status = 'running' "
    "AND lease_until < CURRENT_TIMESTAMP"
)


def _pragma(session: Session, name: str) -> object:
    return session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()


def _sqlite_facts(session: Session, path: Path) -> dict[str, str]:
    free = int(str(_pragma(session, "freelist_count"))) * int(str(_pragma(session, "page_size")))
    log = _size(path.with_name(path.name + "-wal"))
    return {
        "engine": f"SQLite {sqlite3.sqlite_version}; the file is the boundary",
        "journal": f"{_pragma(session, 'journal_mode')}, {_synchronous(session)}",
        "partitions": "one file; months are archived to Parquet",
        "size": f"{_told(_size(path))}, of which {_told(free)} free; log {_told(log)}",
        "disk": f"{_told(shutil.disk_usage(path.parent).free)} free",
    }


def _synchronous(session: Session) -> str:
    levels = ("synchronous off", "synchronous normal", "full synchronous", "extra synchronous")
    return levels[int(str(_pragma(session, "synchronous")))]


def _sqlite_risks(session: Session, path: Path) -> Iterator[Risk]:
    if str(_pragma(session, "journal_mode")) != "wal":
        yield Risk(
            "the file is not in write-ahead mode: a reader blocks every writer",
            "close every other program on it, and open it again",
        )
    if _unmended(sqlite3.sqlite_version_info):
        yield Risk(
            f"SQLite {sqlite3.sqlite_version} can damage a log that two programs write at once; "
            "this product's processes take turns, others may not",
            "write to the file with nothing else, or use a Python with SQLite 3.51.3 or newer",
        )
    mode = path.stat().st_mode
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Risk("others on this machine can read the file", f"chmod 600 '{path}'")
    log = _size(path.with_name(path.name + "-wal"))
    if log > _LONG_LOG:
        yield Risk(
            f"the log has grown to {_told(log)}: some program has been reading for long",
            "end it; the next write shortens the log",
        )
    free = shutil.disk_usage(path.parent).free
    if free < max(_LITTLE_SPACE, _size(path)):
        yield Risk(
            f"only {_told(free)} are free on its disk; a backup before an upgrade needs "
            f"{_told(_size(path))}",
            "archive old months (`promptstudio archive 2026-01`), or make room",
        )


def _unmended(version: tuple[int, ...]) -> bool:
    if version >= _MENDED:
        return False
    major, minor, patch = version[:3]
    return patch < _BACKPORTED.get((major, minor), 1 << 30)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _told(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f} MB"


def _server_facts(session: Session) -> dict[str, str]:
    row = session.execute(_SERVER).mappings().one()
    return {
        "engine": f"PostgreSQL {row['version']}, database {row['database']}",
        "login": f"{row['login']}, {'owner' if row['owner'] else 'member'} of the warehouse",
        "journal": f"fsync {row['fsync']}, synchronous_commit {row['commit']}",
        "partitions": f"{row['oldest'] or 'none'} to {row['newest'] or 'none'}",
        "size": _told(row["bytes"]),
    }


def _server_risks(session: Session) -> Iterator[Risk]:
    row = session.execute(_SERVER).mappings().one()
    if row["super"]:
        yield Risk(
            f"{row['login']} is a superuser: row security does not bind it",
            "work as an ordinary login: promptstudio analyst add NAME",
        )
    if row["fsync"] != "on" or row["commit"] == "off":
        yield Risk(
            "the server acknowledges what it has not written: a power cut loses rows",
            "set fsync = on and synchronous_commit = on",
        )
    unguarded = session.scalars(_UNGUARDED).all()
    if unguarded:
        yield Risk(
            f"row security is not in force on {', '.join(unguarded)}",
            "as the owner: promptstudio upgrade",
        )
    if row["ahead"] < _MONTHS_AHEAD:
        yield Risk(
            f"partitions are made only up to {row['newest']}",
            "open the warehouse once with a login that writes; opening makes the next three",
        )
    if row["used"] * 10 > row["most"] * 9:
        yield Risk(
            f"{row['used']} of {row['most']} connections are in use",
            "close idle kernels, or raise max_connections",
        )


_SERVER = text("""
SELECT current_setting('server_version') AS version, current_database() AS database,
    session_user::text AS login, current_setting('fsync') AS fsync,
    current_setting('synchronous_commit') AS commit,
    (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AS super,
    (SELECT pg_get_userbyid(relowner) = session_user FROM pg_class
        WHERE oid = 'organization'::regclass) AS owner,
    (SELECT count(*) FROM pg_stat_activity) AS used,
    current_setting('max_connections')::integer AS most,
    pg_database_size(current_database()) AS bytes,
    to_char(min(months.month), 'YYYY-MM') AS oldest,
    to_char(max(months.month), 'YYYY-MM') AS newest,
    coalesce(sum((months.month > now())::integer), 0) AS ahead
FROM (
    SELECT to_date(right(relname, 8), 'YYYYMMDD') AS month FROM pg_class
    WHERE relispartition AND relkind = 'r' AND relname ~ '^flow_execution_p[0-9]{8}$'
) AS months
""")
_UNGUARDED = text("""
SELECT c.relname FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'organization_id'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND NOT (c.relrowsecurity AND (c.relforcerowsecurity OR c.relname = 'membership'))
ORDER BY 1
""")
