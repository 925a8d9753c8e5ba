-- Grain: one row a variant, with its traffic and what the newest look found about its clearest goal.
-- organization_id: whose row it is
-- variant_id: the variant
-- variant: its name
-- is_control: whether it is the control
-- experiment_id: the experiment
-- experiment: its name
-- flow_id: the flow
-- flow_version: the saved version that it changes
-- traffic_weight: the share that was promised, beside those of the others
-- units: units that met it
-- traffic_share: their share of all that met a variant
-- look: which look that was; NULL: nobody has looked yet
-- method: anytime, fixed or scheduled
-- metric: the goal whose p-value is the smallest
-- n: units or items of that look
-- estimate: the treatment's value minus the control's
-- p_value: adjusted for all goals that shared the error
-- significant: whether the whole interval lies on one side of 0
-- decision: ship, hold, stop, keep_running or invalid
WITH met AS (
    SELECT organization_id, experiment_id, variant_id, count(*) AS units
    FROM experiment_exposure
    GROUP BY organization_id, experiment_id, variant_id
), looked AS (
    SELECT
        a.*,
        row_number() OVER (
            PARTITION BY a.organization_id, a.variant_id
            ORDER BY a.look DESC, a.created_at DESC, a.p_adjusted, a.id
        ) AS place
    FROM experiment_analysis AS a
    WHERE a.role = 'goal'
)
SELECT
    v.organization_id,
    v.id AS variant_id,
    v.name AS variant,
    v.is_control,
    v.experiment_id,
    e.name AS experiment,
    v.flow_id,
    v.flow_version,
    v.traffic_weight,
    coalesce(m.units, 0) AS units,
    CAST(m.units AS DOUBLE PRECISION) / (
        SELECT sum(every.units) FROM met AS every WHERE every.experiment_id = v.experiment_id
    ) AS traffic_share,
    l.look,
    l.method,
    l.metric,
    l.n,
    l.estimate,
    l.p_adjusted AS p_value,
    CASE WHEN l.id IS NULL THEN NULL ELSE l.verdict IN ('better', 'worse') END AS significant,
    l.decision
FROM flow_variant AS v
LEFT JOIN experiment AS e ON e.id = v.experiment_id
LEFT JOIN met AS m ON m.experiment_id = v.experiment_id AND m.variant_id = v.id
LEFT JOIN looked AS l ON l.variant_id = v.id AND l.place = 1
WHERE v.deleted_at IS NULL;
