"""Columns of 32 bits: they stay such, and all that is done with them is as exact as with 64."""

import pickle
import tracemalloc
import warnings
from typing import Any, ClassVar

import hist
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import OutsideAxisWarning


class TestColumnsOf32Bits:
    """They stay such, and every comparison with a threshold is exact."""

    @staticmethod
    def samples(dtype: Any) -> list[hc.Sample]:
        rng = np.random.default_rng(5)
        x = {k: rng.normal(m, 1.0, 3000).astype(np.float32).round(3) for k, m in (("s", 1.5), ("b", 0.0))}
        x["b"][::50] = np.float32(-999.9)
        shifted = {"x": np.where(x["b"] == np.float32(-999.9), x["b"], x["b"] + np.float32(0.1)).astype(dtype)}
        return [
            hc.Sample("s", {"x": x["s"].astype(dtype)}, weights=np.full(3000, 0.01, np.float32), signal=True),
            hc.Sample(
                "b",
                {"x": x["b"].astype(dtype)},
                weights=rng.uniform(0.1, 1.0, 3000).astype(np.float32),
                modifiers=hc.HistoSys("scale", up=shifted, down="mirror"),
                missing=-999.9,
            ),
        ]

    def test_they_stay_and_weights_are_of_64(self) -> None:
        (sample, *_) = self.samples(np.float32)
        assert (sample.columns["x"].dtype, sample.column("x").dtype, sample.weights.dtype) == ("f4", "f8", "f8")
        assert pickle.loads(pickle.dumps(sample)).columns["x"].dtype == "f4"  # noqa: S301 (our own)
        assert sample.take(np.arange(5)).columns["x"].dtype == "f4"
        with pytest.raises(ValueError, match="read-only"):
            sample.columns["x"][0] = 1.0

    @pytest.mark.parametrize(("given", "kept"), [("f2", "f4"), (">f4", "f4"), (">f8", "f8"), ("i4", "f8"), ("?", "f8")])
    def test_what_other_types_become(self, given: str, kept: str) -> None:
        values = np.array([0, 1, 1]).astype(given)
        assert hc.Sample("s", {"x": values}).columns["x"].dtype == np.dtype(kept)

    def test_large_integers_keep_their_value(self) -> None:
        assert hc.Sample("s", {"x": np.array([2**24 + 1])}).columns["x"][0] == 2**24 + 1

    @pytest.mark.parametrize("direction", [">", "<"])
    def test_all_thresholds_select_the_same_in_32_and_in_64_bits(self, direction: Any) -> None:
        samples = self.samples(np.float32)
        scan = hc.scan(samples, hc.Cut("x", direction), metrics=["s_over_sqrt_b"], replicas=0, folds=0)
        assert np.all(scan.thresholds.astype(np.float32) == scan.thresholds)
        x = samples[0].columns["x"]
        compare = np.greater if direction == ">" else np.less
        for number in range(0, len(scan.thresholds), 97):
            t = float(scan.thresholds[number])
            passed = hc.Cut("x", direction, t).mask(x)
            np.testing.assert_array_equal(passed, compare(x, np.float32(t)))
            np.testing.assert_array_equal(passed, compare(x.astype(np.float64), t))
            assert scan.table.signal[number] == pytest.approx(0.01 * passed.sum(), rel=1e-6)

    def test_a_threshold_between_a_number_and_the_next_of_32_bits_is_compared_exactly(self) -> None:
        value = np.float32(0.1)
        assert float(value) > 0.1
        assert hc.Cut("x", ">", 0.1).mask(np.array([value])).all()
        sample = hc.Sample("s", {"x": np.array([value])}, signal=True)
        background = hc.Sample("b", {"x": np.array([value])})
        assert hc.fill([sample, background], hc.Cut("x", ">", 0.1)).nominal.sum() == 2.0
        scan = hc.scan([sample, background], hc.Cut("x", ">"), metrics=["bce"], thresholds=[0.1], replicas=0, folds=0)
        assert scan.table.background.tolist() == [1.0]

    ENTRIES: ClassVar[dict[str, Any]] = {
        "fill": lambda s: hc.fill(s, hc.Cut("x", ">", 0.3)).yields.values.tolist(),
        "axis": lambda s: hc.fill(s, None, axis=hist.axis.Regular(9, -2, 3, name="x")).yields.values.tolist(),
        "scan": lambda s: hc.scan(
            s, hc.Cut("x", ">"), metrics=["bce", "profile"], thresholds=np.linspace(-1, 2, 13)
        ).optimum("profile").uncertainty,
        "window": lambda s: hc.scan(
            s, hc.Window("x"), metrics=["asimov_uncertainty"], thresholds=np.linspace(-1, 2, 7), replicas=0, folds=2
        ).optimum("asimov_uncertainty").held_out,
        "optimize": lambda s: hc.optimize(
            s, hc.Cut("x", ">"), objective="asimov", folds=2, replicas=0, holdout=None
        ).thresholds,
        "bce": lambda s: hc.optimize(
            s, hc.Cut("x", ">", width=0.3), objective="bce", folds=0, replicas=0, holdout=None
        ).soft_value,
        "bins": lambda s: hc.bin_edges(s, "x", num_bins=3, folds=0, fine_bins=30, holdout=None).edges.tolist(),
        "categorize": lambda s: hc.categorize(s, "x", num_bins=2, folds=0, fine_bins=30, holdout=None).value,
    }  # fmt: skip

    @pytest.mark.parametrize("entry", ENTRIES)
    @pytest.mark.slow("optimize", "categorize")
    def test_everything_is_as_of_the_same_numbers_in_64_bits(self, entry: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutsideAxisWarning)
            found, expected = (self.ENTRIES[entry](self.samples(dtype)) for dtype in (np.float32, np.float64))
        assert found == expected

    def test_they_take_half_of_the_memory(self) -> None:
        """One copy, and on the way four masks."""
        values = {name: np.ones(1_000_000, dtype=np.float32) for name in "abcde"}
        weights = np.ones(1_000_000)
        tracemalloc.start()
        sample = hc.Sample("s", values, weights=weights, signal=True)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(sample) == 1_000_000
        assert kept < 1.01 * (5 * 4 + 8) * 1e6
        assert peak < kept + 1.01 * 4e6
