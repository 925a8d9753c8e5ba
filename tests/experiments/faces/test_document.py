from __future__ import annotations

import re
from typing import TYPE_CHECKING

import mistune
import pytest

from promptstudio_lab.experiments.faces.document import document
from promptstudio_lab.experiments.faces.markdown import literal
from tests.experiments.parts import report
from tests.experiments.test_report import Tags
from tests.experiments.test_rows import read, told
from tests.experiments.test_several import compared, part

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "<img src=x onerror=alert(1)> [a](https://x.example) **b** `c` | @me $d$ \u202e"


def test_a_page_stands_alone(tmp_path: Path) -> None:
    at = tmp_path / "report.html"
    html = told(read(by="language")).to_html(at)
    assert at.read_text(encoding="utf-8") == html
    found = Tags(html)
    assert not found.tags & {"script", "link", "iframe", "img"}
    assert not found.attributes & {"src", "href"}
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert "prefers-color-scheme:dark" in html
    assert html.startswith("<!doctype html>")


def test_what_people_named_is_text_on_a_page() -> None:
    assert "<title>&lt;img src=x&gt;\\u202e</title>" in document("<img src=x>\u202e", "")
    found = Tags(report(name=EVIL).to_html())
    assert "img" not in found.tags


def test_several_treatments_are_one_page_and_one_text() -> None:
    found = compared(part("short", 0.2), part("cot", 0.4))
    html, text = found.to_html(), found.to_markdown()
    assert html.count("<summary>short</summary>") == 1
    assert text.startswith("### \U0001f7e2 Ship: cot ships")
    assert text.count("#### ") == 2


def test_markdown_opens_with_the_decision_and_shows_every_number() -> None:
    text = report().to_markdown()
    assert text.startswith("### \U0001f7e2 Ship: treatment ships\n\nsuccess rises from 46.7 %")
    assert "|success|46.7 %|78.3 %|**+31.7 points** better|" in text
    assert "|\u2705&nbsp;ok|traffic|" in text
    assert "simulated" not in text
    assert "**simulated**" in report(simulated=True).to_markdown()
    assert "at most 20 % worse: " in told(read()).to_markdown()


def test_hostile_names_are_shown_as_they_are() -> None:
    text = report(name=EVIL).to_markdown()
    html = str(mistune.create_markdown(escape=False, plugins=["table", "url"])(text))
    found = Tags(html)
    assert not found.tags & {"img", "a", "code"}
    assert "<img src=x onerror=alert(1)> [a](https://x.example) **b** `c` | @me $d$ \\u202e" in (
        "".join(found.words)
    )
    tables = re.findall("<table>", html)
    assert len(tables) == 3


@pytest.mark.parametrize("name", ["- a", "1. a", "+ a", "= a", "# a", "> a"])
def test_a_name_begins_no_list(name: str) -> None:
    from promptstudio_lab.metrics import Rate

    text = report(metrics=[Rate("success", label=name)]).to_markdown()
    html = str(mistune.create_markdown(escape=False, plugins=["table"])(text))
    assert not Tags(html).tags & {"ul", "ol", "blockquote", "h1"}
    assert name in "".join(Tags(html).words)


def test_prices_are_no_formulas() -> None:
    assert literal("$1 and $2") == "&#36;1 and &#36;2"
