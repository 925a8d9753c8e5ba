from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptstudio_lab.datasets.frames import rows_of
from promptstudio_lab.errors import DatasetError
from promptstudio_lab.values import dumps

ROWS: list[dict[str, Any]] = [  # any JSON value
    {"id": "a", "n": 1, "x": 0.5, "ok": True, "tags": ["x", "y"]},
    {"id": "b", "n": 2, "x": None, "ok": False, "tags": []},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_polars_frames_are_rows() -> None:
    assert list(rows_of(pl.DataFrame(ROWS))) == ROWS


def test_pandas_frames_are_rows_without_nan() -> None:
    plain = [{name: row[name] for name in ("id", "n", "x", "ok")} for row in ROWS]
    found = list(rows_of(pd.DataFrame(plain)))
    assert found == plain
    assert [dumps(row) for row in found] == [dumps(row) for row in plain]


def test_lists_and_generators_are_rows() -> None:
    assert rows_of(ROWS) == ROWS
    assert rows_of(row for row in ROWS) == ROWS
    assert rows_of([]) == []


@pytest.mark.parametrize("bad", [["a"], [{"a": 1}, 5], [None], {"a": 1}])
def test_row_that_is_no_mapping_is_named(bad: Any) -> None:
    number = 2 if len(bad) == 2 else 1
    with pytest.raises(DatasetError, match=f"row {number} is a .*; a row is a mapping by column"):
        rows_of(bad)


@pytest.mark.parametrize("kind", [str, Path])
def test_files_are_read_by_path(file: Path, kind: type[Any]) -> None:
    file.write_text('{"a": 1}\n\n  \n{"a": [null, "x"]}', encoding="utf-8")
    assert rows_of(kind(file)) == [{"a": 1}, {"a": [None, "x"]}]


def test_marks_and_separators_inside_a_line_do_not_end_it(file: Path) -> None:
    text = "\u2028 \u2029 \x85 \x0c \x1e"
    file.write_bytes(b"\xef\xbb\xbf" + '{"a": "\u2028\u2029\x85"}\r\n{"a": 2}\r\n'.encode())
    assert rows_of(file) == [{"a": "\u2028\u2029\x85"}, {"a": 2}]
    file.write_text(dumps({"a": text}) + "\n", encoding="utf-8")
    assert rows_of(file) == [{"a": text}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": }', "rows.jsonl line 3: not JSON"),
        ('{"a": 1, "a": 2}', "rows.jsonl line 3: duplicate key 'a'"),
        ('{"a": NaN}', "rows.jsonl line 3: NaN has no JSON form"),
        ('{"a": 1e999}', "rows.jsonl line 3: "),
        ('{"a": "\\ud800"}', "rows.jsonl line 3: "),
        ("[1]", "rows.jsonl line 3 is not an object"),
        ('"text"', "rows.jsonl line 3 is not an object"),
    ],
)
def test_bad_line_is_named(file: Path, line: str, message: str) -> None:
    file.write_text(f'{{"a": 1}}\n\n{line}\n{{"a": 2}}\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        rows_of(file)


def test_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read .*rows\.jsonl: .*No such file"):
        rows_of(file)
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DatasetError, match=r"cannot read .*rows\.jsonl: .*utf-8"):
        rows_of(str(file))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.dictionaries(st.text(max_size=4), JSON), min_size=1, max_size=4))
def test_rows_written_as_lines_come_back(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(f"{dumps(row)}\n" for row in rows), encoding="utf-8")
    assert [dumps(row) for row in rows_of(file)] == [dumps(row) for row in rows]
