-- One row a node of a run, with the template version that really ran.
SELECT
    ne.id AS node_execution_id,
    ne.organization_id,
    ne.flow_execution_id,
    ne.flow_id,
    ne.flow_version,
    ne.node_id,
    ne.node_key,
    n.kind,
    ne.path,
    ne.status,
    ne.cache_hit,
    ne.attempt_count,
    t.name AS template,
    ne.prompt_template_id,
    ne.template_version,
    ne.prompt_execution_id,
    ne.started_at,
    ne.execution_time_ms,
    CAST(ne.cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    ne.input_tokens,
    ne.output_tokens,
    ne.error_code
FROM node_execution AS ne
JOIN flow_node AS n ON n.id = ne.node_id
LEFT JOIN prompt_template AS t ON t.id = ne.prompt_template_id;
