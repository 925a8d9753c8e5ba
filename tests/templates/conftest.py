"""Templates are kept in a warehouse, and inline ones belong to a flow."""

from __future__ import annotations

from tests.warehouse import conftest

shared = conftest.shared
place = conftest.place
own_place = conftest.own_place
