"""What hepcuts was compared with pyhf on, and the worst deviation of each quantity: the table of the documentation.

    python benchmarks/contract.py FOLDER [--only TEXT]      runs the comparison, and writes the table
    python benchmarks/contract.py                           writes the table from stored runs

FOLDER is as for ``minima.py``. The runs are stored in ``contract.json``; CLs and limits are those of ``exclusion.py``.
pyhf's fits run from its start and from our minima, and the lower -2 ln L counts.
"""

import argparse
import csv
import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from exclusion import OUTPUT as EXCLUSION
from exclusion import fitted
from minima import workspaces

import hepcuts as hc
from hepcuts.histfactory import referee

STORED = Path(__file__).with_suffix(".json")
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "contract.csv"
HEAD = ("likelihood", "bins", "parameters", "ln L", "q0", "Z", "mu-hat / sigma", "gradient", "CLs", "CLs of pyhf alone")


def log_likelihood(likelihood: hc.HistFactory, data: Any) -> float:
    """Largest relative difference of ln L at ten random places around the nominal parameters."""
    generator, model = np.random.default_rng(3), likelihood.model
    worst = 0.0
    for _ in range(10):
        pars = np.array(likelihood.structure.init) + 0.1 * generator.normal(size=len(likelihood.structure.init))
        pars = np.clip(pars, likelihood.structure.lower, likelihood.structure.upper)
        theirs = float(model.logpdf(pars, data)[0])
        worst = max(worst, abs(float(likelihood.logpdf(pars, data)) - theirs) / abs(theirs))
    return worst


def discovery(likelihood: hc.HistFactory, data: Any) -> dict[str, float]:
    """Differences of q0, Z and mu-hat from pyhf's."""
    test = hc.discovery_test(likelihood, data)
    ends = {}
    for mu, known in ((None, test.best_fit), (0.0, test.background_only)):
        both = [fitted(likelihood, data, start, mu=mu) for start in (None, known)]
        ends[mu] = min(both, key=lambda end: end[1])
    mu_hat = ends[None][0][likelihood.poi]
    q0 = max(ends[0.0][1] - ends[None][1], 0.0) if mu_hat > 0 else 0.0
    return {
        "q0": abs(test.q0 - q0) / (1.0 + q0),
        "Z": abs(test.significance - float(np.sqrt(q0))),
        "mu-hat / sigma": abs(max(test.mu_hat, 0.0) - mu_hat) / test.mu_uncertainty,
    }


def gradient(likelihood: hc.HistFactory) -> float:
    """Largest difference of the slopes of expected Z from those of new fits, relative to the largest slope."""
    templates = likelihood.templates
    with jax.enable_x64(True):
        slopes = np.asarray(jax.grad(lambda t: hc.discovery_significance(likelihood, t))(templates).nominal)
    size = np.asarray(templates.nominal)
    worst, largest = 0.0, np.abs(slopes * size).max()
    for index in zip(*np.unravel_index(np.argsort(-np.abs(slopes * size), axis=None)[:4], size.shape), strict=True):
        step, values = 1e-3 * size[index], []
        for times in (-2.0, -1.0, 1.0, 2.0):
            moved = size.copy()
            moved[index] += times * step
            values.append(float(hc.discovery_significance(likelihood, dataclasses.replace(templates, nominal=moved))))
        slope = (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / (12.0 * step)
        worst = max(worst, abs(slope - slopes[index]) * size[index] / largest)
    return float(worst)


def compare(workspace: Any) -> dict[str, Any]:
    """All deviations of one likelihood."""
    likelihood = hc.HistFactory.from_workspace(workspace)
    data = np.asarray(likelihood.observed_data)
    with referee.backend():
        found = {"ln L": log_likelihood(likelihood, data), **discovery(likelihood, data)}
    size = {"bins": likelihood.model.config.nmaindata, "parameters": likelihood.model.config.npars}
    return {**size, **found, "gradient": gradient(likelihood)}


def write_table(rows: dict[str, Any], exclusion: dict[str, Any]) -> None:
    """One row for each likelihood, and the worst of all."""
    table, numbers = [], []
    for name, row in rows.items():
        cls = exclusion.get(name)
        found = [row[key] for key in HEAD[3:8]]
        found += [
            float(np.abs(np.subtract(cls["ours"], cls[key])).max()) if cls else np.nan for key in ("pyhf", "stock")
        ]
        numbers.append(found)
        table.append([name.replace("_patchset", ""), row["bins"], row["parameters"], *map(_shown, found)])
    table.append(["worst", "", "", *map(_shown, np.nanmax(numbers, axis=0))])
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEAD, *table])


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0e}"


def main() -> None:
    """Compare, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = json.loads(STORED.read_text()) if STORED.exists() else {}
    for name, workspace in workspaces(options.folder) if options.folder else ():
        if options.only in name:
            rows[name] = compare(workspace)
            print(name, rows[name], flush=True)
            STORED.write_text(json.dumps(rows, indent=1) + "\n")
    write_table(rows, json.loads(EXCLUSION.read_text()) if EXCLUSION.exists() else {})


if __name__ == "__main__":
    main()
