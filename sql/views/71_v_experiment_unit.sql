-- Grain: one row a unit and variant that it has a finished run of; what reports are made from.
-- organization_id: whose row it is
-- experiment_id: the experiment
-- experiment: its name
-- variant_id: the variant
-- variant: its name
-- is_control: whether it is the control
-- unit_key: the item or person
-- multi: whether it met a second variant of an online experiment, and is left out of reports
-- runs: finished runs
-- success: share of the judged runs that did their job
-- quality: mean score
-- cost_usd: mean cost of the runs with a known price
-- latency_ms: mean time of a run, in milliseconds
-- input_tokens: mean tokens sent
-- output_tokens: mean tokens received
SELECT
    u.organization_id,
    u.experiment_id,
    e.name AS experiment,
    u.variant_id,
    v.name AS variant,
    v.is_control,
    u.unit_key,
    EXISTS (
        SELECT 1 FROM experiment_exposure AS x
        WHERE x.experiment_id = u.experiment_id AND x.unit_key = u.unit_key AND x.multi
    ) AS multi,
    u.runs,
    CAST(u.success AS DOUBLE PRECISION) / nullif(u.success_runs, 0) AS success,
    u.quality / nullif(u.quality_runs, 0) AS quality,
    CAST(u.cost AS DOUBLE PRECISION) / nullif(u.cost_runs, 0) / 1e9 AS cost_usd,
    u.latency_ms / nullif(u.latency_runs, 0) AS latency_ms,
    CAST(u.input_tokens AS DOUBLE PRECISION) / nullif(u.input_runs, 0) AS input_tokens,
    CAST(u.output_tokens AS DOUBLE PRECISION) / nullif(u.output_runs, 0) AS output_tokens
FROM experiment_unit AS u
JOIN experiment AS e ON e.id = u.experiment_id
JOIN flow_variant AS v ON v.id = u.variant_id
WHERE u.runs > 0;
