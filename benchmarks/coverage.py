"""Whether what hepcuts quotes is right: pulls of the predicted background, bias of significances, intervals.

    python benchmarks/coverage.py [--runs 400] [--processes 2] [--output results.json] [CASE ...]

Each case has a truth in closed form: variables that are independent of each other, exponential in the backgrounds and
normal in the signal, so that the true yields of any cuts are products of tails. Many simulations are drawn, the cuts
are searched in each with the defaults of hepcuts, and what is quoted is compared with the truth of exactly these cuts:

- the pull of the background, (prediction - truth) / uncertainty, of the workspace; the uncertainty is that of a
  simulation that finds the true yield (with the one that is found the mean of n events is -1 / (2 sqrt(n)) for any
  Poisson count);
- the quoted significance over the true one, which knows the background as well as a simulation of this size does;
- of a scan: whether its intervals hold the true optimum, and whether value +- uncertainty holds the truth.
"""

import argparse
import concurrent.futures
import csv
import dataclasses
import functools
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

TABLES = Path(__file__).parents[1] / "docs" / "tables"


@dataclasses.dataclass(frozen=True)
class Case:
    """A truth and the size of its simulation.

    Attributes:
        dimensions: number of variables, each with one cut.
        backgrounds: mean of the exponential of each, in units of the signal's mean, and expected events.
        simulated: events of each sample.
        signal: expected events.
        decades: range of the weights.
        negative: fraction of the events whose weights are negative.
    """

    dimensions: int
    backgrounds: tuple[tuple[float, float], ...]
    simulated: int
    signal: float = 100.0
    decades: float = 0.0
    negative: float = 0.0


CASES = {
    "1 cut, 300 events": Case(1, ((0.4, 10_000.0),), 300),
    "1 cut, 3000 events": Case(1, ((0.4, 10_000.0),), 3000),
    "1 cut, three backgrounds": Case(1, ((0.4, 10_000.0), (0.6, 500.0), (0.3, 20_000.0)), 1000),
    "1 cut, weights of three decades": Case(1, ((0.4, 10_000.0),), 3000, decades=3.0),
    "1 cut, 20 % negative": Case(1, ((0.4, 10_000.0),), 3000, negative=0.2),
    "5 cuts, 1000 events": Case(5, ((0.7, 10_000.0),), 1000),
    "5 cuts, 10 000 events": Case(5, ((0.7, 10_000.0),), 10_000),
    "5 cuts, three backgrounds": Case(5, ((0.7, 10_000.0), (0.8, 2000.0), (0.6, 20_000.0)), 3000),
}


def simulate(case: Case, seed: int) -> list[Any]:
    """Samples of one simulation; the number of events is random."""
    import hepcuts as hc  # noqa: PLC0415 (in the worker)

    draw = np.random.default_rng(seed)

    def sample(name: str, expected: float, columns: Any, *, signal: bool) -> Any:
        size = max(10, draw.poisson(case.simulated))
        weights = 10.0 ** draw.uniform(-case.decades, 0.0, size)
        weights[draw.uniform(size=size) < case.negative] *= -1.0
        mean = (1.0 - 2.0 * case.negative) * (
            1.0 if not case.decades else (1.0 - 10.0**-case.decades) / (case.decades * np.log(10.0))
        )
        table = {f"x{i}": columns(size) for i in range(case.dimensions)}
        return hc.Sample(name, table, weights=weights * expected / (mean * case.simulated), signal=signal)

    found = [sample("signal", case.signal, lambda size: draw.normal(1.0, 0.3, size), signal=True)]
    for number, (mean, expected) in enumerate(case.backgrounds):
        columns = functools.partial(draw.exponential, mean)
        found.append(sample(f"background{number}", expected, columns, signal=False))
    return found


def truth(case: Case, thresholds: Any) -> tuple[float, Any]:
    """True signal, and true yield of each background, after lower thresholds."""
    cuts = np.asarray(thresholds, dtype=np.float64)
    signal = case.signal * np.prod(stats.norm.sf(cuts, 1.0, 0.3))
    backgrounds = [b * np.exp(-np.sum(np.maximum(cuts, 0.0)) / mean) for mean, b in case.backgrounds]
    return float(signal), np.array(backgrounds)


def events_per_effective(case: Case) -> float:
    """Simulated events over effective ones."""
    decades = case.decades * np.log(10.0)
    mean = 1.0 if not decades else (1.0 - np.exp(-decades)) / decades
    square = 1.0 if not decades else (1.0 - np.exp(-2.0 * decades)) / (2.0 * decades)
    return float(square / ((1.0 - 2.0 * case.negative) * mean) ** 2)


def true_uncertainty(case: Case, backgrounds: Any, share: float) -> float:
    """Of the sum of backgrounds, from `share` of the simulation."""
    of_all = np.array([b for _, b in case.backgrounds])
    return float(np.sqrt(np.sum(backgrounds * of_all / (share * case.simulated) * events_per_effective(case))))


