"""Statistics, pure: numbers in, frozen results out.

Which question finds its answer where; each function's docstring has its source and an example.

Same items, both variants: `paired.mean_difference`, `paired.ratio_difference`, `paired.paired_t`,
    `clusters.clustered_difference` (repeats of an item), `proportions.mcnemar`, `exact.wilcoxon`.
Different units in each arm: `unpaired.arm_difference`, `independent.welch`, `independent.student`,
    `independent.z_test`, `independent.fieller` (noisy control), `exact.permutation`,
    `exact.table_test` (Fisher, Boschloo, Barnard), `proportions.newcombe`.
What an arm is: `arms.Arm` of values, sums, shares, ratios of sums (delta method) or clusters (CR1);
    `quantiles.quantile_arm` and `quantiles.quantile_arm_of_bounds` for p50, p95 and the like;
    `quantiles.linearised` makes means of them, paired and clustered.
One number with its interval: `proportions.wilson`, `proportions.hidden` (none of n),
    `clusters.clustered_mean`, `quantiles.quantile_ranks`, `planning.totals.total_of_more`.
Looking more than once: `sequential.anytime.two_samples` (asymptotic confidence sequence),
    `sequential.mixture.msprt`, `sequential.mixture.normal_mixture`,
    `sequential.bounded.bounded_mean` (empirical Bernstein), `sequential.schedule.schedule`
    (group sequential, Lan-DeMets), `sequential.schedule.crossing_probability` and
    `sequential.schedule.inflation`; `sequential.planned.Look` is one of such looks as a rule.
Less noise: `adjusted.cuped.cuped`, `adjusted.regression.ancova`,
    `adjusted.strata.post_stratified`; do segments differ: `adjusted.strata.heterogeneity`.
Not worse, or as good: `equivalence.non_inferiority`, `equivalence.equivalence` (TOST).
Many questions at once: `multiplicity.adjust` (Holm, Hommel, Bonferroni, BH, BY).
Is the traffic sound: `srm.srm`, `sequential.traffic.sequential_srm`.
How many, and at what price: `planning.sizes.arm_sizes`, `planning.sizes.paired_items`,
    `planning.sizes.minimum_detectable_effect` (MDE), `planning.sizes.clustered_variance`,
    `planning.power.two_arm_power`, `planning.midway.remaining`, `planning.items.items_needed`,
    `planning.items.items_to_see`, `planning.items.least_seen`.
Bayes and bandits: `bayes.effect.posterior`, `bayes.effect.believed`, `bayes.effect.expected_loss`,
    `bayes.rates.rate_posterior`, `bayes.thompson.best_probabilities`, `bayes.thompson.with_floor`,
    `bayes.thompson.thompson`.
Judges: `judges.agreement.kappa` (Cohen), `judges.agreement.verdict_table`,
    `judges.agreement.swap_test` (position bias), `judges.corrected.rogan_gladen`,
    `judges.corrected.prediction_powered` (PPI), `judges.pairwise.bradley_terry`.
Over time: `series.sketch.buckets` (mergeable quantiles), `series.changes.changes` (levels),
    `series.unusual.unusual` (outliers, with a no-data state), `series.coming.forecast`.
Who gets what: `assignment.hashing.unit_interval`, `assignment.hashing.growthbook_hash`,
    `assignment.buckets.bucket_ranges`, `assignment.buckets.choose`,
    `assignment.buckets.in_namespace`.
"""
