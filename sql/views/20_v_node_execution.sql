-- Grain: one row a node of a run, finished.
-- node_execution_id: the row
-- organization_id: whose row it is
-- flow_execution_id: its run
-- flow_id: the flow
-- flow_version: the saved version that ran
-- node_id: the node
-- node_key: its name in the flow when it ran
-- kind: its kind, such as llm
-- path: where inside maps and loops, such as reviews[3]
-- status: succeeded, failed, skipped or cancelled
-- cache_hit: whether the answer was known already
-- attempt_count: how often it was tried
-- template: name of the prompt template
-- prompt_template_id: the template
-- template_version: the version that really ran
-- prompt_execution_id: the call whose answer was used
-- created_at: the moment in its id, by which months are kept
-- started_at: when it began
-- execution_time_ms: how long it took, in milliseconds
-- cost_usd: what it cost; NULL: a price is unknown
-- input_tokens: tokens sent
-- output_tokens: tokens received
-- error_code: why it failed, in a word
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
    ne.created_at,
    ne.started_at,
    ne.execution_time_ms,
    CAST(ne.cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    ne.input_tokens,
    ne.output_tokens,
    ne.error_code
FROM node_execution AS ne
JOIN flow_node AS n ON n.id = ne.node_id
LEFT JOIN prompt_template AS t ON t.id = ne.prompt_template_id;
