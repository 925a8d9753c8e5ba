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
    organization_id,
    prompt_template_id,
    template,
    template_version,
    flow_id,
    flow,
    flow_version,
    node_key,
    count(DISTINCT flow_execution_id) AS flow_executions,
    count(DISTINCT node_execution_id) AS node_executions,
    count(*) AS calls,
    sum(cost_usd) AS cost_usd,
    sum(CASE WHEN cost_usd IS NULL THEN 1 ELSE 0 END) AS unpriced_calls,
    avg(CAST(CASE WHEN call_status = 'succeeded' THEN 1 ELSE 0 END AS DOUBLE PRECISION))
        AS success_rate,
    avg(latency_ms) AS mean_latency_ms
FROM v_trace
GROUP BY
    organization_id, prompt_template_id, template, template_version,
    flow_id, flow, flow_version, node_key;
