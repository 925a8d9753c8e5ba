"""A thousand A/A and A/B experiments through the whole product: do they err as promised?

Flows run, every run is recorded, and the report is read; the truth is known. `make simulate`.
"""

from __future__ import annotations

import math
import sys
import time

import promptstudio_lab as ps
from promptstudio_lab.stats.planning.items import items_to_see
from promptstudio_lab.stats.planning.sizes import arm_sizes
from tests.lab.simulation import ALPHA, Rates, simulate

COUNT = 1_000
RATES = (0.45, 0.7)
POWER = 0.8
FAR = 3.3  # standard errors: once in a thousand by chance


def main() -> int:
    """Print the rates of each design and return 1 if one is not as promised."""
    spread = sum(rate * (1 - rate) for rate in RATES)
    difference = RATES[1] - RATES[0]
    paired = items_to_see(difference, math.sqrt(spread), method="fixed", alpha=ALPHA, power=POWER)
    apart = arm_sizes(difference, spread / 2, alpha=ALPHA, power=POWER).total
    good = True
    for design, units in (("paired", paired), ("online", apart)):
        for seed, (kind, rates) in enumerate((("A/A", (RATES[0], RATES[0])), ("A/B", RATES))):
            lab, begun = ps.connect("memory"), time.perf_counter()
            found = simulate(lab, COUNT, rates, units, seed=seed, online=design == "online")
            took = time.perf_counter() - begun
            promise = ALPHA if kind == "A/A" else POWER
            print(
                f"{design} {kind}, {COUNT:,} experiments of {units} units, {took:.0f} s: p < 0.05"
                f" in {found.fixed:.3f} (promised {promise:g}), decided at any time"
                f" {found.decided:.3f}, intervals hold the truth {found.covered:.3f},"
                f" invalid {found.invalid:.3f}",
                flush=True,
            )
            good = good and _kept(found, kind)
            lab.warehouse.close()
    return int(not good)


def _kept(found: Rates, kind: str) -> bool:
    def near(share: float, promise: float) -> bool:
        return abs(share - promise) <= FAR * math.sqrt(promise * (1 - promise) / COUNT)

    right = found.decided <= ALPHA if kind == "A/A" else near(found.fixed, POWER)
    return right and near(found.covered, 1 - ALPHA) and found.invalid <= 0.01


if __name__ == "__main__":
    sys.exit(main())
