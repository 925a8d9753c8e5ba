"""The essays on cost and on templates, run in a real kernel, held to the truth they are about."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from promptstudio_lab.cli.notebooks import notebook
from promptstudio_lab.lab.invented.desk import Truth

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

COST, TEMPLATES = "03_cost_analysis.ipynb", "04_template_performance.ipynb"


def run(name: str, folder: Path) -> list[Any]:  # cells have no type
    book: NotebookNode = nbformat.read(notebook(name), as_version=4)
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    # An essay that wrote into the user's own warehouse would make this file.
    own = folder / "warehouse.db"
    started = time.monotonic()
    client.execute(env={**os.environ, "PROMPTSTUDIO_WAREHOUSE": f"sqlite:///{own}"})
    assert time.monotonic() - started < 60
    assert not own.exists()
    return [cell for cell in book.cells if cell.cell_type == "code"]


def said(cell: Any) -> str:  # a cell has no type
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    return "\n".join(texts)


def _estimate(text: str, name: str) -> tuple[float, float, float]:
    """Return an estimate with its interval, as an essay prints it."""
    found = re.search(rf"{name}: +([+-]?[\d.]+) \(([+-]?[\d.]+) to ([+-]?[\d.]+)\)", text)
    assert found, f"{name} is not told in {text}"
    return float(found[1]), float(found[2]), float(found[3])


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_the_essay_on_cost_finds_what_was_made(tmp_path: Path) -> None:
    cells = run(COST, tmp_path)
    whole = "\n".join(map(said, cells))
    dated = re.search(r"found on day (\d+); it was made on day (\d+)", whole)
    assert dated
    assert abs(int(dated[1]) - Truth().dearer_from) <= 2
    theirs, ours = (_estimate(whole, name) for name in ("statsmodels", "the trend"))
    assert theirs[0] == pytest.approx(ours[0], rel=0.1)
    assert ours[1] < theirs[0] < ours[2]
    assert "2 unusual periods" in whole
    assert said(cells[-1]).count("succeeded") == 5


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_the_essay_on_templates_finds_what_was_made(tmp_path: Path) -> None:
    cells = run(TEMPLATES, tmp_path)
    whole = "\n".join(map(said, cells))
    theirs, ours = (_estimate(whole, name) for name in ("statsmodels", "ours"))
    assert theirs == pytest.approx(ours, abs=1e-3)
    assert ours[1] < Truth().inside_score < ours[2]
    assert "Runs of triage wait for answer" in whole
    rows = [line for line in said(cells[-1]).splitlines() if "digest" in line]
    assert len(rows) == 1
    assert "2" in rows[0].split("┆")[1]


@pytest.mark.parametrize("name", [COST, TEMPLATES])
def test_the_notebooks_are_kept_without_their_outputs(name: str) -> None:
    book: NotebookNode = nbformat.read(notebook(name), as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
