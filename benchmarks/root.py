"""Published likelihoods in ROOT: our HS3 export read by RooFit, its ln L, its fits and q0 against pyhf's and ours.

    python benchmarks/root.py FOLDER [--only TEXT] [--root PYTHON] [--fits]

FOLDER is as for ``minima.py``, PYTHON an interpreter that imports ROOT 6.40 or later, which runs in processes of its
own. Its q0 is that at our minima; its fits, which take minutes, begin at nominal parameters and at our minima with a
tight tolerance, and the lower counts. Stored in ``root.json`` after each, for ``contract.py``.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from minima import workspaces

import hepcuts as hc

POINT = "C1N2_Wh_hbb_150_0"
"""Of the patch set."""
STORED = Path(__file__).with_suffix(".json")
IN_ROOT = Path(__file__).with_name("root_tasks.py")


def places(likelihood: hc.HistFactory, number: int = 10) -> list[Any]:
    """Parameters around the nominal ones, which come first; far from them the density is zero in ROOT's 64 bits."""
    structure, generator = likelihood.structure, np.random.default_rng(3)
    init = np.array(structure.init)
    moved = [init + 0.02 * generator.normal(size=len(init)) for _ in range(number)]
    return [init, *(np.where(structure.fixed, init, np.clip(one, structure.lower, structure.upper)) for one in moved)]


def compare(workspace: Any, python: str, *, fits: bool) -> dict[str, Any]:
    """ln L less that at nominal parameters against pyhf's, relative to the largest, and q0, of the observed data."""
    likelihood = hc.HistFactory.from_workspace(workspace)
    model, data = likelihood.model, np.asarray(likelihood.observed_data)
    test, chosen = hc.discovery_test(likelihood, data), places(likelihood)
    names = [re.sub(r"\[(\d+)\]$", r"_\1", name) for name in model.config.par_names]
    given = {
        "fits": fits,
        "name": workspace["measurements"][0]["name"],
        "poi": names[likelihood.poi],
        "places": [dict(zip(names, map(float, one), strict=True)) for one in chosen],
        "best_fit": dict(zip(names, map(float, test.best_fit), strict=True)),
        "background_only": dict(zip(names, map(float, test.background_only), strict=True)),
        "bounds": dict(zip(names, model.config.suggested_bounds(), strict=True)),
    }
    with tempfile.TemporaryDirectory() as folder:
        (path,) = hc.export.hs3(workspace, Path(folder) / "hs3.json")
        (Path(folder) / "given.json").write_text(json.dumps(given))
        command = [python, "-W", "ignore", str(IN_ROOT), str(path), str(Path(folder) / "given.json")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    found = json.loads(done.stdout.splitlines()[-1])
    theirs = np.array(found["ln L"])
    ours = np.array([float(model.logpdf(one, data)[0]) for one in chosen])
    differences = ((theirs - theirs[0]) - (ours - ours[0])) / np.abs(ours - ours[0]).max()
    return {
        "version": found["version"],
        "ln L": float(np.abs(differences).max()),
        "q0": test.q0,
        "q0 of ROOT at our minima": found["q0 at our minima"],
        "q0 of ROOT": found.get("q0"),
        "q0 of ROOT alone": found.get("stock"),
        "mu-hat": test.mu_hat,
        "mu-hat of ROOT": found.get("mu-hat"),
        "mu_uncertainty": test.mu_uncertainty,
        "seconds": found["seconds"],
    }


def main() -> None:
    """Compare all, or those whose name contains a text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--root", default=sys.executable, help="an interpreter that imports ROOT (%(default)s)")
    parser.add_argument("--fits", action="store_true", help="let ROOT fit, too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = json.loads(STORED.read_text()) if STORED.exists() else {}
    for name, workspace in workspaces(options.folder):
        if options.only in name and not ("_patchset" in name and POINT not in name):
            rows[name] = compare(workspace, options.root, fits=options.fits)
            print(name, rows[name], flush=True)
            STORED.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
