from __future__ import annotations

import asyncio
import json
import logging
import pickle
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab import values
from promptstudio_lab.datasets import sample
from promptstudio_lab.errors import (
    BadReply,
    MissingKey,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    UnknownModel,
)
from promptstudio_lab.providers import provider_of
from promptstudio_lab.providers.chat import ChatRequest, Message, Usage
from promptstudio_lab.providers.completions import Answer, body_of, usage_of
from promptstudio_lab.providers.openai import OpenAIProvider, _is_openai

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from promptstudio_lab.providers.chat import Reply
    from promptstudio_lab.values import Json

CANARY = "sk-CANARY-4c5d6e7f8a9b0c1d2e3f"
PROMPT = "Say this again, please."
SCHEMA = {"type": "object", "properties": {"label": {"enum": list(sample.LABELS)}}}
NUMBERS = count()
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])

# What each scripted outcome must become, whole or streamed.
FAILURES: list[tuple[str, type[ProviderError], str]] = [
    ("rate-limited", RateLimited, "rate_limited"),
    ("retry-after-3600", RateLimited, "rate_limited"),
    ("quota", BadReply, "quota"),
    ("server-error", ProviderUnavailable, "unavailable"),
    ("overloaded", ProviderUnavailable, "unavailable"),
    ("gave-up", ProviderUnavailable, "unavailable"),
    ("conflict", ProviderUnavailable, "unavailable"),
    ("bad-key", MissingKey, "missing_key"),
    ("forbidden", MissingKey, "missing_key"),
    ("bad-request", BadReply, "bad_request"),
    ("filtered-request", BadReply, "refusal"),
    ("repeats-key", BadReply, "bad_request"),
    ("lost", BadReply, "bad_request"),
    ("redirect", BadReply, "bad_request"),
    ("no-such-model", UnknownModel, "unknown_model"),
    ("html", BadReply, "malformed"),
    ("empty-object", BadReply, "malformed"),
    ("list", BadReply, "malformed"),
    ("no-text", BadReply, "malformed"),
    ("half-stream", BadReply, "incomplete"),
    ("tool-calls", BadReply, "incomplete"),
    ("truncated", BadReply, "truncated"),
    ("refuse", BadReply, "refusal"),
    ("content-filter", BadReply, "refusal"),
    ("slow", ProviderTimeout, "timeout"),
]
STREAM_FAILURES: list[tuple[str, type[ProviderError], str]] = [
    ("cut-stream", BadReply, "incomplete"),
    ("broken-stream", BadReply, "incomplete"),
    ("error-in-stream", ProviderUnavailable, "unavailable"),
]


@pytest.fixture(autouse=True)
def address(protocol_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_BASE_URL", protocol_server)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    return protocol_server


def asking(outcome: str, prompt: str = PROMPT) -> ChatRequest:
    """Return a request with a model name that no other test counts."""
    timeout_s = 0.3 if outcome == "slow" else 30.0
    messages = (Message("user", prompt),)
    return ChatRequest(f"{outcome}/{next(NUMBERS)}", messages, timeout_s=timeout_s)


def ask(request: ChatRequest, on_text: Callable[[str], None] | None = None) -> Reply:
    return asyncio.run(OpenAIProvider().complete(request, on_text))


def failure(request: ChatRequest, *, streamed: bool) -> ProviderError:
    pieces: list[str] = []
    with pytest.raises(ProviderError) as caught:
        ask(request, pieces.append if streamed else None)
    return caught.value


def ledger(base_url: str) -> dict[str, Json]:
    address = base_url.removesuffix("/v1") + "/requests"
    with urllib.request.urlopen(address) as response:  # noqa: S310 — our own server
        return dict(json.load(response))


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_it_is_registered_and_one_for_the_process() -> None:
    assert isinstance(provider_of("openai"), OpenAIProvider)
    assert provider_of("openai") is provider_of("openai")
    with pytest.raises(UnknownModel, match="did you mean 'openai'"):
        provider_of("opnai")


def test_importing_it_leaves_the_client_alone() -> None:
    program = (
        "import sys, promptstudio_lab.providers.openai, promptstudio_lab.providers.prices\n"
        "print({'openai', 'httpx2', 'genai_prices', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@BOTH
def test_a_whole_answer_comes_with_its_tokens(*, streamed: bool) -> None:
    request = asking("echo")
    pieces: list[str] = []
    reply = ask(request, pieces.append if streamed else None)
    assert reply.text == PROMPT
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(6, None, 6, None)
    assert reply.model == request.model
    assert (reply.request_id or "").startswith("req-")
    assert reply.latency_ms > 0
    assert not reply.simulated
    if streamed:
        assert len(pieces) > 1
        assert "".join(pieces) == PROMPT
        assert 0 < (reply.first_token_ms or 0) <= reply.latency_ms
    else:
        assert reply.first_token_ms is None


def test_only_what_is_set_is_sent(address: str) -> None:
    plain = asking("echo")
    ask(plain)
    message = {"role": "user", "content": PROMPT}
    assert ledger(address)["last"] == {
        "body": {"model": plain.model, "messages": [message]},
        "authorization": f"Bearer {CANARY}",
    }
    ask(replace(plain, temperature=0.0, max_tokens=7, seed=0, returns=SCHEMA))
    body = ledger(address)["last"]["body"]
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.0, 7, 0)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }


