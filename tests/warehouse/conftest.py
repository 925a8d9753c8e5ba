"""A warehouse that is open, whoever works in it, and their lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import fresh_database
from tests.warehouse.parts import Place, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


@pytest.fixture
def place(warehouse_url: str) -> Iterator[Place]:
    """Give a lab in an open warehouse of its own."""
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
