"""Sums over events of soft pass weights, with their slopes, in one pass and in memory bounded by a block.

This is all that an optimizer asks of the events: for each cell (variation, sample, bin) the sums of w p and w^2 p and
their derivatives with respect to each threshold. Pure JAX; written for one cut after the other it would be the same.

The pass weight of an event is a product over edges, so that each derivative is the event's own weight times the slope
of the logarithm of one factor; the sum over events is then a product of a matrix and a vector.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from hepcuts._core.precision import float64, float64_scope
from hepcuts._core.types import FloatArray
from hepcuts.cuts.steps import AbstractStep

from .soft_layouts import Layout

BLOCK = 2048
"""Events of a block, at most; it stays in the processor's cache."""

CHUNK = 32
"""Blocks that one call of the compiled function goes through, at most."""


@functools.partial(jax.jit, static_argnames=("step",))
def _unit(z: Any, *, step: AbstractStep) -> Any:
    return step.pass_and_slope(z)[0]


@float64_scope
def pass_weight(step: AbstractStep, distances: NDArray[Any], width: float) -> NDArray[Any]:
    """Pass weights of one edge at distances of any shape."""
    # Few shapes, for which JAX compiles: powers of two.
    padded = np.zeros(1 << max(distances.size - 1, 0).bit_length(), dtype=distances.dtype)
    padded[: distances.size] = distances.ravel() / width
    return np.asarray(_unit(padded, step=step))[: distances.size].reshape(distances.shape)


def pass_weights(layout: Layout, step: AbstractStep, values: Any, thresholds: Any, widths: Any) -> tuple[Any, Any]:
    """Pass weights, shape (event,), and the slopes of their logarithms to the thresholds, shape (threshold, event)."""
    factors, slopes = _factors(layout, step, values, thresholds, widths)
    return jnp.prod(factors, axis=0), slopes


def _factors(
    layout: Layout, step: AbstractStep, values: Any, thresholds: Any, widths: Any, *, dtype: Any = float
) -> tuple[Any, Any]:
    """What pass weights are products of, shape (factor, event), and the slopes as above."""
    thresholds, widths = thresholds.astype(dtype), widths.astype(dtype)
    first = np.asarray(layout.first)
    rows = [edge.row for edge in layout.edges]
    chosen = values if rows == list(range(values.shape[0])) else values[np.asarray(rows)]
    shares = [None if edge.along is None else _hats(values[edge.along], edge.knots) for edge in layout.edges]
    signs = jnp.asarray([float(edge.sign) for edge in layout.edges], dtype=dtype)[:, None]
    inverse = signs / widths[first][:, None]
    z = (chosen.astype(dtype) - _positions(layout, shares, thresholds, len(values[0]))) * inverse
    passed, slopes = step.pass_and_slope(z)
    if layout.missing_passes:
        absent = jnp.isnan(z)
        passed, slopes = jnp.where(absent, 1.0, passed), jnp.where(absent, 0.0, slopes)
    slopes = -slopes * inverse
    if any(layout.inverted):
        passed, slopes = _invert(layout, passed, slopes)
    if any(share is not None for share in shares):
        parts = [s[None] if share is None else s * share for s, share in zip(slopes, shares, strict=True)]
        slopes = jnp.concatenate(parts)
    return passed, slopes


def _hats(along: Any, knots: tuple[float, ...]) -> Any:
    """Shares of the thresholds at the knots in each event's own, shape (knot, event); constant beyond the last."""
    at = jnp.asarray(knots)
    x = jnp.clip(along.astype(float), at[0], at[-1])
    right = jnp.clip(jnp.searchsorted(at, x, side="right"), 1, len(knots) - 1)
    share = (x - at[right - 1]) / (at[right] - at[right - 1])
    number = jnp.arange(len(knots))[:, None]
    return jnp.where(number == right, share, 0.0) + jnp.where(number == right - 1, 1.0 - share, 0.0)


def _positions(layout: Layout, shares: Sequence[Any], thresholds: Any, size: int) -> Any:
    """Threshold of each edge, shape (edge, 1), or (edge, event) if any depends on the event."""
    first = np.asarray(layout.first)
    if all(share is None for share in shares):
        return thresholds[first][:, None]
    of_edges = [
        jnp.broadcast_to(thresholds[f], (size,)) if share is None else thresholds[f : f + len(share)] @ share
        for f, share in zip(first, shares, strict=True)
    ]
    return jnp.stack(of_edges)


def _invert(layout: Layout, passed: Any, slopes: Any) -> tuple[Any, Any]:
    """Factors and slopes where some cuts are to be failed: 1 - q, with q the product of the cut's edges."""
    factors, changed = [], list(slopes)
    for cut, inverted in enumerate(layout.inverted):
        members = [e for e, edge in enumerate(layout.edges) if edge.cut == cut]
        q = functools.reduce(jnp.multiply, [passed[e] for e in members])
        if not inverted:
            factors.append(q)
            continue
        rest = 1.0 - q
        odds = jnp.where(rest > 0, q / jnp.where(rest > 0, rest, 1.0), 0.0)
        factors.append(rest)
        for e in members:
            changed[e] = -odds * slopes[e]
    return jnp.stack(factors), jnp.stack(changed)


