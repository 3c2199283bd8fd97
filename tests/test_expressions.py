"""A printed selection selects the same events where it is pasted: in NumPy, pandas, awkward, C++ and as text."""

import shutil
import subprocess
from pathlib import Path

import awkward as ak
import matplotlib.mathtext
import numpy as np
import pandas as pd
import pytest

import hepcuts as hc
from hepcuts._core.decimals import between, exact
from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut
from tests.foreign_objects import AbsoluteWindow

N = 20_000
COMPILER = shutil.which("g++") or shutil.which("clang++") or ""


def columns(dtype: type = np.float64) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    found = {
        "mass": rng.normal(120.0, 15.0, N),
        "pt": rng.exponential(50.0, N),
        "iso": rng.uniform(0.0, 0.5, N),
        "eta": rng.normal(0.0, 1.5, N).round(2),
        "n": rng.integers(0, 6, N).astype(np.float64),
    }
    found["pt"][::7], found["eta"][::11] = -999.0, np.nan
    return {name: values.astype(dtype) for name, values in found.items()}


COLUMNS = columns()
AT = {name: np.sort(values[np.isfinite(values)])[N // 2].item() for name, values in COLUMNS.items()}
"""Thresholds on values of events, with all their digits."""
SELECTIONS = {
    "cut": hc.Selection([hc.Cut("mass", ">", AT["mass"])]),
    "negative": hc.Cut("eta", ">", -0.5) & hc.Cut("mass", "<", np.nextafter(AT["mass"], np.inf)),
    "window": hc.Window("mass", AT["mass"] - 10.0, AT["mass"]) & hc.Cut("iso", "<", 1 / 3),
    "inverted": ~hc.Window("mass", 105.1, 140.2) & ~hc.Cut("pt", ">", AT["pt"]),
    "integers": hc.Cut("n", ">", 1.5, integer=True) & hc.Window("mass", 90.0, 1e9),
    "whole-window": hc.Selection([hc.Window("n", 0.5, 3.5, integer=True)]),
    "sets": hc.OneOf("n", {1, 4, 5}) & ~hc.OneOf("pt", -999),
    "equal": hc.OneOf("n", 3) & hc.Cut("mass", ">", 100.0),
    "all-but": hc.OneOf("eta", {-1, 0, 2}, excluded=True) & hc.OneOf("n", 0, excluded=True),
    "all-but-and-missing": hc.OneOf("eta", 0, excluded=True, missing="pass") & hc.OneOf("n", {0, 1, 2, 3}),
    "missing-passes": hc.Cut("pt", ">", 40.0, missing="pass") & hc.Cut("mass", ">", 100.0),
    "missing-fails": hc.Cut("pt", "<", 40.0) & ~hc.Cut("iso", ">", 0.2),
    "sliding": hc.SlidingCut("iso", "<", along="mass", knots=(100, 120, 141), thresholds=(0.1, 0.3, 0.2))
    & hc.Cut("n", "<", 4),
    "sliding-and-missing": hc.Selection([
        hc.SlidingCut("iso", ">", along="pt", knots=(20, 100), thresholds=(0.4, -0.1), missing="pass")
    ]),
}  # fmt: skip


def expected(selection: hc.Selection, missing: float | None, data: dict[str, np.ndarray] = COLUMNS) -> np.ndarray:
    mask = selection.mask(data, missing=missing)
    assert 0 < mask.sum() < N
    return mask


@pytest.mark.parametrize("missing", [None, -999.0, np.nan])
@pytest.mark.parametrize("name", SELECTIONS)
class TestTheSameEvents:
    def test_numpy(self, name: str, missing: float | None) -> None:
        selection = SELECTIONS[name]
        found = eval(selection.expression("numpy", missing=missing), {"np": np}, COLUMNS)  # noqa: S307
        np.testing.assert_array_equal(found, expected(selection, missing))

    def test_awkward(self, name: str, missing: float | None) -> None:
        selection, events = SELECTIONS[name], ak.Array({**COLUMNS, "number": np.arange(N)})
        kept = events[eval(selection.expression("awkward", missing=missing), {"events": events})]  # noqa: S307
        np.testing.assert_array_equal(kept.number, np.flatnonzero(expected(selection, missing)))

    @pytest.mark.parametrize("engine", ["python", "numexpr"])
    def test_pandas(self, name: str, missing: float | None, engine: str) -> None:
        if engine == "numexpr":
            pytest.importorskip("numexpr")
        selection, frame = SELECTIONS[name], pd.DataFrame(COLUMNS)
        found = frame.query(selection.expression("pandas", missing=missing), engine=engine)
        np.testing.assert_array_equal(found.index, np.flatnonzero(expected(selection, missing)))


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_the_same_events_in_cpp(tmp_path: Path) -> None:
    """One program for all selections; columns of several types, and whole numbers as ROOT has them."""
    asked = [(selection, missing) for selection in SELECTIONS.values() for missing in (None, -999.0, np.nan)]
    names = list(COLUMNS)
    conditions = "".join(
        f"std::putchar(({selection.expression('root', missing=missing)}) ? 49 : 48);" for selection, missing in asked
    )
    read = " ".join(f"double {name}; std::fread(&{name}, 8, 1, stdin);" for name in names if name != "n")
    source = f"""#include <cstdio>
    int main() {{ for (int i = 0; i < {N}; i++) {{
        {read} double whole; std::fread(&whole, 8, 1, stdin); unsigned n = whole; {conditions} }} }}"""
    (tmp_path / "cuts.cpp").write_text(source)
    warnings = ["-Wall", "-Wextra", "-Werror=sign-compare", "-Wno-unused-result"]
    subprocess.run([COMPILER, "-O1", *warnings, "cuts.cpp", "-o", "cuts"], cwd=tmp_path, check=True)
    table = np.stack([COLUMNS[name] for name in names], axis=1).tobytes()
    out = subprocess.run([tmp_path / "cuts"], input=table, stdout=subprocess.PIPE, check=True).stdout
    found = np.frombuffer(out, dtype=np.uint8).reshape(N, len(asked)) == ord("1")
    for passed, (selection, missing) in zip(found.T, asked, strict=True):
        np.testing.assert_array_equal(passed, expected(selection, missing), err_msg=str(selection))


@pytest.mark.parametrize("name", SELECTIONS)
def test_latex_can_be_set(name: str) -> None:
    text = SELECTIONS[name].expression("latex", missing=-999.0, names={"pt": r"p_{\mathrm{T}}"})
    matplotlib.mathtext.MathTextParser("path").parse(f"${text}$")


def test_latex_has_all_digits() -> None:
    selection = hc.Cut("DER_mass_MMC", ">", 1.25e-7) & hc.Cut("$m_T$ [GeV]", "<", 1 / 3)
    assert selection.expression("latex") == (
        r"\mathrm{DER\_mass\_MMC} > 1.25 \times 10^{-7} \wedge \text{$m_T$ [GeV]} < 0.3333333333333333"
    )


def test_what_is_printed_selects_the_same_events_in_a_query() -> None:
    """With six digits it selected one event more."""
    selection = hc.Cut("mass", ">", AT["mass"]) & hc.Window("pt", 0.1, AT["pt"]) & hc.Cut("n", "<", 3.5, integer=True)
    found = pd.DataFrame(COLUMNS).query(str(selection))
    np.testing.assert_array_equal(found.index, np.flatnonzero(selection.mask(COLUMNS)))


def test_foreign_names_are_quoted_or_refused() -> None:
    frame = pd.DataFrame({"m [GeV]": [1.0, 2.0], "class": [1.0, 2.0]})
    selection = hc.Cut("m [GeV]", ">", 1.5) & hc.Cut("class", ">", 0.5)
    assert frame.query(selection.expression("pandas")).index.tolist() == [1]
    events = ak.from_iter(frame.to_dict("records"))
    assert eval(selection.expression("awkward"), {"events": events}).tolist() == [False, True]  # noqa: S307
    for language in ("numpy", "root"):
        with pytest.raises(InputError, match="'m \\[GeV\\]' cannot be named there"):
            selection.expression(language)
    names = {"m [GeV]": "m", "class": "kind"}
    assert selection.expression("root", names=names) == "(m > 1.5) && (kind > 0.5)"
    assert hc.Selection([hc.Cut("Jet.pt", ">", 20)]).expression("root") == "(Jet.pt > 20.0)"


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(InputError, match="no language 'fortran'"):
        SELECTIONS["cut"].expression("fortran")
    with pytest.raises(InputError, match="not set"):
        hc.Selection([hc.Cut("x", ">")]).expression("numpy")
    foreign: AbstractCut = AbsoluteWindow(low=0.5, high=1.0)
    with pytest.raises(InputError, match="does not say what it compares"):
        hc.Selection([foreign]).expression("numpy")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.slow("float64")
def test_found_cuts_select_the_same_events_in_either_precision(dtype: type) -> None:
    """Found thresholds stand between values, so that 32 and 64 bits agree on what passes."""
    rng = np.random.default_rng(3)
    x = {kind: rng.normal(mean, 1.0, 4000).astype(dtype).round(2) for kind, mean in (("s", 1.0), ("b", 0.0))}
    n = {kind: rng.poisson(mean, 4000) for kind, mean in (("s", 3.0), ("b", 1.0))}
    samples = [
        hc.Sample(kind, {"x": x[kind], "n": n[kind]}, weights=np.full(4000, 0.01), signal=kind == "s") for kind in "sb"
    ]
    cuts = hc.Cut("x", ">") & hc.Cut("n", ">")
    result = hc.optimize(samples, cuts, objective="asimov", replicas=0, folds=0, holdout=None)
    everything = {"x": np.concatenate([x["s"], x["b"]]), "n": np.concatenate([n["s"], n["b"]])}
    mask = result.selection.mask(everything)
    found = eval(result.selection.expression("numpy"), {}, everything)  # noqa: S307
    np.testing.assert_array_equal(found, mask)
    np.testing.assert_array_equal(pd.DataFrame(everything).query(str(result.selection)).index, np.flatnonzero(mask))
    assert f"n >= {int(np.ceil(result.thresholds['n']))}" in str(result.selection)
    assert result.thresholds["n"] % 1.0 == 0.5


def test_a_scan_of_whole_numbers_loses_none() -> None:
    samples = [
        hc.Sample("s", {"n": [1, 2, 3, 3]}, signal=True),
        hc.Sample("b", {"n": [1, 1, 2, 1]}),
    ]
    for direction, first in ((">", 0.5), ("<", 1.5)):
        scanned = hc.scan(samples, hc.Cut("n", direction), metrics=["bce"], replicas=0, folds=0)
        assert scanned.thresholds.tolist()[0] == first
        assert np.all(scanned.thresholds % 1.0 == 0.5)
    zeros = [hc.Sample("s", {"n": [0, 2]}, signal=True), hc.Sample("b", {"n": [0, 1]})]
    assert hc.scan(zeros, hc.Cut("n", ">"), metrics=["bce"], replicas=0, folds=0).thresholds[0] == -0.5


def test_short_decimals_stand_in_the_gap() -> None:
    rng = np.random.default_rng(1)
    for low, size in zip(rng.normal(0.0, 100.0, 300), 10.0 ** rng.uniform(-9, 3, 300), strict=True):
        found = between(low, low + size)
        assert low + 0.24 * size < found < low + 0.76 * size
    assert between(1.0, np.nextafter(1.0, 2.0)) == 1.0
    assert between(1.0, np.nextafter(1.0, 2.0), -1) == np.nextafter(1.0, 2.0)
    # Neighbors in 32 bits: a number between them is one of them there.
    low, high = (float(value) for value in (np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1))))
    assert between(low, high) == low
    assert between(low, high, -1) == high


@pytest.mark.parametrize("number", [0.0, 1.0, -2.5, 1e300, 5e-324, 0.1, 1 / 3, 123456789.0, 1e22])
def test_texts_read_back(number: float) -> None:
    assert float(exact(number)) == number
