"""Cuts, a score with one cut, and its bins, chosen by few events and judged by all others: for a fresh process."""

import time
from typing import Any

import higgs_events
import numpy as np
from measure import Measurement
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

import hepcuts as hc
from hepcuts.evaluation.evaluation import evaluate

CHOOSING = 1250
"""Simulated events of each class that train and choose; all others judge."""
TREES = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=0)
"""Smaller than scikit-learn's defaults, for few events: out of fold, of other divisions, they separate better."""
FEATURES = 8
"""Of the generated data."""
JUDGING = 60_000
"""Generated events of each class that judge."""
GOAL: dict[str, Any] = {"objective": "asimov_uncertainty", "replicas": 0, "throw": False}


def divisions(data: str, seeds: list[int]) -> Measurement:
    """The significance of the profile likelihood of all other events, after what the choosing ones choose.

    Args:
        data: ``"higgsml"`` or ``"generated"``.
        seeds: of the divisions.
    """
    start, remarks = time.process_time(), dict[str, float]()
    with threadpool_limits(1):
        for seed in seeds:
            found = _significances(*_events(data, seed), seed)
            remarks |= {f"{seed} {name}": float(value) for name, value in found.items()}
    return Measurement(run_s=time.process_time() - start, remarks=remarks)


def _events(data: str, seed: int) -> tuple[list[hc.Sample], list[hc.Sample], hc.Selection, tuple[str, ...]]:
    """Choosing and judging events, the cuts to be found, and the features."""
    if data == "generated":
        names = tuple(f"x{i}" for i in range(FEATURES))
        both = hc.datasets.many_features(
            FEATURES, seed=seed, num_signal=CHOOSING + JUDGING, num_background=CHOOSING + JUDGING
        )
        samples, selection = list(both), hc.Selection([hc.Cut(name, ">") for name in names])
    else:
        samples, selection, names = higgs_events.samples(), hc.Selection(higgs_events.CUTS), higgs_events.FEATURES
    generator, choosing, judging = np.random.default_rng(seed), [], []
    for sample in samples:
        chosen = generator.permutation(len(sample)) < CHOOSING
        some, others = sample.divided(chosen)
        choosing.append(some)
        judging.append(others)
    return choosing, judging, selection, names


def _significances(
    choosing: list[hc.Sample], judging: list[hc.Sample], selection: hc.Selection, names: tuple[str, ...], seed: int
) -> dict[str, float]:
    found = {"no cut": _judged(judging, None)}
    found["cuts"] = _judged(judging, hc.optimize(choosing, selection, holdout=None, **GOAL).selection)
    scored, score = hc.score(choosing, TREES, names, holdout=None, seed=seed)
    cut = hc.optimize(scored, hc.Cut("score", ">"), holdout=None, **GOAL).selection
    bins = hc.bin_edges(scored, "score", holdout=None, seed=seed)
    found["bins number"] = float(bins.num_bins)
    for models in ("part", "mean"):
        new = score.samples(judging, models=models)
        found[f"score, cut ({models})"] = _judged(new, cut)
        found[f"score, bins ({models})"] = _judged(new, None, bins.axis)
        found[f"efficiency ({models})"] = hc.fill(new, cut).nominal[1, 0] / judging[1].total
    # The default path: what it quotes of events that chose nothing, and what all others say.
    scored, score = hc.score(choosing, TREES, names, seed=seed)
    result = hc.optimize(scored, hc.Cut("score", ">"), seed=seed, **GOAL)
    found["half, quoted"] = float(result.held_out.significance)
    found["half, cut"] = _judged(score.samples(judging), result.selection)
    return found


def _judged(samples: Any, selection: hc.Selection | None, axis: Any = None) -> float:
    return float(evaluate(samples, selection, axis=axis).significance)
