"""Very many expected events: right, or refused with the reason."""

import jax
import mpmath
import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts._core.errors import FitError, InputError, OptimizationError
from hepcuts.histfactory import expected_mu_uncertainty, expected_upper_limit


def events(total: float) -> list[hc.Sample]:
    """A signal of 30 % over a background that is known to 10 %, 500 simulated events each."""
    generator, n = np.random.default_rng(0), 500
    signal = hc.Sample("s", {"x": generator.normal(1, 1, n)}, weights=np.full(n, 0.3 * total / n), signal=True)
    uncertainty = [hc.NormSys("x", 1.1, 0.9)]
    background = {"x": generator.normal(0, 1, n)}
    return [signal, hc.Sample("b", background, weights=np.full(n, total / n), modifiers=uncertainty)]


def likelihood(total: float) -> hc.HistFactory:
    return hc.HistFactory.from_workspace(hc.workspace(hc.fill(events(total), hc.Cut("x", ">", 0.0))))


def asimov(s: float, b: float, sigma: float) -> float:
    """Eq. 20 of Cowan (2012) as it is written, with 400 digits."""
    with mpmath.workdps(400):
        s, b, v = mpmath.mpf(s), mpmath.mpf(b), mpmath.mpf(sigma) ** 2
        on = (s + b) * mpmath.log((s + b) * (b + v) / (b**2 + (s + b) * v))
        return float(mpmath.sqrt(2 * (on - b**2 / v * mpmath.log(1 + v * s / (b * (b + v))))))


def z_bi(n_on: float, n_off: float, tau: float) -> float:
    """The p-value as an integral of the beta density, with 80 digits."""
    with mpmath.workdps(80):
        on, off, tau = map(mpmath.mpf, (n_on, n_off, tau))
        norm = mpmath.loggamma(on) + mpmath.loggamma(off + 1) - mpmath.loggamma(on + off + 1)
        cut, mean, width = tau / (1 + tau), off / on, mpmath.sqrt(off) / on
        ends = [cut, *(end for end in (mean + k * width for k in (-3, 0, 3, 10, 40)) if end > cut)]
        p = mpmath.quad(lambda t: mpmath.exp((on - 1) * mpmath.log1p(-t) + off * mpmath.log(t) - norm), ends)
        return float(mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * p))


@pytest.mark.parametrize("b", [1e12, 1e15, 1e16, 1e17, 1e20, 1e30, 1e100])
def test_closed_forms_are_right_however_many_events_there_are(b: float) -> None:
    s = 7.0 * np.sqrt(b)
    for sigma in (0.3 * np.sqrt(b), 3.0 * np.sqrt(b)):
        assert hc.counting.asimov_significance(s, b, sigma) == pytest.approx(asimov(s, b, sigma), rel=1e-12)
    assert hc.counting.s_over_sqrt_b_plus_variance(s, b, np.sqrt(b)) == pytest.approx(7.0 / np.sqrt(2.0))
    with jax.enable_x64(True):
        slope = jax.grad(hc.counting.asimov_significance)(s, b, np.sqrt(b))
    assert float(slope) * np.sqrt(b) == pytest.approx(1 / np.sqrt(2.0), rel=1e-4)


@pytest.mark.parametrize("n_on", [1e12, 1e17, 1e19, 1e20, 1e30])
@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.1])
def test_z_bi_of_many_events_over_few_in_the_control_region(n_on: float, ratio: float) -> None:
    tau = 500.0 * ratio / n_on
    assert hc.counting.binomial_significance(n_on, 500.0, tau) == pytest.approx(z_bi(n_on, 500.0, tau), abs=1e-10)


def test_sums_over_counts_end_where_they_would_be_wrong() -> None:
    most = hc.counting.mean_significance(3e4, 9e7)
    # Z of a count is nearly normal about the Asimov significance, and counts as zero below zero.
    middle = asimov(3e4, 9e7, 1e-3)
    normal = 0.5 * (1 + mpmath.erf(middle / mpmath.sqrt(2)))
    assert most == pytest.approx(float(middle * normal + mpmath.npdf(middle)), abs=1e-4)
    assert np.isnan(hc.counting.mean_significance(3e5, 1e10))
    assert np.isnan(hc.counting.mean_upper_limit(3e5, 1e10))


def test_a_likelihood_of_too_many_events_is_refused_with_the_reason() -> None:
    found = likelihood(1e17)
    for call in (hc.discovery_significance, hc.discovery_test, expected_upper_limit):
        with pytest.raises(FitError, match=r"a bin has .*e\+16 events, and a likelihood with more than 1e\+15"):
            call(found)
    with pytest.raises(FitError, match=r"a bin has .*e\+16 events"):
        expected_mu_uncertainty(found)
    assert "more than 1e+15 is not fitted" in hc.discovery_test(found, throw=False).message
    # Inside of a transformation nothing can be raised.
    with jax.enable_x64(True):
        value, slopes = jax.value_and_grad(lambda t: hc.discovery_significance(found, t))(found.templates)
    assert np.isnan(value)
    assert np.isnan(slopes.nominal).all()


@pytest.mark.parametrize("b", [1e10, 1e12, 1e14])
def test_a_likelihood_of_many_events_is_right(b: float) -> None:
    s, sigma = 7.0 * np.sqrt(b), 2.0 * np.sqrt(b)
    model = pyhf.simplemodels.uncorrelated_background(signal=[s], bkg=[b], bkg_uncertainty=[sigma])
    assert float(hc.discovery_significance(hc.HistFactory(model))) == pytest.approx(asimov(s, b, sigma), rel=1e-7)


def test_scans_and_searches_say_why_there_is_no_value() -> None:
    samples = events(1e19)
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=["profile", "mean_significance", "asimov_uncertainty"])
    assert np.isfinite(scan.optimum("asimov_uncertainty").value)
    with pytest.raises(InputError, match=r"a bin has .* events, and a likelihood with more than 1e\+15 is not fitted"):
        scan.optimum("profile")
    with pytest.raises(InputError, match="too many to sum over all counts"):
        scan.optimum("mean_significance")
    with pytest.raises(OptimizationError, match=r"a likelihood with more than 1e\+15 is not fitted"):
        hc.optimize(samples, hc.Selection([hc.Cut("x", ">")]))
