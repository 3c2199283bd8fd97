"""Samples from files: normalization, preselection and variations, against sums over the events by hand."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.samples.loading import Normalization, Origin, Shape, Shift, load_sample

RNG = np.random.default_rng(7)
PT = RNG.exponential(50.0, 2000)
EVENTS = {
    "pt": PT,
    "pt_up": PT * 1.05,
    "pt_down": PT * 0.95,
    "gen": RNG.choice([1.0, -1.0], 2000, p=[0.9, 0.1]),
    "pileup": RNG.normal(1.0, 0.1, 2000),
    "event": np.arange(2000),
}
GENERATOR = {"pt": RNG.exponential(55.0, 3000), "gen": np.ones(3000), "event": np.arange(3000) + 10**6}
SCALED = Normalization(cross_section=2.0, luminosity=10.0, sum_of_weights="gen", k_factor=1.5)
ORIGIN = Origin(EVENTS, where="pt > 30", weight="gen", normalization=SCALED)
OTHER = Origin(GENERATOR, where="pt > 30", weight="gen", normalization=SCALED)
FACTOR = 2.0 * 1000.0 * 10.0 * 1.5 / EVENTS["gen"].sum()
SHAPES = (
    Shape("jes", Shift({"pt": "pt_up"}), Shift({"pt": "pt_down"})),
    Shape("scale", Shift({"pt": "pt * 1.1"}), "mirror"),
    Shape("pileup", Shift(weight="gen * pileup"), "nominal"),
    Shape("generator", Shift(origin=OTHER), "mirror"),
)
SIGNAL = hc.Sample("signal", {"log(pt)": RNG.normal(4.5, 0.3, 1000)}, signal=True)


def by_hand(values, weights):
    passed = (values > 30.0) & (np.log(values) > 4.0)
    return weights[passed].sum(), (weights[passed] ** 2).sum()


@pytest.mark.parametrize("identity", [(), ("event",)])
def test_every_variation_is_the_sum_over_its_own_events(identity):
    sample = load_sample("b", ORIGIN, ["log(pt)"], systematics=[*SHAPES, hc.Lumi(0.02)], identity=identity)
    assert [modifier.name for modifier in sample.modifiers] == ["jes", "scale", "pileup", "generator", "lumi"]
    templates = hc.fill([SIGNAL, sample], hc.Cut("log(pt)", ">", 4.0))
    gen = EVENTS["gen"] * FACTOR
    nominal, variance = by_hand(PT, gen)
    assert templates.nominal[1] == pytest.approx(nominal, rel=1e-12)
    assert templates.variance[1] == pytest.approx(variance, rel=1e-12)
    expected = {
        ("jes", "up"): by_hand(EVENTS["pt_up"], gen)[0],
        ("jes", "down"): by_hand(EVENTS["pt_down"], gen)[0],
        ("scale", "up"): by_hand(PT * 1.1, gen)[0],
        ("pileup", "up"): by_hand(PT, gen * EVENTS["pileup"])[0],
        ("pileup", "down"): nominal,
        ("generator", "up"): by_hand(GENERATOR["pt"], GENERATOR["gen"] * 2.0 * 1000.0 * 10.0 * 1.5 / 3000.0)[0],
    }
    for (name, side), value in expected.items():
        assert templates.varied(name, side)[1] == pytest.approx(value, rel=1e-12)


def test_events_of_a_variation_do_not_count_as_nominal_ones():
    plain = load_sample("b", ORIGIN, ["log(pt)"])
    varied = load_sample("b", ORIGIN, ["log(pt)"], systematics=SHAPES)
    assert varied.total == pytest.approx(plain.total, rel=1e-12)
    assert varied.simulated == pytest.approx(plain.simulated, rel=1e-12)
    cut = hc.Cut("log(pt)", ">")
    found = [hc.scan([SIGNAL, sample], cut, metrics=("asimov",)) for sample in (plain, varied)]
    one, other = (scan.optimum("asimov") for scan in found)
    assert other.value == pytest.approx(one.value, rel=1e-12)
    assert other.effective_background == pytest.approx(one.effective_background, rel=1e-12)


def test_copies_of_an_event_share_a_fold_if_they_are_known():
    same = Origin({**EVENTS, "pt": EVENTS["pt_up"]}, where="pt > 30", weight="gen", normalization=SCALED)
    sample = load_sample(
        "b", ORIGIN, ["pt"], systematics=[Shape("jes", Shift(origin=same), "mirror")], identity=["event"]
    )
    nominal = sample.weights != 0
    assert set(sample.identity[nominal]) < set(sample.identity[~nominal])  # scaled up, a few more events pass


def test_how_many_events_are_expected():
    for total in (4000.0, "1"):
        number = 4000.0 if isinstance(total, float) else 2000.0
        scaled = Normalization(cross_section=0.5, luminosity=139.0, sum_of_weights=total)
        sample = load_sample("b", Origin(EVENTS, normalization=scaled, scale=2.0), ["pt"])
        assert sample.total == pytest.approx(2.0 * 0.5 * 1000 * 139.0 * 2000 / number, rel=1e-12)
    with pytest.raises(InputError, match=r"sum of weights .* is 0; expected a number above zero"):
        load_sample("b", Origin(EVENTS, normalization=Normalization(1.0, 1.0, "gen * 0")), ["pt"])


def test_a_definition_is_computed_again_under_a_variation():
    origin = Origin(EVENTS, define={"x": "sqrt(pt) + 1"})
    sample = load_sample("b", origin, ["x"], systematics=[Shape("jes", Shift({"pt": "pt_up"}), "mirror")])
    np.testing.assert_array_equal(sample.modifiers[0].up.columns["x"], np.sqrt(EVENTS["pt_up"]) + 1)
