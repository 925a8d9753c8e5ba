"""The same report of ten million rows by us, GrowthBook's statistics, Spotify's and tea-tasting.

None of them gets along with our versions of numpy and pandas, so each has an environment of its
own in a temporary folder. Ours and theirs take turns: the machine is shared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import promptstudio_lab as ps
from tests.benchmarks.experiment_reports import METRICS, from_sums, runs_file

if TYPE_CHECKING:
    from promptstudio_lab.experiments.several import Comparisons

PROGRAM = Path(__file__).parent / "rivals" / "program.py"
ROUNDS = 3
RIVALS = {
    "gbstats": ("gbstats==0.8.0", "pyarrow==18.1.0"),
    "spotify-confidence": ("spotify-confidence==4.1.0", "pyarrow==26.0.1"),
    "tea-tasting": ("tea-tasting==1.14.0", "polars==2.1.0", "pyarrow==26.0.1"),
}
# Spotify's tests are by the normal distribution, ours by Student's.
CLOSE = 1e-5


def main() -> None:
    """Print how much slower each of them is, and how far its answers are from ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = runs_file(Path(folder) / "runs.parquet")
        for name, wanted in RIVALS.items():
            python = environment(Path(folder) / name, wanted)
            if python is None:
                print(f"{name}: could not run, pip found no {' '.join(wanted)}")
            else:
                beside(name, python, path)


def environment(folder: Path, wanted: tuple[str, ...]) -> Path | None:
    """Return the interpreter of a new environment; None where the packages cannot be had."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, *wanted], check=False, capture_output=True)
    return python if done.returncode == 0 else None


def beside(name: str, python: Path, path: Path) -> None:
    """Print one rival's figures beside ours, each taking its turn."""
    process = subprocess.Popen(
        [python, "-W", "ignore", PROGRAM, name, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(python.parents[1])},
    )
    mine, theirs, answers = [], [], {}
    with process:
        for _ in range(ROUNDS + 1):
            told = turn(process)
            if told is None:
                print(f"{name}: could not run, it stopped before it answered")
                return
            answers = told.pop("answers")
            theirs.append(told)
            start = time.perf_counter()
            report = asked(path)
            mine.append(time.perf_counter() - start)
    times = median(told["rows"] for told in theirs[1:]) / median(mine[1:])
    print(f"{name}, from the file: ours is {times:.1f} x as quick (goal > 1)")
    if "sums" in theirs[0]:
        times = median(told["sums"] for told in theirs[1:]) / from_sums("fixed")
        print(f"{name}, from sums: ours is {times:.1f} x as quick (goal > 1)")
    apart = furthest(answers, report)
    print(f"{name}: {count(answers)} effects and p-values within {apart:.0e} of ours")
    assert apart < CLOSE, name


def turn(process: subprocess.Popen[str]) -> dict[str, Any] | None:  # seconds and answers
    """Let a rival do one report; None if it is gone."""
    if process.stdin is None or process.stdout is None:
        return None
    with suppress(BrokenPipeError):
        process.stdin.write("\n")
        process.stdin.flush()
    line = process.stdout.readline()
    found: dict[str, Any] | None = json.loads(line) if line else None  # as above
    return found


def asked(path: Path) -> Comparisons:
    """Return our own report, by the method for one look, which is what they all have."""
    report: Comparisons = ps.analyze(path, control="a", metrics=METRICS, method="fixed")
    return report


def furthest(answers: dict[str, dict[str, list[float]]], report: Any) -> float:  # Comparisons
    """Return the largest distance of an answer from ours: of an effect in its standard errors."""
    apart = 0.0
    for metric, by_arm in answers.items():
        for arm, (estimate, p_value) in by_arm.items():
            effect = report[arm][metric]
            gaps = (estimate - effect.estimate) / effect.se, p_value - effect.p_value
            apart = max(apart, *map(abs, gaps))
    return apart


def count(answers: dict[str, dict[str, list[float]]]) -> int:
    """Return how many comparisons there are."""
    return sum(map(len, answers.values()))


if __name__ == "__main__":
    main()
