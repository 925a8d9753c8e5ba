"""A real HTTP server that speaks Chat Completions; the model's name chooses what happens.

Run it by hand: `python tests/protocol_server.py --port 0` prints the base URL. What follows a `/`
in a model's name is ignored, so that each test can count calls of a name of its own.
`GET /requests` tells what has arrived.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = Any  # a JSON value

PATH = "/v1/chat/completions"
_ELSEWHERE = "/elsewhere"
_CHARACTERS_PER_TOKEN = 4
_STEM = 5
_SLOW_S = 30.0
_DRIP_S = 0.05
_STOP_S = 10.0
_HTML = b"<html><body>Sign in to the network</body></html>"


@contextmanager
def running() -> Iterator[str]:
    """Give the base URL of a server in a process of its own, ended with the block."""
    command = [sys.executable, str(Path(__file__)), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield str(process.stdout and process.stdout.readline().strip())
        finally:
            process.terminate()
            process.wait(_STOP_S)


class Ledger:
    """What has arrived, for tests to read."""

    calls: ClassVar[Counter[str]] = Counter()
    gone: ClassVar[Counter[str]] = Counter()
    last: ClassVar[dict[str, Json]] = {}
    connections = 0


class Server(ThreadingHTTPServer):
    """Takes a crowd that arrives at once."""

    request_queue_size = 512


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        Ledger.connections += 1

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Tell what has arrived."""
        told = {
            "calls": Ledger.calls,
            "gone": Ledger.gone,
            "last": Ledger.last,
            "connections": Ledger.connections,
        }
        self.send(200, told)

    def do_POST(self) -> None:
        """Answer a chat request as its model's name says."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path != PATH:
            Ledger.calls[self.path] += 1
            self.send(404, {"error": {"message": f"no route {self.path}", "code": None}})
            return
        self.asked = json.loads(body)
        self.model = self.asked["model"]
        Ledger.calls[self.model] += 1
        Ledger.last = {"body": self.asked, "authorization": self.headers.get("authorization")}
        try:
            OUTCOMES.get(self.model.partition("/")[0], unknown_model)(self)
        except OSError:
            self.left()

    def left(self) -> None:
        """Note that the client went away before its answer was whole."""
        Ledger.gone[self.model] += 1
        self.close_connection = True

    def send(self, status: int, told: Json, **headers: str) -> None:
        """Send one whole response; bytes are sent as they are."""
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        kind = "text/html" if content.startswith(b"<") else "application/json"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("x-request-id", f"req-{Ledger.calls.total()}")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def begin_stream(self) -> None:
        """Send the head of a stream that ends with the connection."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("x-request-id", f"req-{Ledger.calls.total()}")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, told: Json) -> None:
        """Send one event of the stream."""
        data = told if isinstance(told, str) else json.dumps(told)
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def answer(
        self, text: str | None, reason: str | None = "stop", usage: Json = ..., **said: Json
    ) -> None:
        """Answer `text` in the way the client asked for: at once or in pieces."""
        usage = self.usage(text or "") if usage is ... else usage
        whole = {"role": "assistant", "content": text, **said}
        if not self.asked.get("stream"):
            choice = {"index": 0, "message": whole, "finish_reason": reason}
            self.send(200, {**self.head(), "choices": [choice], "usage": usage})
            return
        self.begin_stream()
        pieces = [{**whole, "content": text and ""}]
        pieces += [{"content": piece} for piece in re.findall(r"\S+\s*|\s+", text or "")]
        for piece in pieces:
            self.event({**self.head(), "choices": [{"index": 0, "delta": piece}], "usage": None})
        if reason:
            last = {"index": 0, "delta": {}, "finish_reason": reason}
            self.event({**self.head(), "choices": [last], "usage": None})
            if self.asked.get("stream_options", {}).get("include_usage"):
                self.event({**self.head(), "choices": [], "usage": usage})
            self.event("[DONE]")

    def head(self) -> dict[str, Json]:
        """Return what every answer and every piece opens with."""
        return {"id": f"chatcmpl-{Ledger.calls.total()}", "model": self.model}

    def usage(self, text: str, **more: Json) -> dict[str, Json]:
        """Return an honest count of tokens."""
        read = tokens("".join(message["content"] for message in self.asked["messages"]))
        counts = {"prompt_tokens": read, "completion_tokens": tokens(text)}
        return {**counts, "total_tokens": sum(counts.values()), **more}

    @property
    def prompt(self) -> str:
        """Return the last message."""
        return str(self.asked["messages"][-1]["content"])


