"""Reference values of q0 for test_discovery.py: pyhf's likelihood, minimized by minuit from several starts.

Run by hand (a few minutes): python tests/reference_sbottom.py ../shared/data/atlas-sbottom
"""

import json
import sys
import warnings
from pathlib import Path

import iminuit
import numpy as np
import pyhf


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    workspace = pyhf.Workspace(json.loads((folder / "BkgOnly.json").read_text()))
    generator = np.random.default_rng(0)
    for patch in sorted(folder.glob("patch*.json")):
        model = workspace.model(patches=[json.loads(patch.read_text())])
        low, high = np.array(model.config.suggested_bounds()).T
        nominal = np.array(model.config.suggested_init())
        nominal[model.config.poi_index] = 1.0
        data = model.expected_data(nominal)
        best_nll = -2 * model.logpdf(nominal, data)[0]

        def statistic(pars: np.ndarray, model=model, data=data, best_nll=best_nll) -> float:
            value = float(-2 * model.logpdf(pars, data)[0] - best_nll)
            return value if np.isfinite(value) else 1e6

        found = []
        for attempt in range(6):
            start = nominal + (attempt > 0) * (low < 0) * generator.normal(0.0, 0.7, len(nominal))
            start[model.config.poi_index] = 0.0
            minuit = iminuit.Minuit(statistic, np.clip(start, low, high))
            minuit.limits = list(zip(low, high, strict=True))
            minuit.fixed = [f or i == model.config.poi_index for i, f in enumerate(model.config.suggested_fixed())]
            minuit.errordef, minuit.tol = 1.0, 1e-4
            found.append(minuit.migrad(ncall=60_000).fval)
        print(patch.name, np.round(sorted(found), 7))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
