"""Systematic uncertainties: what they say to pyhf, and what they refuse."""

import pickle
from typing import Any

import numpy as np
import pytest

from hepcuts import HistoSys, Lumi, NormFactor, NormSys, ShapeSys
from hepcuts._core.errors import InputError, SampleError
from hepcuts.samples.modifiers import Variation
from tests.unchecked import unchecked  # noqa: F401

NOMINAL, UP, DOWN = np.array([10.0, 20.0]), np.array([11.0, 24.0]), np.array([9.5, 18.0])

SPECIFICATIONS = {
    "normsys": (NormSys("a", 1.1, 0.95), "normsys", {"hi": 1.1, "lo": 0.95}),
    "histosys": (HistoSys("a", up=[1.0], down=[1.0]), "histosys", {"hi_data": [11.0, 24.0], "lo_data": [9.5, 18.0]}),
    "shapesys": (ShapeSys("a", 0.1), "shapesys", [1.0, 2.0]),
    "shapesys-per-bin": (ShapeSys("a", [0.1, 0.0]), "shapesys", [1.0, 0.0]),
    "normfactor": (NormFactor("a"), "normfactor", None),
    "lumi": (Lumi(0.1), "lumi", None),
}


@pytest.mark.parametrize(("modifier", "kind", "data"), SPECIFICATIONS.values(), ids=SPECIFICATIONS)
def test_specification_as_pyhf_writes_it(modifier: Any, kind: str, data: Any) -> None:
    name = "lumi" if kind == "lumi" else "a"
    assert modifier.specification(NOMINAL, UP, DOWN) == {"name": name, "type": kind, "data": data}


def test_an_absolute_uncertainty_is_positive_for_a_negative_yield() -> None:
    assert ShapeSys("a", 0.1).specification(-NOMINAL, UP, DOWN)["data"] == [1.0, 2.0]


def test_parameters_of_the_measurement() -> None:
    assert NormSys("a", 1.1, 0.9).parameter() is None
    assert NormFactor("k", bounds=(0, 3), init=2, fixed=True).parameter() == {
        "name": "k",
        "inits": [2.0],
        "bounds": [[0.0, 3.0]],
        "fixed": True,
    }
    lumi = Lumi(0.02).parameter()
    assert (lumi["auxdata"], lumi["sigmas"], lumi["inits"]) == ([1.0], [0.02], [1.0])
    assert lumi["bounds"][0] == pytest.approx([0.8, 1.2])
    # No negative luminosity.
    assert Lumi(0.5).parameter()["bounds"] == [[0.0, 6.0]]


