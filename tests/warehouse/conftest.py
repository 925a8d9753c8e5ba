"""A warehouse that is open, whoever works in it, and their lab."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from promptstudio_lab.warehouse.connect import Warehouse
from tests.servers import fresh_database
from tests.warehouse.months import MARCH, Filled, made
from tests.warehouse.parts import Place, opened, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

    from promptstudio_lab.identity import Actor


@pytest.fixture(scope="session")
def shared(
    warehouse_engine: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Warehouse]:
    """Give one warehouse for all tests of an engine; each works in an organisation of its own."""
    with ExitStack() as stack:
        if warehouse_engine == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'warehouse.db'}"
        else:
            server = request.getfixturevalue("postgresql_server")
            fresh = stack.enter_context(fresh_database(server))
            url = fresh.render_as_string(hide_password=False)
        yield stack.enter_context(closing(Warehouse(url)))


@pytest.fixture
def place(shared: Warehouse) -> Place:
    """Return a lab of a new organisation in the shared warehouse."""
    return settled(shared)


@pytest.fixture
def own_place(warehouse_url: str) -> Iterator[Place]:
    """Give a lab in a warehouse of its own."""
    with opened(warehouse_url) as found:
        yield found


@pytest.fixture
def warehouse(place: Place) -> Warehouse:
    """Return the open warehouse."""
    return place.warehouse


@pytest.fixture
def actor(place: Place) -> Actor:
    """Return who works in it."""
    return place.actor


@pytest.fixture
def lab(place: Place) -> str:
    """Return the id of the actor's lab."""
    return place.lab_id


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the address of an empty SQLite warehouse, for what only SQLite does."""
    return f"sqlite:///{tmp_path / 'warehouse.db'}"


@pytest.fixture
def sqlite_place(sqlite_url: str) -> Iterator[Place]:
    """Give a lab in an open SQLite warehouse."""
    with opened(sqlite_url) as found:
        yield found


@pytest.fixture
def postgresql_url(postgresql_server: URL) -> Iterator[str]:
    """Give the address of an empty PostgreSQL warehouse, for what only PostgreSQL does."""
    with fresh_database(postgresql_server) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def postgresql_place(postgresql_url: str) -> Iterator[Place]:
    """Give a lab in an open PostgreSQL warehouse."""
    with opened(postgresql_url) as found:
        yield found


@pytest.fixture(scope="module")
def old(
    warehouse_engine: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Warehouse]:
    """Give a warehouse in which each test has an organisation and a year of its own."""
    with ExitStack() as stack:
        if warehouse_engine == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('old') / 'warehouse.db'}"
        else:
            server = request.getfixturevalue("postgresql_server")
            fresh = stack.enter_context(fresh_database(server))
            url = fresh.render_as_string(hide_password=False)
        yield stack.enter_context(closing(Warehouse(url)))


@pytest.fixture(scope="module")
def years(old: Warehouse) -> Iterator[int]:
    """Give years that no other test of this warehouse uses."""
    assert old.owned
    return count(1971)


@pytest.fixture
def filled(
    old: Warehouse, years: Iterator[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Filled:
    """Give runs of March, at its very edges, and of April."""
    monkeypatch.setenv("PROMPTSTUDIO_COLD", str(tmp_path))
    folder = (
        tmp_path if old.dialect == "postgresql" else Path(make_url(old.url).database or "").parent
    )
    place = settled(old)
    found = Filled(place, made(place), MARCH.replace(year=next(years)), folder)
    first = found.march.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for moment in (
        first,
        found.march,
        found.april - timedelta(milliseconds=1),
        found.april,
        found.april + timedelta(days=3),
    ):
        found.run(moment)
    return found
