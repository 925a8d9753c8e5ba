"""`%%prompt` in a real shell: a cell becomes a version of a template, and is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from promptstudio_lab.errors import NotFound, PromptStudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.lab import Lab

HOSTILE = '<img src=x onerror="alert(1)">\u202e'


@pytest.fixture
def shell(memory: Lab) -> Iterator[Any]:
    """Give a shell with the extension loaded and a lab in `lab`."""
    InteractiveShell.clear_instance()
    quiet = Config({"HistoryManager": {"enabled": False}})
    found = InteractiveShell.instance(config=quiet, user_ns={"lab": memory})
    found.run_line_magic("load_ext", "promptstudio_lab")
    yield found
    InteractiveShell.clear_instance()


def prompt(shell: Any, line: str, cell: str) -> Any:
    return shell.run_cell_magic("prompt", line, cell)


def test_a_cell_makes_a_version_and_is_tried(shell: Any, memory: Lab) -> None:
    shell.user_ns["ticket"] = "My card was charged twice"
    found = prompt(shell, "support/classify", "Label this: {{ ticket }}\n")
    assert (found.template.reference, found.new) == ("support/classify@1", True)
    assert found.text
    assert all(found.tokens)
    assert found.cost_usd > 0
    assert found.latency_ms > 0
    assert memory.template("support/classify").text == "Label this: {{ ticket }}"
    kept = memory.runs()
    assert kept["flow_execution_id"].to_list() == [found.run.id]
    said = repr(found)
    for part in ("support/classify@1", "charged twice", "tokens: ", "cost: $", "time: ", "simul"):
        assert part in said
    assert ">simulated</span>" in found._repr_html_()


def test_the_same_text_makes_no_version_and_another_does(shell: Any) -> None:
    line = "support/classify ticket=Hi"
    first = prompt(shell, line, "Label this: {{ ticket }}\n")
    same = prompt(shell, line, "Label this: {{ ticket }}\n")
    other = prompt(shell, line, "Which label? {{ ticket }}\n")
    assert [found.template.version for found in (first, same, other)] == [1, 1, 2]
    assert [found.new for found in (first, same, other)] == [True, False, True]
    assert "unchanged" in repr(same)


def test_the_line_names_values_the_model_and_the_result(shell: Any) -> None:
    shell.user_ns["count"] = 1
    cell = "{{ count }} of {{ words }} for {{ self }}"
    found = prompt(
        shell, 'a/b -m simulated:large --name tried count=3 words=\'["x"]\' self="two words"', cell
    )
    assert shell.user_ns["tried"] is found
    assert found.values == {"count": 3, "words": ["x"], "self": "two words"}
    assert 'prompt: 3 of ["x"] for two words' in repr(found)


def test_saving_asks_no_model(shell: Any, memory: Lab) -> None:
    found = prompt(shell, "a/b --save", "Hello {{ name }}")
    assert memory.runs().height == 0
    assert "variables: name" in repr(found)
    with pytest.raises(PromptStudioError, match="no model was asked"):
        _ = found.text


def test_the_line_form_tries_what_is_there(shell: Any, memory: Lab) -> None:
    memory.template("a/b", "Hello {{ name }}")
    found = shell.run_line_magic("prompt", "a/b name=you")
    assert (found.template.version, found.new) == (1, False)
    assert "Hello you" in repr(found)


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [
        ("", "Hi", "names no template"),
        ("a/b -m", "Hi", "nothing stands behind -m"),
        ("a/b --name 2x", "Hi", "'2x' is no name of a variable"),
        ("a/b --fast", "Hi", "'--fast'"),
        ("a/b c/d", "Hi", "'c/d'"),
        ("a/b 'x", "Hi", "No closing quotation"),
        ("a/b nmae=x", "Hi {{ name }}", "did you mean 'name'"),
        ("a/b", "Hi {{ name }}", "the prompt needs 'name'"),
        ("a/b", "Hi {{ name", "not closed"),
        ("a/b x=1 -m nothing:here", "Hi {{ x }}", "nothing"),
    ],
)
def test_what_is_wrong_is_one_plain_line(shell: Any, line: str, cell: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        prompt(shell, line, cell)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_value_saves_nothing(shell: Any, memory: Lab) -> None:
    with pytest.raises(UsageError):
        prompt(shell, "a/b", "Hi {{ name }}")
    with pytest.raises(NotFound):
        memory.template("a/b")


def test_what_was_written_is_only_ever_text(shell: Any) -> None:
    found = prompt(shell, "a/b", HOSTILE)
    shown = found._repr_html_()
    assert "<img" not in shown
    assert "\u202e" not in shown + repr(found)
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;\\u202e" in shown
