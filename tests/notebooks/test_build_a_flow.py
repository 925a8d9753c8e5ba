"""The essay on durable runs, run in a real kernel as a person would run it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from promptstudio_lab.cli.notebooks import notebook
from tests.lab.parts import opened

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

NAME = "01_build_a_flow.ipynb"


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_a_flow_waits_is_killed_goes_on_and_is_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    book: NotebookNode = nbformat.read(notebook(NAME), as_version=4)
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env={**os.environ, "PROMPTSTUDIO_WAREHOUSE": url})
    with opened(url) as lab:
        runs = lab.runs(100).sort("started_at")
        assert runs["status"].to_list() == [
            "succeeded", "succeeded", "succeeded", "waiting",
        ]  # fmt: skip
        twice = lab.sql(
            "SELECT flow_execution_id, path, node_key FROM node_execution "
            "WHERE status = 'succeeded' GROUP BY 1, 2, 3 HAVING count(*) > 1"
        )
        assert twice.height == 0
        hits = lab.sql("SELECT sum(saved_cost) AS saved FROM node_execution WHERE cache_hit = 1")
        assert hits["saved"].item() > 0
        resumed = lab.sql("SELECT max(lease_epoch) AS epoch FROM flow_execution")["epoch"].item()
        assert resumed == 4, "it was interrupted, resumed, and answered"


def test_the_notebook_is_kept_without_its_outputs() -> None:
    book: NotebookNode = nbformat.read(notebook(NAME), as_version=4)
    nbformat.validate(book)
    assert not [cell for cell in book.cells if cell.cell_type == "code" and cell.outputs]
