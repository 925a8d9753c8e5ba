"""Kill kernels in which others open the same file, over and over: nothing acknowledged may go."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from tests.warehouse.foreign import PROGRAMS, found, write_while_others_look
from tests.warehouse.parts import finish, opened, processes, start

SECONDS = 300.0
LONGEST_S = 3.0


def main() -> int:
    """Kill for some minutes, then look; return 1 if something acknowledged is gone."""
    chance = random.Random(7)
    acknowledged: list[str] = []
    kills = ended = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.db"
        url = f"sqlite:///{path}"
        with opened(url):
            pass
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            programs = chance.sample(list(PROGRAMS), chance.randint(1, len(PROGRAMS)))
            kernels = [programs] + [[]] * chance.randint(0, 2)
            keys, early = killed(url, kernels, chance.uniform(0, LONGEST_S))
            acknowledged += keys
            kills += len(kernels)
            ended += early
        rows, health = found(path)
    there = {row.split()[0] for row in rows}
    lost, twice = set(acknowledged) - there, len(rows) - len(set(rows))
    halves = len(rows) - 2 * len(there)
    print(
        f"{kills} kills, {len(acknowledged):,} groups acknowledged, {len(lost)} lost, "
        f"{twice} duplicated, {abs(halves)} halved, {ended} ended by themselves, "
        f"integrity {health}"
    )
    return int(bool(lost or twice or halves or ended or health != "ok"))


def killed(url: str, kernels: list[list[str]], after_s: float) -> tuple[list[str], int]:
    """Return what kernels acknowledged before they were killed, and how many ended before."""
    running, ears = [], []
    for programs in kernels:
        mine, theirs = processes.Pipe(duplex=False)
        running.append(start(write_while_others_look, url, programs, theirs))
        theirs.close()
        ears.append(mine)
    keys = [ear.recv() for ear in ears]
    time.sleep(after_s)
    for kernel in running:
        kernel.kill()
    early = len(running) - finish(running).count(-9)
    for ear in ears:
        try:
            while True:
                keys.append(ear.recv())
        except (EOFError, OSError):
            ear.close()
    return keys, early


if __name__ == "__main__":
    sys.exit(main())
