"""A batch on a Dask cluster of one worker, 100 runs a task, recorded, beside this process."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from distributed import Client, LocalCluster

import promptstudio_lab as ps

RUNS = 3_000
ROUNDS = 3
GOAL = 1.6


def main() -> None:
    """Print the median ratio; the cluster's own start is not counted."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(  # type: ignore[no-untyped-call]  # Dask has no types
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]  # likewise
    ):
        lab = ps.connect(str(Path(folder) / "warehouse.db"))
        flow = lab.flow("bench/dask")
        value = flow.input("text")
        for name in ("a", "b", "c"):
            value = flow.transform(name, do="trim", value=value)
        flow.output(answer=value)
        items = [{"text": f" item {n} "} for n in range(RUNS)]
        # The worker loads what it needs, and opens the warehouse.
        flow.batch(items[:10], on=client), flow.batch(items[:10])
        ratios = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            flow.batch(items, concurrency=100)
            middle = time.perf_counter()
            flow.batch(items, on=client, concurrency=100)
            ratios.append((time.perf_counter() - middle) / (middle - begun))
        every = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        found = statistics.median(ratios)
        print(f"batch on Dask, 100 runs a task: {found:.2f} x one process (goal {GOAL}; {every})")


if __name__ == "__main__":
    main()