BAD = {
    "normsys-zero": (lambda: NormSys("a", 0.0, 1.0), "'a': the factor 'up' is 0.0; expected a positive factor"),
    "normsys-negative": (lambda: NormSys("a", 1.1, -0.1), "the factor 'down' is -0.1; expected a positive"),
    "normsys-nan": (lambda: NormSys("a", np.nan, 1.0), "the factor 'up' is nan; expected a finite number"),
    "normsys-infinite": (lambda: NormSys("a", 1.0, np.inf), "the factor 'down' is inf; expected a finite number"),
    "normsys-text": (lambda: NormSys("a", "large", 1.0), "the factor 'up' is 'large'; expected a number"),
    "normsys-none": (lambda: NormSys("a", 1.1, None), "the factor 'down' is None; expected a number"),
    "nameless": (lambda: NormSys("", 1.1, 0.9), "The name of a modifier is ''"),
    "name-is-no-string": (lambda: ShapeSys(3, 0.1), "The name of a modifier is 3"),
    "histosys-nameless": (lambda: HistoSys(" ", up=[1.0], down="mirror"), "The name of a modifier is ' '"),
    "histosys-nothing": (lambda: HistoSys("a", up={}, down="mirror"), "'a', up: changes nothing"),
    "histosys-nothing-down": (lambda: HistoSys("a", up=[1.0], down=Variation()), "'a', down: changes nothing"),
    "histosys-down": (lambda: HistoSys("a", up=[1.0], down="symmetric"), "'mirror' or 'nominal'"),
    "histosys-name-of-column": (lambda: HistoSys("a", up="w_up", down="mirror"), "'a', up: is 'w_up'; expected varied"),
    "histosys-text": (lambda: HistoSys("a", up={"x": ["b"]}, down="mirror"), "'a', up: a column cannot be read"),
    "histosys-nan-weights": (lambda: HistoSys("a", up=[np.nan], down="mirror"), "'a', up.*1 of 1 rows are NaN"),
    "shapesys-negative": (lambda: ShapeSys("a", -0.1), r"'a': relative is -0.1; expected finite numbers"),
    "shapesys-nan": (lambda: ShapeSys("a", [0.1, np.nan]), "expected finite numbers that are not negative"),
    "shapesys-text": (lambda: ShapeSys("a", "large"), "'a': relative is 'large'"),
    "shapesys-matrix": (lambda: ShapeSys("a", np.ones((2, 2))), "one for all bins or one per bin"),
    "normfactor-outside": (lambda: NormFactor("a", bounds=(0, 1), init=2), "init 2.0 lies outside the bounds"),
    "normfactor-order": (
        lambda: NormFactor("a", bounds=(2, 1)),
        r"bounds are \(2, 1\); expected \(low, high\), low < ",
    ),
    "normfactor-one-bound": (lambda: NormFactor("a", bounds=(2,)), r"bounds are \(2,\); expected \(low, high\)"),
    "normfactor-infinite": (lambda: NormFactor("a", bounds=(0, np.inf)), "a bound is inf; expected a finite"),
    "normfactor-text": (lambda: NormFactor("a", init="one"), "init is 'one'; expected a number"),
    "lumi-zero": (lambda: Lumi(0.0), "the relative uncertainty is 0.0; expected a positive number"),
    "lumi-name": (lambda: Lumi(0.02, name="lumi_2015"), "Lumi is named 'lumi_2015'; pyhf's schema knows one"),
    "lumi-text": (lambda: Lumi("2%"), "the relative uncertainty is '2%'; expected a number"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("make", "match"), BAD.values(), ids=BAD)
def test_refusals_say_what_was_expected(make: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()


def test_per_bin_uncertainties_must_fit_the_bins() -> None:
    with pytest.raises(InputError, match="has 3 relative uncertainties for 2 bins"):
        ShapeSys("a", [0.1, 0.2, 0.3]).specification(NOMINAL, UP, DOWN)


@pytest.mark.usefixtures("unchecked")
def test_a_variation_of_weights_is_checked_at_once() -> None:
    with pytest.raises(SampleError, match=r"HistoSys 'a', down\", column 'weights': has shape \(1, 1\)"):
        HistoSys("a", up=[1.0], down=[[1.0]])


@pytest.mark.parametrize(
    ("down", "expected"), [("mirror", [9.0, 16.0]), ("nominal", [10.0, 20.0])], ids=["mirror", "nominal"]
)
def test_a_down_side_without_events(down: str, expected: list[float]) -> None:
    jes = HistoSys("jes", up=[1.0], down=down)
    assert [*jes.sides] == ["up"]
    np.testing.assert_array_equal(jes.completed_down(NOMINAL, UP), expected)


def test_signatures_tell_modifiers_apart_but_not_their_events() -> None:
    same = [HistoSys("a", up=[1.0], down="mirror"), HistoSys("a", up=[2.0, 3.0], down="mirror")]
    assert same[0].signature() == same[1].signature() == same[1].without_events().signature()
    others = [
        HistoSys("a", up=[1.0], down="nominal"),
        HistoSys("a", up=[1.0], down=[1.0]),
        HistoSys("b", up=[1.0], down="mirror"),
        NormSys("a", 1.1, 0.9),
        NormSys("a", 1.2, 0.9),
        ShapeSys("a", 0.1),
        ShapeSys("a", 0.2),
        NormFactor("a"),
        NormFactor("a", fixed=True),
    ]
    signatures = [m.signature() for m in (same[0], *others)]
    assert len(set(signatures)) == len(signatures)


@pytest.mark.parametrize("modifier", [m for m, *_ in SPECIFICATIONS.values()], ids=SPECIFICATIONS)
def test_modifiers_can_be_sent_to_other_processes(modifier: Any) -> None:
    other = pickle.loads(pickle.dumps(modifier))  # noqa: S301
    assert other.signature() == modifier.signature()
    assert other.specification(NOMINAL, UP, DOWN) == modifier.specification(NOMINAL, UP, DOWN)


LINEAR = {
    # Up and down on the summed yield of 30: 0.1 * 30, -0.05 * 30, 35 - 30, 27.5 - 30, ...
    "normsys": (3.0, -1.5, 0.0),
    "histosys": (5.0, -2.5, 0.0),
    "shapesys": (0.0, 0.0, 1.0 + 4.0),
    "shapesys-per-bin": (0.0, 0.0, 1.0),
    "normfactor": (0.0, 0.0, 0.0),
    "lumi": (3.0, -3.0, 0.0),
}


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_linear_uncertainty_of_the_summed_yield(name: str) -> None:
    assert SPECIFICATIONS[name][0].linear_uncertainty(NOMINAL, UP, DOWN) == pytest.approx(LINEAR[name])
