"""Whether a lower minimum than ours exists: random starts, and minuit from pyhf's start and from our end.

    python benchmarks/minima.py FOLDER [--starts 100] [--minuit] [--only TEXT] [--between 10]

FOLDER holds published likelihoods: ``likelihoods/*.json`` (a ``NAME_background_only.json`` with its
``NAME_patchset.json``) and ``atlas-sbottom``. Printed is by how much ours lies above the best that was found, and the
processor time of our search, without and with the look for other minima. With ``--between`` half of the
signal is one point of a patch set and half another, near in mass.
"""

import argparse
import itertools
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonpatch
import numpy as np
import pyhf

import hepcuts as hc
from hepcuts.histfactory import referee
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.minimization import numbers_of
from hepcuts.histfactory.searches import free_parameters, search


def workspaces(folder: Path) -> Iterator[tuple[str, Any]]:
    """All of them, with their names."""
    for path in sorted((folder / "likelihoods").glob("*.json")):
        document = json.loads(path.read_text())
        if path.stem.endswith("_patchset"):
            base = json.loads(path.with_name(path.name.replace("_patchset", "_background_only")).read_text())
            for patch in document["patches"]:
                yield f"{path.stem} {patch['metadata']['name']}", jsonpatch.apply_patch(base, patch["patch"])
        elif not path.stem.endswith("_background_only"):
            yield path.stem, document
    for path in sorted((folder / "atlas-sbottom").glob("patch*.json")):
        base = json.loads((path.parent / "BkgOnly.json").read_text())
        yield path.stem, jsonpatch.apply_patch(base, json.loads(path.read_text()))


def between(folder: Path, number: int) -> Iterator[tuple[str, Any]]:
    """Workspaces with half of each of two signals of a patch set, the nearest in mass first."""
    for path in sorted((folder / "likelihoods").glob("*_patchset.json")):
        base = json.loads(path.with_name(path.name.replace("_patchset", "_background_only")).read_text())
        patches = json.loads(path.read_text())["patches"]
        for pair in sorted(itertools.combinations(patches, 2), key=_distance)[:number]:
            both = [_half(one) for patch in pair for one in patch["patch"]]
            name = " + ".join(patch["metadata"]["name"] for patch in pair)
            yield f"{path.stem} {name}", jsonpatch.apply_patch(base, both)


def _distance(pair: tuple[Any, Any]) -> float:
    one, other = (np.asarray(patch["metadata"]["values"], dtype=np.float64) for patch in pair)
    return float(np.linalg.norm(one - other))


def _half(change: Any) -> Any:
    """A change that adds a sample, as one that adds half of it."""
    sample = change["value"]
    modifiers = []
    for one in sample["modifiers"]:
        data = one["data"]
        if one["type"] == "histosys":
            data = {side: [0.5 * v for v in values] for side, values in data.items()}
        elif one["type"] in ("staterror", "shapesys"):
            data = [0.5 * v for v in data]
        modifiers.append(one | {"data": data})
    value = sample | {"data": [0.5 * v for v in sample["data"]], "modifiers": modifiers}
    return {"op": "add", "path": change["path"].rpartition("/")[0] + "/-", "value": value}


def random_starts(likelihood: hc.HistFactory, start: Any, number: int, seed: int, *, fix_poi: bool) -> Any:
    """Constrained parameters by their widths, factors by up to four: (parameter, start)."""
    structure, generator = likelihood.structure, np.random.default_rng(seed)
    lower, upper = (np.asarray(side, dtype=np.float64)[:, None] for side in (structure.lower, structure.upper))
    width = np.full(len(start), np.nan)
    width[structure.normal_parameter] = structure.normal_sigma
    width[structure.poisson_parameter] = 1.0 / np.sqrt(structure.poisson_factor)
    shape = len(start), number
    normal = start[:, None] + 1.5 * width[:, None] * generator.normal(size=shape)
    factor = np.maximum(start, 0.1)[:, None] * 4.0 ** generator.uniform(-1.0, 1.0, shape)
    result = np.clip(np.where(np.isnan(width)[:, None], factor, normal), lower, upper)
    held = ~free_parameters(structure, fix_poi=fix_poi)
    result[held] = start[held, None]
    return result


