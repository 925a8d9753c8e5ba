"""Memory of a batch: what a row more takes, beyond the rows given and the frame that is returned.

Three batches: of a frame; of a kept dataset; and one with a name of which half is over already,
so that it is gone on with. Each size runs in a process of its own, which is small before it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

SIZES = (100_000, 300_000)
WAYS = ("frame", "dataset", "named")
GOAL = 100.0
PROGRAM = """
import resource, sys
import polars as pl
import promptstudio_lab as ps

place, way, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
lab = ps.connect(place)
flow = lab.flow("bench/memory")
x = flow.input("x", "text")
flow.output(y=flow.transform("trim", do="trim", value=x))
flow.batch([{"x": "warm"}])
data = pl.DataFrame({"x": [f"item {n}" for n in range(count)]})
name = "half" if way == "named" else None
if way == "dataset":
    data = lab.dataset("bench")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = flow.batch(data, concurrency=100, name=name)
assert rows.height == count
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown * 1024, int(rows.estimated_size()))
"""
# Whatever makes memory of its own is done by another process before.
BEFORE = """
import sys
import polars as pl
import promptstudio_lab as ps

place, way, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
lab = ps.connect(place)
data = pl.DataFrame({"x": [f"item {n}" for n in range(count)]})
if way == "dataset":
    lab.dataset("bench", data)
if way == "named":
    flow = lab.flow("bench/memory")
    x = flow.input("x", "text")
    flow.output(y=flow.transform("trim", do="trim", value=x))
    flow.batch(data[: count // 2], concurrency=100, name="half")
"""


class Grown(NamedTuple):
    """By how many bytes a process grew at most while a batch ran, and how large its answer is."""

    process: int
    frame: int


def grown(way: str, count: int) -> Grown:
    """Run one batch in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(Path(folder) / "w.db"), way, str(count)]
        if way != "frame":
            _told(BEFORE, arguments)
        process, frame = _told(PROGRAM, arguments).split()[-2:]
    return Grown(int(process), int(frame))


def _told(program: str, arguments: list[str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    ).stdout


def main() -> None:
    """Print what each row beyond the first size takes more."""
    few, many = SIZES
    for way in sys.argv[1:] or WAYS:
        first, second = grown(way, few), grown(way, many)
        own = (second.process - first.process) / (many - few)
        frame = (second.frame - first.frame) / (many - few)
        sys.stdout.write(
            f"memory of a batch, {way:7} {few:,} to {many:,} rows: {own:5.0f} bytes a row more,"
            f" {own - frame:5.0f} beyond the {frame:3.0f} of its frame (goal {GOAL:.0f});"
            f" {second.process / 1e6:.0f} MB in all\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