def test_openai_itself_has_another_name_for_the_limit() -> None:
    assert _is_openai("https://api.openai.com/v1")
    assert _is_openai("https://eu.api.openai.com/v1")
    assert not _is_openai("https://api.openai.com.example/v1")
    assert not _is_openai("http://user:api.openai.com@127.0.0.1:8000/v1")
    body = body_of(replace(asking("echo"), max_tokens=7), "max_completion_tokens")
    assert body["max_completion_tokens"] == 7
    assert "max_tokens" not in body


def test_a_prompt_with_half_a_character_can_be_sent() -> None:
    assert ask(asking("echo", "lone \ud800 half")).text == "lone ? half"


@BOTH
def test_half_a_character_in_an_answer_is_replaced(*, streamed: bool) -> None:
    pieces: list[str] = []
    reply = ask(asking("surrogate"), pieces.append if streamed else None)
    assert reply.text == "lone ? half"
    assert not streamed or "".join(pieces) == reply.text


@BOTH
@pytest.mark.parametrize(
    ("outcome", "usage"),
    [
        ("no-usage", None),
        ("usage-strings", Usage(120, None, 30, None)),
        ("usage-inexact", None),
        ("usage-details", Usage(176, 1024, 192, 64)),
        ("usage-additive", Usage(None, None, 192, 64)),
    ],
)
def test_tokens_are_counted_once_and_never_guessed(
    outcome: str, usage: Usage | None, *, streamed: bool
) -> None:
    pieces: list[str] = []
    assert ask(asking(outcome), pieces.append if streamed else None).usage == usage


@pytest.mark.parametrize(
    "count", [-1, 1.5, "1.5", "-1", "", "٣", True, None, 2**63, "9" * 5000, {}]
)
def test_a_count_that_is_none_is_unknown(count: Json) -> None:
    assert usage_of({"prompt_tokens": count, "completion_tokens": 2.0}) == Usage(
        None, None, 2, None
    )


@BOTH
@pytest.mark.parametrize(("outcome", "kind", "code"), FAILURES, ids=[row[0] for row in FAILURES])
def test_each_failure_has_its_kind(
    outcome: str, kind: type[ProviderError], code: str, address: str, *, streamed: bool
) -> None:
    request = asking(outcome)
    error = failure(request, streamed=streamed)
    assert type(error) is kind
    assert error.code == code
    calls = ledger(address)["calls"]
    assert calls[request.model] == 1, "the client must not retry"
    assert "/elsewhere" not in calls, "the prompt must not follow a redirect"


@pytest.mark.parametrize(
    ("outcome", "kind", "code"), STREAM_FAILURES, ids=[row[0] for row in STREAM_FAILURES]
)
def test_a_stream_that_breaks_keeps_what_has_arrived(
    outcome: str, kind: type[ProviderError], code: str
) -> None:
    error = failure(asking(outcome), streamed=True)
    assert type(error) is kind
    assert error.code == code
    assert getattr(error.reply, "text", None) == "Half a"


