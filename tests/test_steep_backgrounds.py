"""Cuts over steep backgrounds, where soft cuts let much more pass than hard ones: truth in closed form.

The background is a product of exponentials or of power laws, the signal of normal distributions, as of a particle of
some mass. All cuts are lower ones. The finite simulation counts in the truth as the training events have it, and the
guard is read as ten expected simulated background events.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from scipy import special, stats

import hepcuts as hc
from hepcuts.merit import counting
from hepcuts.optimization.certify import certify
from hepcuts.optimization.result import OptimizationResult

SIGNAL_EVENTS, BACKGROUND_EVENTS = 8000, 400_000
BACKGROUND, UNCERTAINTY = 40_000.0, 0.15
MASSES = (400, 500, 600, 750, 900, 1050, 1200, 1350)


@dataclasses.dataclass(frozen=True)
class Steep:
    """A particle of some mass over a steep background."""

    mass: float
    background: tuple[Any, ...]
    signal: tuple[tuple[float, float], ...]
    events: int = BACKGROUND_EVENTS
    """Simulated ones of the background."""

    @property
    def names(self) -> list[str]:
        return [f"x{i}" for i in range(len(self.background))]

    @property
    def expected(self) -> float:
        return 60.0 * (400.0 / self.mass) ** 3

    @property
    def selection(self) -> hc.Selection:
        return hc.Selection([hc.Cut(name, ">") for name in self.names])

    def draw(self, seed: int) -> list[hc.Sample]:
        generator = np.random.default_rng([int(self.mass), seed])
        norm = hc.NormSys("norm", 1.0 + UNCERTAINTY, 1.0 - UNCERTAINTY)
        signal = [generator.normal(m * self.mass, w * self.mass, SIGNAL_EVENTS) for m, w in self.signal]
        background = [f.rvs(size=self.events, random_state=generator) for f in self.background]
        return [
            hc.Sample(
                "signal",
                dict(zip(self.names, signal, strict=True)),
                weights=np.full(SIGNAL_EVENTS, self.expected / SIGNAL_EVENTS),
                signal=True,
            ),
            hc.Sample(
                "background",
                dict(zip(self.names, background, strict=True)),
                weights=np.full(self.events, BACKGROUND / self.events),
                modifiers=[norm],
            ),
        ]

    def significance(self, thresholds: Any) -> float:
        tails = [special.ndtr((m - t / self.mass) / w) for t, (m, w) in zip(thresholds, self.signal, strict=True)]
        s, b = self.expected * np.prod(tails), self.yield_of_background(thresholds)
        sigma = np.sqrt((UNCERTAINTY * b) ** 2 + b * BACKGROUND / self.events)
        return float(counting.asimov_significance(s, b, sigma))

    def yield_of_background(self, thresholds: Any) -> float:
        return float(BACKGROUND * np.prod([f.sf(t) for t, f in zip(thresholds, self.background, strict=True)]))

    def best(self, least: float = 10.0) -> float:
        """The best true significance of cuts that keep so many expected simulated background events."""

        def thresholds(q: Any) -> list[float]:
            shares = 1.0 / (1.0 + np.exp(-np.asarray(q)))
            return [
                float(self.mass * (m - w * special.ndtri(e))) for e, (m, w) in zip(shares, self.signal, strict=True)
            ]

        def loss(q: Any) -> float:
            at = thresholds(q)
            events = self.yield_of_background(at) * self.events / BACKGROUND
            lacking = max(0.0, float(np.log(least / max(events, 1e-300))))
            return -self.significance(at) * (1.0 - min(5.0 * lacking, 1.0)) + 0.5 * lacking

        options = {"maxiter": 8000, "xatol": 1e-5, "fatol": 1e-9}
        starts = (np.full(len(self.background), q) for q in (4.0, 2.0, 1.0, 0.0, -1.0))
        return max(-scipy.optimize.minimize(loss, q, method="Nelder-Mead", options=options).fun for q in starts)


def exponentials(mass: float) -> Steep:
    """The three cuts of a search for a heavy particle: missing momentum, transverse mass, sum of momenta."""
    means = (60.0, 50.0, 200.0)
    return Steep(mass, tuple(stats.expon(scale=m) for m in means), ((0.35, 0.12), (0.25, 0.1), (0.9, 0.25)))


def two_power_laws(mass: float) -> Steep:
    return Steep(mass, (stats.lomax(5, scale=250), stats.lomax(6, scale=1200)), ((0.35, 0.12), (0.9, 0.25)))


def three_power_laws(mass: float) -> Steep:
    laws = (stats.lomax(5, scale=250), stats.lomax(5, scale=200), stats.lomax(6, scale=1200))
    return Steep(mass, laws, ((0.35, 0.12), (0.25, 0.1), (0.9, 0.25)))


def five_exponentials(mass: float) -> Steep:
    means = (60.0, 50.0, 200.0, 80.0, 100.0)
    signal = ((0.35, 0.12), (0.25, 0.1), (0.9, 0.25), (0.3, 0.15), (0.3, 0.2))
    return Steep(mass, tuple(stats.expon(scale=m) for m in means), signal)


def searched(samples: list[hc.Sample], truth: Steep, objective: str) -> tuple[OptimizationResult, list[float]]:
    """The result of a search, and its thresholds, 0 where a cut was given up."""
    result = hc.optimize(samples, truth.selection, objective=objective, holdout=None, replicas=0, throw=False)
    return result, [result.thresholds.get(name, 0.0) for name in truth.names]


def found(truth: Steep, seed: int, objective: str) -> tuple[list[hc.Sample], float]:
    """The events, and the true significance of the cuts found among them."""
    samples = truth.draw(seed)
    return samples, truth.significance(searched(samples, truth, objective)[1])


@pytest.mark.parametrize(
    ("family", "mass"),
    [
        (exponentials, 600),
        (exponentials, 1350),
        (two_power_laws, 900),
    ],
    ids=["600", "1350", "power"],
)
@pytest.mark.parametrize(
    "events", [30_000, pytest.param(BACKGROUND_EVENTS, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.slow("few-600", "few-power")
def test_cuts_over_a_steep_background_are_nearly_the_best(family: Any, mass: float, events: int) -> None:
    truth = dataclasses.replace(family(mass), events=events)
    _, value = found(truth, 1, "asimov_uncertainty")
    assert value > 0.85 * truth.best()


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["asimov_uncertainty", "profile"])
def test_cuts_over_a_steep_background_against_certified_ones(objective: str) -> None:
    of_best, of_certified = [], []
    for mass in MASSES:
        truth = exponentials(mass)
        best = truth.best()
        for seed in range(5):
            samples, value = found(truth, seed, objective)
            certified = certify(samples, truth.selection, objective="asimov_uncertainty")
            there = truth.significance([certified.thresholds[name] for name in truth.names])
            of_best.append(value / best)
            of_certified.append(value / there)
    assert np.median(of_certified) >= 0.98
    assert min(of_certified) >= 0.90
    assert np.median(of_best) >= 0.95
    assert min(of_best) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("family", [two_power_laws, three_power_laws, five_exponentials])
def test_cuts_over_other_steep_backgrounds(family: Any) -> None:
    """Ten events in the simulation may be many more expected ones: then no cuts that keep ten of them are the best.

    Of eight masses this happens at the last one: with three power laws ten events stand for 18 expected ones, and the
    cuts have 0.84 of the best true significance, 0.99 of the best that leave 18 events (the cuts certified on these
    events have 0.82 of the best). With five exponentials it is 14 events, 0.81, and 0.92.
    """
    ratios = []
    for mass in MASSES:
        truth = family(mass)
        result, thresholds = searched(truth.draw(0), truth, "asimov_uncertainty")
        value = truth.significance(thresholds)
        ratios.append(value / truth.best())
        if ratios[-1] < 0.85:
            assert result.training.effective_background < 10.5
            expected = truth.yield_of_background(thresholds) * BACKGROUND_EVENTS / BACKGROUND
            assert expected > 14.0
            assert value > 0.85 * truth.best(expected)
    assert np.median(ratios) >= 0.95
    assert sum(ratio < 0.85 for ratio in ratios) <= 1
