"""One-sided and same-sided systematics: closed forms against the profile likelihood and the numbers of a review."""

import mpmath
import numpy as np
import pytest
import scipy.optimize

import hepcuts as hc
from hepcuts.templates.uncertainties import hidden, same_sided

SIGNAL, BACKGROUND = 100.0, 1000.0


def samples_of(up: float, down: float | str) -> list[hc.Sample]:
    """Counts, of a background that is known but for one systematic: factors on it at one standard deviation."""
    size = 100
    weights = np.full(size, BACKGROUND / size)
    sides = {"up": weights * up, "down": down if isinstance(down, str) else weights * down}
    return [
        hc.Sample("s", {"x": np.zeros(size)}, weights=np.full(size, SIGNAL / size), signal=True, staterror=False),
        hc.Sample(
            "b", {"x": np.zeros(size)}, weights=weights, modifiers=[hc.HistoSys("sys", **sides)], staterror=False
        ),
    ]


def asimov(spread: float) -> float:
    """Li-Ma's Asimov significance (Cowan 2012, eq. 20), with 30 digits."""
    s, b, v = (mpmath.mpf(x) for x in (SIGNAL, BACKGROUND, spread**2))
    if v == 0:
        return float(mpmath.sqrt(2 * ((s + b) * mpmath.log(1 + s / b) - s)))
    on = (s + b) * mpmath.log((s + b) * (b + v) / (b**2 + (s + b) * v))
    return float(mpmath.sqrt(2 * (on - b**2 / v * mpmath.log(1 + v * s / (b * (b + v))))))


def profile(up: float, down: float) -> float:
    """One bin, a Gaussian parameter alpha, pyhf's interpolation "code4p" spelled out, minimized with SciPy."""
    n = SIGNAL + BACKGROUND

    def shift(alpha: float) -> float:
        if abs(alpha) >= 1:
            return alpha * (up - 1) if alpha > 0 else -alpha * (down - 1)
        half, bend = (up - down) / 2, (up + down - 2) / 16
        return alpha * (half + alpha * bend * (15 + alpha**2 * (3 * alpha**2 - 10)))

    def twice_nll(alpha: float) -> float:
        b = BACKGROUND * (1 + shift(alpha))
        return 2 * (b - n - n * np.log(b / n)) + alpha**2 if b > 0 else np.inf

    sides = [
        scipy.optimize.minimize_scalar(twice_nll, bounds=side, method="bounded", options={"xatol": 1e-10})
        for side in ((-8, 0), (0, 8))
    ]
    return float(np.sqrt(min(side.fun for side in sides)))


CASES = {
    # Factors of up and down, the larger side, the profile's value, Z of half the difference.
    "two-sided": (1.1, 0.9, 0.1, 0.949, 0.925),
    "one-sided": (1.1, "nominal", 0.1, 0.950, 1.644),
    "same": (1.1, 1.1, 0.1, 0.951, 3.112),
    "same way": (1.1, 1.08, 0.1, 0.951, 2.962),
}


@pytest.mark.parametrize("case", CASES)
def test_closed_forms_do_not_lose_a_side(case: str) -> None:
    up, down, larger, of_profile, before = CASES[case]
    samples = samples_of(up, down)
    cut = hc.Cut("x", ">")
    result = hc.scan(samples, cut, metrics=("asimov_uncertainty", "profile"), thresholds=[-1.0], replicas=0, folds=0)
    z, fitted = (float(result.values[name][0]) for name in ("asimov_uncertainty", "profile"))
    assert z == pytest.approx(asimov(larger * BACKGROUND), rel=1e-9)
    down_factor = 1.0 if isinstance(down, str) else down
    assert profile(up, down_factor) == pytest.approx(of_profile, abs=6e-4)
    assert fitted == pytest.approx(profile(up, down_factor), rel=1e-6)
    assert asimov(abs(up - down_factor) / 2 * BACKGROUND) == pytest.approx(before, abs=6e-4)
    assert z <= 1.001 * fitted


def test_what_only_lowers_the_background_counts_in_closed_forms_and_not_in_the_profile() -> None:
    result = hc.scan(
        samples_of(0.9, "nominal"),
        hc.Cut("x", ">"),
        metrics=("asimov_uncertainty", "profile"),
        thresholds=[-1.0],
        replicas=0,
        folds=0,
    )
    assert result.values["asimov_uncertainty"][0] == pytest.approx(asimov(100.0), rel=1e-9)
    assert profile(0.9, 1.0) == pytest.approx(2.900, abs=6e-4)
    assert result.values["profile"][0] == pytest.approx(profile(0.9, 1.0), rel=1e-6)


@pytest.mark.parametrize(
    ("up", "down", "words"),
    [
        (1.1, 1.08, "both sides of sys raise the background (+10 %, +8 %)"),
        (0.9, 0.95, "both sides of sys lower the background (-10 %, -5 %)"),
        (1.1, 0.9, None),
        (1.1, "nominal", None),
        (1.0001, 1.0001, None),
    ],
)
def test_sides_of_one_direction_are_told(up: float, down: float | str, words: str | None) -> None:
    samples = samples_of(up, down)
    templates = hc.fill(samples, None)
    assert same_sided(templates.structure, templates.yields) == (() if words is None else (words,))
    result = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov",), thresholds=[-1.0], replicas=0, folds=0)
    assert (words is None) or words in result.optimum("asimov").message


def shifted_samples() -> list[hc.Sample]:
    """A systematic that moves the background away from x = 3 on either side: at x > 3 nothing enters or leaves."""
    r = np.random.default_rng(3)
    x, size = r.exponential(1.0, 20000) + 1.0, 20000
    factor = 1.0 + 0.3 * np.clip((x - 3.6) / 0.4, -1.0, 1.0)
    weights = np.full(size, 0.5)
    sys = hc.HistoSys("shape", up=weights * factor, down="mirror")
    return [
        hc.Sample("s", {"x": r.normal(3.3, 0.5, 4000)}, weights=np.full(4000, 0.02), signal=True),
        hc.Sample("b", {"x": x}, weights=weights, modifiers=[sys]),
    ]


def test_an_optimum_that_hides_from_a_systematic_says_so() -> None:
    samples = shifted_samples()
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov_uncertainty", "asimov"), replicas=0, folds=0)
    found = scan.optimum("asimov_uncertainty")
    b = samples[1]
    passed = b.columns["x"] > found.threshold
    up = np.asarray(b.modifiers[0].up.weights)[passed].sum()
    assert abs(up / b.weights[passed].sum() - 1.0) < 0.02, "it hides"
    assert "shape happens to vanish here" in found.message
    result = hc.optimize(samples, hc.Cut("x", ">"), objective="asimov_uncertainty", replicas=0, folds=0, holdout=None)
    assert result.hidden
    assert "shape happens to vanish here" in str(result)


def test_what_is_as_large_as_elsewhere_does_not_hide() -> None:
    samples = samples_of(1.1, 0.9)
    templates = hc.fill(samples, None)
    assert hidden(templates.structure, templates.yields, [templates.yields] * 3) == ()
    assert hidden(templates.structure, templates.yields, []) == ()