@BOTH
@pytest.mark.parametrize(
    ("outcome", "text", "paid"),
    [
        ("half-stream", "Half of an answer", False),
        ("truncated", "The beginning of", True),
        ("refuse", "I will not help with that", True),
        ("content-filter", "The rest is", True),
    ],
)
def test_what_is_no_whole_answer_keeps_its_text_and_tokens(
    outcome: str, text: str, *, paid: bool, streamed: bool
) -> None:
    reply = failure(asking(outcome), streamed=streamed).reply
    assert getattr(reply, "text", None) == text
    usage = getattr(reply, "usage", None)
    # A stream tells its tokens last, so half a stream does not tell them at all.
    assert (usage is not None and usage.read_tokens == 6) == (paid or not streamed)


def test_tokens_told_before_the_end_are_kept() -> None:
    answer = Answer("openai:m", "m", values.without_surrogates)
    answer.add({"usage": {"prompt_tokens": 3, "completion_tokens": 1}, "choices": []})
    answer.add({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}], "usage": None})
    assert answer.whole().usage == Usage(3, None, 1, None)


def test_a_page_is_not_quoted() -> None:
    for outcome in ("overloaded", "lost"):
        assert "Sign in" not in str(failure(asking(outcome), streamed=False))


def test_what_breaks_off_says_so() -> None:
    assert "`finish_reason`" in str(failure(asking("half-stream"), streamed=True))
    assert "'tool_calls'" in str(failure(asking("tool-calls"), streamed=True))


def test_what_is_no_answer_names_what_was_missed() -> None:
    for outcome in ("empty-object", "html", "list"):
        error = failure(asking(outcome), streamed=False)
        assert "`choices`" in str(error)
        assert "<" not in str(error)
        assert getattr(error.reply, "usage", 0) is None, "not free, but unknown"


@pytest.mark.parametrize(
    ("outcome", "low", "high"),
    [
        ("rate-limited-once", 0.05, 0.05),
        ("rate-limited", 2, 2),
        ("retry-after-3600", 3600, 3600),
        ("retry-after-date", 3000, 3600),
    ],
)
def test_the_wait_that_is_asked_for_is_kept(outcome: str, low: float, high: float) -> None:
    error = failure(asking(outcome), streamed=False)
    assert isinstance(error, RateLimited)
    assert low <= (error.retry_after_s or 0) <= high


def test_asked_again_after_the_wait_it_answers() -> None:
    request = asking("rate-limited-once")
    assert failure(request, streamed=True).transient
    assert ask(request).text == PROMPT


@BOTH
@pytest.mark.parametrize("outcome", [row[0] for row in (*FAILURES, *STREAM_FAILURES)])
def test_no_error_and_no_log_holds_the_key(
    outcome: str, caplog: pytest.LogCaptureFixture, *, streamed: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    for error in chain(failure(asking(outcome), streamed=streamed)):
        assert isinstance(error, ProviderError), "the client's error must not be kept"
        held = f"{error} {error!r} {error.args!r} {vars(error)!r}".encode()
        assert b"CANARY" not in held + pickle.dumps(error)
    assert "CANARY" not in caplog.text


def test_what_the_server_repeats_is_quoted_without_the_key() -> None:
    error = failure(asking("repeats-key"), streamed=False)
    assert "cannot read Bearer [key] here" in str(error)


def test_the_key_is_not_kept_as_an_answer_either() -> None:
    assert ask(asking("echo", f"My key is {CANARY}!")).text == "My key is [key]!"


def test_a_placeholder_of_a_key_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "again")
    assert ask(asking("echo")).text == PROMPT


def test_openai_without_a_key_says_which_line_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(MissingKey, match=r"os\.environ\['OPENAI_API_KEY'\] = getpass\.getpass\(\)"):
        ask(asking("echo"))


