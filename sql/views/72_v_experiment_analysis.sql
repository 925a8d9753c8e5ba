-- Grain: one row a metric, a treatment and a look at an experiment, as a report found it.
-- organization_id: whose row it is
-- experiment_id: the experiment
-- experiment: its name
-- variant_id: the treatment
-- variant: its name
-- plan_hash: of the plan that was frozen when it began
-- asked: shared by what one report said
-- look: which state of the data it was that somebody saw, from 1
-- method: anytime, which allows looking at any time, fixed, or scheduled at a planned look
-- metric: what was measured
-- role: goal, cost or guardrail
-- unit: of control, treatment and estimate
-- n: units or items
-- control: the control's value
-- treatment: the treatment's value
-- estimate: treatment minus control
-- low: lower end of the estimate's interval
-- high: upper end of the estimate's interval
-- relative: the estimate as a share of the control
-- relative_low: lower end of the relative effect's interval
-- relative_high: upper end of the relative effect's interval
-- se: the estimate's standard error
-- p_value: of the hypothesis that nothing changes
-- p_adjusted: the same, where several goals share the error
-- alpha: the error that the interval accepts
-- verdict: better, worse, unclear, equal or unknown
-- decision: ship, hold, stop, keep_running or invalid
-- simulated: whether a stand-in answered
-- made_with: the version that made it
-- information: at a look that the plan allowed, the share of the planned units; else NULL
-- looked_at: when somebody looked
-- looked_by: who
SELECT
    a.organization_id,
    a.experiment_id,
    e.name AS experiment,
    a.variant_id,
    v.name AS variant,
    a.plan_hash,
    a.asked,
    a.look,
    a.method,
    a.metric,
    a.role,
    a.unit,
    a.n,
    a.control,
    a.treatment,
    a.estimate,
    a.low,
    a.high,
    a.relative,
    a.relative_low,
    a.relative_high,
    a.se,
    a.p_value,
    a.p_adjusted,
    a.alpha,
    a.verdict,
    a.decision,
    a.simulated,
    a.made_with,
    a.information,
    a.created_at AS looked_at,
    a.created_by AS looked_by
FROM experiment_analysis AS a
JOIN experiment AS e ON e.id = a.experiment_id
JOIN flow_variant AS v ON v.id = a.variant_id;
