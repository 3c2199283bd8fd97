"""Searches among few events, for a fresh process: of this hepcuts, or of the checkout that its path leads to."""

import time
from typing import Any

import higgs_events
import numpy as np
from measure import Measurement
from small_families import FAMILIES

import hepcuts as hc

FOLDS = 5
GOAL: dict[str, Any] = {"objective": "asimov_uncertainty", "holdout": None, "replicas": 0, "throw": False}


def family(number: int, seeds: list[int]) -> Measurement:
    """Samples of one family: true significance of the cuts, and what the cross-validation promises of them."""
    truth, remarks, start = FAMILIES[number], dict[str, float](), time.process_time()
    for seed in seeds:
        result = hc.optimize(truth.draw(seed), truth.selection, **GOAL)
        remarks |= {f"{seed} true": truth.significance(result.thresholds), f"{seed} validated": result.validated}
        remarks |= {f"{seed} width": result.anneal[-1], f"{seed} effective": result.training.effective_background}
    return Measurement(time.process_time() - start, remarks=remarks)


def real(seeds: list[int]) -> Measurement:
    """Real events: those left out after cuts that the others choose, all folds together, for each division."""
    remarks, start = dict[str, float](), time.process_time()
    for seed in seeds:
        samples, generator = _real_samples(), np.random.default_rng(seed)
        folds = [generator.permutation(len(sample)) % FOLDS for sample in samples]
        pooled: Any = None
        for k in range(FOLDS):
            training = [s.take(fold != k, scale=FOLDS / (FOLDS - 1)) for s, fold in zip(samples, folds, strict=True)]
            left_out = [s.take(fold == k) for s, fold in zip(samples, folds, strict=True)]
            result = hc.optimize(training, hc.Selection(higgs_events.CUTS), **GOAL)
            templates = hc.fill(left_out, result.selection)
            pooled = templates if pooled is None else pooled + templates
        (s, b), variance = pooled.nominal[:, 0], pooled.variance[1, 0]
        sigma = np.sqrt((0.1 * b) ** 2 + variance)
        remarks[f"{seed} true"] = float(hc.counting.asimov_significance(s, b, sigma))
    return Measurement(time.process_time() - start, remarks=remarks)


def _real_samples() -> list[hc.Sample]:
    """Without the tau energy scale."""
    return [
        hc.Sample(
            sample.name,
            sample.columns,
            weights=sample.weights,
            signal=sample.signal,
            modifiers=[m for m in sample.modifiers if isinstance(m, hc.NormSys)],
            missing=sample.missing,
        )
        for sample in higgs_events.samples()
    ]
