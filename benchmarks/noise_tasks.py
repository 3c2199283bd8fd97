"""What is quoted of bins of a score that knows nothing: who trained, who chose, who judges. For a fresh process."""

import time
from collections.abc import Sequence

import numpy as np
from measure import Measurement
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

import hepcuts as hc
from hepcuts.evaluation.resampling import Folds, HeldOut

EXPECTED = (20.0, 100.0)
SIZE, FEATURES, BINS, FOLDS = 300, 3, 8, 5
"""Simulated events of each class, features, bins of equally many events, parts."""
NEW = 20_000
"""New events of each class."""
NAMES = tuple(f"x{i}" for i in range(FEATURES))

Array = NDArray[np.float64]


def excesses(replicas: int) -> Measurement:
    """Mean excesses of quoted over true squared significances, and their standard errors, see `_excess`."""
    start, found = time.process_time(), []
    with threadpool_limits(1):
        found = [_excesses(seed) for seed in range(replicas)]
    remarks = {}
    for name in found[0]:
        values = np.array([one[name] for one in found])
        remarks |= {name: float(values.mean()), f"{name}, error": float(values.std(ddof=1) / np.sqrt(replicas))}
    return Measurement(run_s=time.process_time() - start, remarks=remarks)


def _excesses(seed: int) -> dict[str, float]:
    samples = _noise(seed, SIZE)
    identity = np.concatenate([sample.identity for sample in samples])
    everything, half = np.ones(2 * SIZE, dtype=bool), HeldOut(0.5, seed).held_out(identity)
    options = {"folds": FOLDS, "seed": seed}
    of_all, all_trained = hc.score(samples, LogisticRegression(), NAMES, holdout=None, **options)
    of_half, half_trained = hc.score(samples, LogisticRegression(), NAMES, holdout=0.5, **options)
    new = _noise(seed + 2_000_000, NEW)
    after_all, after_half = _scores(all_trained.samples(new)), _scores(half_trained.samples(new))

    def by_folds(folds: Folds) -> float:
        part = folds.part(identity)
        return float(
            sum(np.mean(part == k) * _excess(_scores(of_all), part != k, part == k, after_all) for k in range(FOLDS))
        )

    return {
        "on the events that chose": _excess(_scores(of_all), everything, everything, after_all),
        "by folds, those of the score": by_folds(Folds(FOLDS, seed)),
        "by other folds": by_folds(Folds(FOLDS, seed + 1_000_000)),
        "held out, but trained": _excess(_scores(of_all), ~half, half, after_all),
        "held out, trained nothing": _excess(_scores(of_half), ~half, half, after_half),
    }


def _noise(seed: int, size: int) -> list[hc.Sample]:
    generator = np.random.default_rng(seed)
    return [
        hc.Sample(
            kind,
            {name: generator.normal(size=size) for name in NAMES},
            weights=np.full(size, total / size),
            signal=kind == "signal",
        )
        for kind, total in zip(("signal", "background"), EXPECTED, strict=True)
    ]


def _scores(samples: Sequence[hc.Sample]) -> Array:
    return np.concatenate([sample.column("score") for sample in samples])


def _excess(scores: Array, chose: NDArray[np.bool_], judge: NDArray[np.bool_], new: Array) -> float:
    """Excess of what some events quote over what very many new ones do, relative to the value of no bins.

    The quoted squared significance is linear in the yields of the judging events, so that it has no bias but that of
    who trained and who chose: the choosing events say what an event in each bin is worth.
    """
    edges = np.quantile(scores[chose], np.arange(1, BINS) / BINS)
    s, b = _yields(scores, edges, chose)
    ratio = s / np.maximum(b, EXPECTED[1] / SIZE)
    worth = 2.0 * np.log1p(ratio), 2.0 * (np.log1p(ratio) - ratio)
    quoted, true = (
        sum(float(np.sum(w * y)) for w, y in zip(worth, yields, strict=True))
        for yields in (_yields(scores, edges, judge), _yields(new, edges, np.ones(len(new), dtype=bool)))
    )
    return (quoted - true) / hc.counting.asimov_significance(*EXPECTED).item() ** 2


def _yields(scores: Array, edges: Array, rows: NDArray[np.bool_]) -> list[Array]:
    """Expected signal and background in each bin, of some events that stand for all."""
    at, signal = np.searchsorted(edges, scores), np.arange(len(scores)) < len(scores) // 2
    return [
        np.bincount(at[rows & (signal == kind)], minlength=BINS) * total / np.sum(rows & (signal == kind))
        for kind, total in zip((True, False), EXPECTED, strict=True)
    ]
