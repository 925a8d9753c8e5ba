"""What every test may ask for: an empty warehouse on each engine, and a browser."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

from tests import protocol_server as chat_completions
from tests.lab.parts import opened
from tests.servers import MISSING, NotHere, chromium, fresh_database, postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

    from promptstudio_lab.lab import Lab

# The same examples each time, however busy the machine is.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")

ENGINES = ("sqlite", "postgresql")
MISSING_FILE = "PSL_TEST_MISSING_FILE"  # where tests/run.py wants to read what could not run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a person choose the engines: `--warehouse=sqlite`."""
    parser.addoption(
        "--warehouse",
        default=",".join(ENGINES),
        help=f"engines to test on, with commas between them (default: {','.join(ENGINES)})",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `warehouse_url` once on each chosen engine."""
    if "warehouse_engine" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--warehouse").split(",")
    if unknown := set(chosen) - set(ENGINES):
        message = f"--warehouse knows {', '.join(ENGINES)}, not {', '.join(sorted(unknown))}"
        raise pytest.UsageError(message)
    metafunc.parametrize("warehouse_engine", chosen, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what could not run, so that nothing is left out in silence."""
    skipped = terminalreporter.getreports("skipped")
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    missing = [reason.partition(MISSING)[2] for reason in reasons if MISSING in reason]
    counts = {name: missing.count(name) for name in dict.fromkeys(missing)}
    lines = [f"{name}: {count} tests skipped" for name, count in counts.items()]
    if lines:
        terminalreporter.section("could not run")
        terminalreporter.write_line("\n".join(lines))
    if report := os.environ.get(MISSING_FILE):
        with Path(report).open("a", encoding="utf-8") as told:
            told.writelines(f"{line}\n" for line in lines)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    """Return the address of a PostgreSQL server that lasts as long as the session."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql())
        except NotHere as error:
            _missing(error)
        yield server


@pytest.fixture
def warehouse_url(
    warehouse_engine: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """Return the address of an empty warehouse of its own, as `ps.connect()` takes it."""
    if warehouse_engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'warehouse.db'}"
        return
    with fresh_database(request.getfixturevalue("postgresql_server")) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def lab(warehouse_url: str) -> Iterator[Lab]:
    """Give an empty lab on each engine."""
    with opened(warehouse_url) as found:
        yield found


@pytest.fixture
def memory() -> Iterator[Lab]:
    """Give an empty lab where the engine does not matter."""
    with opened("memory") as found:
        yield found


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Return the program of a Chromium browser, for playwright's `executable_path`."""
    try:
        return chromium()
    except NotHere as error:
        _missing(error)


@pytest.fixture(scope="session")
def protocol_server() -> Iterator[str]:
    """Return the base URL of a Chat Completions server that lasts as long as the session."""
    with chat_completions.running() as base_url:
        yield base_url


def _missing(what: NotHere) -> NoReturn:
    """Skip, and be named in the summary; where everything should run, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{MISSING}{what}")
    pytest.skip(f"{MISSING}{what}")
