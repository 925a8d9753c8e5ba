"""One writer at a time, and whoever waits longest is next."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.warehouse.engines.locks import FairLock
from tests.warehouse.parts import finish, processes, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Event
    from pathlib import Path

ROUNDS = 40
TURNS = 20
MOST_BEFORE_ME = 3  # who has it, who is next, and who asked at the same moment
HOLD_S = 0.002
FORK_S = 30.0
SOON_S = 5.0


def count_up(lock: Path, counter: Path) -> None:
    """Add to a number in a way that loses counts when two do it at once."""
    fair = FairLock(lock)
    for _ in range(ROUNDS):
        with fair.held():
            seen = int(counter.read_text())
            time.sleep(0)
            counter.write_text(str(seen + 1))


def count_of(work: Callable[[], None], counter: Path) -> int:
    counter.write_text("0")
    work()
    return int(counter.read_text())


def test_threads_take_turns(tmp_path: Path) -> None:
    lock, counter = tmp_path / "lock", tmp_path / "counter"

    def work() -> None:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: count_up(lock, counter), range(6)))

    assert count_of(work, counter) == 6 * ROUNDS


def test_processes_take_turns(tmp_path: Path) -> None:
    lock, counter = tmp_path / "lock", tmp_path / "counter"

    def work() -> None:
        assert finish([start(count_up, lock, counter) for _ in range(4)]) == [0] * 4

    assert count_of(work, counter) == 4 * ROUNDS


def take_greedily(lock: Path, taken: Synchronized[int], stop: Event) -> None:
    fair = FairLock(lock)
    while not stop.is_set():
        with fair.held():
            taken.value += 1
            time.sleep(HOLD_S)


def test_whoever_waits_is_next(tmp_path: Path) -> None:
    lock, taken, stop = tmp_path / "lock", processes.Value("i"), processes.Event()
    greedy = start(take_greedily, lock, taken, stop)
    fair, before_me = FairLock(lock), []
    while not taken.value:
        time.sleep(HOLD_S)
    for _ in range(TURNS):
        asked = taken.value
        with fair.held():
            before_me.append(taken.value - asked)
        time.sleep(2 * HOLD_S)
    stop.set()
    assert finish([greedy]) == [0]
    assert max(before_me) <= MOST_BEFORE_ME


def hold_forever(lock: Path, ready: Connection) -> None:
    with FairLock(lock).held():
        ready.send("held")
        time.sleep(FORK_S)


def test_lock_of_the_killed_is_free(tmp_path: Path) -> None:
    mine, theirs = processes.Pipe()
    holder = start(hold_forever, tmp_path / "lock", theirs)
    assert mine.recv() == "held"
    holder.kill()
    began = time.monotonic()
    with FairLock(tmp_path / "lock").held():
        assert time.monotonic() - began < SOON_S
    assert finish([holder]) == [-9]


def fork_while_held(lock: Path, seconds: Connection) -> None:
    fair = FairLock(lock)
    with fair.held():
        child = os.fork()
        if child == 0:
            time.sleep(FORK_S)
            os._exit(0)
    seconds.send("let go")
    began = time.monotonic()
    with fair.held():
        seconds.send(time.monotonic() - began)
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    mine, theirs = processes.Pipe()
    parent = start(fork_while_held, tmp_path / "lock", theirs)
    assert mine.recv() == "let go"
    got_it = mine.poll(SOON_S)
    if not got_it:
        parent.kill()
    finish([parent])
    assert got_it


def test_lock_is_free_after_an_error(tmp_path: Path) -> None:
    fair = FairLock(tmp_path / "lock")
    with pytest.raises(ZeroDivisionError), fair.held():
        _ = 1 / 0
    with fair.held(), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(count_up, tmp_path / "other", _zero(tmp_path / "counter"))
        waiting.result(SOON_S)


def _zero(counter: Path) -> Path:
    counter.write_text("0")
    return counter
