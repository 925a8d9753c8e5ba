"""A real JupyterLab in a real Chromium; what it looked like stays in `test-results/`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.room import PATIENCE_S, Room
from tests.server.visiting import ROOT, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# No longer than these tests: while it is open, playwright keeps an event loop running.
@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """Return a browser."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM))
        yield started
        started.close()


@pytest.fixture
def room(browser: Browser, tmp_path: Path) -> Iterator[Room]:
    """Return JupyterLab on an empty warehouse, with the product's notebooks beside it."""
    results = ROOT / "test-results"
    results.mkdir(exist_ok=True)
    warehouse = tmp_path / "warehouse.db"
    home = tmp_path / "home"
    settings = tmp_path / "settings"
    _no_news(settings)
    arguments = (
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        f"--LabApp.workspaces_dir={tmp_path / 'workspaces'}",
        f"--LabApp.user_settings_dir={settings}",
    )
    with running(home, *arguments, PROMPTSTUDIO_WAREHOUSE=str(warehouse)) as server:
        for notebook in (ROOT / "notebooks").glob("*.ipynb"):
            shutil.copy(notebook, server.root)
        # As for somebody who wants no motion: what is done is there at once.
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_S * 1000)
        opened = Room(page, server, warehouse, results)
        yield opened
        page.close()


def _no_news(settings: Path) -> None:
    """Answer JupyterLab's own question beforehand: it would lie over what is photographed."""
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    answer = '{"fetchNews": "false", "checkForUpdates": false}'
    (folder / "notification.jupyterlab-settings").write_text(answer, encoding="utf-8")
