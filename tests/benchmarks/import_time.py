"""What `import promptstudio_lab` costs, as a multiple of `import sqlalchemy`."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

ROUNDS = 5
AT_MOST = 1.5


def main() -> int:
    """Print the ratio of the medians; return 1 if it is above what we hold ourselves to."""
    ours, theirs = [], []
    for _ in range(ROUNDS):  # interleaved, so that a busy machine slows both alike
        ours.append(seconds("promptstudio_lab"))
        theirs.append(seconds("sqlalchemy"))
    ratio = median(ours) / median(theirs)
    print(f"import promptstudio_lab / import sqlalchemy: {ratio:.2f} (at most {AT_MOST})")
    return int(ratio > AT_MOST)


def seconds(module: str) -> float:
    """Return how long `import module` takes in a fresh interpreter, its start left out."""
    program = (
        f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
