from __future__ import annotations

import inspect
import pickle
import re

import pytest

from promptstudio_lab import errors
from promptstudio_lab.errors import (
    BadReply,
    FlowInvalid,
    PromptStudioError,
    ProviderError,
    RateLimited,
    did_you_mean,
)

ALL = [
    thing
    for _, thing in inspect.getmembers(errors, inspect.isclass)
    if issubclass(thing, Exception)
    and not issubclass(thing, Warning)
    and thing.__module__ == errors.__name__
]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = [(-1, "Exception")]
    for line in str(errors.__doc__).split("```")[1].strip().splitlines():
        found = re.match(r"([│├└─ ]*)(\w+)", line)
        assert found
        depth, name = len(found[1]), found[2]
        while above[-1][0] >= depth:
            above.pop()
        drawn[name] = above[-1][1]
        above.append((depth, name))
    assert drawn == {error.__name__: error.__bases__[0].__name__ for error in ALL}


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_says_what_it_is_for_and_is_one_of_ours(error: type[Exception]) -> None:
    assert issubclass(error, PromptStudioError)
    assert inspect.getdoc(error) != inspect.getdoc(error.__bases__[0])


def test_errors_travel_whole_between_processes() -> None:
    kept = [
        RateLimited("slow", retry_after_s=3),
        BadReply("no", code="refusal", reply="half"),
        ProviderError("x", reply="y"),
        FlowInvalid(["one", "two"]),
    ]
    for error in kept:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 — pickled in this line
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__


def test_codes_are_short_stable_and_unlike() -> None:
    codes = [error.code for error in ALL if issubclass(error, ProviderError)]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_an_invalid_flow_says_all_its_problems() -> None:
    assert str(FlowInvalid(["a", "b"])) == "the flow has 2 problems:\n  a\n  b"
    assert str(FlowInvalid(["a"])).startswith("the flow has 1 problem:")


def test_hints() -> None:
    assert did_you_mean("modle", ["model", "seed"]) == " Hint: did you mean 'model'?"
    assert did_you_mean("x", ["b", "a"]) == " Hint: allowed are a, b."
    assert did_you_mean("x", []) == ""
