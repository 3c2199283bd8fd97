"""Cuts on formulas, written out for other programs, select the same events there."""

import shutil
import subprocess

import awkward as ak
import matplotlib.mathtext
import numpy as np
import pandas as pd
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts._core.formulas import formula

N = 2000
COMPILER = shutil.which("g++") or shutil.which("clang++") or ""
EVERYWHERE = {
    "sqrt(2*pt*met*(1 - cos(dphi)))": 60.0,
    "abs(eta)": 1.2,
    "TMath::Abs(eta - 0.5) / exp(-eta)": 0.7,
    "(pt - met) / (pt + met)": 0.1,
    "njet / 2": 1.5,
    "-eta**3 + pi": 3.0,
    "atan2(met, pt) * log10(pt)": 1.1,
    "pow(eta, 2) + pow(dphi, 2)": 4.0,
}
IN_SOME = {
    "max(pt, met) - min(pt, njet)": ("numpy", "awkward", "root"),
    "hypot(pt, met) + fmod(pt, 7)": ("numpy", "awkward", "root"),
    "where(trig && njet >= 2, pt, -met)": ("numpy", "root"),
    "(2 < njet <= 4) + !(trig | eta > 0) + isnan(pt)": ("numpy",),
}
THRESHOLDS = EVERYWHERE | dict.fromkeys(IN_SOME, 0.5) | {"hypot(pt, met) + fmod(pt, 7)": 60.0}


def columns(dtype=np.float64):
    rng = np.random.default_rng(7)
    found = {
        "pt": rng.exponential(50.0, N),
        "met": rng.exponential(40.0, N),
        "eta": rng.normal(0.0, 1.5, N),
        "dphi": rng.uniform(-np.pi, np.pi, N),
    }
    whole = {"njet": rng.integers(0, 6, N).astype(np.int32), "trig": rng.uniform(size=N) < 0.7}
    return {name: values.astype(dtype) for name, values in found.items()} | whole


COLUMNS = columns()


def cut_on(text):
    return hc.Selection([hc.Cut(text, ">", THRESHOLDS[text])])


def expected(text, data=COLUMNS):
    passed = formula(text)(data) > THRESHOLDS[text]
    assert 0 < passed.sum() < N
    return passed


