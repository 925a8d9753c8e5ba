"""Labs of organisations of their own in one warehouse an engine: making one each takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.parts import settled_lab
from tests.warehouse import conftest

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab
    from promptstudio_lab.warehouse.connect import Warehouse

shared = conftest.shared


@pytest.fixture
def room(shared: Warehouse) -> Lab:
    """Return a lab of a new organisation."""
    return settled_lab(shared)
