"""What a person does in JupyterLab, as methods."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.server.visiting import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.server.visiting import Server

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@dataclass(frozen=True, slots=True)
class Room:
    """JupyterLab, opened in a browser.

    Attributes:
        page: the browser's tab.
        server: the Jupyter server behind it.
        warehouse: the file that every process of this room uses.
        results: where pictures go.
    """

    page: Page
    server: Server
    warehouse: Path
    results: Path

    def notebook(self, name: str, *cells: str) -> None:
        """Write a notebook of code cells."""
        written: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "id": f"cell{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        document = {
            "cells": written,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.server.root / name).write_text(json.dumps(document), encoding="utf-8")

    def open(self, path: str = "") -> None:
        """Open JupyterLab, on a notebook if one is named."""
        tree = f"/tree/{path}" if path else ""
        self.page.goto(f"http://127.0.0.1:{self.server.port}/lab{tree}?reset&token={TOKEN}")
        self.page.wait_for_selector("#jp-top-panel, #jp-menu-panel")
        self.page.wait_for_function("window.jupyterapp?.restored !== undefined")
        self.page.evaluate("window.jupyterapp.restored.then(() => true)")
        if path:
            self.page.wait_for_selector(".jp-Notebook .jp-Cell")
            self.page.wait_for_selector(
                ".jp-Notebook-ExecutionIndicator[data-status=idle], "
                ".jp-Toolbar-kernelStatus, .jp-NotebookPanel-toolbar"
            )

    def command(self, command: str, **arguments: object) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate(
            "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => true)",
            [command, arguments],
        )

    def run_all(self) -> None:
        """Start running every cell."""
        self._kernel()
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )

    def _kernel(self) -> None:
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext"
            "?.session?.kernel?.status === 'idle'",
            timeout=60_000,
        )

    def run_cell(self, number: int) -> None:
        """Run one cell, counted from 0."""
        self._kernel()
        self.page.evaluate(
            "index => { const panel = window.jupyterapp.shell.currentWidget;"
            " panel.content.activeCellIndex = index; panel.content.deselectAll();"
            " window.jupyterapp.commands.execute('notebook:run-cell'); }",
            number,
        )

    def output(self, number: int) -> Locator:
        """Return what a cell has put out."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-OutputArea")

    def cells(self) -> list[str]:
        """Return the notebook's cells as the notebook's own model has them."""
        found: list[str] = self.page.evaluate(
            "() => { const cells = window.jupyterapp.shell.currentWidget.content.model.cells;"
            " return [...Array(cells.length).keys()]"
            ".map(i => cells.get(i).type + ':' + cells.get(i).sharedModel.getSource()); }"
        )
        return found

    def picture(self, name: str) -> None:
        """Keep what the window looks like, in light and in dark."""
        for theme in ("dark", "light"):
            self.command("apputils:change-theme", theme=THEMES[theme])
            self.page.wait_for_function(
                "light => document.body.dataset.jpThemeLight === light",
                arg="true" if theme == "light" else "false",
            )
            # Nothing lights up under the pointer, and no transition is caught half-way.
            self.page.mouse.move(640, 5)
            self.page.wait_for_timeout(600)
            self.page.screenshot(path=self.results / f"{name}-{theme}.png")

    def drag(self, start: Locator, end: Locator) -> None:
        """Press on one thing, move to another, and let go, as a hand does."""
        begin, finish = _middle(start), _middle(end)
        self.page.mouse.move(*begin)
        self.page.mouse.down()
        for step in range(1, 11):
            self.page.mouse.move(
                begin[0] + (finish[0] - begin[0]) * step / 10,
                begin[1] + (finish[1] - begin[1]) * step / 10,
            )
        self.page.wait_for_timeout(100)
        self.page.mouse.up()


def _middle(thing: Locator) -> tuple[float, float]:
    thing.scroll_into_view_if_needed()
    box = thing.bounding_box()
    assert box is not None, "it is not on the page"
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
