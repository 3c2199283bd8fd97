"""A cut kind of one's own, known to nobody: optimized as the cut that it is, or refused by name."""

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts._core.precision import float64_scope
from hepcuts.cuts import AbstractCut, CutEdge
from hepcuts.cuts.regions import Region
from hepcuts.cuts.steps import Sigmoid
from hepcuts.merit.counting import asimov_significance
from hepcuts.templates.filling import EventTable


@dataclasses.dataclass(frozen=True)
class Central(AbstractCut):
    """|variable| < threshold, without edges."""

    threshold: float | None = None
    variable: str = "eta"
    bounds: tuple[float, float] | None = None
    width: float | None = None
    missing: Any = "fail"

    @property
    def thresholds(self):
        return (self.threshold,)

    @property
    def signs(self):
        return (-1,)

    def at(self, thresholds):
        return dataclasses.replace(self, threshold=float(thresholds[0]))

    def value(self, thresholds):
        return float(thresholds[0])

    def compare(self, thresholds, *values):
        return np.abs(values[0]) < thresholds[0]

    def __str__(self):
        return f"|{self.variable}| < {self.threshold}"


@dataclasses.dataclass(frozen=True)
class SoftCentral(Central):
    """The same with its edge."""

    def edges(self):
        return (CutEdge(-1),)

    def quantity(self, *values):
        return np.abs(values[0])


@dataclasses.dataclass(frozen=True)
class Transverse(AbstractCut):
    """sqrt(px^2 + py^2) > threshold: a quantity of two columns."""

    threshold: float | None = None
    variable: str = "px"
    bounds: tuple[float, float] | None = None
    width: float | None = None
    missing: Any = "fail"

    thresholds = Central.thresholds
    at = Central.at
    value = Central.value
    signs = (1,)
    columns = ("px", "py")

    def edges(self):
        return (CutEdge(1),)

    def quantity(self, *values):
        return np.hypot(*values)

    def compare(self, thresholds, *values):
        return self.quantity(*values) > thresholds[0]


class WrongQuantity(SoftCentral):
    """Its edge steps along the variable, though it compares the absolute value."""

    def quantity(self, *values):
        return values[0]


class WrongSigns(SoftCentral):
    """Its edge keeps the other side."""

    def edges(self):
        return (CutEdge(1),)


SIGNAL, BACKGROUND, NARROW, WIDE = 400.0, 1000.0, 0.5, 2.0
SIZE = 10_000


def quantiles(sigma, size=SIZE):
    """A normal distribution without fluctuations, in random order."""
    values = scipy.stats.norm.ppf((np.arange(size) + 0.5) / size) * sigma
    return np.random.default_rng(1).permutation(values)


def make_samples(**options):
    rng = np.random.default_rng(2)
    return [
        hc.Sample(
            name,
            {"eta": quantiles(sigma), "y": rng.normal(mean, 1.0, SIZE)},
            weights=np.full(SIZE, total / SIZE),
            signal=name == "signal",
            **options,
        )
        for name, total, sigma, mean in (("signal", SIGNAL, NARROW, 1.0), ("ttbar", BACKGROUND, WIDE, 0.0))
    ]


def true_yields(threshold):
    return [
        total * (2.0 * scipy.stats.norm.cdf(threshold / sigma) - 1.0)
        for total, sigma in ((SIGNAL, NARROW), (BACKGROUND, WIDE))
    ]


@pytest.fixture(scope="module")
def truth():
    """Threshold and significance of the best |eta| < t, by the densities."""
    found = scipy.optimize.minimize_scalar(
        lambda t: -float(asimov_significance(*true_yields(t))), bounds=(0.1, 3.0), method="bounded"
    )
    return found.x, -found.fun


def test_a_cut_with_edges_is_optimized_as_it_selects(truth):
    threshold, significance = truth
    result = hc.optimize(make_samples(), SoftCentral(), objective="asimov", folds=0, replicas=0, holdout=None)
    assert result.training.value == pytest.approx(significance, rel=1e-4)
    assert result.soft_value == pytest.approx(significance, rel=0.01)
    assert result.thresholds["eta"] == pytest.approx(threshold, abs=0.04)
    signal, background = true_yields(result.thresholds["eta"])
    found = result.training.templates.yields.nominal.sum(axis=-1)
    assert found == pytest.approx([signal, background], rel=1e-3)


def test_soft_templates_of_a_foreign_cut_go_to_the_hard_ones():
    samples, selection = make_samples(), hc.Selection([SoftCentral(threshold=0.7)])
    table = EventTable.of(samples, selection)
    soft = float64_scope(table.soft_yields)(np.array([0.7]), np.array([1e-9]), Sigmoid(), of_hard_cut=True)
    np.testing.assert_allclose(soft.nominal, hc.fill(samples, selection).yields.nominal, rtol=1e-12)


