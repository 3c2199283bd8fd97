"""What is compiled for a search serves again for other events, and gives what their own likelihood gives."""

from typing import Any

import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.precision import float64
from hepcuts.histfactory import expected_mu_uncertainty, expected_upper_limit
from hepcuts.merit.counts import totals_of
from hepcuts.merit.likelihood import LikelihoodFigure
from hepcuts.merit.registry import FIGURES, PROFILE, figure_of_merit
from hepcuts.optimization.soft.compilation import compiled
from hepcuts.optimization.soft.constraints import AtLeast, effective_background

AXIS = hist.axis.Regular(3, 0.0, 3.0, name="m")
NAMES = ["profile", "mu_uncertainty", "upper_limit", "asimov_uncertainty", "punzi"]
GUARD = AtLeast("signal", 1.0, (0,))


def samples_of(seed: int, *, norm: float = 1.2, staterror: bool = True, last_bin: bool = True) -> list[hc.Sample]:
    """Every modifier whose numbers follow the yields, and one whose numbers do not."""
    rng, size = np.random.default_rng(seed), 200

    def columns(center: float) -> dict[str, Any]:
        return {"x": rng.normal(center, 1.0, size), "m": rng.uniform(0.0, 3.0 if last_bin else 2.0, size)}

    s, b, c = columns(1.0), columns(0.0), columns(0.3)
    scale = hc.HistoSys("scale", up={"x": b["x"] + 0.1}, down={"x": b["x"] - 0.1})
    return [
        hc.Sample("s", s, weights=rng.uniform(0.05, 0.15, size), signal=True),
        hc.Sample("b", b, weights=rng.uniform(0.5, 1.5, size), modifiers=[hc.NormSys("norm", norm, 0.85), scale]),
        hc.Sample("c", c, staterror=staterror, modifiers=hc.ShapeSys("shape", 0.1)),
    ]


def filled(seed: int, **options: Any) -> list[Any]:
    return [hc.fill(samples_of(seed, **options), hc.Cut("x", ">", 0.0), axis=AXIS)]


def sums_of(templates: Any) -> np.ndarray:
    return np.stack([np.asarray(t).reshape(-1) for t in (templates.yields.values, templates.yields.variances)], axis=1)


@pytest.mark.parametrize("last_bin", [True, False], ids=["", "empty bin"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_compiled_for_some_events_serves_for_others(name: str, last_bin: bool) -> None:
    figure, one, other = figure_of_merit(name), filled(1), filled(2, last_bin=last_bin)
    functions = compiled(figure, one, [GUARD])
    assert compiled(figure, other, [GUARD]) is functions
    totals = totals_of(samples_of(2, last_bin=last_bin))
    with float64():
        (_, plain), _ = functions.of_one([sums_of(other[0])], 0.0, totals)
    assert float(plain) == pytest.approx(figure.of_templates(other, totals), rel=1e-9)


@pytest.mark.parametrize("options", [{"norm": 1.3}, {"staterror": False}], ids=["norm", "staterror"])
@pytest.mark.parametrize("name", ["profile", "asimov_uncertainty"])
def test_other_problems_are_compiled_anew(name: str, options: dict[str, Any]) -> None:
    figure = figure_of_merit(name)
    assert compiled(figure, filled(1, **options), []) is not compiled(figure, filled(1), [])


def test_other_wishes_are_compiled_anew() -> None:
    one = filled(1)
    plain = compiled(PROFILE, one, [])
    assert compiled(PROFILE, one, [effective_background(one[0].structure, 10.0)]) is not plain
    assert compiled(FIGURES["upper_limit"], one, []) is not plain


def test_a_statistic_of_ones_own_may_ask_its_likelihood_for_anything() -> None:
    own = LikelihoodFigure(
        "own", "own", statistic=lambda likelihood, t: likelihood.templates.nominal.sum() + 0.0 * t.nominal.sum()
    )
    assert compiled(own, filled(1), []) is not compiled(own, filled(1), [])


@pytest.mark.parametrize(
    ("name", "single"), [("mu_uncertainty", expected_mu_uncertainty), ("upper_limit", expected_upper_limit)]
)
def test_many_at_once_are_what_each_is_alone(name: str, single: Any) -> None:
    samples, thresholds = samples_of(3), np.linspace(-1.0, 1.0, 40)
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=[name], thresholds=thresholds, axis=AXIS, replicas=0, folds=0)
    templates = [hc.fill(samples, hc.Cut("x", ">", t), axis=AXIS) for t in thresholds[::13]]
    expected = [single(hc.HistFactory.from_workspace(hc.workspace(t))) for t in templates]
    np.testing.assert_allclose(scan.values[name][::13], expected, rtol=1e-8)
