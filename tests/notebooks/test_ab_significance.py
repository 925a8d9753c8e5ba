"""The essay on significance, run in a real kernel as a person would run it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from promptstudio_lab.cli.notebooks import notebook
from tests.lab.parts import opened

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

NAME = "02_ab_significance.ipynb"


def texts(cell: Any) -> str:  # a cell has no type
    found = []
    for output in cell.outputs:
        found += [str(part) for part in output.get("data", {}).values()]
        found.append(str(output.get("text", "")))
    return "\n".join(found)


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_it_agrees_with_statsmodels_and_ends_in_an_action(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    book: NotebookNode = nbformat.read(notebook(NAME), as_version=4)
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    # The cells themselves assert that both answers agree, and what peeking does.
    client.execute(env={**os.environ, "PROMPTSTUDIO_WAREHOUSE": url})
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    charts = [
        output
        for cell in cells
        for output in cell.outputs
        if "application/vnd.vegalite.v5+json" in output.get("data", {})
    ]
    assert len(charts) == 1
    with opened(url) as lab:
        assert lab.runs(1_000)["status"].to_list() == ["succeeded"] * 480
        assert lab.template("significance/classify").labels() == {"production": 2}
        looks = lab.sql("SELECT DISTINCT look, decision FROM v_experiment_analysis")
        assert looks.rows() == [(1, "ship")]
    assert "Ship: definitions ships" in texts(cells[-1])


def test_the_notebook_is_kept_without_its_outputs() -> None:
    book: NotebookNode = nbformat.read(notebook(NAME), as_version=4)
    nbformat.validate(book)
    assert not [cell for cell in book.cells if cell.cell_type == "code" and cell.outputs]
