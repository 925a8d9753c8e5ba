-- Grain: one row a run of a flow.
-- flow_execution_id: the run
-- organization_id: whose row it is
-- library: name of the flow's library
-- flow: name of the flow
-- flow_id: the flow
-- flow_version: the saved version that ran
-- experiment: name of the experiment, if any
-- variant: name of the variant, if any
-- experiment_id: the experiment
-- batch_id: the batch that the run belongs to
-- unit_key: the item or person that experiments pair by
-- requested_by: who asked for it
-- executed_by: whose process ran it
-- trigger: cell, tab, schedule, cli or assistant
-- origin: the notebook or schedule it came from
-- change_seq: the flow's change log stood here
-- status: running, succeeded, failed, cancelled, interrupted or partial
-- success: whether it did its job, by its score or else by its end; NULL: not judged
-- quality: the score between 0 and 1
-- simulated: whether a stand-in answered
-- created_at: the moment in its id, by which months are kept
-- started_at: when it began
-- completed_at: when it ended
-- execution_time_ms: how long it took, in milliseconds
-- cost_usd: what it cost; NULL: a price is unknown
-- input_tokens: tokens sent
-- output_tokens: tokens received
-- error_code: why it failed, in a word
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
    fe.created_at,
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
