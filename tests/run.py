"""Runs the gates and the tests, and says at the end what failed and what could not run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import MISSING_FILE

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "extension"
NODE = "Node: the lint and the tests of the extension"
WORKERS = 2  # each starts a PostgreSQL of its own
BROWSER = "tests/browser"  # by itself and one after another: two browsers make each other late
WHOLE = ("stats", "metrics")  # packages whose every branch is covered
AGAIN = 2  # so many failed tests of the browser run once more: more are no accident


@dataclass(frozen=True, slots=True)
class Step:
    """One command with the heading it is announced by.

    Attributes:
        heading: what it is called.
        command: its words.
        folder: where it runs.
        cache: where pytest keeps which tests failed, if they may run once more.
    """

    heading: str
    command: tuple[str, ...]
    folder: Path = ROOT
    cache: str = ""

    @classmethod
    def in_browser(cls, heading: str, *words: str) -> Step:
        """Return a step of tests of which a few may run once more: a browser may just be late."""
        cache = ".pytest_cache/browser"
        return cls(heading, ("pytest", "-o", f"cache_dir={cache}", *words), cache=cache)

    def failed_tests(self) -> list[str]:
        """Return the tests that failed, if it is known."""
        told = ROOT / self.cache / "v/cache/lastfailed"
        return [*json.loads(told.read_text(encoding="utf-8"))] if told.exists() else []

    def once_more(self) -> Step | None:
        """Return the few tests that failed as a step of their own; None if they may not."""
        if not self.cache or not 0 < len(self.failed_tests()) <= AGAIN:
            return None
        alone = (*self.command, "--last-failed")
        return Step(f"{self.heading}: what failed, once more by itself", alone)

    def passes(self, environment: dict[str, str]) -> bool:
        """Run the command in full view, and tell whether it succeeded."""
        sys.stdout.write(f"\n=== {self.heading} ===\n")
        sys.stdout.flush()
        started = time.monotonic()
        done = subprocess.run(self.command, cwd=self.folder, env=environment, check=False)
        verdict = "passed" if done.returncode == 0 else f"FAILED ({done.returncode})"
        sys.stdout.write(f"--- {self.heading}: {verdict}, {time.monotonic() - started:.0f} s\n")
        return done.returncode == 0


def main(verb: str) -> int:
    """Run everything that belongs to `verb`; return the exit status."""
    steps = {"test": gates, "fix": repairs}.get(verb, lambda: scripts(verb))()
    failed: list[str] = []
    shaky: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "missing"
        environment = _environment(report)
        for step in steps:
            if step.passes(environment):
                continue
            tests, again = step.failed_tests(), step.once_more()
            if again and again.passes(environment):
                shaky += tests
            else:
                failed.append(step.heading)
        missing = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    if verb == "test" and _has_extension() and not shutil.which("npm"):
        missing.append(NODE)
    sys.stdout.write(f"\n{len(steps) - len(failed)} of {len(steps)} steps passed\n")
    sys.stdout.writelines(f"failed: {heading}\n" for heading in failed)
    sys.stdout.writelines(f"failed once, and passed by itself: {test}\n" for test in shaky)
    sys.stdout.writelines(f"could not run: {what}\n" for what in missing)
    return int(bool(failed or (missing and os.environ.get("CI") == "true")))


def gates() -> list[Step]:
    """Return the gates and the tests, the quickest first."""
    extension = [
        Step("extension: lint", ("npm", "run", "--silent", "--if-present", "lint"), EXTENSION),
        Step("extension: tests", ("npm", "run", "--silent", "--if-present", "test"), EXTENSION),
    ]
    counted = [f"tests/{package}" for package in WHOLE]
    whole = ",".join(f"promptstudio_lab/{package}/*" for package in WHOLE)
    parallel = (f"--numprocesses={WORKERS}", "--dist=loadfile")
    apart = [f"--ignore={folder}" for folder in (BROWSER, *counted)]
    counting = ("--cov", "--cov-report=")
    return [
        Step("ruff check", ("ruff", "check")),
        Step("ruff format", ("ruff", "format", "--check")),
        Step("mypy", ("mypy",)),
        Step("import-linter", ("lint-imports",)),
        *(extension if _has_extension() and shutil.which("npm") else ()),
        Step("pytest", ("pytest", *apart, *parallel)),
        Step.in_browser("pytest, in a browser", BROWSER),
        Step("pytest, counting branches", ("pytest", *counted, *parallel, *counting)),
        Step("coverage", ("coverage", "report", f"--include={whole}", "--fail-under=100")),
    ]


def repairs() -> list[Step]:
    """Return what puts right what tools can put right."""
    steps = [
        Step("ruff check", ("ruff", "check", "--fix")),
        Step("ruff format", ("ruff", "format")),
    ]
    if _has_extension() and shutil.which("npm"):
        fix = ("npm", "run", "--silent", "--if-present", "fix")
        steps.append(Step("extension", fix, EXTENSION))
    return steps


def scripts(verb: str) -> list[Step]:
    """Return one step a script of the folder that `verb` stands for."""
    folder = {"bench": "benchmarks"}.get(verb, verb)
    found = sorted((ROOT / "tests" / folder).glob("*.py"))
    return [Step(at.stem, (sys.executable, "-m", f"tests.{folder}.{at.stem}")) for at in found]


def _environment(report: Path) -> dict[str, str]:
    """Return the environment of every step: this interpreter's own tools come first."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return {**os.environ, "PATH": path, MISSING_FILE: str(report)}


def _has_extension() -> bool:
    return (EXTENSION / "package-lock.json").exists()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
