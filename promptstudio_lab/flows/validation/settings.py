"""Rules about one node by itself: its config, its prompt and its policy."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from promptstudio_lab.errors import (
    ExpressionRefused,
    TemplateSyntaxError,
    ValueRefused,
    did_you_mean,
)
from promptstudio_lab.flows.validation.problem import warnings
from promptstudio_lab.nodes.data.input import unfit
from promptstudio_lab.nodes.expressions import parse_expression
from promptstudio_lab.nodes.kind import POLICY_SCHEMA
from promptstudio_lab.nodes.shapes import checker, misfits
from promptstudio_lab.rendering import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema_rs import Draft202012Validator

    from promptstudio_lab.flows.graph import Node
    from promptstudio_lab.flows.validation.problem import Problem, Subject
    from promptstudio_lab.nodes import Kind
    from promptstudio_lab.values import Json

_MOST = "max_iterations"


@lru_cache
def _config_checker(kind: Kind) -> Draft202012Validator:
    return checker(kind.schema)


@lru_cache
def _policy_checker() -> Draft202012Validator:
    return checker(POLICY_SCHEMA)


def policy(subject: Subject, node: Node) -> Iterator[Problem]:
    """F306: a policy that means nothing."""
    for name in node.policy:
        if name not in POLICY_SCHEMA["properties"]:
            hint = did_you_mean(name, POLICY_SCHEMA["properties"])
            fix: dict[str, Json] = {"do": "remove_policy", "node": node.id, "policy": name}
            message = f"a policy has no {name!r}.{hint}"
            yield subject.problem("F306", node, f"/policy/{name}", message, fix)
    for place, reason in misfits(_policy_checker(), dict(node.policy)):
        yield subject.problem("F306", node, f"/policy{place}", reason)


def config(subject: Subject, node: Node, kind: Kind) -> Iterator[Problem]:
    """F101, F111 and F301: a config of another version, of another shape, a loop without end."""
    if node.version > kind.version:
        message = f"{node.kind} version {node.version} is newer than this installation knows"
        yield subject.problem("F101", node, "/v", message)
    elif node.version < kind.version:
        message = f"{node.kind} version {node.version} could not be brought to {kind.version}"
        yield subject.problem("F101", node, "/v", message)
    for name in node.config:
        if name not in kind.schema["properties"]:
            hint = did_you_mean(name, kind.schema["properties"])
            message = f"{node.kind} has no setting {name!r}.{hint}"
            fix: dict[str, Json] = {"do": "remove_setting", "node": node.id, "setting": name}
            yield subject.problem("F111", node, f"/config/{name}", message, fix)
    endless = _MOST in kind.schema.get("required", ()) and node.config.get(_MOST) is None
    if endless:
        fix = {"do": "set_setting", "node": node.id, "setting": _MOST, "value": _usual(kind)}
        message = f"a {node.kind} needs {_MOST}, so that it ends"
        yield subject.problem("F301", node, f"/config/{_MOST}", message, fix)
    for place, reason in misfits(_config_checker(kind), dict(node.config)):
        if not (endless and _MOST in reason and place in ("", f"/{_MOST}")):
            yield subject.problem("F111", node, f"/config{place}", reason)


def _usual(kind: Kind) -> Json:
    properties: dict[str, Json] = kind.schema["properties"]
    return properties[_MOST].get("default", 10)


def meaning(subject: Subject, node: Node, kind: Kind) -> Iterator[Problem]:
    """Return what is wrong with settings whose shape is right."""
    yield from _prompt(subject, node)
    yield from _returns(subject, node)
    yield from _default(subject, node)
    yield from _expressions(subject, node, kind)
    yield from _unsafe(subject, node, kind)
    yield from _outlived(subject, node)


def _prompt(subject: Subject, node: Node) -> Iterator[Problem]:
    """F203 and F403: a prompt that cannot be read, or is not there."""
    prompt = node.config.get("prompt")
    if not isinstance(prompt, dict):
        return
    text = subject.facts.text(prompt)
    if text is None:
        known = [name for name, text in subject.facts.templates.items() if text is not None]
        hint = did_you_mean(str(prompt["ref"]), known)
        message = f"there is no template {prompt['ref']!r}.{hint}"
        yield subject.problem("F403", node, "/config/prompt/ref", message)
        return
    try:
        parse(text)
    except (TemplateSyntaxError, ValueRefused) as error:
        yield subject.problem("F203", node, "/config/prompt", str(error))
    if not text.strip():
        yield subject.problem("F203", node, "/config/prompt", "the prompt is empty")


def _returns(subject: Subject, node: Node) -> Iterator[Problem]:
    shape = node.config.get("returns")
    if not isinstance(shape, dict):
        return
    try:
        checker(shape)
    except ValueRefused as error:
        yield subject.problem("F111", node, "/config/returns", str(error))


def _expressions(subject: Subject, node: Node, kind: Kind) -> Iterator[Problem]:
    """F111: an expression that cannot be read; it is parsed here and never evaluated."""
    places = {
        f"/config/{name}": node.config.get(name)
        for name, part in kind.schema["properties"].items()
        if part.get("format") == "expression"
    }
    cases = node.config.get("cases")
    for at, case in enumerate(cases if isinstance(cases, list) else []):
        if isinstance(case, dict):
            places[f"/config/cases/{at}/when"] = case.get("when")
    for place, text in places.items():
        if not isinstance(text, str):
            continue
        try:
            parse_expression(text)
        except ExpressionRefused as error:
            yield subject.problem("F111", node, place, f"{text!r} is no expression: {error}")


def _default(subject: Subject, node: Node) -> Iterator[Problem]:
    """F205: an input whose default is not of its type."""
    if node.kind != "input" or "default" not in node.config:
        return
    kind = str(node.config.get("type", "text"))
    for place, reason in unfit(node.config, node.config["default"]):
        fix: dict[str, Json] = {"do": "remove_setting", "node": node.id, "setting": "default"}
        message = f"the default of a {kind} does not fit: {reason}"
        yield subject.problem("F205", node, f"/config/default{place}", message, fix)


def _unsafe(subject: Subject, node: Node, kind: Kind) -> Iterator[Problem]:
    """F303: what reaches outside and cannot be taken back must not be done twice or never."""
    if kind.side_effects != "unsafe":
        return
    retry = node.policy.get("retry")
    again = isinstance(retry, dict) and bool(retry.get("max"))
    for name, wrong in (("retry", again), ("cache", node.policy.get("cache") is True)):
        if wrong:
            fix: dict[str, Json] = {"do": "remove_policy", "node": node.id, "policy": name}
            message = f"{node.kind} acts outside the flow, so a {name} could repeat or omit it"
            yield subject.problem("F303", node, f"/policy/{name}", message, fix)


def _outlived(subject: Subject, node: Node) -> Iterator[Problem]:
    """F304: a node that may take longer than what it lies in."""
    above = subject.graph.by_id.get(node.parent or "")
    mine, whole = _seconds(node), _seconds(above)
    if mine is not None and whole is not None and mine > whole:
        fix: dict[str, Json] = {"do": "set_policy", "node": node.id, "policy": "timeout_s"}
        message = f"it may take {mine:g} s, and what it lies in only {whole:g} s"
        found = subject.problem("F304", node, "/policy/timeout_s", message, {**fix, "value": whole})
        yield from warnings([found])


def _seconds(node: Node | None) -> float | None:
    found = node.policy.get("timeout_s") if node else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None
