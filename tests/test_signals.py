"""Several signals under one mu are allowed, and told."""

import numpy as np
import pytest

import hepcuts as hc

TOLD = "ggF, VBF scaled together by one mu"


@pytest.fixture(scope="module")
def samples() -> list[hc.Sample]:
    generator = np.random.default_rng(0)

    def of(name: str, mean: float, *, signal: bool, weight: float) -> hc.Sample:
        return hc.Sample(name, {"x": generator.normal(mean, 1, 400)}, weights=np.full(400, weight), signal=signal)

    return [
        of("ggF", 1.0, signal=True, weight=0.02),
        of("VBF", 1.5, signal=True, weight=0.01),
        of("top", 0.0, signal=False, weight=0.2),
    ]


def test_templates_scans_and_searches_say_that_signals_are_one_hypothesis(samples: list[hc.Sample]) -> None:
    cut = hc.Cut("x", ">")
    found = hc.optimize(samples, hc.Selection([cut]), objective="asimov", replicas=0, holdout=None, folds=0)
    scan = hc.scan(samples, cut, metrics=["asimov"], replicas=0, folds=0)
    edges = hc.bin_edges(samples, "x", max_bins=2)
    templates = hc.fill(samples, hc.Cut("x", ">", 0.0))
    for told in (templates, found, found.summary(), scan, scan.summary(), edges):
        assert TOLD in repr(told) or TOLD in str(told)
        assert TOLD in repr(told)


def test_of_one_signal_nothing_is_said(samples: list[hc.Sample]) -> None:
    one = [samples[0], samples[2]]
    scan = hc.scan(one, hc.Cut("x", ">"), metrics=["asimov"], replicas=0, folds=0)
    for told in (hc.fill(one, hc.Cut("x", ">", 0.0)), scan, scan.summary()):
        assert "one mu" not in repr(told)
