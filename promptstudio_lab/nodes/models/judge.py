"""Judge: scores an output by code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.nodes import patterns
from promptstudio_lab.nodes.kind import Context, Kind, Known, kinds
from promptstudio_lab.nodes.ports import Port, Ports
from promptstudio_lab.scorers import Score
from promptstudio_lab.scorers.exact import Exact
from promptstudio_lab.values import Json, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Judged by the output alone.
_ALONE = {"regex", "length"}


class Judge(Kind):
    """Gives a score from 0 to 1, a label and the reason.

    Where there is nothing to compare with, the label is `missing` and there is no score.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").draft()
    >>> short = f.judge("short", scorer="length", most=5, output=f.input("text"))
    >>> _ = f.output(score=short.score, label=short.label)
    >>> f.run(text="too long").outputs
    {'score': 0.0, 'label': 'fail'}
    """

    name = "judge"
    title = "Judge"
    summary = "Scores an output, by code."
    category = "Models"
    icon = "judge"
    headline = "scorer"
    schema: ClassVar[Mapping[str, Json]] = {
        "type": "object",
        "properties": {
            "scorer": {
                "title": "Scorer",
                "description": "Equal but for case and outer space; a pattern is found; the share "
                "of the expected JSON fields that are right; the expected text is held; the "
                "length is within bounds.",
                "enum": ["exact", "regex", "json_match", "contains", "length"],
                "default": "exact",
            },
            "pattern": {
                "title": "Pattern",
                "description": "For `regex`: what must be found in the output.",
                "type": "string",
                "maxLength": patterns.LONGEST,
            },
            "ignore_case": {
                "title": "Ignore case",
                "description": "For `contains`: whether A and a are the same.",
                "type": "boolean",
                "default": True,
            },
            "least": {
                "title": "Least characters",
                "description": "For `length`: the shortest that passes.",
                "type": "integer",
                "minimum": 0,
            },
            "most": {
                "title": "Most characters",
                "description": "For `length`: the longest that passes.",
                "type": "integer",
                "minimum": 0,
            },
        },
        "additionalProperties": False,
    }

    def ports(self, config: Mapping[str, Json], known: Known) -> Ports:
        """Return the output to judge, what was expected where that counts, and the judgement."""
        alone = config.get("scorer") in _ALONE
        inputs = (Port("output"),) if alone else (Port("output"), Port("expected"))
        return Ports(
            inputs, (Port("score", "float"), Port("label", "text"), Port("reason", "text"))
        )

    async def run(
        self, config: Mapping[str, Json], inputs: Mapping[str, Json], context: Context
    ) -> dict[str, Json]:
        """Judge once; the score is kept as a metric of the node too."""
        scorer = str(config.get("scorer", "exact"))
        if scorer not in _ALONE and inputs.get("expected") is None:
            judged = Score(None, "missing", "nothing was expected")
        else:
            judged = _SCORERS[scorer](config, inputs)
        given: dict[str, Json] = {"label": judged.label, "reason": judged.explanation}
        if judged.value is None:
            return given
        context.metric("score", judged.value, scorer=scorer)
        return {"score": judged.value, **given}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


def _passed(passed: bool, reason: str) -> Score:  # noqa: FBT001 — private, and the reason names it
    return Score(1.0, "pass", reason) if passed else Score(0.0, "fail", reason)


def _exact(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> Score:
    return Exact("output", "expected").score(inputs, inputs)


def _regex(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> Score:
    pattern = str(config.get("pattern", ""))
    found = patterns.found(pattern, _text(inputs["output"]))
    return _passed(found, f"{pattern!r} is {'' if found else 'not '}found")


def _contains(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> Score:
    whole, part = _text(inputs["output"]), _text(inputs["expected"])
    if config.get("ignore_case", True):
        found = part.casefold() in whole.casefold()
    else:
        found = part in whole
    return _passed(found, f"the output {'holds' if found else 'does not hold'} {part!r}")


def _length(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> Score:
    length = len(_text(inputs["output"]))
    least, most = int(config.get("least", 0)), config.get("most")
    passed = least <= length and (most is None or length <= int(most))
    bounds = f"{least} or more" if most is None else f"{least} to {most}"
    return _passed(passed, f"the output has {length} characters; {bounds} pass")


def _json_match(config: Mapping[str, Json], inputs: Mapping[str, Json]) -> Score:
    try:
        expected = dict(_leaves(_value(inputs["expected"]), ""))
        found = dict(_leaves(_value(inputs["output"]), ""))
    except ValueRefused as error:
        return Score(0.0, "fail", f"this is no JSON to compare: {error}")
    wrong = [
        place or "/"
        for place, leaf in expected.items()
        if place not in found or dumps(found[place]) != dumps(leaf)
    ]
    if not wrong:
        return Score(1.0, "pass", f"all {len(expected)} expected fields are right")
    return Score(1 - len(wrong) / len(expected), "fail", f"wrong or missing: {', '.join(wrong)}")


def _value(value: Json) -> Json:
    return loads(value) if isinstance(value, str) else value


def _leaves(value: Json, place: str) -> list[tuple[str, Json]]:
    """Return each plain value, or empty thing, with its JSON pointer."""
    inside: list[tuple[object, Json]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    found = [leaf for key, item in inside for leaf in _leaves(item, f"{place}/{key}")]
    return found or [(place, value)]


_SCORERS: Mapping[str, Callable[[Mapping[str, Json], Mapping[str, Json]], Score]] = {
    "exact": _exact,
    "regex": _regex,
    "json_match": _json_match,
    "contains": _contains,
    "length": _length,
}

kinds.register("judge")(Judge())
