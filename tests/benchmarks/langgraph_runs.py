"""Runs one after another, each acknowledged, beside LangGraph with its SQLite saver.

LangGraph is no dependency of ours: it is installed from PyPI into a folder that is thrown away.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import tempfile
import time
import venv
from pathlib import Path

import promptstudio_lab as ps
from promptstudio_lab.engine.batch import Progress, execute_batch
from promptstudio_lab.engine.budget import Budget
from promptstudio_lab.engine.plan import CONTROL
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.running import execution

RUNS = 200
ROUNDS = 3
GOAL = 15
PACKAGES = ("langgraph", "langgraph-checkpoint-sqlite")
THEIRS = """
import asyncio, sys, time
from typing import TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    text: str


async def trim(state):
    return {"text": state["text"].strip()}


async def main(path, runs):
    graph = StateGraph(State)
    names = ["a", "b", "c"]
    for name in names:
        graph.add_node(name, trim)
    for first, second in zip([START, *names], [*names, END]):
        graph.add_edge(first, second)
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        app = graph.compile(checkpointer=saver)
        await app.ainvoke({"text": " warm "}, {"configurable": {"thread_id": "warm"}})
        begun = time.perf_counter()
        for n in range(runs):
            await app.ainvoke({"text": f" item {n} "}, {"configurable": {"thread_id": str(n)}})
        print(time.perf_counter() - begun)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def main() -> None:
    """Print the median ratio, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        python = installed(Path(folder))
        if python is None:
            print("LangGraph: not measured, since it could not be installed from PyPI")
            return
        ratios = []
        for number in range(ROUNDS):
            theirs = langgraph(python, Path(folder) / f"theirs{number}.db")
            ours = recorded(Path(folder) / f"ours{number}.db")
            ratios.append(theirs / ours)
        every = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        middle = statistics.median(ratios)
        print(f"faster than LangGraph + AsyncSqliteSaver: {middle:.1f} x (goal {GOAL}; {every})")


def installed(folder: Path) -> Path | None:
    """Return an interpreter that has LangGraph, or None if it cannot be had."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
    return python if subprocess.run(install, check=False, timeout=600).returncode == 0 else None


def langgraph(python: Path, path: Path) -> float:
    """Return the seconds of all of LangGraph's runs."""
    done = subprocess.run(
        [str(python), "-c", THEIRS, str(path), str(RUNS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return float(done.stdout)


def recorded(path: Path) -> float:
    """Return the seconds of all of our runs."""
    lab = ps.connect(str(path))
    flow = lab.flow("bench/three")
    value = flow.input("text")
    for name in ("a", "b", "c"):
        value = flow.transform(name, do="trim", value=value)
    flow.output(answer=value)
    plan = execution.prepare(lab.environment, flow.head().id, {CONTROL: None})
    items = [(None, str(n), {"text": f" item {n} "}) for n in range(RUNS)]
    inputs = list(execution.batch_inputs(new_id(), items, [CONTROL]))
    sink = lab.environment.recorder("commit")

    async def work() -> float:
        begun = time.perf_counter()
        await execute_batch(
            plan,
            inputs,
            sink,
            budget=Budget(),
            progress=Progress(RUNS),
            on_ended=lambda _: None,
            concurrency=1,
        )
        return time.perf_counter() - begun

    seconds = asyncio.run(work())
    sink.close()
    return seconds


if __name__ == "__main__":
    main()
