-- Grain: one row a template version, flow version and node that used it.
-- organization_id: whose row it is
-- prompt_template_id: the template
-- template: its name
-- template_version: the version
-- flow_id: the flow
-- flow: its name
-- flow_version: the saved version of the flow
-- node_key: the node
-- flow_executions: in how many runs
-- node_executions: in how many nodes of them
-- calls: provider calls
-- cost_usd: what they cost, as far as prices are known
-- unpriced_calls: calls without a known price
-- success_rate: share of calls that succeeded
-- mean_latency_ms: mean of a call's latency, in milliseconds
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
