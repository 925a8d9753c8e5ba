"""The child process of a code node; it is run as a file, by itself, and knows only Python's own.

It reads one JSON object from its input, runs the source within limits, and writes one JSON object
to what was its output. Faults stay inside; it is no sandbox.
"""

from __future__ import annotations

import _posixsubprocess
import ast
import json
import os
import resource
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

NAME = "<code>"
_MEMORY = 2 << 30
_FILE = 64 << 20
_FILES = 64
_LONGEST = 500
_PROCESSES = (
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "os.exec",
    "os.spawn",
    "pty.spawn",
    "subprocess.Popen",
)


def main() -> None:
    """Answer one call, and end."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    given = json.loads(sys.stdin.buffer.read())
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = f"{kind.__name__}: {error}" if str(error) else kind.__name__
        _say(answer, {"error": text[:_LONGEST], "line": _line(error, trace)})

    # Whatever the code raises ends here, so nothing has to be caught.
    sys.excepthook = tell
    _limit(given["cpu_s"])
    _start_no_process()
    outputs = _function(given["source"], list(given["inputs"]))(**given["inputs"])
    if not isinstance(outputs, dict) or not all(isinstance(name, str) for name in outputs):
        message = f"the code returned {type(outputs).__name__}; return a dict of the outputs"
        _say(answer, {"error": message, "line": None})
    _say(answer, {"outputs": outputs})


def _say(answer: object, what: dict[str, object]) -> NoReturn:
    text = json.dumps(what, allow_nan=False)
    answer.write(text)  # type: ignore[attr-defined]  # a text stream, whose class has no short name
    answer.flush()  # type: ignore[attr-defined]  # the same
    # Threads of the code that still run have nothing more to say.
    os._exit(0)


def _line(error: BaseException, trace: TracebackType | None) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == NAME:
        return error.lineno
    found = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == NAME:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _limit(cpu_s: int) -> None:
    wanted = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: _MEMORY,
        resource.RLIMIT_FSIZE: _FILE,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in wanted.items():
        _, hard = resource.getrlimit(limit)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (most, most))


def _start_no_process() -> None:
    """Refuse further processes: they would outlive this one's limits."""

    def refuse(*_: object) -> NoReturn:
        message = "a code node starts no processes"
        raise PermissionError(message)

    def heard(event: str, _: object) -> None:
        if event in _PROCESSES:
            refuse()

    _posixsubprocess.fork_exec = refuse
    sys.addaudithook(heard)


def _function(source: str, names: list[str]) -> Callable[..., object]:
    """Return the source's `run`, or a function with the source as its body."""
    tree = ast.parse(source, NAME)
    if not any(isinstance(part, ast.FunctionDef) and part.name == "run" for part in tree.body):
        bare = ast.parse(f"def run({', '.join(names)}): pass")
        made = bare.body[0]
        if isinstance(made, ast.FunctionDef) and tree.body:
            made.body = tree.body
        tree = bare
    space: dict[str, object] = {"__name__": "code"}
    exec(compile(tree, NAME, "exec"), space)  # noqa: S102 — what the user approved, in its own process
    found: Callable[..., object] = space["run"]  # type: ignore[assignment]  # it was just defined
    return found


if __name__ == "__main__":
    main()