def tokens(text: str) -> int:
    """Return the tokens of a text: one for each begun four characters."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def echo(handler: Handler) -> None:
    """Say the last message again."""
    handler.answer(handler.prompt)


def classifier(handler: Handler) -> None:
    """Fill the schema that is asked for; a choice goes to the label that the words fit best."""
    asked = handler.asked.get("response_format", {}).get("json_schema", {}).get("schema")
    filled = handler.prompt if asked is None else json.dumps(fill(asked, handler.prompt))
    handler.answer(filled)


def fill(schema: Json, prompt: str) -> Json:
    """Return a value that fits a JSON Schema, chosen by the words of a prompt."""
    if "enum" in schema:
        return max(schema["enum"], key=lambda label: fit(str(label), prompt))
    if "properties" in schema:
        return {name: fill(part, prompt) for name, part in schema["properties"].items()}
    plain = {"integer": 1, "number": 0.5, "boolean": True, "array": [], "object": {}, "null": None}
    return plain.get(schema.get("type"), prompt.strip().rpartition("\n")[2])


def fit(label: str, prompt: str) -> int:
    """Return how many words of the prompt's last line are those that it gives for a label."""
    rules, _, item = prompt.strip().rpartition("\n")
    own = [line for line in rules.split("\n") if label in line.partition(":")[0].split()]
    return len((stems(label) | stems(" ".join(own))) & stems(item))


def stems(text: str) -> set[str]:
    """Return the beginnings of the longer words."""
    return {word[:_STEM] for word in re.findall(r"[^\W\d_]{4,}", text.lower())}


def rate_limited_once(handler: Handler) -> None:
    """Ask to wait a moment, and answer from the second call on."""
    if Ledger.calls[handler.model] == 1:
        handler.send(429, problem("slow down"), retry_after_ms="50")
    else:
        echo(handler)


def failing(status: int, told: Json, **headers: str) -> Callable[[Handler], None]:
    """Return an outcome that is one response, whatever was asked."""
    return lambda handler: handler.send(status, told, **headers)


def problem(message: str, code: str | None = None) -> dict[str, Json]:
    """Return an error as OpenAI writes it."""
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


def unknown_model(handler: Handler) -> None:
    """Have no such model."""
    message = f"The model `{handler.model}` does not exist"
    handler.send(404, problem(message, "model_not_found"))


def bad_key(handler: Handler) -> None:
    """Refuse the key, and repeat it, as careless servers do."""
    handler.send(401, problem(f"Incorrect API key: {handler.headers.get('authorization')}"))


def repeats_key(handler: Handler) -> None:
    """Repeat the key in the reason of a refused request."""
    handler.send(400, problem(f"cannot read {handler.headers.get('authorization')} here"))


def cut_stream(handler: Handler) -> None:
    """Promise more bytes than are sent."""
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("content-length", "100000")
    handler.end_headers()
    handler.event({**handler.head(), "choices": [{"index": 0, "delta": {"content": "Half a"}}]})
    handler.close_connection = True


def broken_stream(handler: Handler) -> None:
    """Send a line that is no JSON in the middle."""
    handler.begin_stream()
    handler.event({**handler.head(), "choices": [{"index": 0, "delta": {"content": "Half a"}}]})
    handler.event('{"choices": [{')


