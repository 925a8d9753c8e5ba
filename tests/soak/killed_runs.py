"""Kill a running kernel over and over: no acknowledged run may be missing or stand twice."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import promptstudio_lab as ps

SECONDS = 60.0
LONGEST_S = 2.5
CHILD = """
import sys
import promptstudio_lab as ps
lab = ps.connect(sys.argv[1])
flow = lab.flow("soak/one")
text = flow.input("text")
flow.output(answer=flow.llm("ask", prompt="Say {{ text }}", text=text))
print("ready", flush=True)
while True:
    print(flow.run(text="hello").id, flush=True)
"""


def main() -> int:
    """Kill for a minute, then look; return 1 if something acknowledged is gone."""
    chance = random.Random(7)
    acknowledged: list[str] = []
    kills = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.db"
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            acknowledged += killed(path, chance.uniform(0, LONGEST_S))
            kills += 1
        lab = ps.connect(str(path))
        runs = lab.runs(1_000_000)
        found = runs.filter(runs["status"] == "succeeded")["flow_execution_id"].to_list()
        ending = sqlite3.connect(path)
        sound = ending.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ending.close()
        running = int((runs["status"] == "running").sum())
        lab.warehouse.close()
    lost, twice = set(acknowledged) - set(found), len(found) - len(set(found))
    print(
        f"{kills} kills, {len(acknowledged):,} acknowledged, {len(lost)} lost, {twice} duplicated, "
        f"{running} still running, integrity {'ok' if sound else 'BROKEN'}"
    )
    return int(bool(lost or twice or running or not sound))


def killed(path: Path, after_s: float) -> list[str]:
    """Return the runs that a process acknowledged before it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(after_s)
    child.kill()
    lines = child.stdout.read().split("\n")
    child.wait()
    # What stands before the last line break was said whole.
    return [line for line in lines[:-1] if line]


if __name__ == "__main__":
    sys.exit(main())
