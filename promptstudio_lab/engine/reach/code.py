"""Approved code in a child process: scrubbed, limited and ended in time.

That keeps a fault inside; it is no sandbox.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from promptstudio_lab.engine.reach.approval import SHOWN, approved
from promptstudio_lab.errors import NodeFailed, ValueRefused
from promptstudio_lab.flows.facts import code_hash
from promptstudio_lab.values import dumps, loads

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

    from promptstudio_lab.values import Json

MOST_OUTPUT = 16 << 20  # bytes that code may return
_CHILD = Path(__file__).with_name("child.py")
_PIECE = 1 << 16
_PATIENCE_S = 2.0


async def compute(source: str, inputs: Mapping[str, Json], timeout_s: float) -> dict[str, Json]:
    """Run approved code and return what it returned.

    Args:
        source: Python with a function `run`, or a function's body.
        inputs: its arguments.
        timeout_s: the total deadline, the start of the process included.

    Returns:
        The outputs by name.

    Raises:
        NodeFailed: if it is not approved, failed, took too long, or returned what is no JSON.
    """
    if not approved(source):
        shown = code_hash(source)[:SHOWN]
        message = (
            f"the code {shown} is not approved on this machine. Read it, then run "
            f'ps.approve_code("{shown}") or flow.approve("node")'
        )
        raise NodeFailed(message)
    cpu_s = math.ceil(timeout_s) + 1
    call = dumps({"source": source, "inputs": dict(inputs), "cpu_s": cpu_s})
    with TemporaryDirectory(prefix="psl-code-", ignore_cleanup_errors=True) as folder:
        said, ended = await _child(call.encode("ascii"), folder, timeout_s)
    return _outputs(said, ended)


async def _child(call: bytes, folder: str, timeout_s: float) -> tuple[bytes, int]:
    """Return what a child said until its end, and how it ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=_surroundings(folder),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            said = await _talk(process, call)
            ended = await process.wait()
    except TimeoutError:
        message = f"the code took longer than {timeout_s:g} s"
        raise NodeFailed(message) from None
    finally:
        await _end(process)
    return said, ended


def _surroundings(folder: str) -> dict[str, str]:
    """Return all that a child knows of its surroundings: no key, no name, no path of the user."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        # Each thread of these would reserve memory that the limit counts.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


async def _talk(process: Process, call: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(call)
        await process.stdin.drain()
        process.stdin.close()
    said = bytearray()
    while piece := await process.stdout.read(_PIECE):
        said += piece
        if len(said) > MOST_OUTPUT:
            message = f"the code returned more than {MOST_OUTPUT:,} bytes"
            raise NodeFailed(message)
    return bytes(said)


async def _end(process: Process) -> None:
    """End whatever is left of a child and of what it may have started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            while process.stdout is not None and await process.stdout.read(_PIECE):
                continue
            await process.wait()


def _outputs(said: bytes, ended: int) -> dict[str, Json]:
    try:
        answer = loads(said) if said else {}
    except ValueRefused as error:
        message = f"the code returned what has no JSON form: {error}"
        raise NodeFailed(message) from None
    if not isinstance(answer, dict) or not isinstance(answer.get("outputs", {}), dict):
        answer = {}
    if "outputs" in answer:
        return dict(answer["outputs"])
    if "error" in answer:
        where = f"line {answer['line']}: " if answer.get("line") else ""
        message = f"{where}{answer['error']}"
        raise NodeFailed(message)
    reason = signal.Signals(-ended).name if ended < 0 else f"code {ended}"
    message = f"the code's process ended ({reason}) before it returned anything"
    raise NodeFailed(message)
