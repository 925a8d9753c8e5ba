"""One writer at a time, and whoever waits longest is next."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.warehouse.engines.locks import FairLock
from tests.warehouse.parts import finish, processes, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Event

ROUNDS = 40
TURNS = 20
MOST_BEFORE_ME = 3  # who has it, who is next, and who asked at the same moment
HOLD_S = 0.002
FORK_S = 30.0
SOON_S = 5.0
PATIENCE_S = 0.5
LINE_S = 0.3  # until somebody who asks stands where he will wait


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


def test_line_that_does_not_move_names_the_holder(tmp_path: Path) -> None:
    mine, theirs = processes.Pipe()
    holder = start(hold_forever, tmp_path / "lock", theirs)
    assert mine.recv() == "held"
    told = rf"waited {PATIENCE_S:g} s to write.*process {holder.pid}\b.*holds {tmp_path}/lock"
    for _ in range(2):
        began = time.monotonic()
        with (
            pytest.raises(WarehouseUnavailable, match=told),
            FairLock(tmp_path / "lock", PATIENCE_S).held(),
        ):
            pass
        assert PATIENCE_S <= time.monotonic() - began < SOON_S
    holder.kill()
    assert finish([holder]) == [-9]
    with FairLock(tmp_path / "lock", SOON_S).held():
        pass


def descriptors(folder: Path) -> int:
    """Return how many files of a folder this process has open."""
    links = [os.path.realpath(at) for at in Path("/proc/self/fd").iterdir()]
    return len([at for at in links if at.startswith(str(folder))])


def test_turn_that_was_given_up_is_nobodys(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    def give_up() -> None:
        with pytest.raises(WarehouseUnavailable), FairLock(lock, PATIENCE_S).held():
            pass

    with ThreadPoolExecutor(3) as pool:
        with FairLock(lock).held():
            # One stands in the gate, the others before it.
            for waiting in [pool.submit(give_up) for _ in range(3)]:
                waiting.result()
        with FairLock(lock, SOON_S).held():
            pass
    until = time.monotonic() + SOON_S
    while descriptors(tmp_path) and time.monotonic() < until:
        time.sleep(HOLD_S)
    assert descriptors(tmp_path) == 0


def wait_in_line(lock: Path, told: Connection) -> None:
    told.send("waiting")
    try:
        with FairLock(lock).held():
            told.send("held")
    except KeyboardInterrupt:
        told.send("stopped")
    with FairLock(lock).held():
        told.send("held")


@pytest.mark.parametrize("before_me", [0, 1], ids=["in the gate", "before the gate"])
def test_ctrl_c_ends_the_wait(tmp_path: Path, before_me: int) -> None:
    lock = tmp_path / "lock"
    pipes = [processes.Pipe() for _ in range(before_me + 1)]
    with FairLock(lock).held():
        waiting = []
        for mine, theirs in pipes:
            waiting.append(start(wait_in_line, lock, theirs))
            assert mine.recv() == "waiting"
            time.sleep(LINE_S)
        os.kill(waiting[-1].pid or 0, signal.SIGINT)
        told = pipes[-1][0]
        assert told.poll(SOON_S)
        assert told.recv() == "stopped"
    assert finish(waiting) == [0] * len(waiting)
    assert told.recv() == "held"


def test_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseUnavailable, match=r"cannot use the lock .*nowhere"),
        FairLock(tmp_path / "nowhere" / "lock").held(),
    ):
        pass


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
