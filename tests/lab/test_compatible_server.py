"""The same flow runs on a compatible server by changing one model name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import promptstudio_lab as ps
from promptstudio_lab.datasets.sample import LABELS, TREATMENT_PROMPT, tickets

if TYPE_CHECKING:
    import pytest

    from promptstudio_lab.lab import Flow, Lab


def build(lab: Lab, model: str) -> Flow:
    flow = lab.flow("support/triage")
    ticket = flow.input("ticket", "text")
    kind = flow.llm(
        "classify",
        model=model,
        prompt=TREATMENT_PROMPT,
        ticket=ticket,
        returns={"label": list(LABELS)},
    )
    flow.output(label=kind.label)
    return flow


def test_one_model_name_moves_the_flow_to_a_compatible_server(
    monkeypatch: pytest.MonkeyPatch, protocol_server: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", protocol_server)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    lab = ps.connect("memory")
    simulated = build(lab, "simulated:small").run(ticket="Where is my parcel?")
    real = build(lab, "openai:classifier/moved").run(ticket="Where is my parcel?")
    assert simulated.simulated
    assert not real.simulated
    assert real.outputs["label"] in LABELS
    assert real.cost_nano_usd is None, "a model without a known price has no cost, not a zero"
    rows = lab.sql(
        "SELECT provider, model, input_tokens, cost_usd FROM v_trace ORDER BY created_at"
    )
    assert rows["provider"].to_list() == ["simulated", "openai"]
    assert all(count > 0 for count in rows["input_tokens"])
    assert rows["cost_usd"].to_list()[1] is None


def test_a_batch_runs_there_with_retries_recorded(
    monkeypatch: pytest.MonkeyPatch, protocol_server: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", protocol_server)
    lab = ps.connect("memory")
    flow = build(lab, "openai:rate-limited-once/batch")
    frame = flow.batch(tickets()[:3], concurrency=1)
    calls = lab.sql("SELECT call_status, error_code FROM v_trace")
    assert calls["error_code"].to_list().count("rate_limited") == 1
    assert frame.height == 3
