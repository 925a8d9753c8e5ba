-- Grain: one row a provider call.
-- prompt_execution_id: the call
-- organization_id: whose row it is
-- flow_execution_id: its run
-- node_execution_id: its node's row
-- call_index: its number within the node: retries and turns count
-- template: name of the prompt template
-- prompt_template_id: the template
-- template_version: the version that was sent
-- provider: who answered
-- model: with which model
-- status: succeeded or failed
-- finish_reason: why the answer ended, in the provider's word
-- error_code: why it failed, in a word
-- input_tokens: tokens sent, not from the provider's cache
-- cached_tokens: tokens read from the provider's cache
-- output_tokens: tokens received, without reasoning
-- reasoning_tokens: tokens of reasoning
-- cost_usd: what it cost; NULL: no price is known
-- price_source: where the price comes from
-- latency_ms: from request to whole answer, in milliseconds
-- first_token_ms: from request to first token, in milliseconds
-- provider_request_id: the provider's own name for it
-- original_prompt_execution_id: the call that a cached answer was paid by
-- simulated: whether a stand-in answered
-- created_at: the moment in its id, by which months are kept
SELECT
    pe.id AS prompt_execution_id,
    pe.organization_id,
    pe.flow_execution_id,
    pe.node_execution_id,
    pe.call_index,
    t.name AS template,
    pe.prompt_template_id,
    pe.template_version,
    pe.provider,
    pe.model,
    pe.status,
    pe.finish_reason,
    pe.error_code,
    pe.input_tokens,
    pe.cached_tokens,
    pe.output_tokens,
    pe.reasoning_tokens,
    CAST(pe.cost AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    pe.price_source,
    pe.latency_ms,
    pe.first_token_ms,
    pe.provider_request_id,
    pe.original_prompt_execution_id,
    pe.simulated,
    pe.created_at
FROM prompt_execution AS pe
JOIN prompt_template AS t ON t.id = pe.prompt_template_id;
