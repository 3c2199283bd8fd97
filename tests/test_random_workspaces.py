"""Random workspaces with every modifier: logpdf equals pyhf's, and Z and mu-hat those of an independent reference.

A disagreement passes only if it is explained: hepcuts found a lower minimum (by pyhf's own rates); or it found another
minimum, of which the reference says that it is one but not the lowest. What explained it is counted, and must stay
rare.
"""

import collections
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyhf
import pytest
import scipy.special
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.internal.conjecture import providers

import hepcuts as hc
from hepcuts._core.errors import FitError
from hepcuts.histfactory import SignificanceResult, fit, fixed_poi_fit, referee

from . import reference_fits
from .random_workspaces import Example, Size, examples

Z_TOLERANCE = 1e-6
DEVIANCE_TOLERANCE = 1e-9
NUM_STARTS = 5
"""Of fits that are to find nothing lower than those from one start, with its search for other minima."""


def random_parameters(model: pyhf.Model, generator: np.random.Generator, *, width: float) -> np.ndarray:
    """Around the initial values: systematics by some widths, factors by some tens of percents; fixed ones stay."""
    config = model.config
    init, fixed = np.array(config.suggested_init()), np.array(config.suggested_fixed())
    low, high = np.array(config.suggested_bounds()).T
    shift = width * generator.normal(size=len(init)) * np.where(low < 0, 1.0, 0.2 * init)
    return np.where(fixed, init, np.clip(init + shift, low, high))


def fluctuated_data(model: pyhf.Model, seed: int) -> np.ndarray:
    """Counts drawn at random parameters and some signal strength; auxiliary data as the model has them, or drawn."""
    generator = np.random.default_rng(seed)
    pars = random_parameters(model, generator, width=0.7)
    pars[model.config.poi_index] = generator.choice([0.0, 0.5, 1.0, 2.0])
    data = np.array(model.expected_data(pars))
    size = model.config.nmaindata
    data[:size] = generator.poisson(np.maximum(data[:size], 0.0))
    if generator.random() < 0.5:
        data[size:] = model.config.auxdata
    return data


def check_logpdf(likelihood: hc.HistFactory, seed: int) -> None:
    """Equal to pyhf's, to 1e-9 and what pyhf's sum of large terms loses by rounding."""
    model, generator = likelihood.model, np.random.default_rng(seed)
    data = fluctuated_data(model, seed)
    for width in (0.0, 0.3, 1.0):
        pars = random_parameters(model, generator, width=width)
        with np.errstate(all="ignore"):
            theirs = float(model.logpdf(pars, data)[0])
            rates = np.abs(np.asarray(model.expected_data(pars)))
            logarithms = np.abs(scipy.special.xlogy(data, np.maximum(rates, 1e-300)))
        if not np.isfinite(theirs):
            assert not np.isfinite(likelihood.logpdf(pars, data))
            continue
        # The auxiliary data of a normal constraint may be negative; it has no such terms.
        logarithms = np.where(np.isfinite(logarithms), logarithms, 0.0)
        rounding = (
            16.0 * np.finfo(np.float64).eps * (logarithms + rates + scipy.special.gammaln(np.abs(data) + 1)).sum()
        )
        assert abs(float(likelihood.logpdf(pars, data)) - theirs) <= 1e-9 * abs(theirs) + rounding
        expected = np.asarray(model.expected_data(pars))
        np.testing.assert_allclose(likelihood.expected_data(pars), expected, rtol=1e-11, atol=1e-11 * np.ptp(expected))


def check_significance(likelihood: hc.HistFactory, story: SignificanceResult, data: Any) -> str:
    """Compare with the reference, expected (data is None) or observed; the answer names what explains a difference."""
    truth = reference_fits.reference(likelihood.model, data)
    if truth.uncertainty - truth.rounding > 0.5 * Z_TOLERANCE:  # a fit of its own that stopped too early
        truth = reference_fits.reference(likelihood.model, data, num_starts=6)
    # Of a deviance of thousands, where the data fit no expectation, the last digits are worth more than the tolerance.
    tolerance = max(Z_TOLERANCE, 2.0 * truth.rounding)
    assert truth.uncertainty - truth.rounding < 0.5 * Z_TOLERANCE, truth
    if not story.success:
        return explain_failure(likelihood, story, truth, data)
    check_limits(likelihood, story)
    if abs(story.significance - truth.significance) <= tolerance:
        return check_mu_hat(likelihood, story, truth, data)
    return explain(likelihood, story, truth, data)


