"""The truth of a cut with 40 digits, from the published formulas and mpmath alone; nothing of hepcuts.merit.theory."""

import dataclasses
from collections.abc import Callable

import mpmath as mp
import numpy as np

from hepcuts import datasets

DIGITS = 40


def error_rate(s, b, all_s, all_b):
    """Fraction of wrong decisions."""
    return (all_s - s + b) / (all_s + all_b)


def asimov(s, b):
    """Cowan, Cranmer, Gross, Vitells (2011), eq. 97."""
    return mp.sqrt(2 * ((s + b) * mp.log(1 + s / b) - s))


def asimov_poisson(s, b, variance):
    """Cowan (2012), eq. 20, as printed."""
    n = s + b
    on = n * mp.log(n * (b + variance) / (b**2 + n * variance))
    off = b**2 / variance * mp.log(1 + variance * s / (b * (b + variance)))
    return mp.sqrt(2 * (on - off))


def asimov_gaussian(s, b, variance):
    """One bin with a factor gamma on the background and a Gaussian constraint, profiled by a root search."""
    n, width = s + b, variance / b**2
    nll = lambda gamma: b * gamma - n * mp.log(b * gamma) + (gamma - 1) ** 2 / (2 * width)  # noqa: E731
    slope = lambda gamma: b - n / gamma + (gamma - 1) / width  # noqa: E731
    gamma = mp.findroot(slope, (1, 1 + s / b), solver="anderson", tol=mp.mpf(10) ** (-2 * DIGITS + 10))
    return mp.sqrt(2 * (nll(gamma) - (n - n * mp.log(n))))


class Density:
    """One distribution with mpmath."""

    def __init__(self, distribution: datasets.Distribution) -> None:
        self.family = distribution.family
        self.loc, self.scale = (mp.mpf(p) for p in distribution.parameters)

    def pdf(self, x):
        z = (x - self.loc) / self.scale
        if self.family == "norm":
            return mp.npdf(z) / self.scale
        return mp.exp(-z) / self.scale if z >= 0 else mp.mpf(0)

    def sf(self, x):
        z = (x - self.loc) / self.scale
        if self.family == "norm":
            return mp.erfc(z / mp.sqrt(2)) / 2
        return mp.exp(-z) if z >= 0 else mp.mpf(1)


@dataclasses.dataclass(frozen=True)
class Truth:
    """A scenario; all functions of the cut take and return mpmath numbers."""

    name: str
    relative: float = 0.0

    def __post_init__(self) -> None:
        scenario = datasets.SCENARIOS[self.name]
        object.__setattr__(self, "signal", Density(scenario.signal))
        object.__setattr__(self, "background", Density(scenario.background))
        object.__setattr__(self, "sizes", (mp.mpf(scenario.signal.size), mp.mpf(scenario.background.size)))

    def yields(self, c):
        return self.sizes[0] * self.signal.sf(c), self.sizes[1] * self.background.sf(c)

    def densities(self, c):
        return self.sizes[0] * self.signal.pdf(c), self.sizes[1] * self.background.pdf(c)

    def merit(self, metric: str) -> Callable:
        """What is to be maximized, as a function of the cut."""
        all_s, all_b = self.sizes
        variance = lambda b: (mp.mpf(self.relative) * b) ** 2  # noqa: E731
        formulas = {
            "bce": lambda s, b: -error_rate(s, b, all_s, all_b),
            "bce_balanced": lambda s, b: -error_rate(s / all_s, b / all_b, 1, 1),
            "s_over_sqrt_b": lambda s, b: s / mp.sqrt(b),
            "s_over_sqrt_s_plus_b": lambda s, b: s / mp.sqrt(s + b),
            "asimov": asimov,
            "asimov_uncertainty": lambda s, b: asimov_poisson(s, b, variance(b)),
            "asimov_gaussian": lambda s, b: asimov_gaussian(s, b, variance(b)),
        }
        return lambda c: formulas[metric](*self.yields(c))

    def slope(self, metric: str) -> Callable:
        """Derivative of the merit along the cut, by the chain rule with numerical partial derivatives."""
        merit_of_yields = {
            "asimov": asimov,
            "asimov_uncertainty": lambda s, b: asimov_poisson(s, b, (mp.mpf(self.relative) * b) ** 2),
        }[metric]

        def at(c):
            (s, b), (ds, db) = self.yields(c), self.densities(c)
            partial = [mp.diff(merit_of_yields, (s, b), n) for n in ((1, 0), (0, 1))]
            return -(partial[0] * ds + partial[1] * db)

        return at

    def condition(self, metric: str) -> Callable:
        """What vanishes at the optimum: for BCE and the closed forms, written down by hand."""
        all_s, all_b = self.sizes
        asked = {
            "bce": lambda _: mp.mpf(1),
            "bce_balanced": lambda _: all_s / all_b,
            "s_over_sqrt_b": lambda r: r / 2,
            "s_over_sqrt_s_plus_b": lambda r: r / (r + 2),
            "asimov": lambda r: r / mp.log(1 + r) - 1,
        }[metric]

        def at(c):
            (s, b), (ds, db) = self.yields(c), self.densities(c)
            return mp.log(ds / db) - mp.log(asked(s / b))

        return at

    def best_on_grid(self, metric: str, cuts: np.ndarray) -> float:
        """Brute force: the best of many cuts, of which those are left out that keep nothing of the signal."""
        merit = self.merit(metric)
        sensible = [c for c in cuts if self.signal.sf(mp.mpf(float(c))) > 1e-12]
        return float(max(sensible, key=lambda c: merit(mp.mpf(float(c)))))
