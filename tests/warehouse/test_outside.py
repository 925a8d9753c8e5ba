from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from promptstudio_lab import settings
from promptstudio_lab.errors import NodeFailed, SettingsError
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse.outside import query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from promptstudio_lab.values import Json


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what sets the user's own settings; to begin with there are none."""
    values: dict[str, object] = {}
    monkeypatch.setattr(settings, "personal", values.get)
    return values.update


@pytest.fixture
def shop(warehouse_url: str, own: Callable[..., None]) -> str:
    """Return the address of a database with a table of three orders."""
    engine = create_engine(warehouse_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (n integer, who text, price numeric(9, 2))"))
        connection.execute(
            text("INSERT INTO orders VALUES (1, 'Ann', 2.5), (2, 'Bo''b', 3), (3, NULL, NULL)")
        )
    engine.dispose()
    own(connections={"shop": warehouse_url})
    return warehouse_url


def test_rows_come_as_objects_and_values_are_bound(shop: str) -> None:
    assert shop
    found = query("shop", "SELECT * FROM orders WHERE n < :most ORDER BY n;", {"most": 3}, 9)
    assert found == [{"n": 1, "who": "Ann", "price": 2.5}, {"n": 2, "who": "Bo'b", "price": 3}]
    attack = "x' OR 'a' = 'a'; DROP TABLE orders; --"
    assert query("shop", "SELECT n FROM orders WHERE who = :who", {"who": attack}, 9) == []
    assert query("shop", "WITH o AS (SELECT 1 AS n) SELECT n FROM o", {}, 9) == [{"n": 1}]
    assert query("shop", "-- why\n/* and */ SELECT 1 AS n", {}, 9) == [{"n": 1}]
    assert query("shop", r"SELECT '12\:30' AS at, '5%' AS p", {}, 9) == [{"at": "12:30", "p": "5%"}]


def test_no_more_rows_are_read_than_are_wanted(shop: str) -> None:
    assert shop
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
    assert query("shop", endless, {}, 3) == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "INSERT INTO orders (n) VALUES (4)",
        "UPDATE orders SET n = 9",
        "DROP TABLE orders",
        "PRAGMA query_only = OFF",
        "ATTACH 'x.db' AS x",
        "COPY orders TO STDOUT",
        "COMMIT",
        "SELECT 1; DELETE FROM orders",
        "SELECT 1; COMMIT; DELETE FROM orders",
        "SELECT 1;; DELETE FROM orders",
        "/* SELECT */ DELETE FROM orders",
        "-- SELECT\nDELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING n) SELECT * FROM gone",
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "WITH x AS (SELECT 9 AS n) INSERT INTO orders (n) SELECT n FROM x",
        "SELECT n INTO kept FROM orders",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SELECT 1 AS n FROM nowhere",
        "",
    ],
)
def test_a_flow_only_reads(shop: str, sql: str) -> None:
    with pytest.raises(NodeFailed):
        query("shop", sql, {}, 9)
    engine = create_engine(shop)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sum(n) FROM orders")).scalar() == 6
    engine.dispose()


def test_a_statement_that_takes_too_long_is_ended(shop: str) -> None:
    assert shop
    endless = (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) "
        "SELECT count(*) AS n FROM r"
    )
    begun = time.perf_counter()
    with pytest.raises(NodeFailed, match=r"interrupt|timeout"):
        query("shop", endless, {}, 1, patience_s=0.3)
    assert time.perf_counter() - begun < 10


def test_a_missing_parameter_is_told(shop: str) -> None:
    assert shop
    with pytest.raises(NodeFailed, match="did you mean 'names'"):
        query("shop", "SELECT 1 AS n WHERE 'a' = :name", {"names": "a"}, 1)


def test_a_name_that_the_user_has_not_given_is_nothing(own: Callable[..., None]) -> None:
    with pytest.raises(NodeFailed, match="you have no connection 'shop'"):
        query("shop", "SELECT 1", {}, 1)
    own(connections={"ship": "sqlite:///x.db"})
    with pytest.raises(NodeFailed, match="did you mean 'ship'"):
        query("shop", "SELECT 1", {}, 1)
    for wrong in ("x", {"shop": "mysql://host/x"}, {"shop": "?"}, {"shop": 5}):
        own(connections=wrong)
        with pytest.raises(SettingsError):
            query("shop", "SELECT 1", {}, 1)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, own: Callable[..., None]) -> None:
    own(connections={"shop": f"sqlite:///{tmp_path / 'none.db'}"})
    with pytest.raises(NodeFailed, match="not there"):
        query("shop", "SELECT 1 AS n", {}, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_strange_name_is_read(tmp_path: Path, own: Callable[..., None]) -> None:
    at = tmp_path / "a b#c%20d&mode=rwc.db"
    connection = sqlite3.connect(at)
    connection.execute("CREATE TABLE t AS SELECT 5 AS n")
    connection.commit()
    connection.close()
    own(connections={"odd": f"sqlite:///{str(at).replace('%', '%25')}"})
    assert query("odd", "SELECT n FROM t", {}, 1) == [{"n": 5}]


def test_what_has_no_json_form_is_told(shop: str) -> None:
    binary = "x'00ff'" if shop.startswith("sqlite") else r"'\x00ff'::bytea".replace("::", r"\:\:")
    with pytest.raises(NodeFailed, match=r"'b' is .* cast it to text"):
        query("shop", f"SELECT {binary} AS b", {}, 1)


def test_every_type_of_postgresql_has_a_json_form(
    postgresql_url: str, own: Callable[..., None]
) -> None:
    own(connections={"pg": postgresql_url})
    sql = """SELECT now() AS a, current_date AS b, gen_random_uuid() AS c, 1.50 AS d,
        CAST('{"k": [1, 2.5]}' AS jsonb) AS e, CAST('NaN' AS float) AS f, ARRAY[1, 2] AS g,
        interval '1 day' AS h, true AS i, CAST(7 AS numeric) AS j, CAST('Infinity' AS numeric) AS k
    """
    (found,) = query("pg", sql, {}, 1)
    dumps(found)
    picked: Json = [found[name] for name in "defghijk"]
    assert picked == [1.5, {"k": [1, 2.5]}, None, [1, 2], "1 day, 0:00:00", True, 7, None]


def test_no_error_holds_a_password(own: Callable[..., None]) -> None:
    own(connections={"pg": "postgresql://ann:canary-pw@127.0.0.1:1/x"})
    with pytest.raises(NodeFailed) as caught:
        query("pg", "SELECT 1 AS n", {}, 1)
    error: BaseException | None = caught.value
    while error is not None:
        assert "canary-pw" not in f"{error} {vars(error)}"
        error = error.__context__
