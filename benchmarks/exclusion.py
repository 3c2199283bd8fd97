"""CLs of published likelihoods at one signal strength against pyhf's, and what limits cost.

    python benchmarks/exclusion.py FOLDER [--only TEXT] [--optimizer minuit] [--backend jax] [--at-limit]

FOLDER is as for ``minima.py``. Of each likelihood, and each point of a patch set, three answers for the observed and
the five expected CLs: ours; what pyhf's fits give by themselves, as ``pyhf.infer.hypotest`` makes them ("stock"); and
what they give if they begin at our minima, too, with a tight tolerance, and the lower -2 ln L is taken ("pyhf").
Written after each, so that an interrupted run leaves what it has, and goes on.
"""

import argparse
import json
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import iminuit
import numpy as np
import pyhf
from minima import workspaces
from scipy.stats import norm

import hepcuts as hc
from hepcuts.histfactory import fit, fixed_poi_fit, postfit_asimov_data, referee, upper_limit
from hepcuts.histfactory.exclusion import cls_of

STORED = {
    "scipy": Path(__file__).with_suffix(".json"),
    "minuit": Path(__file__).with_name("exclusion_minuit.json"),
}
"""Of each optimizer of pyhf's."""
BANDS = (-2, -1, 0, 1, 2)


def answers(q: float, q_asimov: float) -> list[float]:
    """Observed CLs and those of the bands."""
    root = np.sqrt(q_asimov)
    return [float(cls_of(q, q_asimov)), *(float(norm.sf(root - n) / norm.cdf(n)) for n in BANDS)]


class Ours:
    """Our four fits."""

    def __init__(self, likelihood: hc.HistFactory, data: Any, mu: float) -> None:
        self.mu = mu
        self.asimov = np.asarray(postfit_asimov_data(likelihood, data, mu=0.0))
        self.best = fit(likelihood, data)
        self.none = fixed_poi_fit(likelihood, data, poi=0.0)
        self.signal = fixed_poi_fit(likelihood, data, poi=mu)
        self.of_asimov = fixed_poi_fit(likelihood, self.asimov, poi=mu)
        mu_hat = self.best.parameters[likelihood.poi]
        lowest = self.best.deviance if mu_hat >= 0 else self.none.deviance
        q = max(self.signal.deviance - lowest, 0.0) if mu_hat <= mu else 0.0
        self.cls = answers(q, self.of_asimov.deviance)


def fitted(likelihood: hc.HistFactory, data: Any, start: Any, *, mu: float | None) -> tuple[Any, float]:
    """Parameters and -2 ln L of a fit by pyhf; the signal strength is not negative.

    One from pyhf's own start that does not converge has an infinite value. Of one from elsewhere the lowest counts of
    where it began and what it reached, for an optimizer may end higher than it began.
    """
    config, poi = likelihood.model.config, likelihood.poi
    pars = list(config.suggested_init() if start is None else start)
    bounds, fixed = list(config.suggested_bounds()), list(config.suggested_fixed())
    bounds[poi] = (max(bounds[poi][0], 0.0), bounds[poi][1])
    pars[poi] = max(pars[poi], 0.0)
    if mu is not None:
        pars[poi], fixed[poi] = mu, True
    pars = [min(max(value, low), high) for value, (low, high) in zip(pars, bounds, strict=True)]
    options = {} if start is None else {"tolerance": 1e-9 if "scipy" in pyhf.optimizer.name else 1e-3}
    try:
        parameters, value = pyhf.infer.mle.fit(
            data, likelihood.model, pars, bounds, fixed, maxiter=1_000_000, return_fitted_val=True, **options
        )
        ends = [(np.asarray(parameters), float(value))]
    except pyhf.exceptions.FailedMinimization as error:
        ends = [(np.asarray(error.result.x, dtype=np.float64), float(error.result.fun))] if start is not None else []
    except AttributeError:
        # Where minuit has no covariance, which pyhf 0.7 asks for.
        ends = []
    if start is not None:
        ends.append((np.array(pars), deviance(likelihood, pars, data)))
    ends = [end for end in ends if len(end[0]) == len(pars) and np.isfinite(end[1])]
    return min(ends, key=lambda end: end[1]) if ends else (np.array(pars), np.inf)


def deviance(likelihood: hc.HistFactory, parameters: Any, data: Any) -> float:
    """-2 ln L by pyhf."""
    tensor = pyhf.tensorlib.astensor
    return -2.0 * float(likelihood.model.logpdf(tensor(parameters), tensor(data))[0])


