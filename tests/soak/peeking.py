"""Look at A/A experiments as often as one likes: the safe method must not be fooled, at length."""

from __future__ import annotations

import sys

import numpy as np

from promptstudio_lab.stats.sequential.anytime import Anytime

EXPERIMENTS = 20_000
ITEMS = 1_000
LOOKS = 50
ALPHA = 0.05


def main() -> int:
    """Print how often a difference was seen where there is none; return 1 if too often."""
    draws = np.random.default_rng(11)
    rule = Anytime(ALPHA)
    fooled = 0
    looks = np.linspace(ITEMS // LOOKS, ITEMS, LOOKS).astype(int)
    for _ in range(EXPERIMENTS // 1_000):
        # The difference of two coins per item, as of one model asked twice.
        pairs = draws.integers(-1, 2, size=(1_000, ITEMS)).astype(float)
        sums, squares = pairs.cumsum(axis=1), (pairs**2).cumsum(axis=1)
        seen = np.zeros(1_000, dtype=bool)
        for n in looks:
            mean = sums[:, n - 1] / n
            spread = np.sqrt((squares[:, n - 1] - n * mean**2) / (n - 1))
            seen |= np.abs(mean) > rule.half_width(int(n)) * spread / np.sqrt(n)
        fooled += int(seen.sum())
    share = fooled / EXPERIMENTS
    print(
        f"{EXPERIMENTS:,} A/A experiments, {LOOKS} looks each: {share:.4f} fooled (at most {ALPHA})"
    )
    return int(share > ALPHA)


if __name__ == "__main__":
    sys.exit(main())
