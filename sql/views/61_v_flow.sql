-- Grain: one row a flow that is not archived, with what its runs say.
-- organization_id: whose row it is
-- flow_id: the flow
-- flow: its name
-- library: name of its library
-- category: its category
-- version: the newest saved version
-- executions: how often it ran
-- success_rate: share of the judged runs that did their job
-- mean_cost_usd: mean cost of a run whose cost is known
-- cost_usd: what all of them cost
-- mean_execution_time_ms: mean of a run's time, in milliseconds
-- last_started_at: when it ran last
SELECT
    f.organization_id,
    f.id AS flow_id,
    f.name AS flow,
    l.name AS library,
    f.category,
    f.current_version AS version,
    count(fe.id) AS executions,
    avg(CASE WHEN fe.success IS NULL THEN NULL WHEN fe.success THEN 1.0 ELSE 0.0 END)
        AS success_rate,
    CAST(avg(CAST(fe.total_cost AS DOUBLE PRECISION)) AS DOUBLE PRECISION) / 1e9 AS mean_cost_usd,
    CAST(sum(fe.total_cost) AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    avg(fe.execution_time_ms) AS mean_execution_time_ms,
    max(fe.started_at) AS last_started_at
FROM prompt_flow AS f
JOIN workflow_library AS l ON l.id = f.workflow_library_id
LEFT JOIN flow_execution AS fe ON fe.flow_id = f.id
WHERE f.deleted_at IS NULL
GROUP BY f.organization_id, f.id, f.name, l.name, f.category, f.current_version;
