"""What hepcuts was compared with pyhf on, and the worst deviation of each quantity: the tables of the documentation.

    python benchmarks/contract.py FOLDER [--only TEXT] [--backend jax]      runs the comparison, and writes the tables
    python benchmarks/contract.py                                           writes the tables from stored runs

FOLDER is as for ``minima.py``. The runs are stored in ``contract.json``; CLs and limits are those of ``exclusion.py``.
pyhf's fits run from its start and from our minima, and the lower -2 ln L counts. Where there are hundreds of parameters
they take minutes without the gradients of its JAX backend.
"""

import argparse
import csv
import dataclasses
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from exclusion import STORED as EXCLUSION
from exclusion import fitted
from minima import workspaces
from root import STORED as ROOT

import hepcuts as hc
from hepcuts.histfactory import referee

STORED = Path(__file__).with_suffix(".json")
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "contract.csv"
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
"""Of the differences, relative to the yield that is changed."""
HEAD = ("likelihood", "bins", "parameters", "ln L", "q0", "Z", "mu-hat / sigma", "gradient")
HEAD_OF_CLS = (
    "likelihood",
    "pyhf's optimizer",
    "mu",
    "observed CLs",
    "expected CLs",
    "difference",
    "difference of pyhf alone",
    "limits / one test",
)


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
    """Largest difference of the slopes of expected Z from those of new fits, relative to the largest slope.

    Of several steps that which agrees best: within larger ones a parameter may reach a bound, or another minimum become
    the lowest, and the difference is none of a smooth function.
    """
    templates = likelihood.templates
    with jax.enable_x64(True):
        slopes = np.asarray(jax.grad(lambda t: hc.discovery_significance(likelihood, t))(templates).nominal)
    size = np.asarray(templates.nominal)
    worst, largest = 0.0, np.abs(slopes * size).max()
    for index in zip(*np.unravel_index(np.argsort(-np.abs(slopes * size), axis=None)[:4], size.shape), strict=True):
        found = [_difference(likelihood, index, relative * size[index]) for relative in STEPS]
        worst = max(worst, min(abs(slope - slopes[index]) for slope in found) * size[index] / largest)
    return float(worst)


def _difference(likelihood: hc.HistFactory, index: tuple[int, ...], step: float) -> float:
    """The slope of expected Z in one nominal yield, to fourth order."""
    templates, values = likelihood.templates, []
    for times in (-2.0, -1.0, 1.0, 2.0):
        moved = np.array(templates.nominal)
        moved[index] += times * step
        values.append(float(hc.discovery_significance(likelihood, dataclasses.replace(templates, nominal=moved))))
    return (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / (12.0 * step)


def compare(workspace: Any, backend: str) -> dict[str, Any]:
    """All deviations of one likelihood."""
    likelihood = hc.HistFactory.from_workspace(workspace)
    data = np.asarray(likelihood.observed_data)
    with referee.backend():
        found = {"ln L": log_likelihood(likelihood, data)}
    with referee.backend(backend):
        found |= discovery(likelihood, data)
    size = {"bins": likelihood.model.config.nmaindata, "parameters": likelihood.model.config.npars}
    return {**size, **found, "gradient": gradient(likelihood)}


def write_tables(rows: dict[str, Any], exclusion: list[tuple[str, dict[str, Any]]]) -> None:
    """One row for each likelihood, and the worst of all."""
    numbers = [[row[key] for key in HEAD[3:]] for row in rows.values()]
    table = [
        [name.replace("_patchset", ""), row["bins"], row["parameters"], *map(_shown, found)]
        for (name, row), found in zip(rows.items(), numbers, strict=True)
    ]
    _write(TABLE, [HEAD, *table, ["worst", "", "", *map(_shown, np.max(numbers, axis=0))]])
    table = []
    for name, row in exclusion:
        ours = np.array(row["ours"])
        differences = [np.nan if row[key] is None else np.abs(ours - row[key]).max() for key in ("pyhf", "stock")]
        times = f"{row['seconds_limit'] / row['seconds_test']:.1f}"
        answers = f"{ours[0]:.5f}", f"{ours[3]:.5f}"
        table.append(
            [
                name.replace("_patchset", ""),
                row["optimizer"],
                f"{row['mu']:.4g}",
                *answers,
                *map(_shown, differences),
                times,
            ]
        )
    _write(TABLE.with_name("exclusion.csv"), [HEAD_OF_CLS, *table])


def write_table_of_root() -> None:
    """The stored runs of ``root.py``."""
    keys = ("q0", "q0 of ROOT at our minima")
    table: list[Any] = [("likelihood", "ln L", *keys)]
    for name, row in json.loads(ROOT.read_text()).items():
        numbers = (f"{round(row[key], 8) + 0.0:.8f}" for key in keys)
        table.append([name.replace("_patchset", ""), _shown(row["ln L"]), *numbers])
    _write(TABLE.with_name("root.csv"), table)


def stored_cls() -> list[tuple[str, dict[str, Any]]]:
    """The stored runs of ``exclusion.py``, by name and optimizer."""
    found = [json.loads(path.read_text()) for path in EXCLUSION.values() if path.exists()]
    return sorted((item for rows in found for item in rows.items()), key=lambda item: (item[0], item[1]["optimizer"]))


def _write(path: Path, rows: list[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _shown(value: float) -> str:
    return "no convergence" if np.isnan(value) else f"{value:.0e}"


def main() -> None:
    """Compare, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--backend", choices=("numpy", "jax"), default="numpy", help="pyhf's, of fits (%(default)s)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)  # pyhf logs all numbers of a fit that fails
    rows = json.loads(STORED.read_text()) if STORED.exists() else {}
    for name, workspace in workspaces(options.folder) if options.folder else ():
        if options.only in name:
            rows[name] = compare(workspace, options.backend)
            print(name, rows[name], flush=True)
            STORED.write_text(json.dumps(rows, indent=1) + "\n")
    write_tables(rows, stored_cls())
    write_table_of_root()


if __name__ == "__main__":
    main()
