"""How often a background alone looks like a signal, by what the likelihood makes of finite simulation.

    python benchmarks/calibration.py

Nothing of hepcuts is used here: one bin, no signal, the fits in closed form or by bisection. The simulation is summed
over exactly, or drawn; given the simulation the probability of the data is exact. Printed are the probabilities of at
least 2, 3, 4 and 5 standard deviations, over those of a Gaussian; 1 is right. The tables of the documentation are
written to ``docs/tables``.
"""

import csv
import functools
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

TABLES = Path(__file__).parents[1] / "docs" / "tables"
SIGMAS = (2.0, 3.0, 4.0, 5.0)
DRAWN = 20_000

Statistic = Callable[[Any], Any]
"""q0 of observed counts, one for each simulation."""


class Simulated(NamedTuple):
    """What simulations found: the yield of each background and its variance, shape (background, simulation)."""

    yields: Any
    variances: Any
    probability: Any


def poisson_deviance(n: Any, rate: Any) -> Any:
    """-2 ln of the likelihood of a count, over that of its best rate."""
    ratio = np.where(n > 0, n, 1.0) / np.where(rate > 0, rate, 1.0)
    return 2.0 * (rate - n + np.where(n > 0, n * np.log(ratio), 0.0))


def gaussian(simulated: Simulated, n: Any) -> Any:
    """One Gaussian constraint for all backgrounds (pyhf's and cabinetry's staterror)."""
    b, squared = simulated.yields.sum(0), simulated.variances.sum(0)
    squared = squared / b**2
    half = 0.5 * (b * squared - 1.0)
    gamma = np.sqrt(half**2 + n * squared) - half
    return poisson_deviance(n, b * gamma) + (gamma - 1.0) ** 2 / squared


def shared(simulated: Simulated, n: Any) -> Any:
    """One Poisson constraint for all backgrounds (the default of ROOT's HistFactory)."""
    b, squared = simulated.yields.sum(0), simulated.variances.sum(0)
    events = b**2 / squared
    gamma = (n + events) / (b + events)
    return poisson_deviance(n, b * gamma) + poisson_deviance(events, events * gamma)


def separate(simulated: Simulated, n: Any) -> Any:
    """A Poisson constraint for each background (a shapesys of each sample)."""
    yields, events = simulated.yields, simulated.yields**2 / simulated.variances
    low, high = np.minimum(yields.sum(0), n), np.maximum(yields.sum(0), n)

    def gammas(rate: Any) -> Any:
        left = events + yields * (1.0 - n / rate)
        return np.where(left > 0, events / np.where(left > 0, left, 1.0), np.inf)

    for _ in range(80):
        rate = 0.5 * (low + high)
        above = (yields * gammas(rate)).sum(0) > rate
        low, high = np.where(above, rate, low), np.where(above, high, rate)
    gamma = gammas(high)
    return poisson_deviance(n, (yields * gamma).sum(0)) + poisson_deviance(events, events * gamma).sum(0)


CONVENTIONS = {"gaussian": gaussian, "shared Poisson": shared, "poisson": separate}


def critical(statistic: Statistic, expected: Any, significance: float) -> Any:
    """The smallest count above the prediction with this significance, for each simulation."""
    low = np.floor(expected)
    high = np.ceil(expected) + 10.0 * significance**2
    while np.any(short := statistic(high) < significance**2):
        high = np.where(short, 2.0 * high, high)
    while np.any(high - low > 1):
        middle = np.floor(0.5 * (low + high))
        enough = statistic(middle) >= significance**2
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def excess(simulated: Simulated, truth: float, convention: Callable[[Simulated, Any], Any]) -> list[float]:
    """Probabilities of the significances over those of a Gaussian."""
    statistic = functools.partial(convention, simulated)
    weight = simulated.probability / simulated.probability.sum()
    counts = (critical(statistic, simulated.yields.sum(0), z) for z in SIGMAS)
    tails = (np.sum(weight * stats.poisson.sf(n - 1.0, truth)) for n in counts)
    return [float(tail / stats.norm.sf(z)) for tail, z in zip(tails, SIGMAS, strict=True)]


def counted(expected: Iterable[float], ratios: Iterable[float]) -> Simulated:
    """All simulations of backgrounds of equal weights, one event or more of each.

    Args:
        expected: events of each background.
        ratios: simulated events for each expected one.
    """
    ratio = np.array(list(ratios))[:, None]
    means = np.array(list(expected)) * ratio[:, 0]
    ranges = [np.arange(max(1, stats.poisson.ppf(1e-13, m)), stats.poisson.isf(1e-13, m) + 1) for m in means]
    counts = np.stack([grid.ravel() for grid in np.meshgrid(*ranges, indexing="ij")])
    probability = np.prod(stats.poisson.pmf(counts, means[:, None]), axis=0)
    likely = probability > 1e-16
    counts, probability = counts[:, likely], probability[likely]
    return Simulated(counts / ratio, counts / ratio**2, probability)


def drawn(weights: Any, events: float, generator: np.random.Generator) -> tuple[Simulated, float]:
    """Simulations of one background of different weights, a Poisson number of each; those above zero.

    Args:
        weights: shape (kind,); each is as likely as the others.
        events: expected number of simulated events.
        generator: of the random numbers.

    Returns:
        The simulations, and the true yield.
    """
    mean = events / len(weights)
    counts = generator.poisson(mean, size=(DRAWN, len(weights)))
    yields, variances = counts @ weights, counts @ weights**2
    good = yields > 0
    return Simulated(yields[None, good], variances[None, good], np.ones(np.sum(good))), float(mean * weights.sum())


