"""Memory of a batch: what ten times as many rows take more, beyond the frame that is returned."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = (10_000, 100_000, 200_000)
PROGRAM = """
import resource, sys
import polars as pl
import promptstudio_lab as ps

lab = ps.connect(sys.argv[1])
flow = lab.flow("bench/memory")
x = flow.input("x", "text")
flow.output(y=flow.prompt("greet", prompt="Hello {{ x }}, how are you today?", x=x))
flow.batch([{"x": "warm"}])
frame = pl.DataFrame({"x": [f"item {n}" for n in range(int(sys.argv[2]))]})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = flow.batch(frame, concurrency=100)
assert rows.height == int(sys.argv[2])
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown * 1024, int(rows.estimated_size()))
"""


def grown(count: int) -> tuple[int, int]:
    """Return by how many bytes a process grew over a batch, and how large the answer is."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(Path(folder) / "w.db"), str(count)],
            capture_output=True,
            text=True,
            check=True,
        )
    first, second = done.stdout.split()[-2:]
    return int(first), int(second)


def main() -> None:
    """Print what a row costs in memory at each size."""
    for count in SIZES:
        process, frame = grown(count)
        sys.stdout.write(
            f"memory of a batch      {count:>9,} rows: {process / 1e6:7.1f} MB more, "
            f"{process / count:6.0f} bytes a row, of which the frame {frame / count:4.0f}\n"
        )


if __name__ == "__main__":
    main()
