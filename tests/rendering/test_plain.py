from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import MissingVariable, TemplateSyntaxError, ValueRefused
from promptstudio_lab.rendering import MAX_TEXT, parse, render, variables
from promptstudio_lab.rendering.plain import Hole
from promptstudio_lab.values import dumps

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
PLAIN = st.text(st.characters(exclude_characters="{}\0", exclude_categories=["Cs"]))
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MANY_BRACES = 30_000
SOON_S = 0.5


@given(st.lists(st.tuples(PLAIN, NAMES, ANY_TEXT)), PLAIN)
def test_holes_are_filled_and_text_is_kept(parts: list[tuple[str, str, str]], end: str) -> None:
    values = {name: value for _, name, value in parts}
    template = "".join(f"{before}{{{{ {name} }}}}" for before, name, _ in parts) + end
    expected = "".join(f"{before}{values[name]}" for before, name, _ in parts) + end
    assert render(template, values) == expected
    assert variables(template) == tuple(values)


@given(PLAIN)
def test_text_without_holes_is_itself(text: str) -> None:
    assert render(text, {}) == text
    assert variables(text) == ()


@given(st.dictionaries(NAMES, st.none() | st.booleans() | st.integers() | st.lists(NAMES)))
def test_other_values_go_in_as_json(values: dict[str, Any]) -> None:
    for name, value in values.items():
        expected = "" if value is None else dumps(value)
        assert render(f"<{{{{{name}}}}}>", values) == f"<{expected}>"


@given(ANY_TEXT)
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    try:
        parts = parse(text)
    except (TemplateSyntaxError, ValueRefused):
        return
    assert all(isinstance(part, Hole) or part for part in parts)
    assert set(variables(text)) == {part.name for part in parts if isinstance(part, Hole)}


def test_values_are_never_templates() -> None:
    hostile = "{{ secret }} {% if %} {{"
    assert render("a {{ x }} b", {"x": hostile, "secret": "s"}) == f"a {hostile} b"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ a.b }}", "1"),
        ("{{a.c.1.d}}", "deep"),
        ("{{ a }}", '{"b":1,"c":[0,{"d":"deep"}]}'),
        ("{{\n  a.b\n}}", "1"),
        ("{ {{ a.b }} }", "{ 1 }"),
        ("{{ a.b }}}", "1}"),
        ("}} {{ a.b }}", "}} 1"),
        ("{# {{ a.b }} #}", "{# 1 #}"),
    ],
)
def test_paths_reach_into_values(template: str, text: str) -> None:
    values = {"a": {"b": 1, "c": [0, {"d": "deep"}]}}
    assert render(template, values) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\nb {{ x", r"line 2: '\{\{' is not closed by '\}\}'"),
        ("{{ x }} {{", r"line 1: '\{\{' is not closed"),
        ("\n\n{{ }}", "line 3: .* is not a name"),
        ("{{ a b }}", "line 1: .* is not a name such as"),
        ("{{ a|upper }}", "is not a name"),
        ("{{ f() }}", "is not a name"),
        ("{{ a[0] }}", "is not a name"),
        ("{{ 1a }}", "is not a name"),
        ("{{ a..b }}", "is not a name"),
        ("{{{ a }}}", "is not a name"),
        ("{{ a {{ b }}", "is not closed"),
        ("{{ a.__class__ }}", "is unsafe"),
        ("\n{% if a %}", r"line 2: '\{%' asks for logic"),
    ],
)
def test_what_is_no_template_is_refused_with_its_line(template: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=message):
        parse(template)


@pytest.mark.parametrize("text", ["a\0", "\ud800"])
def test_text_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(ValueRefused, match="the template holds"):
        parse(text)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ tikcet }}", "tikcet .* has no value.*did you mean 'ticket'"),
        ("{{ ticket.titel }}", "ticket has no 'titel'.*did you mean 'title'"),
        ("{{ ticket.tags.2 }}", r"ticket\.tags has no '2'"),
        ("{{ ticket.tags.first }}", r"ticket\.tags has no 'first'"),
        ("{{ ticket.title.x }}", r"ticket\.title has no 'x'"),
        ("{{ ticket.tags.0.x }}", r"ticket\.tags\.0 has no 'x'"),
    ],
)
def test_missing_value_is_named(template: str, message: str) -> None:
    values = {"ticket": {"title": "t", "tags": ["a", "b"]}, "x": 1}
    with pytest.raises(MissingVariable, match=message):
        render(template, values)


def test_very_long_index_is_missing() -> None:
    with pytest.raises(MissingVariable, match="a has no"):
        render(f"{{{{ a.{'9' * 5000} }}}}", {"a": []})


def test_sizes_are_limited() -> None:
    assert len(render("x" * MAX_TEXT, {})) == MAX_TEXT
    with pytest.raises(TemplateSyntaxError, match="1,000,001 characters; the limit is 1,000,000"):
        parse("x" * (MAX_TEXT + 1))
    with pytest.raises(TemplateSyntaxError, match="rendered size is 1,200,000"):
        render("{{ a }}{{ a }}", {"a": "x" * 600_000})


@pytest.mark.parametrize("piece", ["{", "{{ ", "}}", "{ "])
def test_parsing_takes_time_in_proportion(piece: str) -> None:
    text = piece * (MANY_BRACES // len(piece))
    began = time.thread_time()
    with suppress(TemplateSyntaxError):
        parse(text)
    assert time.thread_time() - began < SOON_S
