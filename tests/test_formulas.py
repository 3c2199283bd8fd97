"""Formulas of columns: what they compute, as NumPy computes it, and what is refused."""

import contextlib
import pickle
import warnings

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepcuts._core.errors import InputError
from hepcuts._core.formulas import Formula, formula

PT = np.array([40.0, 50.0, 7.0], dtype=np.float32)
MET = np.array([30.0, 1.0, 12.0])
DPHI = np.array([3.0, -0.25, 1.0])
TRIG = np.array([True, False, True])
NJET = np.array([4, 2, 0], dtype=np.uint32)
EVENT = np.array([2**60 + 1, 2**60, 3], dtype=np.uint64)
JET_PT = ak.Array([[50.0, 20.0], [], [31.0]])
JET_ETA = ak.Array([[1.0, -3.0], [], [0.5]])
COLUMNS = {
    "pt": PT,
    "met": MET,
    "dphi": DPHI,
    "trig": TRIG,
    "njet": NJET,
    "event": EVENT,
    "jet_pt": JET_PT,
    "jet_eta": JET_ETA,
    "Jet.pt": MET,
    "pt [GeV]": MET,
}
WIDE = PT.astype(np.float64)
MEANING = {
    "sqrt(2*pt*met*(1-cos(dphi)))": np.sqrt(2 * WIDE * MET * (1 - np.cos(DPHI))),
    "TMath::Abs(dphi)": np.abs(DPHI),
    "std::hypot(pt, met)": np.hypot(WIDE, MET),
    "min(pt, met)": np.minimum(WIDE, MET),
    "where(trig, pt, -met)": np.where(TRIG, WIDE, -MET),
    "pt**2 / 4": WIDE**2 / 4,
    "njet - 5": np.array([-1.0, -3.0, -5.0]),
    "njet / 3": np.array([4 / 3, 2 / 3, 0.0]),
    "njet // 3": np.array([1, 0, 0]),
    "event % 2 == 1": np.array([True, False, True]),
    "event == 1152921504606846977": np.array([True, False, False]),
    "trig & njet >= 4": np.array([True, False, False]),
    "trig & (njet >= 4)": np.array([True, False, False]),
    "trig && njet >= 4 || !trig": np.array([True, True, False]),
    "!trig": ~TRIG,
    "not njet > 1": np.array([False, False, True]),
    "~(pt > 45)": np.array([True, False, True]),
    "10 < met < 31": np.array([True, False, True]),
    "met != 1": np.array([True, False, True]),
    "Jet.pt + 0": MET,
    "`pt [GeV]` * 2": 2 * MET,
    "pi * 1": np.full(3, np.pi),
    "jet_pt[0]": np.array([50.0, np.nan, 31.0]),
    "jet_pt[1]": np.array([20.0, np.nan, np.nan]),
    "jet_pt[-1]": np.array([20.0, np.nan, 31.0]),
    "jet_pt[0] > 30": np.array([True, False, True]),
    "len(jet_pt)": np.array([2, 0, 1]),
    "sum(jet_pt[jet_pt > 30])": np.array([50.0, 0.0, 31.0]),
    "sum(jet_pt[jet_pt > 10 && abs(jet_eta) < 2])": np.array([50.0, 0.0, 31.0]),
    "max(jet_pt * 2)": np.array([100.0, np.nan, 62.0]),
    "any(jet_pt > 30)": np.array([True, False, True]),
    "all(jet_pt > 30)": np.array([False, True, True]),
}


@pytest.mark.parametrize("text", MEANING)
def test_means_what_numpy_computes(text: str) -> None:
    np.testing.assert_array_equal(formula(text)(COLUMNS), MEANING[text])


def test_a_column_stays_as_it_is_and_what_is_computed_has_64_bits() -> None:
    assert formula("pt")(COLUMNS).dtype == np.float32
    assert formula("pt * 1")(COLUMNS).dtype == np.float64
    # Compared in 64 bits: 0.1 is another number in 32.
    assert formula("x > 0.1")({"x": np.array([0.1], dtype=np.float32)}).tolist() == [True]


def test_names_in_the_order_of_the_text_and_pickled() -> None:
    read = formula("met + jet_pt[0]*pt - met")
    assert read.names == ("met", "jet_pt", "pt")
    assert not read.is_name
    again = pickle.loads(pickle.dumps(read))  # noqa: S301 (our own)
    assert again == read
    np.testing.assert_array_equal(again(COLUMNS), read(COLUMNS))


REFUSED = {
    "jet_pt": r"list of numbers for each event; choose one, as in jet_pt\[0\]",
    "pt & 4": "'pt' is no condition: it has values other than 0 and 1",
    "njet | trig": "'njet' is no condition",
    "__import__('os').system('ls')": "no number|no function",
    "pt.__class__": "no column 'pt.__class__'",
    "open(pt)": "no function 'open'",
    "(lambda: 1)()": "no function",
    "[x for x in pt]": "nothing that can stand in a formula",
    "trig ? pt : met": r"where\(condition, a, b\)",
    "pt[0]": "square brackets choose from a jagged branch",
    "jet_pt[0.5]": "index .* is no whole number",
    "len(pt)": "one number for each event",
    "eta > 1": "no column 'eta'; there are pt, met",
    "pt ^ 2": r"a power is written \*\*",
    "sqrt(pt, met)": "sqrt came with 2 arguments; expected 1",
    "sqrt(x=pt)": "named arguments",
    "pt in met": "no comparison",
    "pt >": "cannot be read",
    "'pt'": "no number",
    "": "expected text",
    "(" * 300 + "1" + ")" * 300: "cannot be read",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_formula_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InputError, match=REFUSED[text]):
        formula(text)(COLUMNS)


def test_text_and_null_in_columns() -> None:
    with pytest.raises(InputError, match="column 'label' is no number but text"):
        formula("label == 1")({"label": np.array(["s", "b"])})
    np.testing.assert_array_equal(formula("x + 1")({"x": np.array([1, None], dtype=object)}), [2.0, np.nan])


@given(st.text(alphabet="abx0123456789.+-*/%<>=!&|~()[], `'\"\\n?:_^@{};", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of Python's parser, such as for 1or 2
        with contextlib.suppress(InputError):
            Formula(text)({"a": np.ones(2), "b": np.zeros(2), "x": JET_PT[:2]})
