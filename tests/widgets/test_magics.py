"""`%%sql` in a real shell: a cell of SQL, its frame displayed and kept."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from promptstudio_lab.lab import Lab


@pytest.fixture
def shell(memory: Lab) -> Iterator[Any]:
    """Give a shell with the extension loaded and a lab in `lab`."""
    InteractiveShell.clear_instance()
    quiet = Config({"HistoryManager": {"enabled": False}})
    found = InteractiveShell.instance(config=quiet, user_ns={"lab": memory})
    found.run_line_magic("load_ext", "promptstudio_lab")
    yield found
    InteractiveShell.clear_instance()


def test_answer_is_displayed_and_kept(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cell = "%%sql two\nSELECT :n + 1 AS two, ':n' AS text -- :other"
    assert not shell.run_cell(cell).success
    assert "UsageError: the query needs :n" in capsys.readouterr().err
    shell.run_cell("n = 1")
    done = shell.run_cell(cell)
    assert done.result.rows() == [(2, ":n")]
    assert "shape: (1, 2)" in capsys.readouterr().out
    assert shell.user_ns["two"] is done.result


def test_without_a_name_nothing_is_kept(shell: Any) -> None:
    before = set(shell.user_ns)
    found = shell.run_cell_magic(
        "sql", "", "SELECT name FROM prompt_lab WHERE :organization_id > ''"
    )
    assert isinstance(found, pl.DataFrame)
    assert found["name"].to_list() == ["default"]
    assert set(shell.user_ns) == before


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [
        ("", "SELEC 1", "begins with SELEC"),
        ("", "SELECT a\nFROM nowhere", "nowhere"),
        ("", "SELECT :missing", "'missing'; assign it first"),
        ("", "DELETE FROM prompt_lab", "begins with DELETE"),
        ("a b", "SELECT 1", "name of one variable"),
        ("class", "SELECT 1", "name of one variable"),
    ],
)
def test_what_is_wrong_is_one_plain_line(shell: Any, line: str, cell: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        shell.run_cell_magic("sql", line, cell)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_lab_is_the_users_own(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTSTUDIO_WAREHOUSE", str(tmp_path / "own.db"))
    shell.user_ns["lab"] = "not a lab"
    found = shell.run_cell_magic("sql", "", "SELECT count(*) AS n FROM prompt_lab")
    assert found["n"].to_list() == [1]
    assert (tmp_path / "own.db").exists()


def test_the_extension_is_light_until_it_is_loaded() -> None:
    program = "import sys, promptstudio_lab as p; p.load_ipython_extension; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not {b"IPython", b"polars"} & set(done.stdout.split())
