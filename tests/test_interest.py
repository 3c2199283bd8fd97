"""The parameter of interest has to be the strength of a signal that may be absent, and the background one to count."""

import numpy as np
import pyhf
import pytest

import hepcuts as hc
from hepcuts._core.errors import BoundWarning, FitError, InputError, UnsupportedModelError, YieldError
from hepcuts.histfactory import HistFactory, discovery_test, discovery_toys, expected_upper_limit, fit, upper_limit

from .models import MU, channel, mod, normsys, sample
from .test_limits import careful_pyhf
from .test_specification import S, workspace

B = sample("b", [50.0], normsys("a", 1.1, 0.9), mod("lumi", "lumi"))
LUMI = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.915, 1.085]], "inits": [1.0]}


def of(poi="mu", **mu):
    parameters = [LUMI, *([{"name": "mu"} | mu] if mu else [])]
    return workspace(channel("c", S, B), parameters=parameters, poi=poi)


REFUSED = {
    "none": (of(""), r"no parameter of interest"),
    "fixed": (of(fixed=True), r"'mu' is fixed"),
    "bounds of one value": (of(bounds=[[1.0, 1.0]]), r"'mu' has the bounds 1 and 1"),
    # Z = 50 was printed.
    "luminosity": (
        of("lumi"),
        r"'lumi' may be 0\.915 to 1\.085, so that there is no hypothesis without.*--poi",
    ),
    "never zero": (of(bounds=[[0.5, 10.0]], inits=[1.0]), r"'mu' may be 0\.5 to 10"),
    "constrained": (of("a"), r"'a' is constrained by auxiliary data.*--poi"),
}


