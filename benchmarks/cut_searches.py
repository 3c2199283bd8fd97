"""Searches for cuts that one finds in other programs, each written so that it does well.

All take training events, a seed and a budget in seconds, and return `Found`. Searches without gradients move the
fraction of the signal that fails each cut, which spares them scales and outliers.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from cut_events import Array, CutEvents
from scipy.optimize import differential_evolution as scipy_differential_evolution
from scipy.stats import qmc

MOST = 0.95
"""Largest fraction of the signal that one cut may fail."""
CELLS = 2**20
"""Largest number of combinations of thresholds on a grid."""


def at_start(size: int) -> float:
    """The same where a search starts: the hardest start leaves about 1/10 000 of the signal.

    With ten cuts hardly anything passes in the middle of the whole range.
    """
    return min(MOST, 1.0 - 1e-4 ** (1.0 / size))


class Found(NamedTuple):
    """What a search found.

    Attributes:
        thresholds: lower thresholds, shape (threshold,).
        after_s: seconds after which a search that goes on until its budget is spent had found it; NaN for others.
        first_end_s: seconds after which its first start came to an end by itself; NaN for others.
    """

    thresholds: Array
    after_s: float = float("nan")
    first_end_s: float = float("nan")


class _Best:
    """Evaluates fractions of the signal that fail, and remembers the best."""

    def __init__(self, events: CutEvents, budget: float) -> None:
        self.events = events
        self.start = time.perf_counter()
        self.end = self.start + budget
        self.value, self.failing, self.after_s = -np.inf, np.zeros(len(events.signal)), 0.0
        self.first_end_s = float("nan")

    def __call__(self, failing: Any) -> float:
        value = self.events.value_of_levels(failing)
        if value > self.value:
            self.value, self.failing = value, np.array(failing)
            self.after_s = time.perf_counter() - self.start
        return -value

    @property
    def spent(self) -> bool:
        return time.perf_counter() > self.end

    def ended(self) -> None:
        """A start has come to an end, by itself if the budget is not spent."""
        if np.isnan(self.first_end_s) and not self.spent:
            self.first_end_s = time.perf_counter() - self.start

    def found(self) -> Found:
        return Found(self.events.thresholds(self.failing), self.after_s, self.first_end_s)


def random_search(events: CutEvents, seed: int, budget: float) -> Found:
    """The best of random thresholds."""
    generator, best = np.random.default_rng(seed), _Best(events, budget)
    size = len(events.signal)
    while not best.spent:
        best(generator.uniform(0.0, at_start(size), size))
    return best.found()


def differential_evolution(events: CutEvents, seed: int, budget: float) -> Found:
    """scipy's differential evolution with its defaults, from a population that leaves background.

    Started again from another population until the budget is spent.
    """
    size, best = len(events.signal), _Best(events, budget)
    generator = np.random.default_rng(seed)
    while not best.spent:
        start = qmc.LatinHypercube(size, rng=generator).random(15 * size) * at_start(size)
        scipy_differential_evolution(
            best,
            [(0.0, MOST)] * size,
            init=start,
            maxiter=100_000,
            polish=False,
            rng=generator,
            callback=lambda intermediate_result: best.spent,  # noqa: ARG005 (scipy calls it by this name)
        )
        best.ended()
    return best.found()


def cma_es(events: CutEvents, seed: int, budget: float) -> Found:
    """CMA-ES, started again with twice the population until the budget is spent."""
    import cma  # noqa: PLC0415 (a tool that is missing is told, and the others run)

    size, best = len(events.signal), _Best(events, budget)
    generator, population = np.random.default_rng(seed), 4 + int(3 * np.log(size))
    while not best.spent:
        options = {"bounds": [0.0, MOST], "seed": seed + population, "verbose": -9, "popsize": population}
        search = cma.CMAEvolutionStrategy(generator.uniform(0.0, at_start(size) / 2, size), 0.15, options)
        while not search.stop() and not best.spent:
            points = search.ask()
            search.tell(points, [best(point) for point in points])
        best.ended()
        population *= 2
    return best.found()


def grid(events: CutEvents, seed: int, budget: float) -> Found:  # noqa: ARG001 (all searches are called alike)
    """All combinations of quantiles of the signal, as many per feature as make a million, by one histogram."""
    size = len(events.signal)
    points = int(CELLS ** (1.0 / size) + 1e-9)
    edges = np.array([events.thresholds(np.full(size, level)) for level in np.arange(points) / points]).T

    def cumulated(rows: Array, weights: Array) -> Array:
        cell = np.zeros(rows.shape[1], dtype=np.intp)
        inside = np.ones(rows.shape[1], dtype=bool)
        for row, thresholds in zip(rows, edges, strict=True):
            position = np.searchsorted(thresholds, row, side="left")  # how many thresholds an event is above
            inside &= position > 0
            cell = cell * points + position - 1
        table = np.bincount(cell[inside], weights[inside], minlength=points**size).reshape((points,) * size)
        for axis in range(size):
            table = np.flip(np.flip(table, axis).cumsum(axis), axis)
        return table

    signal = cumulated(events.signal, events.signal_weights)
    background = cumulated(events.background, events.background_weights)
    squares = cumulated(events.background, events.background_weights**2)
    best = np.unravel_index(np.argmax(events.significances(signal, background, squares)), signal.shape)
    return Found(np.array([row[position] for row, position in zip(edges, best, strict=True)]))


def coordinate_ascent(events: CutEvents, seed: int, budget: float) -> Found:  # noqa: ARG001
    """The best threshold of one cut after the other, exactly, until none moves; the best of ten starts."""
    generator, size = np.random.default_rng(seed), len(events.signal)
    ascent = _Ascent(events)
    starts = [np.zeros(size), *generator.uniform(0.0, at_start(size) / 2, (9, size))]
    ends = [ascent.run(events.thresholds(start)) for start in starts]
    return Found(max(ends, key=events.value))


class _Ascent:
    """Coordinate ascent on events that are sorted once."""

    def __init__(self, events: CutEvents) -> None:
        self.events = events
        self.rows = np.concatenate([events.signal, events.background], axis=1)
        nothing = np.zeros(len(events.signal_weights))
        self.weights = np.array(
            [
                np.concatenate([events.signal_weights, np.zeros(len(events.background_weights))]),
                np.concatenate([nothing, events.background_weights]),
                np.concatenate([nothing, events.background_weights**2]),
            ]
        )
        self.orders = [np.argsort(-row, kind="stable") for row in self.rows]

    def run(self, thresholds: Array) -> Array:
        """Go over the cuts until a whole round gains nothing."""
        thresholds, value = thresholds.copy(), -np.inf
        failed = (self.rows <= thresholds[:, None]).sum(axis=0)
        while True:
            before = value
            for k, row in enumerate(self.rows):
                others = failed - (row <= thresholds[k])
                found, value_here = self.best(k, others == 0)
                if value_here > value:
                    thresholds[k], value = found, value_here
                failed = others + (row <= thresholds[k])
            if value <= before:
                return thresholds

    def best(self, k: int, free: Any) -> tuple[float, float]:
        """The best threshold of one cut, halfway between two events, and its value."""
        order = self.orders[k][free[self.orders[k]]]
        values = self.rows[k][order]
        sums = self.weights[:, order].cumsum(axis=1)
        z = np.where(np.diff(values, append=-np.inf) < 0, self.events.significances(*sums), -np.inf)
        z[~np.isfinite(values)] = -np.inf
        best = int(np.argmax(z))
        after = values[best + 1] if best + 1 < len(values) else -np.inf
        # Without an event to be halfway to (or one that never passes), just below the last that passes.
        threshold = 0.5 * (values[best] + after) if np.isfinite(after) else np.nextafter(values[best], -np.inf)
        return float(threshold), float(z[best])


SEARCHES: dict[str, Callable[[CutEvents, int, float], Found]] = {
    search.__name__: search for search in (random_search, grid, coordinate_ascent, differential_evolution, cma_es)
}