def true_significance(case: Case, thresholds: Any, share: float) -> float:
    """Of cuts, with a background known as well as `share` of the simulation knows it."""
    import hepcuts as hc  # noqa: PLC0415

    signal, backgrounds = truth(case, thresholds)
    uncertainty = true_uncertainty(case, backgrounds, share)
    return float(hc.counting.asimov_significance(signal, backgrounds.sum(), uncertainty))


def optimized(case: Case, seed: int) -> dict[str, float]:
    """One simulation, its best cuts by the default of `hepcuts.optimize`, and the truth of them."""
    import hepcuts as hc  # noqa: PLC0415

    cuts = hc.Selection([hc.Cut(f"x{i}", ">") for i in range(case.dimensions)])
    samples = simulate(case, seed)
    result = hc.optimize(samples, cuts, objective="asimov_uncertainty", replicas=0, seed=seed, throw=False)
    thresholds = [result.thresholds[f"x{i}"] for i in range(case.dimensions)]
    quoted = result.quoted.templates
    background = [not component.signal for component in quoted.structure.components]
    predicted = float(quoted.nominal[background].sum())
    sigma = float(np.sqrt(quoted.variance[background].sum()))
    share = len(result.samples[1]) / len(samples[1])
    true = true_significance(case, thresholds, share)
    backgrounds = truth(case, thresholds)[1]
    return {
        "pull": (predicted - float(backgrounds.sum())) / true_uncertainty(case, backgrounds, share),
        "background": predicted / float(backgrounds.sum()),
        "significance": result.significance / true,
        "effective": (predicted / sigma) ** 2,
    }


def scanned(case: Case, seed: int) -> dict[str, float]:
    """One simulation, its best cut by `hepcuts.scan`, and the truth of it."""
    import hepcuts as hc  # noqa: PLC0415

    scan = hc.scan(simulate(case, seed), hc.Cut("x0", ">"), metrics=("asimov_uncertainty", "profile"), seed=seed)
    grid = np.linspace(0.0, 2.5, 1001)
    best = grid[np.argmax([true_significance(case, [c], 1.0) for c in grid])]
    found = {}
    for metric in ("asimov_uncertainty", "profile"):
        optimum = scan.optimum(metric)
        true = true_significance(case, [optimum.threshold], 1.0)
        found |= {
            f"{metric}: value": optimum.value / true,
            f"{metric}: held out": optimum.held_out / true,
            f"{metric}: interval": float(optimum.interval[0] <= best <= optimum.interval[1]),
            f"{metric}: plateau": float(optimum.statistical_plateau[0] <= best <= optimum.statistical_plateau[1]),
        }
    return found


def run(case: Case, seed: int) -> dict[str, float]:
    """All that is measured in one simulation; in one dimension a scan, too."""
    return optimized(case, seed) | (scanned(case, seed) if case.dimensions == 1 else {})


def summary(rows: list[dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    """Mean, its standard error and the standard deviation of each measured number."""
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        name: (
            float(np.nanmean(values)),
            float(np.nanstd(values, ddof=1) / np.sqrt(np.isfinite(values).sum())),
            float(np.nanstd(values, ddof=1)),
        )
        for name, values in table.items()
    }


def main() -> None:
    """Run the cases named on the command line, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "cases", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"all, or of: {', '.join(CASES)}"
    )
    parser.add_argument("--runs", type=int, default=400, help="simulations of each case (%(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, help="write the results as JSON, too")
    arguments = parser.parse_args()
    results = {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        for name in arguments.cases or CASES:
            seeds = range(arguments.runs)
            results[name] = summary(list(pool.map(functools.partial(run, CASES[name]), seeds, chunksize=5)))
            print(name)
            for quantity, (mean, error, spread) in results[name].items():
                print(f"    {quantity:32s} {mean:7.3f} +- {error:.3f}   (standard deviation {spread:.3f})")
            sys.stdout.flush()
            if arguments.output:
                arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if not arguments.cases:
        write_tables(results)


def write_tables(results: dict[str, dict[str, tuple[float, float, float]]]) -> None:
    """The tables of the documentation."""

    def shown(found: dict[str, tuple[float, float, float]], name: str, digits: int = 2) -> str:
        if name not in found:
            return ""
        mean, error, _ = found[name]
        return f"{mean:.{digits}f} ± {error:.{digits}f}"

    cuts = [
        [
            case,
            f"{found['effective'][0]:.0f}",
            shown(found, "pull"),
            f"{found['pull'][2]:.2f}",
            shown(found, "significance"),
        ]
        for case, found in results.items()
    ]
    header = ["case", "effective events", "pull of the background", "width of the pull", "quoted Z / true Z"]
    _write("predictions", header, cuts)
    names = [f"{metric}: {what}" for metric in ("profile",) for what in ("value", "held out", "interval", "plateau")]
    scans = [[case, *(shown(found, name) for name in names)] for case, found in results.items() if names[0] in found]
    header = ["case", "best value / true Z", "held out / true Z", "in the 68 % of replicas", "in the plateau"]
    _write("scans", header, scans)


def _write(name: str, header: list[str], rows: list[list[str]]) -> None:
    with (TABLES / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
