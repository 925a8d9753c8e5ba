"""Kinds with bodies for every test of flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.flows import stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def kinds_with_bodies() -> Iterator[None]:
    """Register stand-ins for kinds that are not installed."""
    with stand_ins.registered():
        yield
