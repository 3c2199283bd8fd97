"""What is left of a grid of boxes of thresholds, as fewer and smaller boxes."""

import dataclasses
import itertools

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.templates.corners import Box, Corners


def parts_of(corners: Corners, worth: FloatArray) -> list[tuple[float, Box]]:
    """The boxes that are left, in halves of the grid, each with what it promises and no larger than it has to be.

    Args:
        corners: of the grid.
        worth: what each of its boxes promises, minus infinity for what is not left, of the shape of the grid.
    """
    found = []
    around = [_extent(worth, axis) for axis in range(worth.ndim)]
    if any(low == high for low, high in around):
        return []
    shrunk = np.prod([high - low for low, high in around]) < worth.size / 2**worth.ndim
    halves = [[r] if shrunk or r[1] - r[0] < 2 else _halves(r) for r in around]
    for some in itertools.product(*halves):
        inside = worth[tuple(slice(low, high) for low, high in some)]
        ranges = []
        for axis, ((low, _), along) in enumerate(zip(some, corners.levels, strict=True)):
            first, last = _extent(inside, axis)
            ranges.append((int(along[low + first]), int(along[min(low + last, len(along) - 1)])))
        if np.isfinite(inside).any() or np.any(inside == np.inf):
            found.append((float(inside.max()), dataclasses.replace(corners.box, ranges=tuple(ranges))))
    return found


def _extent(worth: FloatArray, axis: int) -> tuple[int, int]:
    """First and last number plus one along an axis, of what is left."""
    others = tuple(a for a in range(worth.ndim) if a != axis)
    left = np.flatnonzero(np.any(worth > -np.inf, axis=others))
    return (int(left[0]), int(left[-1]) + 1) if len(left) else (0, 0)


def _halves(around: tuple[int, int]) -> list[tuple[int, int]]:
    middle = sum(around) // 2
    return [(around[0], middle), (middle, around[1])]
