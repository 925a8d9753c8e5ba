"""JupyterLab's back end: every route is authenticated and authorised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "promptstudio_lab.server"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the routes; the warehouse is opened by the first request that needs it."""
    from promptstudio_lab.server.rooms import Rooms
    from promptstudio_lab.server.routes import routes

    web = server.web_app
    added = routes(web.settings["base_url"], Rooms(Path(server.root_dir)))
    web.add_handlers(".*$", added)  # type: ignore[no-untyped-call]  # tornado gives it no types
    server.log.info("PromptStudio Lab answers at %spromptstudio/", web.settings["base_url"])
