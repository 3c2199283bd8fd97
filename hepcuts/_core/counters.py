"""Random numbers that depend on a seed, a purpose and an event, and on nothing else: no state, no order.

A usual generator gives its numbers one after the other, so that what an event gets depends on all events before it.
Here it is a function: 64 mixed bits of a counter (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011). Events may come in blocks of any size and order, from any process, and nothing has to be stored.

The mixing function is the finalizer of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014), with the constants of D. Stafford's variant 13. Each event has the state
that its identity, the seed and the purpose mix to, and its numbers are those of SplitMix64 from there.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import checks

Bits = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ALL = 2**64 - 1

HELD_OUT, FOLDS, REPLICAS, VALIDATION, SPLIT = 1, 2, 3, 4, 5
"""Purposes. With one seed, what is held out, the folds and the replicas are independent of each other."""


def mixed(words: Bits) -> Bits:
    """Each word mixed: a one-to-one map after which every bit depends on all bits. The shape stays."""
    found = words ^ (words >> np.uint64(30))
    found *= np.uint64(_FIRST)
    found ^= found >> np.uint64(27)
    found *= np.uint64(_SECOND)
    found ^= found >> np.uint64(31)
    return found


def as_seed(seed: int | np.random.Generator) -> int:
    """One integer: a generator gives its next, once, for all that depends on it.

    Raises:
        InputError: neither a whole number, 0 or more, nor a generator.
    """
    found = checks.seed(seed)
    return int(found.integers(2**63)) if isinstance(found, np.random.Generator) else found


def key_of(*words: int) -> int:
    """One word of 64 bits from integers of any size; negative ones count by their value, too."""
    key = 0
    for word in words:
        sign, rest = int(word < 0), abs(word)
        parts = [sign, rest & _ALL]
        while rest := rest >> 64:
            parts.append(rest & _ALL)
        for part in parts:
            key = _mixed_word(((key + _GOLDEN) & _ALL) ^ part)
    return key


def _mixed_word(word: int) -> int:
    """As `mixed`, of one Python integer."""
    word = ((word ^ word >> 30) * _FIRST) & _ALL
    word = ((word ^ word >> 27) * _SECOND) & _ALL
    return word ^ word >> 31


def states(seed: int, purpose: int, identity: Bits) -> Bits:
    """Where the numbers of each event begin, shape (event,)."""
    return mixed(identity + np.uint64(key_of(seed, purpose)))


def numbers(start: Bits, position: int) -> Bits:
    """One of each event's numbers, uniform on all 64-bit integers, shape (event,).

    Args:
        start: see `states`.
        position: which of the numbers, 0 or more.
    """
    return mixed(start + np.uint64((_GOLDEN * (position + 1)) & _ALL))


def several(start: Bits, positions: Sequence[int]) -> Bits:
    """Some of each event's numbers, shape (position, event)."""
    steps = (np.array(positions, dtype=np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
    return mixed(start + steps[:, None])


def below(bits: Bits, fraction: float) -> NDArray[np.bool_]:
    """Whether a number is in the first fraction, of 0 or more and less than 1, of its range."""
    return bits < np.uint64(int(fraction * 2.0**64))


def divided(bits: Bits, parts: int) -> NDArray[np.int64]:
    """In which of so many equal parts of its range a number is."""
    # The upper half of the bits is enough: parts differ in their size by 1 in 2^32.
    return ((bits >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)).astype(np.int64)


def poisson(bits: Bits) -> NDArray[np.uint8]:
    """Numbers of a Poisson distribution of mean 1, by the inverse of its cumulative distribution."""
    ends, by_upper_bits = _poisson_tables()
    # Signed and flat, which is how NumPy finds entries without a copy of their numbers.
    found: NDArray[np.uint8] = by_upper_bits[(bits >> np.uint64(48)).view(np.int64)]
    flat = found.reshape(-1)
    unsure = np.flatnonzero(flat == _UNSURE)
    flat[unsure] = np.searchsorted(ends, bits.reshape(-1)[unsure], side="right")
    return found


_UNSURE = 255
"""Stands in the table where the upper bits alone do not tell the Poisson number."""


@functools.cache
def _poisson_tables() -> tuple[Bits, NDArray[np.uint8]]:
    """The first number that is above 0, 1, 2, ...; and the Poisson number by the upper 16 bits."""
    ends, count = [], 0
    while True:
        # The tail is summed by itself: as a difference from 1 it would be rounded away.
        beyond = int(2.0**64 * math.fsum(math.exp(-1.0) / math.factorial(j) for j in range(count + 1, count + 40)))
        if beyond == 0:
            break
        ends.append(2**64 - beyond)
        count += 1
    boundaries = np.array(ends, dtype=np.uint64)
    first = np.arange(2**16, dtype=np.uint64) << np.uint64(48)
    low = np.searchsorted(boundaries, first, side="right")
    high = np.searchsorted(boundaries, first + np.uint64(2**48 - 1), side="right")
    return boundaries, np.where(low == high, low, _UNSURE).astype(np.uint8)
