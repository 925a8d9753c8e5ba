"""The first notebook, run in a real kernel as a person would run it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from promptstudio_lab.cli.notebooks import notebook
from promptstudio_lab.errors import PromptStudioError
from tests.lab.parts import opened

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode


def texts(cell: Any) -> str:  # a cell has no type
    found = []
    for output in cell.outputs:
        found += [str(part) for part in output.get("data", {}).values()]
        found.append(str(output.get("text", "")))
    return "\n".join(found)


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_the_quickstart_ends_in_a_decision(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    book: NotebookNode = nbformat.read(notebook("00_quickstart.ipynb"), as_version=4)
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env={**os.environ, "PROMPTSTUDIO_WAREHOUSE": url})
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    with opened(url) as lab:
        assert lab.runs(1_000)["status"].to_list() == ["succeeded"] * 481
        flow = lab.flow("quickstart/triage").head()
        assert flow.graph.nodes
    said = texts(cells[-1])
    assert "definitions" in said
    assert "Use definitions" in said or "ship" in said.lower()
    assert "simulated" in said.lower()
    assert not [cell for cell in cells if any(o.output_type == "error" for o in cell.outputs)]


def test_the_notebook_is_kept_without_its_outputs() -> None:
    book: NotebookNode = nbformat.read(notebook("00_quickstart.ipynb"), as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_a_notebook_that_there_is_not() -> None:
    with pytest.raises(PromptStudioError, match=r"no notebook 'none\.ipynb'"):
        notebook("none.ipynb")
