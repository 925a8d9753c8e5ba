from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from importlib import resources

from promptstudio_lab.datasets import sample

FIELDS = {"id", "ticket", "label", "language", "difficulty", "traits"}
NO_HOST = (".invalid", ".test", ".example")  # reserved: they can never lead anywhere


def rows_with(trait: str) -> list[str]:
    return [row["ticket"] for row in sample.tickets() if trait in row["traits"]]


def test_there_are_240_tickets_with_ids_in_order() -> None:
    assert [row["id"] for row in sample.tickets()] == [f"t{n:03d}" for n in range(1, 241)]


def test_every_ticket_has_every_field_and_known_values() -> None:
    for row in sample.tickets():
        assert set(row) == FIELDS
        assert row["label"] in sample.LABELS
        assert row["difficulty"] in {"plain", "hard"}
        assert re.fullmatch(r"[a-z]{2}", row["language"])
        assert row["traits"] == sorted(set(row["traits"]))
        assert row["ticket"].strip()


def test_the_file_is_canonical() -> None:
    text = resources.files(sample).joinpath("tickets.jsonl").read_text(encoding="utf-8")
    for line in text.removesuffix("\n").split("\n"):
        assert line == json.dumps(json.loads(line), ensure_ascii=False, sort_keys=True)


def test_no_two_tickets_say_the_same() -> None:
    told = [re.sub(r"\W+", " ", row["ticket"]).casefold().strip() for row in sample.tickets()]
    assert len(set(told)) == len(told)


def test_the_labels_are_all_used_and_uneven() -> None:
    counts = Counter(row["label"] for row in sample.tickets())
    assert set(counts) == set(sample.LABELS)
    assert min(counts.values()) >= 15
    assert max(counts.values()) >= 3 * min(counts.values())


def test_there_are_hard_foreign_and_hostile_tickets() -> None:
    rows = sample.tickets()
    assert 25 <= sum(row["difficulty"] == "hard" for row in rows) <= 35
    assert 20 <= sum(row["language"] != "en" for row in rows) <= 30
    assert len({row["language"] for row in rows}) >= 10
    assert all(("non_english" in row["traits"]) == (row["language"] != "en") for row in rows)
    assert 12 <= len(rows_with("hostile")) <= 18


def test_hostile_tickets_carry_what_they_say() -> None:
    assert any("<img src=x onerror=" in text for text in rows_with("html"))
    assert any("<script>" in text for text in rows_with("script"))
    assert {text[0] for text in rows_with("formula")} == {"=", "+"}
    assert any("gnore all previous instructions" in text for text in rows_with("injection"))
    assert any("{{ label }}" in text for text in rows_with("template_syntax"))
    assert any("![" in text for text in rows_with("markdown_image"))
    assert all("\u202e" in text for text in rows_with("bidi"))
    assert all("\u200b" in text for text in rows_with("zero_width"))
    assert all("\u2028" in text for text in rows_with("line_separator"))
    assert all("\x1b[" in text for text in rows_with("ansi"))
    assert all(len(text) > 5000 for text in rows_with("very_long"))


def test_only_hostile_tickets_hold_invisible_characters() -> None:
    for row in sample.tickets():
        odd = {unicodedata.category(letter) for letter in row["ticket"]} & {"Cf", "Cc", "Zl"}
        assert not odd or "hostile" in row["traits"], row["id"]


def test_no_ticket_could_reach_or_name_anybody() -> None:
    for row in sample.tickets():
        text = row["ticket"]
        assert not re.search(r"[\w.+-]+@[\w-]+\.\w+", text), row["id"]
        assert not re.search(r"(?:\d[\s()/-]?){7,}", text), row["id"]
        for host in re.findall(r"//([\w.-]+)", text):
            assert host.endswith(NO_HOST), row["id"]
        assert not re.search(r"\bwww\.|\.(?:com|org|net|io|de)\b", text), row["id"]


def test_the_prompts_differ_by_the_definitions_alone() -> None:
    instruction, marker = sample.CONTROL_PROMPT.split("\n\n")
    assert marker == "Ticket: {{ ticket }}"
    assert all(label in instruction for label in sample.LABELS)
    assert sample.TREATMENT_PROMPT.startswith(f"{instruction}\n\n")
    assert sample.TREATMENT_PROMPT.endswith(f"\n\n{marker}")
    for label in sample.LABELS:
        assert sample.TREATMENT_PROMPT.count(f"\n- {label}: ") == 1
    assert sample.TREATMENT_PROMPT.count("\n  Example: ") == len(sample.LABELS)


def test_no_example_of_the_prompt_is_a_ticket() -> None:
    examples = re.findall(r'Example: "(.+)"', sample.TREATMENT_PROMPT)
    for row in sample.tickets():
        words = row["ticket"].casefold().split()
        shared = {" ".join(words[at : at + 6]) for at in range(len(words) - 5)}
        assert not any(run in example.casefold() for run in shared for example in examples)
