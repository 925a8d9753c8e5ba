from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

from promptstudio_lab import stats

LISTED = set(re.findall(r"`([a-z_.]+\.[A-Za-z_]+)`", str(stats.__doc__)))
# What the others are made of, and what a rule of the house reads.
PARTS = {
    "arms.cluster_sums",
    "assignment.hashing.fnv32a",
    "independent.contrast",
    "looks.rule",
    "quantiles.cluster_inflation",
    "srm.promised",
    "unpaired.unknown",
}


def test_what_is_listed_is_there() -> None:
    for name in LISTED:
        module, _, thing = name.rpartition(".")
        assert getattr(import_module(f"{stats.__name__}.{module}"), thing).__doc__


def test_every_method_is_listed() -> None:
    found = set()
    root = Path(str(stats.__file__)).parent
    for file in root.rglob("*.py"):
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        if module not in {"sums", "tails"}:  # sums and the checks of inputs
            names = (
                node.name
                for node in ast.parse(file.read_text("utf-8")).body
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            )
            found |= {f"{module}.{name}" for name in names}
    assert found - PARTS == LISTED - {"arms.Arm", "sequential.planned.Look"}