def test_a_local_server_needs_no_key(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert ask(asking("echo")).text == PROMPT
    assert ledger(address)["last"]["authorization"] == "Bearer no-key"


def test_a_key_that_is_changed_counts_from_the_next_call(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def twice() -> None:
        provider = OpenAIProvider()
        await provider.complete(asking("echo"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-another-key")
        await provider.complete(asking("echo"))

    asyncio.run(twice())
    assert ledger(address)["last"]["authorization"] == "Bearer sk-another-key"


@pytest.mark.parametrize("key", [f"{CANARY}\nX-Other: 1", f"{CANARY}ü", f"{CANARY} {CANARY}"])
def test_a_key_that_no_header_takes_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    error = failure(asking("echo"), streamed=False)
    assert isinstance(error, MissingKey)
    assert "CANARY" not in str(error)


@pytest.mark.parametrize("base_url", ["127.0.0.1:80/v1", "file:///etc", "http://[", "http://a:x/"])
def test_an_address_that_is_none_is_refused(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    with pytest.raises(ProviderError, match="OPENAI_BASE_URL is no address"):
        ask(asking("echo"))


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:hidden@127.0.0.1:9/v1")
    error = failure(asking("echo"), streamed=False)
    assert isinstance(error, ProviderUnavailable)
    assert "127.0.0.1 cannot be reached: " in str(error)
    assert "hidden" not in str(error)


@BOTH
@pytest.mark.parametrize("outcome", ["slow", "drip"])
def test_being_cancelled_closes_the_connection(
    outcome: str, address: str, *, streamed: bool
) -> None:
    request = replace(asking(outcome), timeout_s=30.0)
    pieces: list[str] = []

    async def cancelled() -> None:
        async with asyncio.timeout(0.5):
            await provider.complete(request, pieces.append if streamed else None)

    async def then_look() -> None:
        with pytest.raises(TimeoutError):
            await cancelled()
        # The loop still runs, and so does the client: only this call was closed.
        await asyncio.to_thread(until, lambda: request.model in ledger(address)["gone"])
        assert (await provider.complete(asking("echo"))).text == PROMPT

    provider = OpenAIProvider()
    asyncio.run(then_look())
    assert bool(pieces) == (streamed and outcome == "drip")


def test_a_listener_that_fails_ends_the_call(address: str) -> None:
    request = asking("drip")

    def listener(piece: str) -> None:
        raise KeyError(piece)

    async def then_look() -> None:
        # As long as the error is held, so is all that it was raised in: only we can close it.
        with pytest.raises(KeyError, match="drip") as held:
            await OpenAIProvider().complete(request, listener)
        await asyncio.to_thread(until, lambda: request.model in ledger(address)["gone"])
        assert held.type is KeyError

    asyncio.run(then_look())


def test_calls_of_one_loop_share_their_connections(address: str) -> None:
    async def sequence(provider: OpenAIProvider) -> None:
        for streamed in (False, True) * 5:
            await provider.complete(asking("echo"), (lambda _: None) if streamed else None)

    async def crowd(provider: OpenAIProvider) -> None:
        await asyncio.gather(*(provider.complete(asking("echo")) for _ in range(40)))
        assert len(provider._held) == 1

    provider = OpenAIProvider()
    before = ledger(address)["connections"]
    asyncio.run(sequence(provider))
    # The server ends a connection with each stream; reading the ledger is a connection too.
    assert ledger(address)["connections"] - before <= 5 + 1 + 1
    asyncio.run(crowd(provider))
    assert not provider._held, "a loop that ends takes its clients along"


def test_a_loop_that_was_never_shut_down_is_forgotten() -> None:
    provider = OpenAIProvider()
    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(provider._client("http://127.0.0.1:9/v1"))
    loop.run_until_complete(client.close())
    loop.close()
    assert asyncio.run(provider.complete(asking("echo"))).text == PROMPT
    assert not provider._held


def test_the_sample_flow_runs_on_the_protocol_server() -> None:
    rows = sample.tickets()[:40]

    async def labels() -> list[str]:
        provider = OpenAIProvider()
        prompts = [sample.TREATMENT_PROMPT.replace("{{ ticket }}", row["ticket"]) for row in rows]
        requests = [replace(asking("classifier", text), returns=SCHEMA) for text in prompts]
        replies = await asyncio.gather(*map(provider.complete, requests))
        return [values.loads(reply.text)["label"] for reply in replies]

    found = asyncio.run(labels())
    assert set(found) <= set(sample.LABELS)
    right = sum(map(str.__eq__, found, (row["label"] for row in rows)))
    assert right > 2 * len(rows) / len(sample.LABELS), "better than chance"
