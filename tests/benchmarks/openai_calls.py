"""CPU of a call through our provider, beside one client of `AsyncOpenAI` at its defaults."""

from __future__ import annotations

import asyncio
import os
import time
from statistics import median

from openai import AsyncOpenAI

from promptstudio_lab.providers import provider_of
from promptstudio_lab.providers.chat import ChatRequest, Message
from tests import protocol_server

CALLS = 400
AT_ONCE = 50
ROUNDS = 3
GOAL = 0.7
SAID = "Label this ticket: my invoice is wrong."


def main() -> None:
    """Print the ratio of each round and the median."""
    with protocol_server.running() as base_url:
        os.environ.update(OPENAI_BASE_URL=base_url, OPENAI_API_KEY="sk-benchmark")
        ratios = []
        for number in range(1, ROUNDS + 1):
            ours, theirs = cpu_s(through_ours), cpu_s(through_theirs)
            ratios.append(ours / theirs)
            each = 1e6 / CALLS
            print(f"round {number}: {ours * each:.0f} us a call, default {theirs * each:.0f} us")
    print(f"openai calls, CPU vs AsyncOpenAI's default: {median(ratios):.2f} (goal {GOAL})")


def cpu_s(work: object) -> float:
    """Return the CPU seconds of some calls side by side, after a few that are not counted."""

    async def measured() -> float:
        await work(AT_ONCE)  # type: ignore[operator]  # one of the two below
        begun = time.process_time()
        await work(CALLS)  # type: ignore[operator]  # one of the two below
        return time.process_time() - begun

    return asyncio.run(measured())


async def through_ours(count: int) -> None:
    """Call through the product's provider."""
    request = ChatRequest("echo", (Message("user", SAID),), max_tokens=50)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await provider_of("openai").complete(request)

    await asyncio.gather(*(one() for _ in range(count)))


async def through_theirs(count: int) -> None:
    """Call through one shared client as the library makes it."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with AsyncOpenAI() as client:

        async def one() -> None:
            async with gate:
                await client.chat.completions.create(
                    model="echo", messages=[{"role": "user", "content": SAID}], max_tokens=50
                )

        await asyncio.gather(*(one() for _ in range(count)))


if __name__ == "__main__":
    main()
