"""What a notebook can get into its hands: every class that the public API gives, read from it."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promptstudio_lab as ps
from promptstudio_lab.analytics.faces.answer import Answer
from promptstudio_lab.experiments.report import Report
from promptstudio_lab.experiments.rows import Rows, Table
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.lab.facts import Environment
from promptstudio_lab.nodes.kind import Signature
from promptstudio_lab.stats.sums import Sums, SumsApart
from promptstudio_lab.widgets.canvas import FlowEditor
from promptstudio_lab.widgets.graphs.view import GraphView
from promptstudio_lab.widgets.prompting import Tried

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "promptstudio_lab"
# What is returned under a looser name than its own, because it lies higher up or is one of several.
ALSO: tuple[type, ...] = (Answer, Report, Comparisons, FlowEditor, GraphView, Tried)
# What the floors of the house hand on to each other, and a notebook has no call for.
INSIDE: tuple[type, ...] = (Environment, Facts, Signature, Rows, Table, Sums, SumsApart)


def public_classes() -> set[type]:
    """Return every class of ours that the public names are, or give, however many calls away."""
    waiting: list[Any] = [getattr(ps, name) for name in ps.__all__ if name != "__version__"]
    found: set[type] = set()
    waiting += ALSO
    while waiting:
        thing = waiting.pop()
        if inspect.isclass(thing):
            if thing in found or thing in INSIDE or issubclass(thing, BaseException):
                continue
            found.add(thing)
            waiting += [given for one in _public(thing) for given in _given(one)]
        else:
            waiting += _given(thing)
    return {one for one in found if not inspect.isabstract(one) and not _is_protocol(one)}


def _is_protocol(one: type) -> bool:
    return bool(getattr(one, "_is_protocol", False))


def _public(owner: type) -> Iterator[Any]:  # functions
    for name in dir(owner):
        if not name.startswith("_"):
            found = inspect.getattr_static(owner, name)
            for inner in ("fget", "__func__", "func"):
                found = getattr(found, inner, None) or found
            yield found


def _given(function: Any) -> list[type]:  # a function, if it is one
    said = getattr(function, "__annotations__", {}).get("return")
    home = getattr(function, "__module__", None)
    if not isinstance(said, str) or not isinstance(home, str) or not home.startswith(OURS):
        return []
    words = re.findall(r"[A-Za-z_]\w*", said)
    return [found for word in words for found in _class(home, word)]


def _class(home: str, word: str) -> list[type]:
    """Return the class that a word in an annotation of a module means, if it is one of ours."""
    module = sys.modules[home]
    found = getattr(module, word, None)
    if found is None and word in _imported(home):
        place, name = _imported(home)[word]
        found = getattr(import_module(place), name, None)
    ours = inspect.isclass(found) and found.__module__.startswith(OURS)
    return [found] if ours and found is not None else []


@cache
def _imported(home: str) -> dict[str, tuple[str, str]]:
    """Return what a module imports for its annotations alone: by name, from where."""
    source = Path(str(sys.modules[home].__file__)).read_text(encoding="utf-8")
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(OURS)
        for alias in node.names
    }
