-- Grain: one row a unit and variant that it met, with how its runs ended.
-- organization_id: whose row it is
-- experiment_id: the experiment
-- experiment: its name
-- flow_id: the flow
-- variant_id: the variant
-- variant: its name
-- is_control: whether it is the control
-- unit_key: the item or person
-- exposed_at: when they first met
-- exposure_count: how often: every run that began
-- propensity: how probable the variant was when it was drawn; NULL: nothing was drawn
-- multi: whether the unit met a second variant all the same, and is left out of reports
-- executions: finished runs
-- success_rate: share of the judged runs that did their job
-- quality: mean score
-- cost_usd: what the runs cost, as far as prices are known
-- mean_execution_time_ms: mean of a run's time, in milliseconds
SELECT
    x.organization_id,
    x.experiment_id,
    e.name AS experiment,
    e.flow_id,
    x.variant_id,
    v.name AS variant,
    v.is_control,
    x.unit_key,
    x.exposed_at,
    count(fe.id) AS exposure_count,
    x.propensity,
    x.multi,
    count(*) FILTER (WHERE fe.ended) AS executions,
    avg(CASE WHEN fe.success IS NULL THEN NULL WHEN fe.success THEN 1.0 ELSE 0.0 END)
        FILTER (WHERE fe.ended) AS success_rate,
    avg(fe.quality) FILTER (WHERE fe.ended) AS quality,
    CAST(sum(fe.total_cost) FILTER (WHERE fe.ended) AS DOUBLE PRECISION) / 1e9 AS cost_usd,
    avg(fe.execution_time_ms) FILTER (WHERE fe.ended) AS mean_execution_time_ms
FROM experiment_exposure AS x
JOIN experiment AS e ON e.id = x.experiment_id
JOIN flow_variant AS v ON v.id = x.variant_id
LEFT JOIN (
    SELECT
        id, experiment_id, variant_id, unit_key, success, quality, total_cost, execution_time_ms,
        status IN ('succeeded', 'failed', 'partial') AS ended
    FROM flow_execution
) AS fe
    ON fe.experiment_id = x.experiment_id
    AND fe.variant_id = x.variant_id
    AND fe.unit_key = x.unit_key
GROUP BY
    x.organization_id, x.experiment_id, e.name, e.flow_id, x.variant_id, v.name, v.is_control,
    x.unit_key, x.exposed_at, x.propensity, x.multi;