def show(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table, and write it for the documentation."""
    print(f"\n{name}")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    TABLES.mkdir(exist_ok=True)
    with (TABLES / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def number(value: float) -> str:
    """Two significant digits, without an exponent where a reader does not need one."""
    return f"{value:.2f}" if 0.01 <= value < 10 else f"{value:.0f}" if 10 <= value < 10_000 else f"{value:.1g}"


LEVELS = [f"Z > {z:g}" for z in SIGMAS]


def one_background() -> None:
    """One background of equal weights, by its simulated events and how many of them stand for an expected one."""
    rows = []
    for ratio, events in itertools.product((0.1, 1.0, 10.0), (3, 5, 10, 30, 100, 1000)):
        simulated = counted([events / ratio], [ratio])
        found = [excess(simulated, events / ratio, convention) for convention in (gaussian, separate)]
        rows.append([f"{ratio:g}", str(events), *(number(value) for values in found for value in values)])
    header = [f"{kind}, {level}" for kind in ("Gaussian", "Poisson") for level in LEVELS]
    show("one_background", ["simulated per expected", "simulated", *header], rows)


def several_backgrounds() -> None:
    """Backgrounds of different weights: expected events and simulated ones of each."""
    rows = []
    for events, simulated_events in (
        ((100, 100, 100), (10, 10, 10)),
        ((50, 50), (5, 50)),
        ((100, 100), (1000, 5)),
        ((30, 300), (3, 300)),
    ):
        ratios = [m / b for m, b in zip(simulated_events, events, strict=True)]
        simulated = counted(events, ratios)
        for name, convention in CONVENTIONS.items():
            found = excess(simulated, float(sum(events)), convention)
            of = ["+".join(map(str, events)), "+".join(map(str, simulated_events))]
            rows.append([*of, name, *map(number, found)])
    show("several_backgrounds", ["expected", "simulated", "constraint", *LEVELS], rows)


def uneven_weights() -> None:
    """One background of weights of three decades, or some of them negative."""
    generator = np.random.default_rng(1)
    kinds = {
        "equal": np.ones(1),
        "three decades": np.logspace(-3.0, 0.0, 31),
        "10 % negative": np.array([1.0] * 9 + [-1.0]),
        "25 % negative": np.array([1.0] * 3 + [-1.0]),
    }
    rows = []
    for (name, weights), effective in itertools.product(kinds.items(), (10, 30, 100)):
        per_event = np.mean(weights) ** 2 / np.mean(weights**2)
        simulated, total = drawn(10.0 * weights, effective / per_event, generator)
        for kind, convention in (("gaussian", gaussian), ("poisson", separate)):
            rows.append([name, str(effective), kind, *map(number, excess(simulated, total, convention))])
    show("uneven_weights", ["weights", "effective events", "constraint", *LEVELS], rows)


def conventions() -> None:
    """Expected significance of one signal and one background, by whom the constraint is shared with and its form."""
    signal, background, rows = 50.0, 100.0, []
    for events, signal_events in ((1000, 1000), (100, 1000), (10, 1000), (2, 1000), (100, 10)):
        alone = Simulated(*(np.array([[value]]) for value in (background, background**2 / events)), np.ones(1))
        total = signal + background
        squared = background**2 / events + signal**2 / signal_events
        # The width of a parameter that both share is that of their sum; the background has the same relative one.
        both = Simulated(alone.yields, np.array([[squared * (background / total) ** 2]]), alone.probability)
        found = [
            float(np.sqrt(convention(simulated, np.array([total]))[0]))
            for convention, simulated in ((gaussian, both), (shared, both), (gaussian, alone), (separate, alone))
        ]
        rows.append([str(events), str(signal_events), *(f"{z:.2f}" for z in found)])
    forms = [
        "Gaussian, with the signal",
        "Poisson, with the signal",
        "Gaussian, backgrounds only",
        "Poisson, each sample",
    ]
    show("conventions", ["background events", "signal events", *forms], rows)


def constraint_terms() -> None:
    """Expected significance of one bin whose background has a relative uncertainty, by the form of its constraint."""
    rows = []
    for background, signal, relative in ((100.0, 30.0, 0.1), (100.0, 100.0, 0.5), (1000.0, 3000.0, 1.0)):
        n, b, squared = signal + background, background, relative**2
        # A log-normal rate b (1 + f)^alpha with a Gaussian alpha, as a normsys of the factors 1 + f and 1 / (1 + f).
        step = np.log1p(relative)
        log_normal = optimize.minimize_scalar(
            lambda a: float(poisson_deviance(n, b * np.exp(step * a))) + a**2,  # noqa: B023
            bounds=(0.0, 20.0),
            method="bounded",
            options={"xatol": 1e-10},
        ).fun
        alone = Simulated(np.array([[b]]), np.array([[b**2 * squared]]), np.ones(1))
        found = [log_normal, separate(alone, np.array([n]))[0], gaussian(alone, np.array([n]))[0]]
        rows.append([f"{background:g}", f"{signal:g}", f"{relative:g}", *(f"{np.sqrt(q0):.3f}" for q0 in found)])
    forms = ["log-normal (normsys)", "Poisson (shapesys)", "Gaussian (histosys, staterror)"]
    show("constraint_terms", ["background", "signal", "relative uncertainty", *forms], rows)


if __name__ == "__main__":
    conventions()
    constraint_terms()
    one_background()
    several_backgrounds()
    uneven_weights()
