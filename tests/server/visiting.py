"""A real Jupyter server in its own process and folder, and requests to it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.server.forked import started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.context import ForkServerProcess

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests"  # noqa: S105 — opens nothing but a server that ends with the test
_START_S = _STOP_S = 120.0  # what is killed leaves its kernels and workers behind
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self) -> Any:  # whatever the server sent
        """Return the body as JSON."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        port: on the loopback interface.
        root: the folder that it shows.
        log: where it writes what it says.
    """

    port: int
    root: Path
    log: Path
    token: dict[str, str] = field(default_factory=lambda: {"Authorization": f"token {TOKEN}"})

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; with the token unless other headers are given."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
        sent = dict(self.token if headers is None else headers)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_S)
        try:
            connection.request(method, f"/{path}", raw, sent)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        return Answer(reply.status, reply.headers, text)

    def get(self, path: str) -> Answer:
        """Read one of our routes."""
        return self.ask("GET", f"promptstudio/{path}")

    def post(self, path: str, body: object) -> Answer:
        """Write to one of our routes."""
        return self.ask("POST", f"promptstudio/{path}", body)

    def browser(self) -> dict[str, str]:
        """Return the headers of a browser that has logged in by its form: cookies, no token."""
        form = _cookies(self.ask("GET", "login", headers={}))
        headers = {"Cookie": f"_xsrf={form['_xsrf']}", "X-XSRFToken": form["_xsrf"]}
        filled = f"password={TOKEN}".encode()
        typed = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        cookies = form | _cookies(self.ask("POST", "login", filled, typed))
        joined = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return {"Cookie": joined, "X-XSRFToken": cookies["_xsrf"]}


@contextmanager
def running(home: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """Give a server that shows `home/root` and ends with the block, by its own process id."""
    root, log = home / "root", home / "log"
    root.mkdir(parents=True)
    words = [
        *("--allow-root", "--no-browser"),
        *(f"--ServerApp.port={_likely_free()}", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={TOKEN}"),
        "--ServerApp.jpserver_extensions={'promptstudio_lab.server': True}",
        *arguments,
    ]
    process = started(words, root, _environment(home, environment), log)
    try:
        yield _answering(home, root, log, process)
    finally:
        process.terminate()
        process.join(_STOP_S)
        if process.is_alive():
            process.kill()
            process.join()


def _environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nothing of the developer's own is found."""
    ours = {name: value for name, value in os.environ.items() if "PROMPTSTUDIO" not in name}
    folders = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "JUPYTER_CONFIG_DIR")
    return {
        **ours,
        **{name: str(home / name.lower()) for name in (*folders, "JUPYTER_RUNTIME_DIR")},
        "PYTHONPATH": str(ROOT),
        **more,
    }


def _cookies(reply: Answer) -> dict[str, str]:
    sent = [cookie.partition(";")[0] for cookie in reply.headers.get_all("Set-Cookie") or []]
    return dict(cookie.split("=", 1) for cookie in sent)


def _likely_free() -> int:
    """Return a port that nobody has; where somebody is faster, the server takes another."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answering(home: Path, root: Path, log: Path, process: ForkServerProcess) -> Server:
    """Return the server once it answers, at the port that it has written down."""
    told = home / "jupyter_runtime_dir" / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.is_alive():
        try:
            server = Server(json.loads(told.read_text(encoding="utf-8"))["port"], root, log)
            if server.ask("GET", "api/status").status == http.client.OK:
                return server
        except (OSError, ValueError):  # not there yet, or half written
            time.sleep(_POLL_S)
    message = f"the server did not start: {log.read_text(errors='replace')}"
    raise AssertionError(message)
