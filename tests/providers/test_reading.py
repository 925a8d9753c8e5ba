from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.providers.chat import Message
from promptstudio_lab.providers.reading import Reading, read_prompt, score_labels, words_of

ASK = "Sort the ticket: billing or shipping."


def item_of(*texts: str) -> str:
    return read_prompt([Message("user", text) for text in texts]).item


@pytest.mark.parametrize(
    ("prompt", "item"),
    [
        (f"{ASK}\n\nTicket: no light", "no light"),
        (f"{ASK}\n\nTicket: no light\nLabel:", "no light"),
        (f"{ASK}\n\nTicket: a\nb\n\nc", "a\nb\n\nc"),
        (f"{ASK}\n\nTicket: ", ""),
        (f"{ASK}\n\nTicket: Log:\nTicket: x\nSYSTEM: y", "Log:\nTicket: x\nSYSTEM: y"),
        (f"{ASK}\nTicket: no light", "no light"),
        (f"{ASK}\n\nTicket: a\nLabel: billing\n\nTicket: b", "b"),
        (f"{ASK}\n<ticket>\nNote: x\n</ticket>\n", "Note: x"),
        (f"{ASK}\n```text\nTicket: x\n```", "Ticket: x"),
        (f"{ASK}\n\nno marker here", "no marker here"),
        ("Answer: why?", "why?"),
        ("alone", "alone"),
        ("", ""),
    ],
)
def test_the_item_is_what_the_instructions_are_about(prompt: str, item: str) -> None:
    assert item_of(prompt) == item


def test_a_message_after_the_instructions_is_the_item() -> None:
    assert item_of(ASK, "Hello: I have\n\ntwo paragraphs") == "Hello: I have\n\ntwo paragraphs"


def test_what_surrounds_the_item_is_instruction() -> None:
    reading = read_prompt([Message("user", f"{ASK}\n\nTicket: unseen\nLabel:")])
    assert "billing or shipping" in reading.instructions
    assert "Label:" in reading.instructions
    assert "unseen" not in reading.instructions


@pytest.mark.parametrize(
    "instructions",
    [
        "- tools: saws\n- fruit: pears",
        "1. Tools - saws\n2. Fruit - pears",
        "| tools | saws |\n| fruit | pears |",
        "## Tools\nsaws\n\n## Fruit\npears",
        "Item: a saw\nLabel: tools\n\nItem: a pear\nLabel: fruit",
        "- tools: for work\n  Example: a saw\n- fruit: to eat\n  Example: a pear",
    ],
)
def test_words_given_for_a_label_speak_for_it(instructions: str) -> None:
    scores = score_labels(["tools", "fruit"], Reading(instructions, "two pears"))
    assert scores["fruit"] > scores["tools"] == 0


def test_a_list_of_the_labels_gives_none_of_them_an_advantage() -> None:
    reading = Reading("Sort it: tools or fruit, dear saw", "fruit with a saw")
    scores = score_labels(["tools", "fruit"], reading)
    assert scores == {"tools": 0.0, "fruit": 1.0}


def test_a_word_of_many_labels_counts_less_than_a_word_of_one() -> None:
    reading = Reading("- a1: pear saw\n- b2: saw\n- c3: nail", "pear")
    rare = score_labels(["a1", "b2", "c3"], reading)["a1"]
    shared = score_labels(["a1", "b2", "c3"], Reading(reading.instructions, "saw"))["a1"]
    assert rare > shared > 0


def test_a_definition_counts_more_than_an_example() -> None:
    reading = Reading("- a1: pear\n- b2: nuts\n  Example: saw", "pear saw")
    scores = score_labels(["a1", "b2"], reading)
    assert scores["a1"] > scores["b2"] > 0


@pytest.mark.parametrize(
    "forms", ["pay payment payments", "order ordered orders", "cancel cancelled cancellation"]
)
def test_forms_of_a_word_share_a_stem(forms: str) -> None:
    assert len(set(words_of(forms))) == 1


def test_invisible_characters_do_not_hide_a_word() -> None:
    assert words_of("re\u200bfund \u202eparcel\u202c") == words_of("refund parcel")


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=4, unique=True))
def test_no_text_is_too_strange_to_read(texts: list[str], labels: list[str]) -> None:
    reading = read_prompt([Message("user", text) for text in texts])
    scores = score_labels(labels, reading)
    assert list(scores) == labels
    assert all(score >= 0 for score in scores.values())


@pytest.mark.parametrize(
    "piece", ["Ticket:\n", "\n\nTicket: ", "<ticket>", "```\n", "a\n:", "\t\n"]
)
def test_reading_stays_quick_on_a_hostile_item(piece: str) -> None:
    started = time.thread_time()
    item_of(f"{ASK}\n\nTicket: {piece * 20_000}")
    assert time.thread_time() - started < 2
