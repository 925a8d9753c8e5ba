"""Twelve weeks of a support desk, with everything in it that an analyst should find.

The truth is in `Truth`; the essays on cost and on templates, and the tests, are held to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from promptstudio_lab.lab.invented.past import PastCall, PastRun, write_past

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.lab.flows import Flow

    _Act = Callable[["Truth", int, datetime, np.random.Generator], PastRun]

FIRST = datetime(2026, 6, 1, tzinfo=UTC)  # a Monday
MODEL, LARGE, LOCAL = "openai:gpt-5-mini", "openai:gpt-5", "local:llama"
ANSWER = (
    "Answer the customer: {{ ticket }}",
    "Answer the customer in two sentences: {{ ticket }}",
    "Answer the customer in two sentences, warmly: {{ ticket }}",
)
CLASSIFY = "Label this ticket as billing or technical: {{ ticket }}"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so, because it was made so.

    Attributes:
        first: the first day.
        days: how many.
        dearer_from: the day on which each answer of the triage began to cost more, from 0.
        dearer_by: by how much, as a factor.
        slow_day: the day on which answers took six times as long.
        silent_day: the day on which nothing ran.
        inside_score: how much worse an answer is inside the triage than alone.
        inside_latency_ms: how much longer it takes there, in the mean.
        bottleneck: the node of the triage that its runs wait for.
    """

    first: datetime = FIRST
    days: int = 84
    dearer_from: int = 56
    dearer_by: float = 1.6
    slow_day: int = 65
    silent_day: int = 74
    inside_score: float = -0.1
    inside_latency_ms: float = 300.0
    bottleneck: str = "answer"

    def day(self, number: int) -> datetime:
        """Return the midnight with which a day begins, counted from 0."""
        return self.first + timedelta(days=number)


class _Flows(NamedTuple):
    triage: Flow
    alone: Flow
    digest: Flow


def desk(lab: Lab, *, seed: int = 7, busy: float = 1.0) -> Truth:
    """Write the desk's past into a lab, and return the truth about it.

    `desk/triage` labels and sums up a ticket side by side and then answers it; `desk/alone` only
    answers; `desk/digest` still answers by the first version. Nobody uses the third version yet.

    Args:
        lab: an empty one, such as `connect("memory")`.
        seed: of what is left to chance.
        busy: how many runs there are, as a share of the usual 16 a working day.

    >>> from promptstudio_lab.lab import connect
    >>> desk(connect("memory"), busy=0.1).dearer_from
    56
    """
    truth, random = Truth(), np.random.default_rng(seed)
    flows = _flows(lab)
    write_past(flows.triage, _runs(truth, random, 10 * busy, _triage))
    write_past(flows.alone, _runs(truth, random, 4 * busy, _alone))
    write_past(flows.digest, _runs(truth, random, 2 * busy, _digest))
    lab.template("desk/answer", ANSWER[2], "warmer")
    return truth


def _flows(lab: Lab) -> _Flows:
    first = lab.template("desk/answer", ANSWER[0], "first try")
    second = lab.template("desk/answer", ANSWER[1], "shorter")
    classify = lab.template("desk/classify", CLASSIFY, "first try")
    triage = lab.flow("desk/triage")
    ticket = triage.input("ticket", "text")
    label = triage.llm("classify", prompt=classify.reference, ticket=ticket)
    short = triage.llm("shorten", prompt="Sum up: {{ ticket }}", ticket=ticket)
    answer = triage.llm("answer", prompt=second.reference, ticket=short.text)
    triage.output(label=label.text, answer=answer.text)
    alone = lab.flow("desk/alone")
    said = alone.llm("answer", prompt=second.reference, ticket=alone.input("ticket", "text"))
    alone.output(answer=said.text)
    digest = lab.flow("desk/digest")
    ticket = digest.input("ticket", "text")
    short = digest.llm("shorten", prompt="Sum up: {{ ticket }}", ticket=ticket)
    said = digest.llm("answer", prompt=first.reference, ticket=short.text)
    digest.output(answer=said.text)
    return _Flows(triage, alone, digest)


def _runs(truth: Truth, random: np.random.Generator, most: float, act: _Act) -> Iterator[PastRun]:
    for day in range(truth.days):
        weekend = day % 7 >= 5  # noqa: PLR2004 — Saturday and Sunday
        busy = most * (0.35 if weekend else 1.0) * (1 + 0.003 * day)
        times = 0 if day == truth.silent_day else int(random.poisson(busy))
        for at in sorted(random.uniform(8, 18, times)):
            yield act(truth, day, truth.day(day) + timedelta(hours=float(at)), random)


def _who(random: np.random.Generator) -> tuple[str, str]:
    """Return who asks, and which model answers: one in ten uses the large one."""
    user = str(random.choice(["ada", "bo", "cy"], p=[0.6, 0.3, 0.1]))
    if user == "cy":
        return user, LARGE
    return user, LOCAL if random.random() < 0.05 else MODEL  # noqa: PLR2004 — one call in twenty


def _answer(random: np.random.Generator, model: str, latency_ms: float, tokens: float) -> PastCall:
    reads, writes = (max(1, int(random.normal(*of))) for of in ((tokens, 40), (150, 20)))
    per = {MODEL: (250, 2_000), LARGE: (1_250, 10_000), LOCAL: None}[model]
    return PastCall(
        latency_ms=float(random.gamma(16, latency_ms / 16)),
        cost=None if per is None else reads * per[0] + writes * per[1],
        input_tokens=reads,
        output_tokens=writes,
        model=model,
        failed=bool(random.random() < 0.02),  # noqa: PLR2004 — one call in fifty
    )


def _score(random: np.random.Generator, mean: float) -> float:
    return float(np.clip(random.normal(mean, 0.08), 0, 1))


def _triage(truth: Truth, day: int, at: datetime, random: np.random.Generator) -> PastRun:
    user, model = _who(random)
    # What it writes costs as before, so the tokens that it reads must grow by more.
    dear = truth.dearer_by if day >= truth.dearer_from else 1.0
    slow = 6.0 if day == truth.slow_day else 1.0
    reads = 400 * dear + (dear - 1) * 150 * 8
    calls = {
        "classify": _answer(random, MODEL, 300 * slow, 120),
        "shorten": _answer(random, MODEL, 500 * slow, 300),
        "answer": _answer(random, model, (900 + truth.inside_latency_ms) * slow, reads),
    }
    return PastRun(at, user, calls, _score(random, 0.8 + truth.inside_score))


def _alone(truth: Truth, day: int, at: datetime, random: np.random.Generator) -> PastRun:
    user, model = _who(random)
    slow = 6.0 if day == truth.slow_day else 1.0
    return PastRun(
        at, user, {"answer": _answer(random, model, 900 * slow, 400)}, _score(random, 0.8)
    )


def _digest(truth: Truth, day: int, at: datetime, random: np.random.Generator) -> PastRun:
    slow = 6.0 if day == truth.slow_day else 1.0
    calls = {
        "shorten": _answer(random, MODEL, 500 * slow, 300),
        "answer": _answer(random, MODEL, 1_000 * slow, 500),
    }
    return PastRun(at, "bo", calls, _score(random, 0.7))
