from __future__ import annotations

import asyncio
import json
import pickle
import socket
import threading
import time
import zlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab import settings
from promptstudio_lab.engine.reach import hosts
from promptstudio_lab.engine.reach.hosts import Origin, address_of
from promptstudio_lab.engine.reach.http import MOST_ANSWER, fetch
from promptstudio_lab.errors import NodeFailed, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from promptstudio_lab.values import Json

CANARY = "canary-5f2d81c0aa"


class Handler(BaseHTTPRequestHandler):
    """Answers by its path, and keeps what it heard."""

    heard: list[Json]

    def do_GET(self) -> None:  # noqa: D102 — the base class calls it
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.heard.append((self.command, self.path, headers, body))
        with suppress(BrokenPipeError, ConnectionResetError):
            answers = {
                "/drip": self._drip,
                "/big": self._big,
                "/bomb": self._bomb,
                "/away": self._away,
            }
            answers.get(self.path, self._echo)()

    do_POST = do_GET  # noqa: N815 — the base class calls it

    def _begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _echo(self) -> None:
        self._begin(X_Seen=self.headers.get("Authorization", "none"))
        self.wfile.write(json.dumps(self.heard[-1]).encode())

    def _drip(self) -> None:
        self._begin()
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def _big(self) -> None:
        self._begin()
        for _ in range(20):
            self.wfile.write(b"x" * (1 << 20))

    def _bomb(self) -> None:
        self._begin(Content_Encoding="deflate")
        self.wfile.write(zlib.compress(b"x" * (64 << 20)))

    def _away(self) -> None:
        self._begin(302, Location="/landed")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.heard = []
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def origin(server: ThreadingHTTPServer, own: Callable[..., None]) -> str:
    own(hosts=[f"127.0.0.1:{server.server_port}"])
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what sets the user's own settings; to begin with there are none."""
    values: dict[str, object] = {}
    monkeypatch.setattr(settings, "personal", values.get)
    return values.update


def get(url: str, timeout_s: float = 10, **more: Json) -> Json:
    request = {"method": "GET", "url": url, "headers": {}, "body": None, **more}
    return asyncio.run(fetch(request, timeout_s))


def test_a_request_goes_out_as_it_is_and_the_answer_comes_back(origin: str) -> None:
    found = get(f"{origin}/a%2Fb?q=1", method="POST", headers={"X-A": "b"}, body="ü")
    assert found["status"] == 200
    method, path, headers, body = json.loads(found["text"])
    assert (method, path, body) == ("POST", "/a%2Fb?q=1", "ü")
    assert headers["x-a"] == "b"
    assert headers["host"] == origin.removeprefix("http://")


def test_a_host_that_is_not_allowed_is_not_asked(origin: str, own: Callable[..., None]) -> None:
    own(hosts=["127.0.0.1"])
    with pytest.raises(NodeFailed, match=r'add "127\.0\.0\.1:'):
        get(origin)
    own(hosts=[])
    with pytest.raises(NodeFailed, match="no host that you allow"):
        get(origin)
    assert Handler.heard == []
    own(hosts="all")
    with pytest.raises(SettingsError):
        get(origin)


def test_a_redirect_is_an_answer_and_not_followed(origin: str) -> None:
    assert get(f"{origin}/away")["status"] == 302
    assert [path for _, path, _, _ in Handler.heard] == ["/away"]


def test_an_answer_that_drips_is_cut_at_the_deadline(origin: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(NodeFailed, match=r"within 0\.4 s"):
        get(f"{origin}/drip", timeout_s=0.4)
    assert time.perf_counter() - begun < 3


@pytest.mark.parametrize("path", ["/big", "/bomb"])
def test_an_answer_that_is_too_large_is_cut(origin: str, path: str) -> None:
    with pytest.raises(NodeFailed, match=f"more than {MOST_ANSWER:,}"):
        get(origin + path)


def test_proxies_of_the_environment_are_not_asked(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert get(origin)["status"] == 200


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example", "https://", "http://user:pw@a.example/", "/x", "http://[::"],
)
def test_what_is_no_address_is_refused(own: Callable[..., None], url: str) -> None:
    own(hosts=["a.example"])
    with pytest.raises(NodeFailed, match="http://"):
        get(url)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding"])
def test_a_flow_does_not_say_where_a_request_ends(origin: str, name: str) -> None:
    with pytest.raises(NodeFailed, match="not a flow's to set"):
        get(origin, headers={name: "1"})


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "ü"])
def test_a_header_that_cannot_be_sent_is_told(origin: str, value: str) -> None:
    with suppress(NodeFailed):
        get(origin, headers={"X-A": value})
    assert not any("x-evil" in headers for _, _, headers, _ in Handler.heard)


