"""Many kernels write at once into one SQLite file for minutes: none waits long, nothing is lost."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from tests.warehouse.foreign import commit_often, found
from tests.warehouse.parts import finish, opened, processes, start

WRITERS, ROUNDS, COMMITS, ROWS = 32, 10, 200, 4
P99_S = 0.250
PATIENCE_S = 3600


def main() -> int:
    """Write, then look; return 1 if rows are lost or doubled, or the usual wait is too long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.db"
        url = f"sqlite:///{path}"
        with opened(url):
            pass
        together, report = processes.Barrier(WRITERS), processes.Queue()
        work = (url, ROUNDS, COMMITS, ROWS, together, report)
        running = [start(commit_often, *work) for _ in range(WRITERS)]
        reports = [report.get(timeout=PATIENCE_S) for _ in running]
        ended = finish(running)
        rows, health = found(path)
    written = {f"{key} {row}" for keys, _ in reports for key in keys for row in range(ROWS)}
    seconds = sorted(end - began for _, spans in reports for began, end in spans)
    p99 = statistics.quantiles(seconds, n=100)[98]
    p50 = statistics.median(seconds)
    print(
        f"{len(seconds):,} commits of {WRITERS} writers: p50 {p50 * 1000:.0f} ms, "
        f"p99 {p99 * 1000:.0f} ms, worst {seconds[-1] * 1000:.0f} ms; "
        f"{len(written - set(rows))} rows lost, {len(rows) - len(set(rows))} duplicated, "
        f"integrity {health}"
    )
    sound = ended == [0] * WRITERS and sorted(rows) == sorted(written) and health == "ok"
    return int(not sound or p99 >= P99_S)


if __name__ == "__main__":
    sys.exit(main())