@pytest.mark.parametrize(("spec", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    "quote", [discovery_test, hc.discovery_significance, discovery_toys, upper_limit, expected_upper_limit]
)
def test_what_is_no_signal_strength_is_not_tested(spec, message, quote):
    likelihood = HistFactory.from_workspace(spec)
    with pytest.raises(UnsupportedModelError, match=message):
        quote(likelihood)
    assert fit(likelihood, likelihood.observed_data).success


def test_an_absent_parameter_of_interest_is_named_with_what_there_is():
    with pytest.raises(InputError, match=r"'mu_SIG' acts on no sample.*background-only.*--patch.*are mu\."):
        HistFactory.from_workspace(of("mu_SIG"))
    with pytest.raises(InputError, match=r"'signal' acts on no sample"):
        HistFactory.from_workspace(of(), poi="signal")


def test_a_shapefactor_is_no_one_number():
    spec = workspace(channel("c", sample("s", [1.0, 2.0], mod("shapefactor", "k")), sample("b", [5.0, 5.0])), poi="k")
    with pytest.raises(InputError, match="'k' is a shapefactor, one number for each bin"):
        HistFactory.from_workspace(spec)


def test_another_parameter_of_interest_by_name():
    spec = workspace(channel("c", S, sample("t", [20.0], mod("normfactor", "mu_t")), sample("b", [50.0])))
    likelihood = HistFactory.from_workspace(spec, poi="mu_t")
    assert likelihood.parameter_names[likelihood.poi] == "mu_t"
    renamed = spec | {"measurements": [{"name": "m", "config": {"poi": "mu_t", "parameters": []}}]}
    assert float(hc.discovery_significance(likelihood)) == float(
        hc.discovery_significance(HistFactory.from_workspace(renamed))
    )
    assert HistFactory.from_workspace(spec, poi="").structure.poi is None


def test_a_bound_below_the_tested_signal_is_told():
    likelihood = HistFactory.from_workspace(of(bounds=[[0.0, 0.5]], inits=[0.3]))
    with pytest.warns(BoundWarning, match="mu at a bound"):
        discovery_test(likelihood)


# --- limits with a signal strength that may be negative -------------------------------------------------------------


@pytest.mark.parametrize("observed", [[40.0, 80.0], [52.0, 100.0], [66.0, 115.0]], ids=["deficit", "none", "excess"])
def test_limits_are_those_of_the_definition_whatever_the_lower_bound(observed):
    """Of qmu-tilde: pyhf with the lower bound zero is the truth of all."""
    channels = [
        channel("c", sample("s", [10.0], MU), sample("b", [50.0], normsys("a", 1.1, 0.9))),
        channel("d", sample("s", [3.0], MU), sample("b", [100.0], mod("staterror", "e", [4.0]))),
    ]
    observations = [{"name": name, "data": [n]} for name, n in zip("cd", observed, strict=True)]

    def limits(low):
        parameters = [{"name": "mu", "bounds": [[low, 20.0]], "inits": [1.0]}]
        spec = workspace(*channels, observations=observations, parameters=parameters)
        likelihood = HistFactory.from_workspace(spec)
        return likelihood, upper_limit(likelihood, likelihood.observed_data)

    likelihood, of_zero = limits(0.0)
    with careful_pyhf():
        truth = pyhf.infer.hypotest(
            of_zero.observed, likelihood.observed_data, likelihood.model, test_stat="qtilde", return_expected_set=True
        )
    assert float(truth[0]) == pytest.approx(0.05, abs=2e-5)
    for low in (-0.5, -5.0):
        _, found = limits(low)
        assert found.observed == pytest.approx(of_zero.observed, rel=1e-7)
        np.testing.assert_allclose(list(found.expected.values()), list(of_zero.expected.values()), rtol=1e-7)
        assert found.below_zero
        assert "counts as mu = 0 (qmu-tilde)" in repr(found)
    assert "qmu-tilde" not in repr(of_zero)


# --- backgrounds ----------------------------------------------------------------------------------------------------


def negative(*yields):
    """A background of several samples, of which bin 1 is negative in total."""
    backgrounds = [sample(f"b{n}", [30.0, y], normsys(f"a{n}", 1.1, 0.9)) for n, y in enumerate(yields)]
    observations = [{"name": "cr", "data": [5.0]}, {"name": "sr", "data": [65.0, 3.0]}]
    return workspace(
        channel("cr", sample("b0", [5.0])),
        channel("sr", sample("s", [5.0, 4.0], MU), *backgrounds),
        observations=observations,
    )


def test_a_negative_background_is_refused_by_channel_bin_and_sample():
    with pytest.raises(
        YieldError,
        match=r"'sr', bin 1 \(-0\.4 events\) is negative, in the first by the samples 'b1' -0\.7\. .*--clip-bin",
    ):
        HistFactory.from_workspace(negative(0.3, -0.7))
    # One sample may be: pyhf fits that, and so do we.
    assert discovery_test(HistFactory.from_workspace(negative(0.9, -0.7))).success


@pytest.mark.parametrize("clip", [{"clip_bin_data": 0.01}, {"clip_sample_data": 0.0}], ids=["bin", "sample"])
def test_a_lower_limit_makes_it_countable(clip):
    likelihood = HistFactory.from_workspace(negative(0.3, -0.7), **clip)
    with careful_pyhf():
        p0 = pyhf.infer.hypotest(0.0, likelihood.observed_data, likelihood.model, test_stat="q0")
    found = discovery_test(likelihood, likelihood.observed_data)
    assert found.p0 == pytest.approx(float(p0), rel=1e-4)


def test_many_negative_bins_are_not_all_listed():
    spec = workspace(
        channel("c", sample("s", [1.0] * 20, MU), sample("b", [-1.0] * 20)),
        observations=[{"name": "c", "data": [1.0] * 20}],
    )
    with pytest.raises(YieldError, match=r"bin 2 \(-1 events\) and 17 more is negative"):
        HistFactory.from_workspace(spec)


def test_without_background_there_is_nothing_to_discover_a_signal_beside():
    likelihood = HistFactory.from_workspace(workspace(channel("c", S)))
    for quote in (discovery_test, hc.discovery_significance):
        with pytest.raises(YieldError, match="No background is expected in any bin"):
            quote(likelihood)
    assert np.isfinite(upper_limit(likelihood).expected[0])


# --- messages -------------------------------------------------------------------------------------------------------


def test_lists_of_parameters_are_short():
    backgrounds = [sample(f"b{n}", [1.0], mod("normfactor", f"k{n}")) for n in range(40)]
    likelihood = HistFactory.from_workspace(workspace(channel("c", S, *backgrounds)))
    result = fit(likelihood, likelihood.observed_data)
    assert "not determined by the data: " in result.message
    assert result.message.endswith("and 36 more")
    assert np.all(np.isnan(result.uncertainties))


def test_a_flat_direction_is_told_by_parameter():
    """Two normalizations of one sample: only their product is known."""
    b = sample("b", [50.0, 20.0], mod("normfactor", "k"), mod("normfactor", "l"))
    spec = workspace(channel("c", sample("s", [2.0, 10.0], MU), b))
    result = fit(HistFactory.from_workspace(spec), [52.0, 30.0])
    assert result.message == "converged; not determined by the data: k, l"
    assert np.isfinite(result.uncertainties[list(result.names).index("mu")])


def test_data_that_are_no_counts_are_named_by_their_place():
    likelihood = HistFactory.from_workspace(of())
    with pytest.raises(InputError, match="The data are -1 at position 0; expected finite numbers, counts not negative"):
        fit(likelihood, [-1.0, 0.0, 1.0])
    with pytest.raises((InputError, FitError), match="nan at position 2"):
        fit(likelihood, [50.0, 0.0, np.nan])
