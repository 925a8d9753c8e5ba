"""The default dialect: logic-less `{{ name.path }}`, JSON values in, text out.

There is nothing to escape from: a hole names a value, and a value is only ever text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import MissingVariable, TemplateSyntaxError, did_you_mean
from promptstudio_lab.values import Json, check_text, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT = 1_000_000

# Possessive, so that a text of many braces is read once and not again from each of them.
_HOLE = re.compile(r"\{\{((?:(?!\{\{|\}\}).)*+)\}\}", re.DOTALL)
_LONGEST_INDEX = 9
_PATH = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_CACHED_TEMPLATES = 512


class Hole(NamedTuple):
    """A place where a value goes: the variable and the path inside it."""

    name: str
    path: tuple[str, ...]


@lru_cache(maxsize=_CACHED_TEMPLATES)
def parse(text: str) -> tuple[str | Hole, ...]:
    """Return the template's parts: literal text and holes, in order.

    Raises:
        TemplateSyntaxError: for a hole that is not closed, holds no plain path, or asks for logic.

    >>> parse("Hi {{ user.name }}!")
    ('Hi ', Hole(name='user', path=('name',)), '!')
    """
    _check(text)
    parts: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(text):
        parts += [_literal(text, end, match.start()), _hole(match, text)]
        end = match.end()
    return tuple(part for part in [*parts, _literal(text, end, len(text))] if part != "")


def variables(text: str) -> tuple[str, ...]:
    """Return the names that a template needs, in the order in which they first stand in it.

    >>> variables("{{ b }} {{ a.x }} {{ b }}")
    ('b', 'a')
    """
    return tuple(dict.fromkeys(part.name for part in parse(text) if isinstance(part, Hole)))


def render(text: str, values: Mapping[str, Json]) -> str:
    """Return the template with its holes filled.

    Text goes in as it is, anything else as JSON.

    Args:
        text: a template.
        values: JSON values by variable name.

    Raises:
        TemplateSyntaxError: if the text is no template.
        MissingVariable: if a variable or a part of its path has no value.

    >>> render("{{ n }} for {{ who.name }}", {"n": 2, "who": {"name": "<you>"}})
    '2 for <you>'
    """
    result = "".join(
        part if isinstance(part, str) else _text(_value(part, values)) for part in parse(text)
    )
    if len(result) > MAX_TEXT:
        message = f"the rendered size is {len(result):,} characters; the limit is {MAX_TEXT:,}"
        raise TemplateSyntaxError(message)
    return result


def _literal(text: str, start: int, end: int) -> str:
    opening = text.find("{{", start, end)
    if opening >= 0:
        line = text.count("\n", 0, opening) + 1
        message = f"line {line}: '{{{{' is not closed by '}}}}'"
        raise TemplateSyntaxError(message)
    return text[start:end]


def _check(text: str) -> None:
    if len(text) > MAX_TEXT:
        message = f"the template's size is {len(text):,} characters; the limit is {MAX_TEXT:,}"
        raise TemplateSyntaxError(message)
    check_text(text, "the template")
    if "{%" in text:
        line = text.count("\n", 0, text.index("{%")) + 1
        message = f"line {line}: '{{%' asks for logic; a plain template has only {{{{ name }}}}"
        raise TemplateSyntaxError(message)


def _hole(match: re.Match[str], text: str) -> Hole:
    inside = match[1].strip()
    line = text.count("\n", 0, match.start()) + 1
    if "__" in inside:
        message = f"line {line}: {{{{ {inside} }}}} is unsafe: names with '__' are not values"
        raise TemplateSyntaxError(message)
    if not _PATH.fullmatch(inside):
        message = f"line {line}: {{{{ {inside} }}}} is not a name such as {{{{ ticket.title }}}}"
        raise TemplateSyntaxError(message)
    name, *path = inside.split(".")
    return Hole(name, tuple(path))


def _value(hole: Hole, values: Mapping[str, Json]) -> Json:
    if hole.name not in values:
        message = f"{{{{ {hole.name} }}}} has no value.{did_you_mean(hole.name, values)}"
        raise MissingVariable(message)
    value = values[hole.name]
    for depth, part in enumerate(hole.path):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and _is_index(part, value):
            value = value[int(part)]
        else:
            where = ".".join([hole.name, *hole.path[:depth]])
            allowed = value if isinstance(value, dict) else []
            message = f"{where} has no {part!r}.{did_you_mean(part, map(str, allowed))}"
            raise MissingVariable(message)
    return value


def _is_index(part: str, values: list[Json]) -> bool:
    return part.isdecimal() and len(part) <= _LONGEST_INDEX and int(part) < len(values)


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value)