def error_in_stream(handler: Handler) -> None:
    """Fail in the middle, and say so."""
    handler.begin_stream()
    handler.event({**handler.head(), "choices": [{"index": 0, "delta": {"content": "Half a"}}]})
    handler.event(problem("the machine is on fire"))


def slow(handler: Handler) -> None:
    """Say nothing for half a minute, unless the client leaves before."""
    ready, _, _ = select.select([handler.connection], [], [], _SLOW_S)
    if ready and not handler.connection.recv(1, socket.MSG_PEEK):
        handler.left()
    else:
        echo(handler)


def drip(handler: Handler) -> None:
    """Send a little, again and again: no single wait is ever long."""
    handler.begin_stream()
    for _ in range(int(_SLOW_S / _DRIP_S)):
        handler.event({**handler.head(), "choices": [{"index": 0, "delta": {"content": "drip "}}]})
        time.sleep(_DRIP_S)


def counted(usage: Json) -> Callable[[Handler], None]:
    """Return an outcome with this usage."""
    return lambda handler: handler.answer("counted", usage=usage)


def said(text: str | None, reason: str | None, **more: Json) -> Callable[[Handler], None]:
    """Return an outcome that says always the same."""
    return lambda handler: handler.answer(text, reason, **more)


_DETAILS = {
    "prompt_tokens_details": {"cached_tokens": 1024},
    "completion_tokens_details": {"reasoning_tokens": 64},
}
_NO_DETAILS = {"prompt_tokens_details": None, "completion_tokens_details": None}

OUTCOMES: dict[str, Callable[[Handler], None]] = {
    "echo": echo,
    "classifier": classifier,
    "rate-limited-once": rate_limited_once,
    "rate-limited": failing(429, problem("slow down"), retry_after="2"),
    "retry-after-3600": failing(429, problem("come back later"), retry_after="3600"),
    "retry-after-date": failing(
        429, problem("come back later"), retry_after=formatdate(time.time() + 3600, usegmt=True)
    ),
    "quota": failing(429, problem("nothing left", "insufficient_quota"), retry_after="1"),
    "server-error": failing(500, problem("oops")),
    "overloaded": failing(503, _HTML),
    "gave-up": failing(408, problem("too late")),
    "conflict": failing(409, problem("locked")),
    "bad-key": bad_key,
    "forbidden": failing(403, problem("not for you")),
    "bad-request": failing(400, problem("temperature is not supported")),
    "filtered-request": failing(400, problem("filtered", "content_filter")),
    "repeats-key": repeats_key,
    "lost": failing(404, _HTML),
    "redirect": failing(307, {}, location=_ELSEWHERE),
    "html": failing(200, _HTML),
    "empty-object": failing(200, {}),
    "list": failing(200, [1, 2]),
    "half-stream": said("Half of an answer", None),
    "cut-stream": cut_stream,
    "broken-stream": broken_stream,
    "error-in-stream": error_in_stream,
    "no-usage": counted(None),
    "usage-strings": counted({"prompt_tokens": "120", "completion_tokens": "30", **_NO_DETAILS}),
    "usage-inexact": counted({"prompt_tokens": "12.5", "completion_tokens": True, **_NO_DETAILS}),
    "usage-details": counted({"prompt_tokens": 1200, "completion_tokens": 256, **_DETAILS}),
    "usage-additive": counted({"prompt_tokens": 176, "completion_tokens": 256, **_DETAILS}),
    "refuse": said(None, "stop", refusal="I will not help with that"),
    "content-filter": said("The rest is", "content_filter"),
    "truncated": said("The beginning of", "length"),
    "tool-calls": said("Calling", "tool_calls"),
    "no-text": said(None, "stop"),
    "surrogate": said("lone \ud800 half", "stop"),
    "slow": slow,
    "drip": drip,
}


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    server = Server(("127.0.0.1", parser.parse_args().port), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
