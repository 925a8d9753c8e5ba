-- One row a run: the flow by name, the variant, money in dollars.
SELECT
    fe.id AS flow_execution_id,
    fe.organization_id,
    l.name AS library,
    f.name AS flow,
    fe.flow_id,
    fe.flow_version,
    e.name AS experiment,
    v.name AS variant,
    fe.experiment_id,
    fe.batch_id,
    fe.unit_key,
    fe.requested_by,
    fe.executed_by,
    fe.trigger,
    fe.origin,
    fe.change_seq,
    fe.status,
    fe.success,
    fe.quality,
    fe.simulated,
    fe.started_at,
    fe.completed_at,
    fe.execution_time_ms,
    CAST(fe.total_cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    fe.total_input_tokens AS input_tokens,
    fe.total_output_tokens AS output_tokens,
    fe.error_code
FROM flow_execution AS fe
JOIN prompt_flow AS f ON f.id = fe.flow_id
JOIN workflow_library AS l ON l.id = f.workflow_library_id
LEFT JOIN flow_variant AS v ON v.id = fe.variant_id
LEFT JOIN experiment AS e ON e.id = fe.experiment_id;
