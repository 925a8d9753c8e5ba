"""Code of somebody else's that means to end everything ends the batch, and hangs nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ENDS = """
import sys
import promptstudio_lab as ps
from promptstudio_lab.scorers import Score

class Stopped(BaseException):
    pass

class Judge:
    judged = 0

    def score(self, outputs, expected):
        self.judged += 1
        if self.judged == 4:
            raise {raised}
        return Score(1.0, "pass", "it is there")

    def lacks(self, outputs, fields):
        return None

    def describe(self):
        return {{"scorer": "judge"}}

lab = ps.connect(sys.argv[1])
f = lab.flow("greet")
f.output(said=f.prompt("hello", prompt="Hello {{{{ name }}}}!", name=f.input("name")))
rows = [{{"name": str(n)}} for n in range(10)]
try:
    f.batch(rows, scorer=Judge(), concurrency=1, name="nightly")
except BaseException as error:
    assert type(error).__name__ == sys.argv[2], repr(error)
else:
    raise AssertionError("it went on")
statuses = lab.sql("SELECT status, count(*) AS n FROM flow_execution GROUP BY status")
assert dict(statuses.rows()) == {{"succeeded": 3, "cancelled": 1}}, statuses
whole = f.batch(rows, concurrency=2, name="nightly")
assert whole["status"].to_list() == ["succeeded"] * 10, whole
print("and went on")
"""


@pytest.mark.parametrize(
    ("raised", "name"),
    [
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("SystemExit(3)", "SystemExit"),
        ("Stopped()", "Stopped"),
    ],
)
def test_a_scorer_that_ends_everything_ends_the_batch(
    warehouse_url: str, raised: str, name: str
) -> None:
    ends(ENDS.format(raised=raised), warehouse_url, name)


MODEL_ENDS = """
import sys
import promptstudio_lab as ps
from promptstudio_lab.providers import provider_of

lab = ps.connect(sys.argv[1])
f = lab.flow("ask")
f.output(said=f.llm("ask", prompt="Say {{ name }}.", name=f.input("name")))
rows = [{"name": str(n)} for n in range(10)]
provider = provider_of("simulated")
complete, asked = provider.complete, []

async def once(request, *more):
    asked.append(request)
    if len(asked) == 4:
        sys.exit(3)
    return await complete(request, *more)

provider.complete = once
try:
    f.batch(rows, concurrency=2)
except SystemExit as error:
    assert error.code == 3
else:
    raise AssertionError("it went on")
for table in ("flow_execution", "node_execution"):
    found = lab.sql(f"SELECT DISTINCT status FROM {table}")["status"].to_list()
    assert set(found) == {"succeeded", "cancelled"}, (table, found)
assert f.batch(rows)["status"].to_list() == ["succeeded"] * 10
print("and went on")
"""


def test_a_model_that_ends_everything_leaves_nothing_in_flight(warehouse_url: str) -> None:
    ends(MODEL_ENDS, warehouse_url)


def ends(script: str, *given: str) -> None:
    """Run a script in a process of its own, which must end soon."""
    done = subprocess.run(
        [sys.executable, "-c", script, *given],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "and went on", done.stderr
