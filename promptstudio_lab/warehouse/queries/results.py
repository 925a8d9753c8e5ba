"""The results of an experiment, one row an item and variant, as its runs recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from promptstudio_lab.values import Json, loads

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_QUERY = """
SELECT
    fe.unit_key AS item, v.name AS variant, fe.status, fe.quality AS score,
    fe.total_input_tokens AS input_tokens, fe.total_output_tokens AS output_tokens,
    CAST(fe.total_cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    fe.execution_time_ms AS latency_ms, problem.body AS error, fe.simulated,
    fe.id AS flow_execution_id, answer.body AS outputs
FROM flow_execution AS fe
JOIN flow_variant AS v ON v.id = fe.variant_id
LEFT JOIN payload AS answer ON answer.id = fe.output_payload_id
LEFT JOIN payload AS problem ON problem.id = fe.error_payload_id
WHERE fe.experiment_id = :experiment_id AND fe.status IN ('succeeded', 'failed', 'partial')
    AND (fe.error_code IS NULL OR fe.error_code <> 'missing_key')
ORDER BY fe.unit_key, v.is_control DESC, v.id
"""


def experiment_results(session: Session, experiment_id: str) -> list[dict[str, Json]]:
    """Return each finished run: item, variant, status, outputs by name, score, cost and error."""
    rows = session.execute(text(_QUERY), {"experiment_id": experiment_id}).mappings()
    return [_row(dict(row)) for row in rows]


def _row(found: dict[str, Any]) -> dict[str, Json]:  # a row's columns have their own types
    outputs, problem = found.pop("outputs"), found.pop("error")
    return {
        **found,
        "simulated": bool(found["simulated"]),
        "flow_execution_id": str(found["flow_execution_id"]),
        "error": loads(problem)["message"] if problem else None,
        "outputs": loads(outputs) if outputs else {},
    }