def explain_failure(likelihood: hc.HistFactory, story: SignificanceResult, truth: Any, data: Any) -> str:
    """Why hepcuts refuses a model: where there is nothing to fit it has to, and the message has to say so."""
    if np.isinf(truth.q0):
        assert "no or negative events" in story.message, story.message
        return "background alone is impossible, and refused"
    if not np.isfinite(deviance_at_start(likelihood, data)):
        assert "no or negative events" in story.message, story.message
        return "the initial values are impossible, and refused"
    if kinks(likelihood) and on_a_wall(likelihood, truth, data):
        return "not fitted: a minimum on the wall of an empty bin, with kinks"
    raise AssertionError(f"hepcuts did not fit: {story.message}; the reference is {truth}")


def kinks(likelihood: hc.HistFactory) -> bool:
    """Whether the slopes jump at zero, as with codes 0 and 1; hepcuts searches along walls on one side at a time."""
    config = likelihood.model.config
    codes = {
        config.modifier_settings[kind]["interpcode"] for _, kind in config.modifiers if kind in ("histosys", "normsys")
    }
    return bool(codes & {"code0", "code1"})


def on_a_wall(likelihood: hc.HistFactory, truth: reference_fits.Reference, data: Any) -> bool:
    """Whether an empty bin expects nothing, or all but nothing, at a minimum."""
    bins = likelihood.model.config.nmaindata
    if data is None:
        data = reference_fits.expected_data(likelihood.model)[1]
    empty = np.asarray(data)[:bins] == 0
    found = [likelihood.expected_data(at.parameters)[:bins] for at in (truth.best_fit, truth.background_only)]
    return bool(np.any(np.array(found)[:, empty] < 1e-6))


def check_limits(likelihood: hc.HistFactory, story: SignificanceResult) -> None:
    """Both fits stay within the bounds and leave alone what is fixed."""
    config = likelihood.model.config
    low, high = np.array(config.suggested_bounds()).T
    fixed = np.array(config.suggested_fixed())
    for pars in (story.best_fit, story.background_only):
        np.testing.assert_array_equal(pars[fixed], np.array(config.suggested_init())[fixed])
        moved = ~fixed & (np.arange(len(pars)) != config.poi_index)
        assert np.all((pars >= low) & (pars <= high) | ~moved)
    assert story.background_only[config.poi_index] == 0.0
    assert story.mu_hat == story.best_fit[config.poi_index]


def deviances(likelihood: hc.HistFactory, points: Sequence[Any], data: Any) -> list[float]:
    """The deviance by pyhf's own rates at several parameters."""
    if data is None:
        data = reference_fits.expected_data(likelihood.model)[1]
    with referee.backend("numpy"), np.errstate(all="ignore"):
        objective = reference_fits.Objective(likelihood.model, data)
        return [objective.deviance(np.asarray(point)) for point in points]


def deviance_at_start(likelihood: hc.HistFactory, data: Any) -> float:
    """The deviance at the initial values, without signal."""
    return deviances(likelihood, [likelihood.nominal_parameters(0.0)], data)[0]


def check_mu_hat(likelihood: hc.HistFactory, story: SignificanceResult, truth: Any, data: Any) -> str:
    """Equal signal strengths, or equally good ones where the likelihood is flat."""
    close = 1e-5 * min(truth.mu_uncertainty, 1e6) + 1e-7 * abs(truth.mu_hat)
    if abs(story.mu_hat - truth.mu_hat) <= close and np.isfinite(truth.mu_uncertainty):
        return "agrees"
    (free,) = deviances(likelihood, [story.best_fit], data)
    if free <= truth.best_fit.deviance + DEVIANCE_TOLERANCE * (1.0 + truth.best_fit.deviance):
        return "agrees"
    if stays(likelihood, story, data):
        return "another minimum of several"
    raise AssertionError(f"mu-hat {story.mu_hat} has the deviance {free!r}; the reference is {truth}")


def explain(likelihood: hc.HistFactory, story: SignificanceResult, truth: reference_fits.Reference, data: Any) -> str:
    """Why hepcuts and the reference differ; a failure if hepcuts is the one that is wrong."""
    free, none = deviances(likelihood, [story.best_fit, story.background_only], data)
    above_free, above_none = free - truth.best_fit.deviance, none - truth.background_only.deviance
    message = (
        f"Z is {story.significance!r} and should be {truth.significance!r}; hepcuts' minima are above those of the "
        f"reference by {above_free:.3g} (unconditional) and {above_none:.3g} (background only); {story} {truth}"
    )
    slack = DEVIANCE_TOLERANCE * (1.0 + truth.best_fit.deviance)
    q0 = max(none - free, 0.0) if story.mu_hat > 0 else 0.0
    if above_free <= slack and above_none <= slack and min(above_free, above_none) < -slack:
        assert abs(np.sqrt(q0) - story.significance) <= Z_TOLERANCE, message
        return "hepcuts is lower"
    if stays(likelihood, story, data):
        return "another minimum of several"
    raise AssertionError(message)


