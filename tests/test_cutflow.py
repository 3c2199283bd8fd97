"""The cutflow against sums over events by hand."""

import json

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.merit import counting

RNG = np.random.default_rng(2)
SIGNAL = hc.Sample(
    "signal", {"x": RNG.normal(2, 1, 400), "n": RNG.poisson(3, 400)}, weights=0.1 * np.ones(400), signal=True
)
BACKGROUND = hc.Sample(
    "background", {"x": RNG.normal(0, 1, 3000), "n": RNG.poisson(2, 3000)}, weights=RNG.choice([0.4, -0.1, 0.0], 3000)
)
CUTS = hc.Cut("x", ">", 1.0) & hc.Cut("n", ">=", 2)


def test_every_step_is_the_sum_over_the_events_that_pass():
    flow = hc.cutflow([SIGNAL, BACKGROUND], CUTS)
    assert flow.steps == ("all events", "x > 1", "n >= 2")
    assert flow.samples == ("signal", "background")
    for number, sample in enumerate((SIGNAL, BACKGROUND)):
        first = sample.column("x") > 1.0
        for step, mask in enumerate((np.ones(len(sample), bool), first, first & (sample.column("n") >= 2))):
            weights = sample.weights[mask]
            assert flow.yields[step, number] == pytest.approx(weights.sum(), rel=1e-12)
            assert flow.uncertainties[step, number] == pytest.approx((weights**2).sum() ** 0.5, rel=1e-12)
            assert flow.events[step, number] == np.count_nonzero(weights)
    s, b, sigma = flow.yields[2, 0], flow.yields[2, 1], flow.uncertainties[2, 1]
    assert flow.values[2] == pytest.approx(float(counting.asimov_significance(s, b, sigma)), rel=1e-8)
    np.testing.assert_allclose(flow.efficiencies[2], np.prod(flow.step_efficiencies, axis=0), rtol=1e-12)


def test_cutflows_of_parts_add_to_that_of_all():
    whole = hc.cutflow([SIGNAL, BACKGROUND], CUTS)
    halves = [
        hc.cutflow([sample.take(np.arange(len(sample)) % 2 == half) for sample in (SIGNAL, BACKGROUND)], CUTS)
        for half in (0, 1)
    ]
    added = halves[0] + halves[1]
    np.testing.assert_allclose(added.yields, whole.yields, rtol=1e-12)
    np.testing.assert_array_equal(added.events, whole.events)
    np.testing.assert_allclose(added.values, whole.values, rtol=1e-9)
    with pytest.raises(InputError, match="do not add; expected the same cuts"):
        whole + hc.cutflow([SIGNAL, BACKGROUND], hc.Cut("x", ">", 1.0))


def test_nothing_left_is_a_row_of_zeros():
    cuts = hc.Cut("x", ">", 50.0) & hc.Cut("n", ">=", 2)
    flow = hc.cutflow([SIGNAL, BACKGROUND], cuts, objective="asimov")
    assert flow.yields[1:].tolist() == [[0.0, 0.0]] * 2
    assert np.isnan(flow.values[1:]).all()
    assert "0.00%" in flow.summary().markdown()
    assert json.loads(flow.to_dataframe().to_json(orient="records"))[0]["events"] == 400


def test_small_systematics_have_no_part_in_the_figure_of_merit():
    small, large = hc.NormSys("trigger", 1.004, 0.996), hc.NormSys("xsec", 1.2, 0.8)
    both, one = (
        hc.Sample("background", BACKGROUND.columns, weights=BACKGROUND.weights, modifiers=modifiers)
        for modifiers in ([small, large], [large])
    )
    flow, pruned, expected = (
        hc.cutflow([SIGNAL, background], CUTS, prune=prune)
        for background, prune in ((both, None), (both, 0.005), (one, None))
    )
    np.testing.assert_allclose(pruned.values, expected.values, rtol=1e-12)
    assert np.all(flow.values < pruned.values)
    np.testing.assert_array_equal(flow.yields, pruned.yields)
    assert [str(one) for one in pruned.pruned] == ["trigger of background in signal_region: at most 0.004"]
    assert flow.pruned == ()
    assert "pruned after all cuts: trigger of background" in pruned.summary().text()
    assert (pruned + pruned).prune == 0.005
    with pytest.raises(InputError, match="pruned below 5; expected a fraction"):
        hc.cutflow([SIGNAL, both], CUTS, prune=5)
