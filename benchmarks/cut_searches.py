"""Searches for cuts that one finds in other programs, each written so that it does well.

All take training events, a seed and a budget in seconds of the processor (a busy machine shall not spoil the cuts), and
return `Found`. Searches without gradients move the fraction of the signal that fails each cut, which spares them scales
and outliers.
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
        self.start = time.process_time()
        self.end = self.start + budget
        self.value, self.failing, self.after_s = -np.inf, np.zeros(len(events.signal)), 0.0
        self.first_end_s = float("nan")

    def __call__(self, failing: Any) -> float:
        value = self.events.value_of_levels(failing)
        if value > self.value:
            self.value, self.failing = value, np.array(failing)
            self.after_s = time.process_time() - self.start
        return -value

    @property
    def spent(self) -> bool:
        return time.process_time() > self.end

    def ended(self) -> None:
        """A start has come to an end, by itself if the budget is not spent."""
        if np.isnan(self.first_end_s) and not self.spent:
            self.first_end_s = time.process_time() - self.start

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


def random_grid_search(events: CutEvents, seed: int, budget: float) -> Found:
    """The values of a signal event are the thresholds: the best signal event, all of them tried in random order.

    So the points lie where the signal is (Bhat, Prosper, Sekmen, Stewart, arXiv:1706.09907).
    """
    loosest = events.thresholds(np.zeros(len(events.signal)))
    best_value, best_thresholds, after_s = -np.inf, loosest, 0.0
    start = time.process_time()
    for event in np.random.default_rng(seed).permutation(len(events.signal_weights)):
        # An event is to pass its own cuts; one that misses a value has the loosest there.
        thresholds = np.maximum(np.nextafter(events.signal[:, event], -np.inf), loosest)
        value = events.value(thresholds)
        if value > best_value:
            best_value, best_thresholds, after_s = value, thresholds, time.process_time() - start
        if time.process_time() - start > budget:
            break
    return Found(best_thresholds, after_s)


PEELED = (0.05, 0.1)
"""Fractions of the events that one peel takes away: the usual ones; the better of the two counts."""


def peeling(events: CutEvents, seed: int, budget: float) -> Found:  # noqa: ARG001
    """Peels off, again and again, the few events of one side that make what is left the purest; then pastes back.

    The patient rule induction method (Friedman, Fisher, Stat. Comput. 9 (1999) 123). Of the boxes on the way the one of
    largest significance counts, and so does what pasting has to gain.
    """
    boxes = [_pasted(events, _peeled(events, fraction), fraction) for fraction in PEELED]
    return Found(max(boxes, key=events.value))


def _peeled(events: CutEvents, fraction: float) -> Array:
    """The best of the boxes on the way."""
    rows = np.concatenate([events.signal, events.background], axis=1)
    weights = np.concatenate([events.signal_weights, events.background_weights])
    truth = np.arange(len(weights)) < len(events.signal_weights)
    thresholds = events.thresholds(np.zeros(len(rows)))
    inside = (rows > thresholds[:, None]).all(axis=0)
    rows, weights, truth = rows[:, inside], weights[inside], truth[inside]
    best_value, best = events.value(thresholds), thresholds.copy()
    while truth.sum() > 1 and (~truth).sum() > 1:
        peels = [_peel(row, weights, truth, fraction) for row in rows]
        purities, at = zip(*peels, strict=True)
        k = int(np.argmax(purities))
        if purities[k] == -np.inf:
            break
        thresholds[k] = at[k]
        left = rows[k] > at[k]
        rows, weights, truth = rows[:, left], weights[left], truth[left]
        background = weights[~truth]
        value = float(events.significances(weights[truth].sum(), background.sum(), background @ background))
        if value > best_value:
            best_value, best = value, thresholds.copy()
    return best


def _peel(row: Array, weights: Array, truth: Any, fraction: float) -> tuple[float, float]:
    """Purity of what one peel of a row leaves, and its threshold; minus infinity where nothing would be left."""
    count = max(1, int(fraction * len(row)))
    at = float(np.partition(row, count - 1)[count - 1])
    left = row > at
    total = weights[left].sum()
    return (float(weights[left & truth].sum() / total), at) if total > 0 else (-np.inf, at)


def _pasted(events: CutEvents, thresholds: Array, fraction: float) -> Array:
    """The box, enlarged by some of the events beyond one side, as long as the significance gains by that."""
    rows = np.concatenate([events.signal, events.background], axis=1)
    loosest, value = events.thresholds(np.zeros(len(rows))), events.value(thresholds)
    while True:
        failed = (rows <= thresholds[:, None]).sum(axis=0)
        tried = []
        for k, row in enumerate(rows):
            beyond = np.sort(row[(failed == 1) & (row <= thresholds[k])])[::-1]
            count = max(1, int(fraction * (failed == 0).sum()))
            looser = thresholds.copy()
            looser[k] = max(beyond[count], loosest[k]) if count < len(beyond) else loosest[k]
            tried.append((events.value(looser), looser))
        best_value, best = max(tried, key=lambda pair: pair[0])
        if best_value <= value:
            return thresholds
        value, thresholds = best_value, best


SEARCHES: dict[str, Callable[[CutEvents, int, float], Found]] = {
    search.__name__: search
    for search in (
        random_search,
        random_grid_search,
        grid,
        peeling,
        coordinate_ascent,
        differential_evolution,
        cma_es,
    )
}