def stays(likelihood: hc.HistFactory, story: SignificanceResult, data: Any) -> bool:
    """Whether both of hepcuts' fits end in minima, from which the reference finds no way down."""
    if data is None:
        data = reference_fits.expected_data(likelihood.model)[1]
    with referee.backend("numpy"), np.errstate(all="ignore"):
        objective = reference_fits.Objective(likelihood.model, data)
        is_poi = np.arange(len(objective.init)) == likelihood.poi
        for pars, fixed in ((story.best_fit, objective.fixed), (story.background_only, objective.fixed | is_poi)):
            start = np.asarray(pars)
            _, lower, _ = reference_fits.Search(objective, fixed).descend(start)
            if lower < objective.deviance(start) - DEVIANCE_TOLERANCE:
                return False
    return True


def check_fits(likelihood: hc.HistFactory, data: np.ndarray, story: SignificanceResult) -> str:
    """The two fits made by name are those behind the discovery test; and whether random starts find lower minima."""
    free, none = fit(likelihood, data), fixed_poi_fit(likelihood, data, poi=0.0)
    difference = max(none.deviance - free.deviance, 0.0) if story.mu_hat > 0 else 0.0
    rounding = reference_fits.rounding_of(free.deviance, none.deviance)
    tolerance = max(Z_TOLERANCE, 2.0 * reference_fits.spread_of_root(difference, rounding))
    assert np.sqrt(difference) == pytest.approx(story.significance, abs=tolerance)
    others = (
        fit(likelihood, data, num_starts=NUM_STARTS),
        fixed_poi_fit(likelihood, data, poi=0.0, num_starts=NUM_STARTS),
    )
    lower = any(
        other.deviance < found.deviance - 1e-6 * (1.0 + found.deviance)
        for other, found in zip(others, (free, none), strict=True)
    )
    return "random starts: lower" if lower else "random starts: agree"


def check_single_start(likelihood: hc.HistFactory, data: Any, story: SignificanceResult) -> str:
    """`discovery_significance` fits from one start only: it may end in another minimum, but nowhere else."""
    try:
        z = float(hc.discovery_significance(likelihood, data=data))
    except FitError:
        return "one start: not fitted"
    if abs(z - story.significance) <= Z_TOLERANCE:
        return "one start: agrees"
    alone = hc.discovery_test(likelihood, data, num_starts=1)
    assert z == pytest.approx(alone.significance, abs=Z_TOLERANCE)
    return "one start: another minimum"


def check(example: Example) -> collections.Counter[str]:
    """Everything about one workspace; what explained its differences."""
    model = example.model()
    likelihood = hc.HistFactory(model)
    found: collections.Counter[str] = collections.Counter()
    try:
        check_logpdf(likelihood, example.seed)
        for data in (None, fluctuated_data(model, example.seed)):
            story = hc.discovery_test(likelihood, data, throw=False)
            verdict = check_significance(likelihood, story, data)
            found[verdict] += 1
            if verdict == "agrees":
                found[check_single_start(likelihood, data, story)] += 1
                if data is not None:
                    found[check_fits(likelihood, data, story)] += 1
    except AssertionError as error:
        raise AssertionError(
            f"{error}\nsettings {json.dumps(example.settings)}, seed {example.seed}\n{json.dumps(example.workspace)}"
        ) from error
    return found


def check_many(number: int, size: Size) -> None:
    """Check examples of different structure, always the same ones, and that few need an explanation."""
    total: collections.Counter[str] = collections.Counter()
    seen: set[str] = set()

    @settings(
        max_examples=4 * number,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples(size))
    def every_example(example: Example) -> None:
        if example.structure() not in seen and len(seen) < number:
            total.update(check(example))
            seen.add(example.structure())

    # Hypothesis also draws constants of all local modules that are loaded: then the examples, and with them the numbers
    # below, would change with any line of code, and with the tests that were run before.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "_get_local_constants", providers.Constants)
        patch.setattr(providers, "CONSTANTS_CACHE", type(providers.CONSTANTS_CACHE)(1024))
        every_example()
    assert len(seen) == number
    print(dict(total))
    of_one_start = sum(count for reason, count in total.items() if reason.startswith("one start"))
    refused = sum(count for reason, count in total.items() if reason.startswith("not fitted: a minimum on the wall"))
    assert refused <= 0.1 * total["agrees"], total
    plain = (
        "one start",
        "random starts",
        "agrees",
        "background alone",
        "the initial values",
        "not fitted: a minimum on the wall",
    )
    others = [reason for reason in total if not reason.startswith(plain)]
    assert sum(total[reason] for reason in others) <= 0.05 * total["agrees"], total
    assert total["another minimum of several"] <= 0.01 * total["agrees"], total
    assert total["random starts: lower"] <= 0.003 * total["random starts: agree"], total
    assert total["one start: agrees"] >= 0.95 * of_one_start, total


@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")
def test_random_workspaces():
    check_many(6, Size(channels=2, bins=2, backgrounds=2))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")
def test_many_random_workspaces():
    check_many(1000, Size())
