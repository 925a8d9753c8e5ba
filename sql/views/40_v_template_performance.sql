-- Which executions used a version of a template, in which flows, at what cost and success.
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
