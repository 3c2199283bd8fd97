"""Directions that are left to the events: against the largest difference of efficiencies, found by brute force."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.optimization.soft.directions import find_directions


def samples_of(signal: np.ndarray, background: np.ndarray, **options: object) -> list[hc.Sample]:
    return [
        hc.Sample("s", {"x": signal}, signal=True, **options),
        hc.Sample("b", {"x": background}, **options),
    ]


def found(samples: list[hc.Sample], **options: object) -> str:
    (cut,) = find_directions(samples, hc.Selection(hc.Cut("x", "auto", **options))).cuts
    assert isinstance(cut, hc.Cut)
    return cut.direction


@pytest.mark.parametrize("seed", range(8))
def test_the_side_is_that_of_the_largest_difference_of_efficiencies(seed: int) -> None:
    r = np.random.default_rng(seed)
    # Discrete, so that many events stand on one value; shapes cross, so that both sides have something to say.
    signal, background = r.normal(5, r.uniform(1, 3), 300).round(), r.normal(5.3, r.uniform(1, 3), 500).round()
    ws, wb = r.uniform(0.5, 2, 300), r.uniform(-0.1, 2, 500)
    samples = [hc.Sample("s", {"x": signal}, weights=ws, signal=True), hc.Sample("b", {"x": background}, weights=wb)]
    gains = {}
    for direction in (">", "<"):
        thresholds = np.arange(-10, 20) + 0.5
        cuts = [hc.Cut("x", direction, t) for t in thresholds]
        gains[direction] = max(
            ws[c.mask(signal)].sum() / ws.sum() - wb[c.mask(background)].sum() / wb.sum() for c in cuts
        )
    assert found(samples) == max(gains, key=lambda d: gains[d])


def test_it_depends_on_no_unit_and_no_number_of_expected_events() -> None:
    r = np.random.default_rng(3)
    signal, background = r.normal(0, 1, 500), r.normal(0.5, 2, 2000)
    expected = found(samples_of(signal, background))
    assert found(samples_of(np.exp(signal), np.exp(background))) == expected
    assert found(samples_of(-signal, -background)) == {">": "<", "<": ">"}[expected]
    rare = [
        hc.Sample("s", {"x": signal}, weights=np.full(500, 1e-6), signal=True),
        hc.Sample("b", {"x": background}, weights=np.full(2000, 1e3)),
    ]
    assert found(rare) == expected


def test_all_else_stays_and_other_cuts_too() -> None:
    samples = samples_of(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.5]))
    auto = hc.Cut("x", "auto", 1.2, bounds=(0, 3), width=0.1, missing="pass")
    (cut,) = find_directions(samples, hc.Selection(auto)).cuts
    assert cut == hc.Cut("x", ">", 1.2, bounds=(0, 3), width=0.1, missing="pass")
    given = hc.Selection([hc.Window("x", 1, 2)])
    assert find_directions(samples, given) == given


def test_missing_values_have_no_say() -> None:
    signal, background = np.array([1.0, 2.0, 3.0, -999.0, -999.0]), np.array([0.0, 0.5, 1.0])
    assert found(samples_of(signal, background, missing=-999.0)) == ">"
    # As plain numbers the same would pull to the other side.
    assert found(samples_of(np.append(signal, [-999.0] * 9), background)) == "<"


def test_the_optimizer_finds_the_side() -> None:
    r = np.random.default_rng(1)
    samples = samples_of(r.normal(-2, 1, 2000), r.normal(0, 1, 4000))
    result = hc.optimize(samples, hc.Cut("x", "auto"), objective="asimov", folds=0, anneal=(2, 1), holdout=None)
    assert str(result.selection).startswith("x < ")


@pytest.mark.parametrize(
    ("samples", "cut", "match"),
    [
        (
            samples_of(np.array([-999.0]), np.array([1.0, 2.0]), missing=-999.0),
            hc.Cut("x", "auto"),
            "No signal with positive yield has a value of 'x'",
        ),
        (
            samples_of(np.array([1.0]), np.array([1.0, 2.0])),
            ~hc.Cut("x", "auto"),
            r"The cut not \(x \? \?\) is inverted, and its direction is to be found",
        ),
    ],
    ids=["no-value", "inverted"],
)
def test_refusals(samples: list[hc.Sample], cut: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        find_directions(samples, hc.Selection(cut))


def test_only_the_optimizer_takes_a_direction_that_is_not_known() -> None:
    samples = samples_of(np.array([1.0]), np.array([1.0, 2.0]))
    for call in (hc.fill, hc.scan):
        with pytest.raises(InputError, match="The direction of the cut on 'x' is still to be found"):
            call(samples, hc.Cut("x", "auto", 1.0))
