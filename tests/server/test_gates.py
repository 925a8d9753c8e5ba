from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.server.routes import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab import Lab
    from tests.server.visiting import Server

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
NOBODY = "01a00000-0000-7000-8000-000000000000"
FOREIGN = {"Origin": "https://elsewhere.example"}


def every_route() -> list[tuple[str, str, bool]]:
    """Return (method, path, whether it is there) of everything that one could ask for."""
    return [
        (method, "promptstudio/" + re.sub(r"\(.*?\)", NOBODY, pattern), there)
        for pattern, handler in ROUTES
        for method in METHODS
        for there in [method.lower() in vars(handler)]
    ]


def test_the_table_has_routes_to_guard() -> None:
    assert sum(there for _, _, there in every_route()) == len(ROUTES)


@pytest.mark.parametrize(("method", "path", "there"), every_route())
def test_nobody_enters_without_a_token(
    server: Server, method: str, path: str, *, there: bool
) -> None:
    reply = server.ask(method, path, {"path": "a"}, headers={})
    assert reply.status == 403 if there else reply.status in (403, 405)
    assert "promptstudio" not in reply.text


@pytest.mark.parametrize("path", sorted({path for _, path, _ in every_route()}))
def test_a_wrong_token_is_no_token(server: Server, path: str) -> None:
    wrong = {"Authorization": "token another"}
    assert server.ask("GET", path, headers=wrong).status in (403, 405)


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, there in every_route() if there]
)
def test_every_route_asks_the_authorizer(
    guarded: tuple[Server, Path], method: str, path: str
) -> None:
    server, rights = guarded
    rights.write_text("write" if method == "GET" else "read", encoding="utf-8")
    assert server.ask(method, path, {"path": "a"}).status == 403
    rights.write_text("read" if method == "GET" else "write", encoding="utf-8")
    assert server.ask(method, path, {"path": "a"}).status != 403


def test_who_may_only_read_reads_and_follows_a_flow(
    guarded: tuple[Server, Path],
) -> None:
    server, rights = guarded
    rights.write_text("read write", encoding="utf-8")
    flow_id = server.post("flows", {"path": "kept"}).json["id"]
    rights.write_text("read", encoding="utf-8")
    for path in ("status", "tree", f"flows/{flow_id}", f"flows/{flow_id}/changes?since=0"):
        assert server.get(path).status == 200
    message = {"client_id": "tab", "do": "undo"}
    assert server.post(f"flows/{flow_id}/messages", message).status == 403
    assert server.post("flows", {"path": "new"}).status == 403


def test_a_browser_writes_only_with_its_xsrf_token(server: Server) -> None:
    headers = server.browser()
    body = {"path": "by cookie"}
    assert server.ask("POST", "promptstudio/flows", body, headers=headers).status == 200
    xsrf = headers.pop("X-XSRFToken")
    assert server.ask("GET", "promptstudio/status", headers=headers).status == 200
    assert server.ask("POST", "promptstudio/flows", body, headers=headers).status == 403
    wrong = {**headers, "X-XSRFToken": xsrf[::-1]}
    assert server.ask("POST", "promptstudio/flows", body, headers=wrong).status == 403


def test_another_site_reads_and_writes_nothing_by_a_visitors_cookie(server: Server) -> None:
    headers = {**server.browser(), **FOREIGN}
    read = server.ask("GET", "promptstudio/status", headers=headers)
    written = server.ask("POST", "promptstudio/flows", {"path": "stolen"}, headers=headers)
    assert (read.status, written.status) == (404, 404)
    for reply in (read, written):
        assert "warehouse" not in reply.text
        assert "Access-Control-Allow-Origin" not in reply.headers


def test_answers_are_data_and_kept_nowhere(server: Server) -> None:
    headers = server.get("status").headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_request_that_waits_does_not_hold_up_the_server(server: Server, lab: Lab) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    locked, free = Event(), Event()

    def hold(_: object) -> None:
        locked.set()
        free.wait(30)

    with ThreadPoolExecutor() as pool:
        holder = pool.submit(lab.warehouse.append, lab.actor, hold)
        assert locked.wait(10)
        waiting = pool.submit(server.post, "flows", {"path": "patient"})
        assert server.ask("GET", "api/status").status == 200
        assert server.get("tree").status == 200
        assert not waiting.done()
        free.set()
        holder.result(10)
        assert waiting.result(10).status == 200
