-- Grain: one row a template of a library that is not archived, with what its calls say.
-- organization_id: whose row it is
-- prompt_template_id: the template
-- template: its name
-- library: name of its library
-- category: its category
-- version: the current version
-- flows: how many flows have used it
-- calls: provider calls
-- success_rate: share of calls that succeeded
-- mean_cost_usd: mean cost of a call whose price is known
-- cost_usd: what all of them cost
-- mean_latency_ms: mean of a call's latency, in milliseconds
SELECT
    t.organization_id,
    t.id AS prompt_template_id,
    t.name AS template,
    l.name AS library,
    t.category,
    t.current_version AS version,
    (
        SELECT count(DISTINCT u.flow_id) FROM workflow_template_usage AS u
        WHERE u.prompt_template_id = t.id
    ) AS flows,
    count(pe.id) AS calls,
    avg(CASE WHEN pe.status IS NULL THEN NULL WHEN pe.status = 'succeeded' THEN 1.0 ELSE 0.0 END)
        AS success_rate,
    CAST(avg(CAST(pe.cost AS DOUBLE PRECISION)) AS DOUBLE PRECISION) / 1e9 AS mean_cost_usd,
    CAST(sum(pe.cost) AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    avg(pe.latency_ms) AS mean_latency_ms
FROM prompt_template AS t
JOIN prompt_library AS l ON l.id = t.prompt_library_id
LEFT JOIN prompt_execution AS pe ON pe.prompt_template_id = t.id
WHERE t.deleted_at IS NULL
GROUP BY t.organization_id, t.id, t.name, l.name, t.category, t.current_version;
