"""One rival's report of a Parquet file, in an environment of its own: figures as JSON.

Run as `python program.py <library> <file>`, a line for each report; it imports nothing of ours.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

COLUMNS = ("success", "cost_usd", "latency_ms", "quality")
CONTROL, TREATMENTS = "a", ("b", "c", "d")
RATIO = "cost_per_success"
_PRODUCT = "cost_usd_success"

Found = dict[str, dict[str, list[float]]]  # by metric and treatment: the effect and its p-value


def grouped(path: str) -> Any:  # a frame of pandas, whose version is the rival's
    """Return the sums that a report is made from, as one writes it with pandas."""
    pandas: Any = importlib.import_module("pandas")
    frame = pandas.read_parquet(path, columns=["variant", *COLUMNS])
    for name in COLUMNS:
        frame[f"{name}_2"] = frame[name].astype(float) ** 2
    frame[_PRODUCT] = frame["cost_usd"] * frame["success"]
    sums = frame.groupby("variant").sum()
    sums["n"] = frame.groupby("variant").size()
    return sums


def growthbook(sums: Any) -> Found:  # as above
    """Return GrowthBook's two-sided tests of absolute differences."""
    statistics: Any = importlib.import_module("gbstats.models.statistics")
    tests: Any = importlib.import_module("gbstats.frequentist.tests")

    def mean(arm: Any, name: str) -> Any:  # a row, and a statistic
        return statistics.SampleMeanStatistic(
            n=int(arm["n"]), sum=float(arm[name]), sum_squares=float(arm[f"{name}_2"])
        )

    def ratio(arm: Any) -> Any:  # as above
        return statistics.RatioStatistic(
            n=int(arm["n"]),
            m_statistic=mean(arm, "cost_usd"),
            d_statistic=mean(arm, "success"),
            m_d_sum_of_products=float(arm[_PRODUCT]),
        )

    def test(one: Any, other: Any) -> list[float]:  # as above
        config = tests.FrequentistConfig(difference_type="absolute")
        found = tests.TwoSidedTTest(one, other, config).compute_result()
        return [float(found.expected), float(found.p_value)]

    arms = {name: sums.loc[name] for name in (CONTROL, *TREATMENTS)}
    made = {name: {arm: mean(row, name) for arm, row in arms.items()} for name in COLUMNS}
    made[RATIO] = {arm: ratio(row) for arm, row in arms.items()}
    return {
        name: {arm: test(each[CONTROL], each[arm]) for arm in TREATMENTS}
        for name, each in made.items()
    }


def spotify(sums: Any) -> Found:  # as above
    """Return Spotify's z-tests; its ratios are of one column only."""
    confidence: Any = importlib.import_module("spotify_confidence")
    frame, found = sums.reset_index(), {}
    for name in COLUMNS:
        test = confidence.ZTest(
            frame,
            numerator_column=name,
            numerator_sum_squares_column=f"{name}_2",
            denominator_column="n",
            categorical_group_columns="variant",
        )
        rows = test.multiple_difference(level=CONTROL, level_as_reference=True)
        found[name] = {
            str(row["level_2"]): [float(row["difference"]), float(row["p-value"])]
            for _, row in rows.iterrows()
        }
    return found


def tea_tasting(path: str) -> Found:
    """Return tea-tasting's report of the file itself, by polars."""
    tea, polars = importlib.import_module("tea_tasting"), importlib.import_module("polars")
    metrics = {name: tea.Mean(name) for name in COLUMNS}
    metrics[RATIO] = tea.RatioOfMeans("cost_usd", "success")
    pairs = tea.Experiment(**metrics).analyze(
        polars.scan_parquet(path), control=CONTROL, all_variants=True
    )
    found: Found = {name: {} for name in metrics}
    for (control, arm), result in pairs.items():
        if control == CONTROL:
            for name in metrics:
                effect = result[name]
                found[name][arm] = [effect.effect_size, effect.pvalue]
    return found


def once(library: str, path: str) -> dict[str, Any]:  # seconds and answers
    """Do one report, and return how long that took."""
    start = time.perf_counter()
    if library == "tea-tasting":
        answers = tea_tasting(path)
        return {"rows": time.perf_counter() - start, "answers": answers}
    sums = grouped(path)
    middle = time.perf_counter()
    answers = growthbook(sums) if library == "gbstats" else spotify(sums)
    end = time.perf_counter()
    return {"rows": end - start, "sums": end - middle, "answers": answers}


def main(library: str, path: str) -> None:
    """Do a report for each line that is sent, so that others can take turns."""
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(once(library, path)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
