"""What a person does in JupyterLab, as methods, and what one waits for before the next thing.

Nothing here sleeps. Whatever takes its time has a sign by which one knows that it is over, and
how long that takes is nobody's promise: where a test is about time, it says so itself.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.visiting import ROOT, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from promptstudio_lab.lab import Flow
    from tests.server.visiting import Server

AXE = ROOT / "extension" / "node_modules" / "axe-core" / "axe.min.js"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
WISH = ".psl-picker input"  # where one types what one looks for in an open list
PATIENCE_S = 120.0  # for what must come, on a machine that is busy with something else
_POLL_MS = 50
# What a script reads, once that has been the same for ten frames and nothing fades or slides.
# A machine that is slow has long frames, so this waits longer there by itself.
_SETTLED = """given => {
  const now = JSON.stringify((%s)(given));
  const moves = document.getAnimations().some(one => one.playState === 'running'
    && Number.isFinite(one.effect?.getComputedTiming().endTime));
  const frames = now === window.roomSaw && !moves ? (window.roomFrames ?? 0) + 1 : 0;
  [window.roomSaw, window.roomFrames] = frames < 10 ? [now, frames] : [undefined, 0];
  return frames < 10 ? null : { read: JSON.parse(now) };
}"""
_PLACES = """css => [...document.querySelectorAll(css)].map(one => one.getBoundingClientRect())
  .map(({ x, y, width, height }) => [x, y, width, height])"""
# A card is invisible until React Flow has measured it, and only then all are brought into view.
_DRAWN = """() => document.querySelector('.psl-invitation') !== null
  || [...document.querySelectorAll('.react-flow__node')].some(one =>
    one.checkVisibility({ visibilityProperty: true }))"""
_THEMED = """name => document.body.dataset.jpThemeName === name
  && !document.getElementById('jupyterlab-splash')"""


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
        self.page.wait_for_function("window.jupyterapp?.restored !== undefined")
        self.page.evaluate("window.jupyterapp.restored.then(() => true)")
        # It fades away over everything, and takes what the mouse does.
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        if path:
            self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()

    def show(self, flow: Flow) -> None:
        """Open a flow in a tab, alone in the window, with the keys on its canvas."""
        self.open()
        self.command("promptstudio:open-flow", id=flow.id, path=flow.path, beside="")
        self.focused(".psl-desk")
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        self.fit()

    def fit(self) -> None:
        """Bring all of the flow into view."""
        self.drawn()
        self.page.locator(".psl-desk:visible").focus()
        self.page.keyboard.press("f")
        self.still()

    def command(self, command: str, **arguments: object) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate(
            "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => true)",
            [command, arguments],
        )

    def run_all(self) -> None:
        """Start running every cell."""
        self.idle()
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )

    def run_cell(self, number: int) -> None:
        """Run one cell, counted from 0."""
        self.idle()
        self.page.evaluate(
            "index => { const panel = window.jupyterapp.shell.currentWidget;"
            " panel.content.activeCellIndex = index; panel.content.deselectAll();"
            " window.jupyterapp.commands.execute('notebook:run-cell'); }",
            number,
        )

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until something is true that no page can tell: most often, of the warehouse."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > end:
                pytest.fail(f"not within {PATIENCE_S:.0f} s: {what}")
            self.page.wait_for_timeout(_POLL_MS)  # unlike a sleep, it lets routes be answered

    def idle(self) -> None:
        """Wait until the notebook's kernel is there and has nothing to do.

        Before, JupyterLab answers whoever runs a cell with a dialog that asks for a kernel.
        """
        self.page.wait_for_function(
            "() => { const context = window.jupyterapp?.shell.currentWidget?.sessionContext;"
            " return context?.isReady && context.session?.kernel?.status === 'idle'; }"
        )

    def focused(self, css: str) -> None:
        """Wait until the keys go to what a selector names: there, and nowhere inside it."""
        self.page.wait_for_function("css => document.activeElement?.matches(css)", arg=css)

    def focused_within(self, css: str) -> None:
        """Wait until the keys go to what a selector names, or to something inside it."""
        self.page.wait_for_function(
            "css => document.activeElement?.closest(css) instanceof Element", arg=css
        )

    def saved(self, flow: Flow) -> None:
        """Wait until the canvas has all that the warehouse has, and waits for no answer."""
        kept = '.psl-desk:visible .psl-kept-live[title="edit {}"]:has(.psl-dot:not(.psl-busy))'
        self.until(
            lambda: self.page.locator(kept.format(flow.head().seq)).count(),
            "the canvas has what the warehouse has",
        )

    def kept(self, flow: Flow, true: Callable[[], object], what: str) -> None:
        """Wait until the warehouse has what was done, and the canvas has heard so."""
        self.until(true, what)
        self.saved(flow)

    def drawn(self) -> None:
        """Wait until a canvas shows its flow, and nothing of it moves any more."""
        self.page.wait_for_function(_DRAWN)
        self.still()

    def still(self, css: str = ".react-flow__node") -> None:
        """Wait until nothing moves, fades or grows of what a selector names."""
        self.settled(_PLACES, css)

    def settled(self, script: str, given: object) -> Any:  # JSON
        """Return what a script reads in the page, once that stays the same."""
        found = self.page.wait_for_function(_SETTLED % script, arg=given)
        return found.json_value()["read"]

    def pick(self, key: str, wish: str) -> None:
        """Open a list by its key, and take what answers to a wish."""
        self.page.keyboard.press(key)
        self.wish(wish)

    def wish(self, wish: str, title: str = "") -> None:
        """Take what answers to a wish from the list that has just opened; a title tells which."""
        opened = f'.psl-picker[aria-label^="{title}"]' if title else ".psl-picker"
        self.focused(f"{opened} input")
        self.page.keyboard.type(wish)
        self.page.locator(opened).get_by_role("option").first.wait_for()
        self.page.keyboard.press("Enter")

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
            self.theme(theme)
            self.page.mouse.move(640, 5)  # nothing lights up under the pointer
            self.still()
            self.page.screenshot(path=self.results / f"{name}-{theme}.png")

    def faults(self, where: str = ".psl") -> list[str]:
        """Return what axe finds there that is serious or worse, in light and in dark."""
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(path=str(AXE))
        found: list[str] = []
        for theme in ("dark", "light"):
            self.theme(theme)
            self.still()
            found += self.page.evaluate(
                "([where, theme]) => axe.run(where, {resultTypes: ['violations']}).then(all =>"
                " all.violations.filter(one => ['serious', 'critical'].includes(one.impact))"
                ".map(one => `${theme}: ${one.id}: ` +"
                " one.nodes.map(n => n.target.join(' ')).slice(0, 4)))",
                [where, theme],
            )
        return found

    def theme(self, name: str) -> None:
        """Change to the light or the dark theme."""
        had = self.page.evaluate_handle("document.activeElement")
        # While a theme loads JupyterLab takes its window away, and with it the keys where that
        # takes longer than a frame: here it only covers it.
        self.page.evaluate("() => { window.jupyterapp.shell.hide = () => undefined; }")
        self.command("apputils:change-theme", theme=THEMES[name])
        self.page.wait_for_function(_THEMED, arg=THEMES[name])
        kept = "had => had === document.activeElement || !had.closest('.psl')"
        assert self.page.evaluate(kept, had), "a canvas keeps the keys while a theme changes"

    def drag(self, start: Locator, end: Locator) -> None:
        """Press on one thing, move to another, and let go, as a hand does."""
        begin, finish = self.middle(start), self.middle(end)
        self.page.mouse.move(*begin)
        self.page.mouse.down()
        for step in range(1, 11):
            self.page.mouse.move(
                begin[0] + (finish[0] - begin[0]) * step / 10,
                begin[1] + (finish[1] - begin[1]) * step / 10,
            )
        self.still(".react-flow__node, .react-flow__connection")
        self.page.mouse.up()

    def middle(self, thing: Locator) -> tuple[float, float]:
        """Return where a thing's middle is in the window, once the canvas is at rest."""
        thing.scroll_into_view_if_needed()
        self.still()
        box = thing.bounding_box()
        assert box is not None, "it is not on the page"
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
