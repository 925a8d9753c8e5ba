-- Which executions used a version of a template, in which flows, at what cost and success.
-- A node execution names its flow itself: of the chain in v_trace no more is read than is counted.
SELECT
    pe.organization_id,
    pe.prompt_template_id,
    t.name AS template,
    pe.template_version,
    ne.flow_id,
    f.name AS flow,
    ne.flow_version,
    ne.node_key,
    count(DISTINCT pe.flow_execution_id) AS flow_executions,
    count(DISTINCT pe.node_execution_id) AS node_executions,
    count(*) AS calls,
    sum(CAST(pe.cost AS DOUBLE PRECISION) / 1e9) AS cost_usd,
    sum(CASE WHEN pe.cost IS NULL THEN 1 ELSE 0 END) AS unpriced_calls,
    avg(CAST(CASE WHEN pe.status = 'succeeded' THEN 1 ELSE 0 END AS DOUBLE PRECISION))
        AS success_rate,
    avg(pe.latency_ms) AS mean_latency_ms
FROM prompt_execution AS pe
JOIN node_execution AS ne ON ne.id = pe.node_execution_id
JOIN prompt_flow AS f ON f.id = ne.flow_id
JOIN prompt_template AS t ON t.id = pe.prompt_template_id
GROUP BY
    pe.organization_id, pe.prompt_template_id, t.name, pe.template_version,
    ne.flow_id, f.name, ne.flow_version, ne.node_key;
