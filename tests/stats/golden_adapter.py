"""The product's answer to a golden case: one line a method, so that a new file needs one more.

A case says its inputs in its own words; here they become the arguments of a public function. What
is left out takes that function's own default. Infinite numbers may come as "Infinity".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from promptstudio_lab.stats.adjusted.cuped import cuped
from promptstudio_lab.stats.adjusted.regression import ancova
from promptstudio_lab.stats.adjusted.strata import post_stratified
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.assignment.buckets import bucket_ranges, choose, in_namespace
from promptstudio_lab.stats.assignment.hashing import growthbook_hash
from promptstudio_lab.stats.bayes.effect import FLAT, Prior, expected_loss, posterior
from promptstudio_lab.stats.bayes.rates import rate_posterior
from promptstudio_lab.stats.bayes.thompson import best_probabilities
from promptstudio_lab.stats.clusters import clustered_difference, clustered_mean
from promptstudio_lab.stats.equivalence import equivalence, non_inferiority
from promptstudio_lab.stats.exact import permutation, table_test, wilcoxon
from promptstudio_lab.stats.independent import student, welch, z_test
from promptstudio_lab.stats.judges.agreement import kappa
from promptstudio_lab.stats.judges.pairwise import bradley_terry
from promptstudio_lab.stats.multiplicity import adjust
from promptstudio_lab.stats.paired import paired_t
from promptstudio_lab.stats.planning.midway import remaining
from promptstudio_lab.stats.planning.power import two_arm_power
from promptstudio_lab.stats.planning.sizes import arm_sizes, paired_items
from promptstudio_lab.stats.proportions import mcnemar, newcombe, wilson
from promptstudio_lab.stats.quantiles import (
    cluster_inflation,
    quantile_arm,
    quantile_arm_of_bounds,
    quantile_ranks,
)
from promptstudio_lab.stats.sequential.anytime import two_samples
from promptstudio_lab.stats.sequential.mixture import msprt, normal_mixture
from promptstudio_lab.stats.sequential.schedule import crossing_probability, schedule
from promptstudio_lab.stats.srm import srm
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.stats.clusters import Correction
    from promptstudio_lab.stats.equivalence import Direction
    from promptstudio_lab.stats.exact import TableTest
    from promptstudio_lab.stats.independent import Contrast, Difference, Scale
    from promptstudio_lab.stats.judges.agreement import Weighting
    from promptstudio_lab.stats.multiplicity import Correction as Multiplicity
    from promptstudio_lab.stats.sequential.schedule import Spending

Case: TypeAlias = dict[str, Any]  # inputs and answers differ from method to method

_ALTERNATIVES = {
    "larger": "greater",
    "smaller": "less",
    "increase": "greater",
    "decrease": "less",
    "two_sided": "two-sided",
}


def answer(method: str, inputs: Case) -> Case:
    """Return what the product says, by the names that the case expects.

    Raises:
        LookupError: naming the method, if nobody has connected it yet.
    """
    if method not in ANSWERS:
        message = f"no answer is connected for the method {method!r}"
        raise LookupError(message)
    words = {name: _read(value) for name, value in inputs.items() if name != "name"}
    if "alternative" in words:
        words["alternative"] = _ALTERNATIVES.get(words["alternative"], words["alternative"])
    return ANSWERS[method](**words)


def _read(value: Any) -> Any:  # whatever JSON can hold
    """Return a value of the file with its infinities as numbers."""
    if isinstance(value, str) and value.lstrip("+-") == "Infinity":
        return float(value)
    if isinstance(value, list):
        return [_read(one) for one in value]
    if isinstance(value, dict):
        return {name: _read(one) for name, one in value.items()}
    return value


def _arm(data: Case, kind: str = "mean") -> Arm:
    """Return an arm from whichever of its sums, moments or values the case has."""
    if "values" in data:
        return Arm.of_values(data["values"])
    if "std" in data or "variance" in data:
        variance = data["variance"] if "variance" in data else data["std"] ** 2
        return Arm(data["n"], data["mean"], variance)
    if kind == "proportion" or "sum_squares" not in data:
        return Arm.of_successes(data["n"], data["sum"])
    return Arm.of_sums(data["n"], data["sum"], data["sum_squares"], shift=data.get("shift", 0.0))


def _raw_sums(n: int, totals: dict[str, float], products: Mapping[Any, float]) -> Sums:
    """Return sums as a warehouse would, from totals and from products of each two columns."""
    names = tuple(totals)
    rows = tuple(
        tuple(products.get((one, other), products.get((other, one), 0.0)) for other in names)
        for one in names
    )
    return Sums(n, names, (0.0,) * len(names), tuple(totals.values()), rows)


def _named_sums(arm: Case) -> Sums:
    products = {tuple(name.split(",")): value for name, value in arm["products"].items()}
    totals = {name: sums["sum"] for name, sums in arm["sums"].items()}
    squares = {(name, name): sums["sum_squares"] for name, sums in arm["sums"].items()}
    return _raw_sums(arm["n"], totals, products | squares)


def _difference(found: Difference) -> Case:
    return {
        "estimate": found.estimate,
        "ci": [found.low, found.high],
        "p_value": found.p_value,
        "se": found.se,
        "statistic": found.statistic,
        "df": found.df,
    }


def _contrast(found: Contrast, **rest: Any) -> Case:  # as the file has
    return _difference(found.test(**rest))


def _two_arms(test: Callable[..., Difference], **given: Any) -> Callable[..., Case]:  # any argument
    """Return the answer of a test that takes two arms and words that are its own."""

    def call(*, control: Case, treatment: Case, **rest: Any) -> Case:  # as the file has
        return _difference(test(_arm(control), _arm(treatment), **given, **rest))

    return call


def _beta_binomial(*, control: Case, treatment: Case, prior: list[float] | None = None) -> Case:
    old, new = ((arm["sum"], arm["n"]) for arm in (control, treatment))
    first, second = prior or (1.0, 1.0)
    found = rate_posterior(old, new, prior=(first, second))
    return {
        "prob_b_beats_a": found.chance_to_win,
        "expected_loss_choose_b": found.loss_of_treatment,
        "expected_loss_choose_a": found.loss_of_control,
    }


def _bayes_effect(  # noqa: PLR0913 # the case's own words
    *,
    control: Case,
    treatment: Case,
    kind: str = "mean",
    prior: Any = "flat",  # or a mean and a variance
    scale: Scale = "relative",
    prior_type: Scale = "relative",
    alpha: float = 0.05,
    inverse: bool = False,
) -> Case:
    proper = isinstance(prior, dict) and prior.get("proper", True)
    belief = Prior(prior["mean"], math.sqrt(prior["variance"])) if proper else FLAT
    found = posterior(
        _arm(control, kind),
        _arm(treatment, kind),
        prior=belief,
        scale=scale,
        prior_scale=prior_type if proper else None,
        lower_is_better=inverse,
        alpha=alpha,
    )
    return {
        "estimate": found.estimate,
        "ci": [found.low, found.high],
        "chance_to_win": found.chance_to_win,
        "risk": [found.loss.control, found.loss.treatment],
        "sd": found.sd,
    }


def _expected_loss(*, mu: float, sigma: float) -> Case:
    found = expected_loss(mu, sigma)
    return {"risk": [found.control, found.treatment]}


def _adjust(method: Multiplicity) -> Callable[..., Case]:
    def call(*, p: list[float], alpha: float = 0.05) -> Case:
        found = adjust(p, method, alpha=alpha)
        return {
            "p_adj": list(found.p_values),
            "n_rejected": sum(found.rejected),
            "rejected": list(found.rejected),
        }

    return call


def _bradley_terry(
    *,
    wins: list[list[float]],
    players: list[str] | None = None,
    ties: list[list[float]] | None = None,
    reference: str | None = None,
) -> Case:
    names = players or [str(place) for place in range(len(wins))]
    found = bradley_terry(names, wins, ties=ties, reference=reference)
    pairs = zip(found.players, found.se, strict=True)
    return {
        "ability": list(found.ability),
        "se": [se for player, se in pairs if player != found.reference],
        "tie": found.tie,
    }


def _kappa(
    *, table: list[list[float]], weights: Weighting | None = None, alpha: float = 0.05
) -> Case:
    found = kappa(table, weighting=weights or "none", alpha=alpha)
    return {"kappa": found.kappa, "se": found.se, "ci": [found.low, found.high]}


def _cuped(*, control: Case, treatment: Case, scale: Scale = "absolute", **rest: Any) -> Case:
    old, new = (
        _raw_sums(
            arm["n"],
            {"y": arm["y"], "x": arm["x"]},
            {("y", "y"): arm["yy"], ("x", "x"): arm["xx"], ("x", "y"): arm["xy"]},
        )
        for arm in (control, treatment)
    )
    found = cuped(old, new, "y", "x", scale=scale)
    return {"theta": found.theta} | _contrast(found.contrast, **rest)


def _ratio_cuped(*, control: Case, treatment: Case, scale: Scale = "relative", **rest: Any) -> Case:
    old, new = _named_sums(control), _named_sums(treatment)
    found = cuped(old, new, ("m_post", "d_post"), ("m_pre", "d_pre"), scale=scale)
    return {"theta": found.theta} | _contrast(found.contrast, **rest)


def _ratio(*, control: Case, treatment: Case, **rest: Any) -> Case:  # as the file has
    arms = [
        Arm.of_ratio(
            _raw_sums(
                arm["n"],
                {"m": arm["m"], "d": arm["d"]},
                {("m", "m"): arm["mm"], ("d", "d"): arm["dd"], ("m", "d"): arm["md"]},
            ),
            "m",
            "d",
        )
        for arm in (control, treatment)
    ]
    return _difference(welch(*arms, **rest))


def _clustered(
    *, score: list[float], cluster: list[Any], correction: Correction = "CR0", alpha: float = 0.05
) -> Case:  # clusters may be named by anything
    found = clustered_mean(score, cluster, correction=correction, alpha=alpha)
    return {"mean": found.mean, "se": found.se, "ci": [found.low, found.high], "df": found.df}


def _paired_clustered(  # the case's own words
    *,
    score_a: list[float],
    score_b: list[float],
    cluster: list[Any],  # clusters may be named by anything
    correction: Correction = "CR0",
    alpha: float = 0.05,
) -> Case:
    found = clustered_difference(score_a, score_b, cluster, correction=correction, alpha=alpha)
    return {"diff": found.mean, "se": found.se, "ci": [found.low, found.high], "df": found.df}


def _miller(  # noqa: PLR0913 # the case's own words
    *,
    delta: float,
    omega2: float,
    sigma2_a: float = 0.0,
    sigma2_b: float = 0.0,
    k_a: int = 1,
    k_b: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Case:
    within, repeats = (sigma2_a, sigma2_b), (k_a, k_b)
    n = paired_items(delta, omega2, within=within, repeats=repeats, alpha=alpha, power=power)
    return {"n": n}


def _exact(*, table: list[list[int]], test: TableTest, **rest: Any) -> Case:  # as the file has
    found = table_test(table, test=test, **rest)
    return {"statistic": found.statistic, "p_value": found.p_value}


def _crossing(*, bounds: list[float], t: list[float], **rest: Any) -> Case:  # as the file has
    return {"alpha": crossing_probability(bounds, t, **rest)}


def _spending(
    *, t: list[float], spending: Spending = "power", **rest: Any
) -> Case:  # as the file has
    return {"bounds": list(schedule(t, spending=spending, **rest).bounds)}


def _mcnemar(*, table: list[list[int]], exact: bool = True, correction: bool = True) -> Case:
    test = mcnemar(table[0][1], table[1][0], exact=exact, correction=correction)
    return {"statistic": test.statistic, "p_value": test.p_value}


def _midway(  # noqa: PLR0913 # the case's own words
    *,
    control: Case,
    treatment: Case,
    target_mde: float,
    prior: Case | None = None,
    num_goal_metrics: int = 1,
    num_variations: int = 2,
    tuning_n: float = 5000,
    **rest: Any,  # as the file has
) -> Case:
    found = remaining(
        _arm(control),
        _arm(treatment),
        target_mde,
        prior=Prior(prior["mean"], math.sqrt(prior["variance"]))
        if isinstance(prior, dict)
        else None,
        metrics=num_goal_metrics,
        comparisons=num_goal_metrics * (num_variations - 1),
        tuning_n=tuning_n,
        **rest,
    )
    return {"scaling_factor": found.factor, "additional_users": found.units, "power": found.power}


def _msprt(  # the case's own words
    *,
    theta_hat: float,
    V_per_pair: float,  # noqa: N803 # the file's word
    n_pairs: float,
    tau2: float,
    theta0: float = 0.0,
    alpha: float = 0.05,
) -> Case:
    found = msprt(theta_hat, V_per_pair, n_pairs, tau2, null=theta0, alpha=alpha)
    return {
        "lr": found.likelihood_ratio,
        "log_lr": found.log_likelihood_ratio,
        "p_value": found.p_value,
        "ci": [found.low, found.high],
    }


def _non_inferiority(  # the case's own words
    *,
    control: Case,
    treatment: Case,
    margin_relative: float | None = None,
    margin_absolute: float | None = None,
    good_direction: Direction = "increase",
    alpha: float = 0.05,
) -> Case:
    found = non_inferiority(
        _arm(control),
        _arm(treatment),
        margin=margin_absolute or margin_relative or 0.0,
        relative=margin_absolute is None,
        good=good_direction,
        alpha=alpha,
    )
    return _difference(found)


def _normal_mixture(*, v: float, v_opt: float, **rest: Any) -> Case:  # as the file has
    found = normal_mixture(v, v_opt=v_opt, **rest)
    return {"rho": found.rho, "bound": found.bound}


def _paired_t(*, differences: list[float], **rest: Any) -> Case:  # as the file has
    return _difference(paired_t(differences, **rest))


def _permutation(*, a: list[float], b: list[float], **rest: Any) -> Case:  # as the file has
    found = permutation(b, a, **rest)  # the file takes a less b
    return {"statistic": found.statistic, "p_value": found.p_value}


def _strata(*, strata: list[Case], scale: Scale = "absolute", **rest: Any) -> Case:
    arms = [(_arm(one["control"]), _arm(one["treatment"])) for one in strata]
    return _contrast(post_stratified(arms, scale=scale), **rest)


def _power_t(*, n_per_arm: float | None = None, **rest: Any) -> Case:  # as the file has
    found = two_arm_power(n=n_per_arm, **rest)
    return {
        "n_per_arm": found.n_control,
        "power": found.power,
        "effect_size": found.effect_size,
    }


def _newcombe(*, control: Case, treatment: Case, alpha: float = 0.05) -> Case:
    arms = [(arm["sum"], arm["n"]) for arm in (control, treatment)]
    found = newcombe(*arms, alpha=alpha)
    return {"estimate": found.estimate, "ci": [found.low, found.high]}


def _quantile_arm(data: Case) -> Arm:
    if "values" in data:
        return quantile_arm(data["values"], data["nu"], clusters=data.get("clusters"))
    inflation = 1.0
    if "n_clusters" in data:
        products = {
            ("below", "below"): data["main_sum_squares"],
            ("rows", "rows"): data["denominator_sum_squares"],
            ("below", "rows"): data["main_denominator_sum_product"],
        }
        totals = {"below": data["main_sum"], "rows": data["denominator_sum"]}
        sums = _raw_sums(data["n_clusters"], totals, products)
        inflation = cluster_inflation(sums, "below", "rows", data["nu"])
    return quantile_arm_of_bounds(
        data["n"],
        data["quantile_hat"],
        data["quantile_lower"],
        data["quantile_upper"],
        rows_of_bounds=data.get("n_star"),
        inflation=inflation,
    )


def _quantile(*, control: Case, treatment: Case, **rest: Any) -> Case:  # as the file has
    return _difference(z_test(_quantile_arm(control), _quantile_arm(treatment), **rest))


def _ranks(*, n: int, p: float, conf: float = 0.95) -> Case:
    found = quantile_ranks(n, p, confidence=conf)
    return {"ranks": [found.low, found.high], "coverage": found.coverage}


def _ancova(
    *,
    x_control: list[float],
    y_control: list[float],
    x_treat: list[float],
    y_treat: list[float],
    **rest: Any,  # as the file has
) -> Case:
    return _contrast(ancova((y_control, x_control), (y_treat, x_treat)), **rest)


def _total(  # noqa: PLR0913 # the case's own words
    *,
    kind: str = "continuous",
    absolute_percentage_mde: float | None = None,
    average_absolute_mde: float | None = None,
    baseline_proportion: float = math.nan,
    baseline_variance: float | None = None,
    treatments: int = 2,
    treatment_allocations: list[float] | None = None,
    treatment_costs: list[float] | None = None,
    bonferroni_correction: bool = False,
    power: float = 0.85,
    **rest: Any,  # as the file has
) -> Case:
    binomial = baseline_proportion * (1 - baseline_proportion)
    found = arm_sizes(
        (absolute_percentage_mde if kind == "binomial" else average_absolute_mde) or 0.0,
        binomial if baseline_variance is None else baseline_variance,
        arms=treatments,
        shares=treatment_allocations,
        prices=treatment_costs,
        correct=bonferroni_correction,
        power=power,
        **rest,
    )
    return {"n_total": found.total, "n_arms": list(found.arms), "allocations": list(found.shares)}


def _srm(*, observed: list[int], weights: list[float], **rest: Any) -> Case:  # as the file has
    found = srm(observed, weights, **rest)
    return {"p_value": found.p_value, "statistic": found.statistic, "ok": found.ok}


def _thompson(*, mu: list[float], sd: list[float], inverse: bool = False) -> Case:
    return {"weights": list(best_probabilities(mu, sd, lower_is_better=inverse))}


def _tost(  # the case's own words
    *,
    a: list[float],
    b: list[float],
    low: float,
    upp: float,
    usevar: str = "pooled",
    alpha: float = 0.05,
) -> Case:
    arms = Arm.of_values(b), Arm.of_values(a)  # the file takes a less b
    found = equivalence(*arms, low, upp, pooled=usevar == "pooled", alpha=alpha)
    return {
        "estimate": found.estimate,
        "p_value": found.p_value,
        "p_low": found.p_low,
        "p_high": found.p_high,
        "ci": [found.low, found.high],
    }


def _wilcoxon(*, differences: list[float], **rest: Any) -> Case:  # as the file has
    found = wilcoxon(differences, **rest)
    return {"statistic": found.statistic, "p_value": found.p_value}


def _wilson(*, sum: int, n: int, alpha: float = 0.05) -> Case:  # noqa: A002 # the file's word
    share = wilson(sum, n, alpha=alpha)
    return {"estimate": share.share, "ci": [share.low, share.high]}


def _ranges(*, n_variants: int, coverage: float = 1.0, weights: list[float] | None = None) -> Case:
    ranges = bucket_ranges(n_variants, coverage=coverage, weights=weights)
    return {"ranges": [list(one) for one in ranges]}


def _choose(*, hash: float, ranges: list[list[float]]) -> Case:  # noqa: A002 # the file's word
    return {"variation": choose(hash, [(low, high) for low, high in ranges])}


def _hash(*, seed: str, value: str, version: int = 2) -> Case:
    return {"n": growthbook_hash(seed, value, version)}


def _namespace(*, value: str, namespace: tuple[str, float, float]) -> Case:
    return {"inside": in_namespace(value, *namespace)}


ANSWERS: dict[str, Callable[..., Case]] = {
    "assignment_bucket_ranges": _ranges,
    "assignment_choose_variation": _choose,
    "assignment_hash_fnv32a": _hash,
    "assignment_namespace": _namespace,
    "asymptotic_confidence_sequence": _two_arms(two_samples),
    "asymptotic_confidence_sequence_one_sided": _two_arms(two_samples),
    "bayes_beta_binomial": _beta_binomial,
    "bayes_effect_normal": _bayes_effect,
    "bayes_expected_loss_normal": _expected_loss,
    "benjamini_hochberg": _adjust("bh"),
    "benjamini_yekutieli": _adjust("by"),
    "bradley_terry": _bradley_terry,
    "cohens_kappa": _kappa,
    "cuped": _cuped,
    "eval_clustered_se": _clustered,
    "eval_paired_clustered_se": _paired_clustered,
    "eval_power_n": _miller,
    "exact_2x2": _exact,
    "group_sequential_crossing_probability": _crossing,
    "group_sequential_power_spending": _spending,
    "holm": _adjust("holm"),
    "hommel": _adjust("hommel"),
    "mcnemar": _mcnemar,
    "mid_experiment_power": _midway,
    "msprt_normal_mixture": _msprt,
    "non_inferiority_z": _non_inferiority,
    "normal_mixture_boundary_two_sided": _normal_mixture,
    "paired_t": _paired_t,
    "permutation_exact": _permutation,
    "post_stratification": _strata,
    "power_two_sample_t": _power_t,
    "proportion_diff_newcombe_ci": _newcombe,
    "quantile_difference": _quantile,
    "quantile_order_statistic_ci": _ranks,
    "ratio_metric_cuped": _ratio_cuped,
    "ratio_metric_delta": _ratio,
    "regression_adjustment_ols_hc1": _ancova,
    "sample_size_total": _total,
    "srm_chi_square": _srm,
    "student_t_absolute": _two_arms(student),
    "thompson_prob_best": _thompson,
    "tost_equivalence": _tost,
    "two_proportion_z_unpooled": _two_arms(z_test),
    "welch_t_absolute": _two_arms(welch),
    "welch_t_one_sided": _two_arms(welch),
    "welch_t_relative_delta": _two_arms(welch, scale="relative"),
    "wilcoxon_signed_rank": _wilcoxon,
    "wilson_ci": _wilson,
}
