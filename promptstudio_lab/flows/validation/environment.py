"""Rules about what a flow refers to: models, keys, flows, connections, code and clearances."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings as python_warnings
from typing import TYPE_CHECKING

from promptstudio_lab.errors import did_you_mean
from promptstudio_lab.flows.facts import code_hash
from promptstudio_lab.flows.validation.problem import warnings
from promptstudio_lab.nodes import kinds
from promptstudio_lab.settings import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.flows.graph import Node
    from promptstudio_lab.flows.validation.problem import Problem, Subject
    from promptstudio_lab.values import Json

# What puts a value into the text of a statement: holes, f-string braces, percent signs.
_INTERPOLATED = re.compile(r"\{\{.*?\}\}|(?<![{\w])\{\w[\w.\[\]]*\}|%\(\w+\)s|%s")


def refers(subject: Subject, node: Node) -> Iterator[Problem]:
    """Return what is wrong with what a node refers to."""
    properties = kinds[node.kind].schema["properties"]
    if "model" in properties and ("prompt" in node.config or node.config.get("model")):
        yield from _models(subject, node)
    if node.kind == "subflow":
        yield from _subflow(subject, node)
    if node.kind == "sql":
        yield from _connection(subject, node)
    if node.kind == "code":
        yield from _code(subject, node)


def models_of(subject: Subject, node: Node) -> list[tuple[str, str]]:
    """Return the models that a node may ask, each with where it is named in the config."""
    fallback = node.config.get("fallback")
    first = str(node.config.get("model") or subject.facts.default_model)
    others = fallback if isinstance(fallback, list) else []
    named = [(f"/config/fallback/{n}", str(one)) for n, one in enumerate(others)]
    return [("/config/model", first), *named]


def _models(subject: Subject, node: Node) -> Iterator[Problem]:
    """F401, F402 and F406: who is asked, whether we have a key, and whether they may know."""
    facts = subject.facts
    for pointer, model in models_of(subject, node):
        provider, _, name = model.partition(":")
        if not name or provider not in facts.providers:
            hint = did_you_mean(provider, facts.providers)
            message = f"{model!r} names no installed provider; write provider:model.{hint}"
            yield subject.problem("F401", node, pointer, message, _other_model(subject, node))
            continue
        if model in facts.prices and facts.prices[model] is None:
            message = f"{model!r} has no known price, so no budget can hold it"
            yield from warnings([subject.problem("F401", node, pointer, message)])
        if facts.credentials.get(provider) is False:
            message = f"there is no key for {provider!r}; set it before you run"
            yield from warnings([subject.problem("F402", node, pointer, message)])
        cleared = facts.clearances.get(provider)
        if cleared is not None and _rank(cleared) < _rank(facts.classification):
            message = (
                f"the data is {facts.classification}, and {provider!r} may be sent what is "
                f"{cleared} at most"
            )
            yield subject.problem("F406", node, pointer, message)


def _rank(name: str) -> int:
    # What we have no word for is kept most closely.
    return CLASSES.index(name) if name in CLASSES else len(CLASSES)


def _other_model(subject: Subject, node: Node) -> dict[str, Json] | None:
    default = subject.facts.default_model
    if default.partition(":")[0] not in subject.facts.providers:
        return None
    return {"do": "set_setting", "node": node.id, "setting": "model", "value": default}


def _subflow(subject: Subject, node: Node) -> Iterator[Problem]:
    """F110 and F403: a flow that would run itself, or that there is not."""
    facts, reference = subject.facts, str(node.config.get("flow"))
    if reference in facts.flows and facts.flows[reference] is None:
        known = [name for name, found in facts.flows.items() if found is not None]
        message = f"there is no flow {reference!r}.{did_you_mean(reference, known)}"
        yield subject.problem("F403", node, "/config/flow", message)
    if facts.flow_id is not None and facts.flow_id in facts.reaches.get(reference, ()):
        message = f"{reference!r} would run this flow again, without end"
        yield subject.problem("F110", node, "/config/flow", message)


def _connection(subject: Subject, node: Node) -> Iterator[Problem]:
    """F404: a connection that there is not, one that may write, values inside a statement."""
    name, known = str(node.config.get("connection")), subject.facts.connections
    if known is not None and name not in known:
        message = f"there is no connection {name!r}.{did_you_mean(name, known)}"
        yield subject.problem("F404", node, "/config/connection", message)
    elif known is not None and not known[name]:
        message = f"the connection {name!r} may also write; a flow should only read"
        yield from warnings([subject.problem("F404", node, "/config/connection", message)])
    found = _INTERPOLATED.search(str(node.config.get("query", "")))
    if found:
        message = f"{found[0]!r} would become part of the statement; bind it, as in :name"
        yield subject.problem("F404", node, "/config/query", message)


def _code(subject: Subject, node: Node) -> Iterator[Problem]:
    """F405: code that cannot be read, or that nobody has approved; it is never run here."""
    source = str(node.config.get("source", ""))
    wrong = _unreadable(source)
    if wrong:
        yield subject.problem("F405", node, "/config/source", wrong)
    elif subject.facts.approved is not None and code_hash(source) not in subject.facts.approved:
        fix: dict[str, Json] = {"do": "approve", "node": node.id, "hash": code_hash(source)}
        message = "nobody has approved this code yet; read it, then approve it"
        found = subject.problem("F405", node, "/config/source", message, fix)
        yield from warnings([found])


def _unreadable(source: str) -> str | None:
    # What returns a value is the inside of a function, so it is read as one.
    wrapped = "def code():\n" + textwrap.indent(source, "    ") + "\n    pass\n"
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            ast.parse(wrapped)
    except SyntaxError as error:
        return f"line {max(1, (error.lineno or 2) - 1)}: {error.msg}"
    except (ValueError, RecursionError, MemoryError):
        return "this is no text that can be read as code"
    return None
