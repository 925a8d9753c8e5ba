-- Grain: one row a flow and day (UTC) on which it ran.
-- organization_id: whose row it is
-- flow_id: the flow
-- flow: its name
-- day: the day, as 2026-01-31
-- executions: runs that began that day
-- unpriced_executions: runs without a known cost
-- cost_usd: what the others cost
-- input_tokens: tokens sent
-- output_tokens: tokens received
-- success_rate: share of the judged runs that did their job
-- mean_execution_time_ms: mean of a run's time, in milliseconds
SELECT
    fe.organization_id,
    fe.flow_id,
    f.name AS flow,
    CAST(date(fe.started_at) AS TEXT) AS day,
    count(*) AS executions,
    sum(CASE WHEN fe.total_cost IS NULL THEN 1 ELSE 0 END) AS unpriced_executions,
    CAST(sum(fe.total_cost) AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    sum(fe.total_input_tokens) AS input_tokens,
    sum(fe.total_output_tokens) AS output_tokens,
    avg(CASE WHEN fe.success IS NULL THEN NULL WHEN fe.success THEN 1.0 ELSE 0.0 END)
        AS success_rate,
    avg(fe.execution_time_ms) AS mean_execution_time_ms
FROM flow_execution AS fe
JOIN prompt_flow AS f ON f.id = fe.flow_id
GROUP BY fe.organization_id, fe.flow_id, f.name, CAST(date(fe.started_at) AS TEXT);
