"""A support desk's twelve weeks, of which the truth is known, once on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.lab.invented.desk import Truth, desk
from tests.lab.parts import settled_lab
from tests.warehouse import conftest

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.warehouse.connect import Warehouse

shared = conftest.shared
UNTIL = "2026-08-24"


@pytest.fixture(scope="session")
def busy_desk(shared: Warehouse) -> tuple[Lab, Truth]:
    """Return the lab of the desk, and what is true of it; nobody changes it."""
    lab = settled_lab(shared)
    return lab, desk(lab)


@pytest.fixture
def told(busy_desk: tuple[Lab, Truth]) -> Lab:
    """Return the lab of the desk."""
    return busy_desk[0]


@pytest.fixture(scope="session")
def truth() -> Truth:
    """Return what is true of the desk."""
    return Truth()


@pytest.fixture
def room(shared: Warehouse) -> Lab:
    """Return a lab of a new organisation."""
    return settled_lab(shared)
