"""Memory that is used again: arrays of megabytes come and go with every step of a calculation."""

import functools

import numpy as np

_MOST = 4_000_000
"""Numbers in 32 MB, the largest block that the C library of Linux ever keeps."""


@functools.cache
def reuse_memory() -> None:
    """Have the C library keep what is freed, up to 32 MB, for the next array; once in a process.

    Linux (glibc) takes every block of more than 128 kB from the system and hands it back when it is freed. Each page
    then costs a fault and is filled with zeros, again and again: 40 % of the time of a batch of fits, 10 to 30 % of
    scans. The limit follows the largest block that was freed, up to 32 MB (``M_MMAP_THRESHOLD`` in its manual), so one
    such block is enough; it is never touched and takes no memory. Elsewhere this does nothing.

    Example:
        >>> reuse_memory()
    """
    np.empty(_MOST)
