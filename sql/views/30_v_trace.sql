-- Grain: one row a provider call: user action > run > node > call > template version, and its usage.
-- organization_id: whose row it is
-- requested_by: who asked for the run
-- executed_by: whose process ran it
-- trigger: cell, tab, schedule, cli or assistant
-- origin: the notebook or schedule it came from
-- change_seq: the flow's change log stood here
-- flow_execution_id: the run
-- flow_id: the flow
-- flow: its name
-- flow_version: the saved version that ran
-- flow_version_hash: content hash of that version
-- node_id: the node
-- node_key: its name in the flow when it ran
-- node_execution_id: the node's row
-- node_status: how the node ended
-- prompt_execution_id: the call
-- call_index: its number within the node: retries and turns count
-- used: 1 for the call whose answer the node gave, else 0
-- provider: who answered
-- model: with which model
-- simulated: whether a stand-in answered
-- call_status: succeeded or failed
-- error_code: why it failed, in a word
-- input_tokens: tokens sent, not from the provider's cache
-- cached_tokens: tokens read from the provider's cache
-- output_tokens: tokens received, without reasoning
-- reasoning_tokens: tokens of reasoning
-- cost_usd: what it cost; NULL: no price is known
-- latency_ms: from request to whole answer, in milliseconds
-- prompt_template_id: the template
-- template: its name
-- template_version: the version that was sent
-- template_version_hash: content hash of that version
-- workflow_template_usage_id: the record that this node uses this version
-- created_at: the moment in its id, by which months are kept
SELECT
    pe.organization_id,
    fe.requested_by,
    fe.executed_by,
    fe.trigger,
    fe.origin,
    fe.change_seq,
    fe.id AS flow_execution_id,
    f.id AS flow_id,
    f.name AS flow,
    fe.flow_version,
    fv.content_hash AS flow_version_hash,
    n.id AS node_id,
    ne.node_key,
    ne.id AS node_execution_id,
    ne.status AS node_status,
    pe.id AS prompt_execution_id,
    pe.call_index,
    CASE WHEN ne.prompt_execution_id = pe.id THEN 1 ELSE 0 END AS used,
    pe.provider,
    pe.model,
    pe.simulated,
    pe.status AS call_status,
    pe.error_code,
    pe.input_tokens,
    pe.cached_tokens,
    pe.output_tokens,
    pe.reasoning_tokens,
    CAST(pe.cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    pe.latency_ms,
    t.id AS prompt_template_id,
    t.name AS template,
    pe.template_version,
    tv.content_hash AS template_version_hash,
    u.id AS workflow_template_usage_id,
    pe.created_at
FROM prompt_execution AS pe
JOIN node_execution AS ne ON ne.id = pe.node_execution_id
JOIN flow_execution AS fe ON fe.id = pe.flow_execution_id
JOIN prompt_flow AS f ON f.id = fe.flow_id
JOIN prompt_flow_version AS fv
    ON fv.organization_id = fe.organization_id
    AND fv.flow_id = fe.flow_id
    AND fv.version = fe.flow_version
JOIN flow_node AS n ON n.id = ne.node_id
JOIN prompt_template AS t ON t.id = pe.prompt_template_id
JOIN prompt_template_version AS tv
    ON tv.organization_id = pe.organization_id
    AND tv.prompt_template_id = pe.prompt_template_id
    AND tv.version = pe.template_version
LEFT JOIN workflow_template_usage AS u
    ON u.organization_id = pe.organization_id
    AND u.node_id = ne.node_id
    AND u.prompt_template_id = pe.prompt_template_id
    AND u.template_version = pe.template_version;