class Theirs:
    """pyhf's fits of a signal strength that is not negative, from pyhf's start as they are, and the lower ones."""

    def __init__(self, likelihood: hc.HistFactory, data: Any, ours: Ours) -> None:
        self.likelihood, self.model, self.mu = likelihood, likelihood.model, ours.mu
        mus = {"best": None, "none": 0.0, "signal": ours.mu}
        stock = {name: fitted(likelihood, data, None, mu=mu) for name, mu in mus.items()}
        again = {name: fitted(likelihood, data, getattr(ours, name).parameters, mu=mu) for name, mu in mus.items()}
        lowest = {name: min(stock[name], again[name], key=lambda end: end[1]) for name in mus}
        asimov = np.asarray(self.model.expected_data(pyhf.tensorlib.astensor(stock["none"][0])))
        of_stock = fitted(likelihood, asimov, None, mu=ours.mu), fitted(likelihood, asimov, None, mu=None)
        converged = all(np.isfinite(value) for _, value in (*stock.values(), *of_stock))
        self.stock = self._cls(stock, of_stock[0][1] - of_stock[1][1]) if converged else None
        asimov = np.asarray(self.model.expected_data(pyhf.tensorlib.astensor(lowest["none"][0])))
        ends = [
            fitted(likelihood, asimov, start, mu=ours.mu)[1] for start in (of_stock[0][0], ours.of_asimov.parameters)
        ]
        # The best fit of that data is known.
        self.cls = self._cls(lowest, min(ends) - deviance(likelihood, lowest["none"][0], asimov))
        self.ours_above = {
            name: deviance(likelihood, getattr(ours, name).parameters, data) - lowest[name][1]
            for name in ("none", "signal")
        }

    def _cls(self, ends: dict[str, tuple[Any, float]], q_asimov: float) -> list[float]:
        q = ends["signal"][1] - ends["best"][1] if ends["best"][0][self.likelihood.poi] <= self.mu else 0.0
        return answers(max(q, 0.0), max(q_asimov, 0.0))


def compare(workspace: Any, optimizer: str, backend: str, *, at_limit: bool) -> dict[str, Any]:
    """All answers of one likelihood, and times in seconds."""
    likelihood = hc.HistFactory.from_workspace(workspace)
    data = np.asarray(likelihood.observed_data)
    limits = upper_limit(likelihood, data)
    ours = Ours(likelihood, data, limits.observed if at_limit else 1.0)
    # pyhf lets minuit make all second derivatives after each fit, which changes no value and takes most of the time.
    unchanged = mock.patch.object(iminuit.Minuit, "hesse", lambda self, *_, **__: self)
    with referee.backend(backend, optimizer=optimizer), unchanged:
        before = time.process_time()
        theirs = Theirs(likelihood, data, ours)
        spent = time.process_time() - before
    result = {
        "optimizer": optimizer,
        "backend": backend,
        "mu": ours.mu,
        "ours": ours.cls,
        "pyhf": theirs.cls,
        "stock": theirs.stock,
    }
    result |= {"ours_above": theirs.ours_above, "seconds_pyhf": spent}
    tested, limited = _cpu(lambda: hc.discovery_test(likelihood, data)), _cpu(lambda: upper_limit(likelihood, data))
    return result | {
        "limits": [limits.observed, *limits.expected.values()],
        "seconds_test": tested,
        "seconds_limit": limited,
    }


def _cpu(call: Callable[[], Any]) -> float:
    """Processor time of the fastest of three calls."""
    times = []
    for _ in range(3):
        before = time.process_time()
        call()
        times.append(time.process_time() - before)
    return min(times)


def show(name: str, row: dict[str, Any]) -> None:
    """One line: CLs, the worst differences, and times."""
    ours = np.array(row["ours"])
    pyhfs, stock = (np.nan if row[key] is None else np.abs(ours - row[key]).max() for key in ("pyhf", "stock"))
    print(
        f"{name:45s} observed CLs {ours[0]:.5f}, from pyhf's by {pyhfs:.1e} (stock {stock:.1e}); "
        f"limit {1e3 * row['seconds_limit']:.0f} ms = {row['seconds_limit'] / row['seconds_test']:.1f} tests",
        flush=True,
    )


def main() -> None:
    """Compare all, or those whose name contains a text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--optimizer", choices=("scipy", "minuit"), default="scipy", help="pyhf's (%(default)s)")
    parser.add_argument("--backend", choices=("numpy", "jax"), default="numpy", help="pyhf's (%(default)s)")
    parser.add_argument("--at-limit", action="store_true", help="at our observed limit in place of mu = 1")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)  # pyhf logs all correlations of a fit that fails
    output = STORED[options.optimizer]
    rows = json.loads(output.read_text()) if output.exists() else {}
    for name, workspace in workspaces(options.folder):
        if options.only not in name or name in rows:
            continue
        rows[name] = compare(workspace, options.optimizer, options.backend, at_limit=options.at_limit)
        output.write_text(json.dumps(rows, indent=1) + "\n")
        show(name, rows[name])


if __name__ == "__main__":
    main()