def texts_of(language):
    return [text for text in THRESHOLDS if language in IN_SOME.get(text, (language,))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", texts_of("numpy"))
def test_numpy(text, dtype):
    data = columns(dtype)
    found = eval(cut_on(text).expression("numpy"), {"np": np}, data)  # noqa: S307
    np.testing.assert_array_equal(found, expected(text, data))


@pytest.mark.parametrize("text", texts_of("awkward"))
def test_awkward(text):
    found = eval(cut_on(text).expression("awkward"), {"np": np, "events": ak.Array(COLUMNS)})  # noqa: S307
    np.testing.assert_array_equal(ak.to_numpy(found), expected(text))


@pytest.mark.parametrize("text", EVERYWHERE)
def test_pandas(text):
    # With NumPy 2, pandas before 2.2.3 writes numbers so that numexpr does not read them.
    old = tuple(map(int, pd.__version__.split(".")[:3])) < (2, 2, 3)
    found = pd.DataFrame(COLUMNS).query(cut_on(text).expression("pandas"), **({"engine": "python"} if old else {}))
    np.testing.assert_array_equal(found.index, np.flatnonzero(expected(text)))


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_cpp(tmp_path):
    """Branches of 32 bits, whole numbers and truth values, as ROOT has them."""
    texts, data = texts_of("root"), columns(np.float32)
    conditions = "".join(f"std::putchar(({cut_on(text).expression('root')}) ? 49 : 48);" for text in texts)
    kinds = {"f": "float", "i": "int", "b": "bool"}
    read = " ".join(
        f"{kinds[v.dtype.kind]} {name}; std::fread(&{name}, {v.itemsize}, 1, stdin);" for name, v in data.items()
    )
    source = (
        f"#include <cstdio>\n#include <cmath>\nint main() {{ for (int i = 0; i < {N}; i++) {{ {read} {conditions} }} }}"
    )
    (tmp_path / "cuts.cpp").write_text(source)
    subprocess.run([COMPILER, "-O1", "-ffp-contract=off", "cuts.cpp", "-o", "cuts"], cwd=tmp_path, check=True)
    table = np.rec.fromarrays(list(data.values()), names=list(data)).tobytes()
    out = subprocess.run([tmp_path / "cuts"], input=table, stdout=subprocess.PIPE, check=True).stdout
    found = np.frombuffer(out, dtype=np.uint8).reshape(N, len(texts)) == ord("1")
    for passed, text in zip(found.T, texts, strict=True):
        np.testing.assert_array_equal(passed, expected(text, data), err_msg=text)


@pytest.mark.parametrize("text", EVERYWHERE)
def test_latex(text):
    found = cut_on(text).expression("latex")
    assert "mathrm{sqrt" not in found
    matplotlib.mathtext.MathTextParser("path").parse(f"${found}$")


def test_what_it_reads_like():
    cut = hc.Selection.parse("abs(eta) < 2.5 & pt / met > 2")
    assert cut.expression("numpy") == "(np.abs(np.float64(eta)) < 2.5) & ((np.float64(pt) / np.float64(met)) > 2.0)"
    assert cut.expression("root") == "(fabs((1.0 * eta)) < 2.5) && ((1.0 * (1.0 * pt) / (1.0 * met)) > 2.0)"
    assert cut.expression("pandas") == "(abs(eta) < 2.5) & ((pt / met) > 2.0)"
    assert cut.expression("latex") == r"|\mathrm{eta}| < 2.5 \wedge \frac{\mathrm{pt}}{\mathrm{met}} > 2"
    names = {"abs(eta)": "abseta", "pt": "lead_pt"}
    assert cut.expression("root", names=names) == "(abseta < 2.5) && ((1.0 * (1.0 * lead_pt) / (1.0 * met)) > 2.0)"


def test_names_stay_names():
    frame = pd.DataFrame({"pt/GeV": [1.0, 3.0], "jet-pt": [1.0, 3.0]})
    cut = hc.Cut("pt/GeV", ">", 2) & hc.Cut("jet-pt", ">", 2)
    assert frame.query(cut.expression("pandas")).index.tolist() == [1]


JAGGED = {
    "jet_pt[0]": 55.0,
    "jet_pt[-2]": 45.0,
    "len(jet_pt) - 1": 1.5,
    "sum(jet_pt[jet_pt > 30 && abs(jet_eta) < 2])": 100.0,
    "max(jet_pt) - min(jet_pt)": 60.0,
    "any(jet_pt > 80) + all(jet_pt > 25)": 0.5,
    "(2 * jet_pt)[0] / met": 3.0,
}


def lists():
    """Lists of numbers of each event, of 32 bits, some of them empty."""
    rng = np.random.default_rng(3)
    counts = rng.poisson(2.0, N)
    values = {"jet_pt": 20.0 + rng.exponential(40.0, counts.sum()), "jet_eta": rng.normal(0.0, 1.5, counts.sum())}
    found = {name: ak.unflatten(numbers.astype(np.float32), counts) for name, numbers in values.items()}
    return found | {"met": rng.exponential(40.0, N).astype(np.float32)}


def passing_lists(text, data):
    with np.errstate(invalid="ignore"):
        passed = np.asarray(formula(text)(data) > JAGGED[text])
    assert 0 < passed.sum() < N
    return passed


@pytest.mark.parametrize("text", JAGGED)
def test_lists_in_awkward(text):
    data = lists()
    expression = hc.Selection([hc.Cut(text, ">", JAGGED[text])]).expression("awkward")
    events = ak.zip(data, depth_limit=1)
    found = eval(expression, {"ak": ak, "np": np, "events": events})  # noqa: S307
    np.testing.assert_array_equal(ak.to_numpy(found), passing_lists(text, data))


def test_lists_in_rdataframe():
    pytest.importorskip("ROOT", reason="ROOT, which is none of our dependencies, is not installed")
    data = lists()
    for text, threshold in JAGGED.items():
        condition = hc.Selection([hc.Cut(text, ">", threshold)]).expression("root")
        kept = ak.to_rdataframe(data).Define("number", "rdfentry_").Filter(condition).AsNumpy(["number"])["number"]
        np.testing.assert_array_equal(np.sort(kept), np.flatnonzero(passing_lists(text, data)), err_msg=text)


@pytest.mark.parametrize("text", ["jet_pt[0]", "len(jet_pt)", "max(jet_pt)"])
def test_lists_are_named_in_numpy(text):
    with pytest.raises(InputError, match="cannot be named there; say what it is called"):
        hc.Selection([hc.Cut(text, ">", 1.5)]).expression("numpy")


@pytest.mark.parametrize("text", ["njet % 2", "m [GeV]", "log2(pt) > nan"])
def test_what_there_is_nothing_for_is_to_be_named(text):
    for language in ("numpy", "root"):
        with pytest.raises(InputError, match="cannot be named there; say what it is called"):
            hc.Selection([hc.Cut(text, ">", 1.5)]).expression(language)
        assert "x > 1.5" in hc.Selection([hc.Cut(text, ">", 1.5)]).expression(language, names={text: "x"})


def test_missing_values_of_a_formula():
    selection = hc.Selection([hc.Cut("log(eta)", ">", -1.0, missing="pass")])
    with np.errstate(invalid="ignore"):
        found = eval(selection.expression("numpy", missing=np.nan), {"np": np}, COLUMNS)  # noqa: S307
    np.testing.assert_array_equal(found, (COLUMNS["eta"] < 0) | (COLUMNS["eta"] > np.exp(-1.0)))