def pieces_of(starts: NDArray[np.int64], size: int, block: int) -> list[tuple[int, int]]:
    """Begin and end of each block of events of one cell, from where the cells begin and the number of all events."""
    stops = np.append(starts, size)[1:]
    return [
        (begin, min(begin + block, int(stop)))
        for start, stop in zip(starts, stops, strict=True)
        for begin in range(int(start), int(stop), block)
    ]


class Chunk(NamedTuple):
    """Some blocks of events on the device: what one call of the compiled function goes through.

    Unpickled it is on the device of the process that it has come to.

    Attributes:
        values: shape (block, row, event).
        weights: weights and their squares, shape (block, 2, event), zero where there is no event.
        cells: the cell of each block.
        number: of blocks that are not empty.
    """

    values: Any
    weights: Any
    cells: Any
    number: int

    @classmethod
    def of(cls, values: NDArray[Any], weights: FloatArray, cells: NDArray[Any], number: int) -> "Chunk":
        """Put arrays on the device."""
        with float64():
            return cls(jnp.asarray(values), jnp.asarray(weights), jnp.asarray(cells), number)

    def __reduce__(self) -> tuple[Any, ...]:
        return Chunk.of, (np.asarray(self.values), np.asarray(self.weights), np.asarray(self.cells), self.number)


def chunks_of(
    pieces: Sequence[tuple[int, int]],
    values: NDArray[Any],
    weights: tuple[FloatArray, FloatArray],
    cell: NDArray[Any],
    block: int,
) -> list[Chunk]:
    """Chunks of blocks for `chunk_sums`, on the device; padded with events of weight zero."""
    # One shape, so that subsets of the events compile nothing more.
    chunks = []
    for first in range(0, len(pieces), CHUNK):
        some = pieces[first : first + CHUNK]
        x = np.zeros((CHUNK, len(values), block), dtype=values.dtype)
        w, cells = np.zeros((CHUNK, 2, block)), np.zeros(CHUNK, dtype=np.int32)
        for number, (begin, end) in enumerate(some):
            x[number, :, : end - begin] = values[:, begin:end]
            w[number, 0, : end - begin], w[number, 1, : end - begin] = (each[begin:end] for each in weights)
            cells[number] = cell[begin]
        chunks.append(Chunk.of(x, w, cells, len(some)))
    return chunks


@functools.partial(jax.jit, static_argnames=("layout", "step", "num_cells"))
def chunk_sums(
    chunk: Chunk, thresholds: Any, widths: Any, *, layout: Layout, step: AbstractStep, num_cells: int
) -> tuple[Any, Any]:
    """Sums of one chunk.

    Args:
        chunk: events.
        thresholds: shape (threshold,).
        widths: shape (threshold,).
        layout: what the rows mean.
        step: the step function.
        num_cells: number of cells.

    Returns:
        Sums of w p and w^2 p, shape (cell, 2), and their derivatives, shape (cell, threshold, 2).
    """
    values, weights, cells, number = chunk

    def body(block: Any, sums: tuple[Any, Any]) -> tuple[Any, Any]:
        passed, slopes = pass_weights(layout, step, values[block], thresholds, widths)
        once, twice = weights[block, 0] * passed, weights[block, 1] * passed
        found = jnp.stack([once.sum(), twice.sum()])
        # Two products with vectors: XLA is slower at one with a matrix of two columns.
        slope = jnp.stack([slopes @ once, slopes @ twice], axis=1)
        return sums[0].at[cells[block]].add(found), sums[1].at[cells[block]].add(slope)

    zero = jnp.zeros((num_cells, 2)), jnp.zeros((num_cells, len(thresholds), 2))
    sums: tuple[Any, Any] = jax.lax.fori_loop(0, number, body, zero)
    return sums


@float64_scope
def finished_chunk_sums(
    chunk: Chunk, thresholds: FloatArray, widths: FloatArray, *, layout: Layout, step: AbstractStep, num_cells: int
) -> tuple[Any, Any]:
    """As `chunk_sums`, waited for, as NumPy arrays: what another process can send."""
    sums, slopes = chunk_sums(chunk, thresholds, widths, layout=layout, step=step, num_cells=num_cells)
    return np.asarray(sums), np.asarray(slopes)


@functools.partial(jax.jit, static_argnames=("layout", "step"))
def chunk_pass_weights(
    data: tuple[Any, Any], thresholds: Any, widths: Any, *, layout: Layout, step: AbstractStep
) -> tuple[Any, Any]:
    """Pass weights of one chunk, in the precision of its values, and their smallest factors.

    Args:
        data: values and number of blocks, as in `chunk_sums`.
        thresholds: likewise.
        widths: likewise.
        layout: likewise.
        step: likewise.

    Returns:
        Both of shape (block, event). No factor is below 1e-20, so that the smallest can be divided out.
    """
    values, number = data

    def body(block: Any, found: tuple[Any, Any]) -> tuple[Any, Any]:
        factors, _ = _factors(layout, step, values[block], thresholds, widths, dtype=values.dtype)
        factors = jnp.maximum(factors, 1e-20)
        return found[0].at[block].set(jnp.prod(factors, axis=0)), found[1].at[block].set(jnp.min(factors, axis=0))

    empty = jnp.zeros((values.shape[0], values.shape[2]), dtype=values.dtype)
    both: tuple[Any, Any] = jax.lax.fori_loop(0, number, body, (empty, empty))
    return both
