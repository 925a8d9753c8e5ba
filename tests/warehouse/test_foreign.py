"""Whatever else opens and closes the file, a killed kernel loses nothing that it was told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.foreign import PROGRAMS, found, write_while_others_look
from tests.warehouse.parts import file_of, finish, opened, processes, start

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

SECONDS = 0.6


def started(url: str, programs: list[str]) -> tuple[BaseProcess, Connection]:
    mine, theirs = processes.Pipe(duplex=False)
    kernel = start(write_while_others_look, url, programs, theirs)
    theirs.close()
    return kernel, mine


def kill(kernel: BaseProcess, acknowledged: Connection) -> list[str]:
    """Kill a kernel and return all that it was told is kept."""
    kernel.kill()
    assert finish([kernel]) == [-9], "it ended by itself"
    keys = []
    try:
        while True:
            keys.append(acknowledged.recv())
    except (EOFError, OSError):
        return keys


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside another writer"])
@pytest.mark.parametrize("programs", [[name] for name in PROGRAMS] + [list(PROGRAMS)], ids="+".join)
def test_killed_kernel_loses_nothing_acknowledged(
    sqlite_url: str, programs: list[str], others: int
) -> None:
    with opened(sqlite_url):
        pass
    kernels = [started(sqlite_url, programs)] + [started(sqlite_url, []) for _ in range(others)]
    firsts = [acknowledged.recv() for _, acknowledged in kernels]
    time.sleep(SECONDS)
    keys = firsts + [key for kernel in kernels for key in kill(*kernel)]
    rows, health = found(file_of(sqlite_url))
    assert health == "ok"
    lost = {f"{key} {number}" for key in keys for number in (0, 1)} - set(rows)
    assert not lost, f"{len(lost)} of {2 * len(keys)} acknowledged rows are lost"
    assert len(rows) == len(set(rows)) <= 2 * (len(keys) + len(kernels)), "a half or double group"
    assert len(rows) % 2 == 0
