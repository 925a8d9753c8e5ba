"""Both engines answer, each with a database of its own."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool


def test_engine_answers(warehouse_url: str, warehouse_engine: str) -> None:
    engine = create_engine(warehouse_url, poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert engine.dialect.name == warehouse_engine


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_database(warehouse_url: str, turn: int) -> None:
    engine = create_engine(warehouse_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_mine (turn INTEGER)"))
        connection.execute(text("INSERT INTO only_mine VALUES (:turn)"), {"turn": turn})
