"""Numbers for people that are still the numbers: short decimals in a gap, and texts that read back the same."""

import itertools

import numpy as np


def between(low: float, high: float, sign: int = 1) -> float:
    """The shortest decimal in the middle half between two neighboring values; what passes it is what passes the gap.

    Where there is none (the two differ in their last bits) it is the neighbor that itself does not pass. Between values
    of 32 bits it is also in 32 bits between them.

    Args:
        low: the smaller value.
        high: the larger value.
        sign: +1 if values above it pass, -1 if values below it pass.

    Example:
        >>> between(46.381, 46.452), between(1.0, 2.0), between(-1.0, 1.0)
        (46.4, 1.5, 0.0)
    """
    middle, reach = 0.5 * low + 0.5 * high, 0.25 * high - 0.25 * low
    narrow = all(_in_32_bits(value) == value for value in (low, high))
    for digits in range(1, 18):
        found = float(f"{middle:.{digits}g}")
        if abs(found - middle) <= reach and low < found < high and (not narrow or low < _in_32_bits(found) < high):
            return found + 0.0  # no -0
    return low if sign > 0 else high


def _in_32_bits(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def exact(number: float) -> str:
    """The shortest text that reads back as the same number of 64 bits.

    Example:
        >>> exact(40.0), exact(0.1), exact(1e-7), exact(1 / 3)
        ('40', '0.1', '1e-07', '0.3333333333333333')
    """
    texts = (f"{number:.{digits}g}" for digits in itertools.count(6))
    return next(text for text in texts if float(text) == number)


_LONG = 1e7
"""Numbers from here on, and uncertainties down to its inverse, are written with an exponent."""


def measured(value: float, uncertainty: float) -> str:
    """A value with its uncertainty, rounded to two digits of the latter.

    Example:
        >>> measured(46.2382, 4.7831), measured(414929.0, 10175.0), measured(2.0791, 0.0984), measured(0.0308, 0.0)
        ('46.2 +- 4.8', '415000 +- 10000', '2.079 +- 0.098', '0.0308 +- 0')
    """
    if not (abs(value) < _LONG and 1.0 / _LONG < uncertainty < _LONG):
        return f"{value:.5g} +- {uncertainty:.2g}"
    # The power of ten that it has when it is rounded: 0.0996 is 0.10.
    decimals = 1 - int(f"{uncertainty:.1e}".partition("e")[2])
    return " +- ".join(f"{round(number, decimals):.{max(decimals, 0)}f}" for number in (value, uncertainty))
