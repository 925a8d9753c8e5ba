from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.errors import NotFound
from promptstudio_lab.templates.diff import diff
from promptstudio_lab.templates.store import TemplateVersion

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab


def version(number: int, text: str) -> TemplateVersion:
    return TemplateVersion("t", number, text, "support/x")


def test_lines_and_variables_that_differ_are_told() -> None:
    old = version(1, "Hi {{ name }}\nBye\n-- kept\n")
    new = version(2, "Hi {{ who }}\nBye\n-- kept\n++ more {{ what }}\n")
    found = diff(old, new)
    assert (found.before, found.after) == ("support/x@1", "support/x@2")
    assert found.lines_removed == ("Hi {{ name }}",)
    assert found.lines_added == ("Hi {{ who }}", "++ more {{ what }}")
    assert found.variables_added == ("who", "what")
    assert found.variables_removed == ("name",)
    assert str(found).splitlines()[:2] == ["--- support/x@1", "+++ support/x@2"]
    assert "+Hi {{ who }}" in str(found).splitlines()


def test_the_same_text_has_no_diff() -> None:
    found = diff(version(1, "a"), version(2, "a"))
    assert (found.text, found.lines_added, found.lines_removed) == ("", (), ())
    assert str(found) == "support/x@1 and support/x@2 have the same text"


@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b", "a\x0bb"])
def test_other_line_ends_are_text(text: str) -> None:
    found = diff(version(1, text), version(2, f"{text}!"))
    assert "\n".join([*found.lines_removed]) in text
    assert found.lines_added[0].endswith("!")


def test_a_diff_cannot_act_where_it_is_shown() -> None:
    html = diff(version(1, "a"), version(2, "<script>x</script>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_versions_of_a_template_are_compared(memory: Lab) -> None:
    for text in ("one", "two {{ x }}", "three"):
        memory.template("a/b", text)
    latest = memory.template("a/b")
    assert latest.diff(1).lines_added == ("three",)
    assert latest.diff(1, 2).variables_added == ("x",)
    assert memory.template("a/b@2").diff(3).lines_added == ("two {{ x }}",)
    with pytest.raises(NotFound, match="versions 1 to 3, not 4"):
        latest.diff(4)