def best_of_random(likelihood: hc.HistFactory, data: Any, start: Any, number: int, *, fix_poi: bool) -> float:
    """The lowest deviance; starts where it is infinite are moved towards the nominal parameters."""
    begin = random_starts(likelihood, start, number, 1, fix_poi=fix_poi)
    batch, best = Batch.of(likelihood.templates, data), np.inf
    while begin.shape[1]:
        lanes = batch.repeated(begin.shape[1])
        found = search(likelihood.structure, lanes, begin, fix_poi=fix_poi, retries=0, elsewhere=False)
        best = min(best, found.value[found.status == 0].min(initial=np.inf))
        again = begin[:, ~np.isfinite(found.value)]
        far = np.max(np.abs(again - start[:, None]), initial=0.0) > 0.05
        begin = 0.6 * again + 0.4 * start[:, None] if far else again[:, :0]
    return float(best)


def best_of_minuit(likelihood: hc.HistFactory, data: Any, starts: list[Any], *, fix_poi: bool) -> float:
    """The lowest deviance that pyhf's fits with minuit find, from each start."""
    model, best = likelihood.model, np.inf
    fixed = np.asarray(model.config.suggested_fixed()) | (fix_poi & (np.arange(model.config.npars) == likelihood.poi))
    with referee.backend(optimizer="minuit"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in starts:
            try:
                found = pyhf.infer.mle.fit(data, model, init_pars=list(start), fixed_params=fixed.tolist())
            except pyhf.exceptions.FailedMinimization:
                continue
            best = min(best, _deviance(likelihood, data, np.asarray(found)))
    return best


def _deviance(likelihood: hc.HistFactory, data: Any, parameters: Any) -> float:
    return float(numbers_of(likelihood.structure, likelihood.templates, data).expand(parameters[:, None]).value[0])


def compare(name: str, likelihood: hc.HistFactory, options: argparse.Namespace) -> bool:
    """Print a line for each fit; whether nothing lower was found."""
    structure, good = likelihood.structure, True
    nominal = np.array(structure.init, dtype=np.float64)
    held = nominal.copy()
    held[likelihood.poi] = 0.0
    asimov = np.asarray(likelihood.expected_data(likelihood.nominal_parameters(1.0)))
    observed = np.asarray(likelihood.observed_data)
    for kind, data, fix_poi, start in (
        ("expected, mu = 0", asimov, True, held),
        ("observed, mu = 0", observed, True, held),
        ("observed", observed, False, nominal),
    ):
        batch, times = Batch.of(likelihood.templates, data), []
        for elsewhere in (False, True):
            search(structure, batch, start, fix_poi=fix_poi, elsewhere=elsewhere)
            before = time.process_time()
            found = search(structure, batch, start, fix_poi=fix_poi, elsewhere=elsewhere)
            times.append(1e3 * (time.process_time() - before))
        best = best_of_random(likelihood, data, start, options.starts, fix_poi=fix_poi)
        if options.minuit:
            best = min(best, best_of_minuit(likelihood, data, [start, found.parameters[:, 0]], fix_poi=fix_poi))
        above = found.value[0] - best
        good &= bool(above <= 1e-6 * (1.0 + 1e-3 * abs(best)))
        spent = f"{times[0]:8.1f} ms {times[1]:8.1f} ms, {found.places[0]} places"
        print(f"{name:45s} {kind:17s} {above:10.2e} {spent}", flush=True)
    return good


def main() -> None:
    """Compare all, or those whose name contains a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--minuit", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--between", type=int, default=0, help="so many pairs of signals of each patch set")
    options = parser.parse_args()
    found = between(options.folder, options.between) if options.between else workspaces(options.folder)
    results = [
        compare(name, hc.HistFactory.from_workspace(workspace), options)
        for name, workspace in found
        if options.only in name
    ]
    print(f"{sum(results)} of {len(results)} likelihoods: nothing lower was found")


if __name__ == "__main__":
    main()
