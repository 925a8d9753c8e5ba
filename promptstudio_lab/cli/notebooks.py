"""Executing the product's own notebooks, wherever this installation keeps them."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.warehouse.schema.files import folder

_TIMEOUT_S = 300


def notebook(name: str) -> Path:
    """Return the path of one of the product's notebooks.

    Raises:
        PromptStudioError: if this installation does not have it.
    """
    path = folder("notebooks") / name
    if not path.is_file():
        message = f"this installation has no notebook {name!r}"
        raise PromptStudioError(message)
    return path


def execute_to_html(name: str, warehouse: str, to: Path | None = None) -> Path:
    """Run a notebook from top to bottom and return the HTML page of the result.

    Args:
        name: one of the product's notebooks.
        warehouse: the URL that its `connect()` finds.
        to: the folder of the page; by default the user's data directory.

    Raises:
        PromptStudioError: if a cell fails; the message ends with the cell's own error.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    source = nbformat.read(notebook(name), as_version=4)
    target = to or Path(platformdirs.user_data_dir("promptstudio-lab")) / "pages"
    target.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PROMPTSTUDIO_WAREHOUSE": warehouse}
    client = NotebookClient(
        source,
        timeout=_TIMEOUT_S,
        kernel_name="python3",
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": target}},
    )
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        message = f"the notebook {name} failed: {error.ename}: {error.evalue}"
        raise PromptStudioError(message) from None
    page = target / f"{Path(name).stem}.html"
    body, _ = HTMLExporter().from_notebook_node(source)
    page.write_text(body, encoding="utf-8")
    return page.resolve()
