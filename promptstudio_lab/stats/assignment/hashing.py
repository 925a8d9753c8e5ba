"""From a unit's id to a number between 0 and 1: always the same, and unlike any other salt's.

Our own hash is BLAKE2b over the salt and the unit, 64 bits wide. Use separate salts for being in
an experiment and for which variant, so that coverage and variant are independent. GrowthBook's
two hashes are here so that logs of both agree; they know only 1,000 and 10,000 buckets.
"""

from __future__ import annotations

from hashlib import blake2b

from promptstudio_lab.errors import AnalysisError

_OFFSET, _PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
_BITS = 53  # what a float between 0 and 1 can hold


def unit_interval(salt: str, unit: str) -> float:
    """Return the unit's place from 0 up to, not including, 1.

    Args:
        salt: what is decided, such as `summarizer/variant`.
        unit: the unit's id.

    >>> unit_interval("summarizer/variant", "user-7")
    0.4363664911068169
    """
    digest = blake2b(f"{salt}\0{unit}".encode(), digest_size=8).digest()
    # The upper 53 bits: all 64 could round up to 1.
    return (int.from_bytes(digest, "big") >> (64 - _BITS)) / (1 << _BITS)


def growthbook_hash(seed: str, value: str, version: int = 2) -> float:
    """Return GrowthBook's place of a value, from 0 up to, not including, 1.

    Args:
        seed: GrowthBook's seed, usually the experiment's key.
        value: the unit's id.
        version: 1, the older and biased one, or 2.

    Raises:
        AnalysisError: if there is no such version.

    >>> growthbook_hash("", "a", version=1), growthbook_hash("seed", "b")
    (0.22, 0.2696)
    """
    if version == 1:
        return fnv32a(value + seed) % 1000 / 1000
    if version == 2:  # noqa: PLR2004 # GrowthBook's name for it
        return fnv32a(str(fnv32a(seed + value))) % 10_000 / 10_000
    message = f"there is no version {version} of GrowthBook's hash. Hint: allowed are 1 and 2."
    raise AnalysisError(message)


def fnv32a(text: str) -> int:
    """Return the 32-bit FNV-1a hash of a text, over its UTF-16 code units as in JavaScript.

    >>> fnv32a("hello")
    1335831723
    """
    encoded = text.encode("utf-16-le", "surrogatepass")
    found = _OFFSET
    for at in range(0, len(encoded), 2):
        found = (found ^ int.from_bytes(encoded[at : at + 2], "little")) * _PRIME & _MASK
    return found