@pytest.mark.parametrize("objective", ["bce", "asimov"])
def test_it_is_found_as_a_cut_on_a_column_that_holds_its_quantity(objective):
    samples = make_samples()
    with_column = [
        hc.Sample(s.name, {"size": np.abs(s.column("eta"))}, weights=s.weights, signal=s.signal) for s in samples
    ]
    options = {"objective": objective, "folds": 2, "replicas": 0, "anneal": (3.0, 1.0)}
    found = hc.optimize(samples, SoftCentral(), **options)
    expected = hc.optimize(with_column, hc.Cut("size", "<"), **options)
    assert found.thresholds["eta"] == expected.thresholds["size"]
    assert found.soft_value == expected.soft_value
    assert found.validated == expected.validated


def test_it_stands_beside_other_cuts_inverted_in_a_region_and_in_working_points():
    samples = make_samples()
    cuts = SoftCentral() & hc.Cut("y", ">")
    control = Region("control", inverted=["eta"])
    result = hc.optimize(
        samples, cuts, objective="profile", regions=[control], folds=0, anneal=(1.0,), replicas=0, holdout=None
    )
    assert 0.4 < result.thresholds["eta"] < 1.0
    points = hc.working_points(samples, cuts, efficiencies=[0.3, 0.8], holdout=None)
    passed = [np.abs(samples[0].column("eta")) < t["eta"] for t in map(thresholds_of, points.selections)]
    assert np.all(np.diff([p.mean() for p in passed]) > 0)
    np.testing.assert_allclose(points.training.signal, [0.3, 0.8], atol=1e-4)


def thresholds_of(selection):
    return selection.to_dict(np.array(selection.thresholds))


def test_a_quantity_of_two_columns():
    rng = np.random.default_rng(3)

    def columns(sigma, size):
        return {"px": rng.normal(0.0, sigma, size), "py": rng.normal(0.0, sigma, size)}

    samples = [
        hc.Sample("s", columns(3.0, 20_000), weights=np.full(20_000, 100.0 / 20_000), signal=True),
        hc.Sample("b", columns(1.0, 40_000), weights=np.full(40_000, 1000.0 / 40_000)),
    ]
    result = hc.optimize(samples, Transverse(), objective="s_over_sqrt_s_plus_b", folds=0, replicas=0, holdout=None)
    # Of the Rayleigh distributions: efficiencies exp(-t^2 / 2 sigma^2).
    tried = np.linspace(0.5, 5.0, 10_000)
    signal, background = 100.0 * np.exp(-(tried**2) / 18.0), 1000.0 * np.exp(-(tried**2) / 2.0)
    figure = signal / np.sqrt(signal + background)
    assert result.training.value == pytest.approx(figure.max(), rel=0.03)
    assert result.thresholds["px"] == pytest.approx(tried[np.argmax(figure)], abs=0.15)


def test_what_is_missing_fails_or_passes():
    samples = make_samples(missing=-999.0)
    columns = {"eta": np.array([-999.0, 0.2, -0.2, 3.0])}
    assert SoftCentral(threshold=0.7).passes(columns, missing=-999.0).tolist() == [False, True, True, False]
    quantity, absent = SoftCentral(threshold=0.7).measured(columns, missing=-999.0)
    assert absent.tolist() == [True, False, False, False]
    assert quantity[1:].tolist() == [0.2, 0.2, 3.0]
    assert hc.optimize(
        samples, SoftCentral(missing="pass"), objective="asimov", folds=0, replicas=0, holdout=None
    ).success


def test_it_survives_pickling():
    selection = hc.Selection([SoftCentral(threshold=0.7), ~hc.Cut("y", ">", 0.0)])
    assert pickle.loads(pickle.dumps(selection)) == selection  # noqa: S301 (our own)


REFUSED = {
    "no-edges": (Central(), r"Central on 'eta' can be filled and evaluated, but gives no edges"),
    "inverted": (~Central(threshold=1.0), r"Central on 'eta' can be filled and evaluated, but gives no edges"),
    "other-quantity": (WrongQuantity(), r"WrongQuantity on 'eta': its edges select other events than it does"),
    "other-signs": (WrongSigns(), r"WrongSigns on 'eta': the signs of its edges are \(1,\)"),
}


@pytest.mark.parametrize(("cut", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("objective", ["asimov", "bce"])
def test_what_has_no_soft_cut_is_refused_by_name(cut, message, objective):
    with pytest.raises(InputError, match=message):
        hc.optimize(make_samples(), cut, objective=objective, holdout=None)
    with pytest.raises(InputError, match=message):
        hc.working_points(make_samples(), cut)


def test_without_edges_it_is_filled_and_evaluated():
    samples = make_samples()
    filled = hc.fill(samples, Central(threshold=0.7))
    assert filled.yields.nominal.sum(axis=-1) == pytest.approx(true_yields(0.7), rel=1e-3)
