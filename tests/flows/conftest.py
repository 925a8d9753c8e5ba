"""A lab in a warehouse of either engine, and one that ends with the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.parts import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.lab import Lab


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
