-- Grain: one row a step from what something was made of to what was made.
-- organization_id: whose row it is
-- source_kind: prompt_template, flow, dataset_item, experiment, flow_execution or prompt_execution
-- source_id: what it came from
-- source_version: its version, where it has one
-- relation: used_in, varied_as, compares, input_of, executed_as, sent_as or answered
-- target_kind: flow, flow_variant, flow_execution or prompt_execution
-- target_id: what came of it
-- target_version: its version, where it has one
-- since: when
SELECT
    organization_id,
    'prompt_template' AS source_kind,
    prompt_template_id AS source_id,
    template_version AS source_version,
    'used_in' AS relation,
    'flow' AS target_kind,
    flow_id AS target_id,
    CAST(NULL AS BIGINT) AS target_version,
    first_used_at AS since
FROM workflow_template_usage
UNION ALL
SELECT
    organization_id, 'flow', flow_id, flow_version, 'varied_as', 'flow_variant', id,
    CAST(NULL AS BIGINT), created_at
FROM flow_variant
UNION ALL
SELECT
    organization_id, 'experiment', experiment_id, CAST(NULL AS BIGINT), 'compares',
    'flow_variant', id, CAST(NULL AS BIGINT), created_at
FROM flow_variant
WHERE experiment_id IS NOT NULL
UNION ALL
SELECT
    organization_id, 'dataset_item', dataset_item_id, CAST(NULL AS BIGINT), 'input_of',
    'flow_execution', id, CAST(NULL AS BIGINT), created_at
FROM flow_execution
WHERE dataset_item_id IS NOT NULL
UNION ALL
SELECT
    organization_id, 'flow', flow_id, flow_version, 'executed_as', 'flow_execution', id,
    CAST(NULL AS BIGINT), created_at
FROM flow_execution
UNION ALL
SELECT
    organization_id, 'prompt_template', prompt_template_id, template_version, 'sent_as',
    'prompt_execution', id, CAST(NULL AS BIGINT), created_at
FROM prompt_execution
UNION ALL
SELECT
    organization_id, 'prompt_execution', original_prompt_execution_id, CAST(NULL AS BIGINT),
    'answered', 'prompt_execution', id, CAST(NULL AS BIGINT), created_at
FROM prompt_execution
WHERE original_prompt_execution_id IS NOT NULL;