def test_a_secret_goes_to_its_origin_and_stands_in_no_answer(
    origin: str, own: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    own(secrets={"TOKEN": f"{origin}/"})
    found = get(origin, headers={"Authorization": "Bearer secret:TOKEN"})
    assert Handler.heard[0][2]["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in str(found)
    assert found["headers"]["x-seen"] == "Bearer [TOKEN]"


@pytest.mark.parametrize(
    "place", ["https://127.0.0.1", "http://127.0.0.1:1", "http://127.0.0.1", "", None]
)
def test_a_secret_goes_nowhere_else(
    origin: str, own: Callable[..., None], monkeypatch: pytest.MonkeyPatch, place: str | None
) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    own(secrets={"TOKEN": place} if place is not None else None)
    with pytest.raises(NodeFailed, match="may not go to"):
        get(origin, headers={"Authorization": "Bearer secret:TOKEN"})
    assert Handler.heard == []


def test_no_error_holds_a_secret(own: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"http://127.0.0.1:{silent.getsockname()[1]}"
        own(hosts=[dead.removeprefix("http://")], secrets={"TOKEN": dead, "GONE": dead})
        headers = {"Authorization": "Bearer secret:TOKEN"}
        with pytest.raises(NodeFailed) as slow:
            get(dead, headers=headers, timeout_s=0.2)
        with pytest.raises(NodeFailed, match="no GONE"):
            get(dead, headers={"A": "secret:GONE"})
    with pytest.raises(NodeFailed) as refused:
        get(dead, headers=headers)
    with pytest.raises(NodeFailed) as wrong:
        get(dead, headers={**headers, "X-A": "a\nb"})
    for caught in (slow, refused, wrong):
        error: BaseException | None = caught.value
        assert CANARY.encode() not in pickle.dumps(error)
        while error is not None:
            assert CANARY not in f"{error} {vars(error)}"
            error = error.__context__


@pytest.mark.parametrize(
    ("host", "address", "entries", "allowed"),
    [
        ("api.example", "93.184.216.34", ["api.example"], True),
        ("api.example", "93.184.216.34", ["*.example"], True),
        ("example", "93.184.216.34", ["*.example"], False),
        ("evilexample", "93.184.216.34", ["*.example"], False),
        ("wiki.example", "10.0.0.5", ["wiki.example"], True),
        ("wiki.example", "10.0.0.5", ["*.example"], False),
        ("wiki.example", "fd00::1", ["*.example"], False),
        ("api.example", "127.0.0.1", ["api.example"], False),
        ("api.example", "169.254.169.254", ["api.example"], False),
        ("api.example", "::ffff:169.254.169.254", ["api.example"], False),
        ("api.example", "64:ff9b::7f00:1", ["api.example"], False),
        ("api.example", "2002:7f00:1::", ["api.example"], False),
        ("api.example", "fe80::1", ["api.example"], False),
        ("api.example", "0.0.0.0", ["api.example"], False),  # noqa: S104 — nobody listens
        ("api.example", "224.0.0.1", ["api.example"], False),
        ("2130706433", "127.0.0.1", ["2130706433"], False),
        ("localhost", "127.0.0.1", ["localhost"], True),
        ("127.0.0.1", "127.0.0.1", ["127.0.0.1"], True),
        ("169.254.169.254", "169.254.169.254", ["169.254.169.254"], True),
        ("169.254.169.254", "169.254.169.254", ["*.254"], False),
        ("::1", "::1", ["[::1]"], True),
        ("API.example".lower(), "93.184.216.34", ["Api.Example"], True),
    ],
)
def test_where_a_name_may_lead(
    own: Callable[..., None], host: str, address: str, entries: list[str], *, allowed: bool
) -> None:
    own(hosts=entries)

    async def found() -> str:
        loop = asyncio.get_running_loop()

        async def looked_up(*_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

        loop.getaddrinfo = looked_up  # type: ignore[assignment, method-assign]  # a fault of the net
        return await address_of(Origin("https", host, 443))

    if allowed:
        assert asyncio.run(found()) == address
    else:
        with pytest.raises(NodeFailed):
            asyncio.run(found())


def test_what_was_looked_up_is_what_is_connected_to(
    server: ThreadingHTTPServer, own: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.server_port
    own(hosts=[f"localhost:{port}"])
    looked_up: list[str] = []
    whole = socket.getaddrinfo

    def once(host: str | bytes, *rest: Json, **more: Json) -> Json:
        looked_up.append(host.decode() if isinstance(host, bytes) else host)
        return whole("127.0.0.1" if host == "localhost" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    assert get(f"http://localhost:{port}/")["status"] == 200
    assert looked_up.count("localhost") == 1
    assert Handler.heard[0][2]["host"] == f"localhost:{port}"


def test_a_name_without_an_address_is_told(own: Callable[..., None]) -> None:
    own(hosts=["no-such-host.invalid"])
    with pytest.raises(NodeFailed, match="has no address"):
        get("http://no-such-host.invalid/")
    assert hosts.PORTS["https"] == 443
