"""Whether what hepcuts quotes is right: pulls of the predicted background, bias of significances, intervals.

    python benchmarks/coverage.py [--runs 400] [--processes 2] [--rows rows.json] [--output results.json] [CASE ...]

Each case has a truth in closed form: variables that are independent of each other, exponential in the backgrounds and
normal in the signal, so that the true yields of any cuts are products of tails. Many simulations are drawn, the cuts
are searched in each with the defaults of hepcuts, and what is quoted is compared with the truth of exactly these cuts:

- the pull of the background, (prediction - truth) / uncertainty, of the workspace; the uncertainty is that of a
  simulation that finds the true yield (with the one that is found the mean of n events is -1 / (2 sqrt(n)) for any
  Poisson count);
- how often data of the true background would exceed 1, 2 and 3 standard deviations in this workspace, over what a
  Gaussian has (type-I errors, exact for each simulation; those that need more simulations than can be searched are
  summed in ``calibration.py``);
- the quoted significance over the true one, which knows the background as well as a simulation of this size does, and
  whether value +- uncertainty holds it; the same of the cross-validated value, and of the events that chose;
- of a scan: each figure of merit at the best cut and on events that did not choose, over the truth, and how often the
  replicas' central 68 % and the plateau hold the true best cut (of those that leave ten effective events in truth).

With ``--rows`` what each simulation gives is kept in a file, and a later call goes on where that one ended.
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

import calibration
import numpy as np
from scipy import stats

SIGMAS = (1, 2, 3)
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
        figures: of merit that are scanned.
    """

    dimensions: int
    backgrounds: tuple[tuple[float, float], ...]
    simulated: int
    signal: float = 100.0
    decades: float = 0.0
    negative: float = 0.0
    figures: tuple[str, ...] = ("asimov_uncertainty", "profile")


EVERY = (
    *(
        "s_over_sqrt_b",
        "s_over_sqrt_s_plus_b",
        "s_over_sqrt_b_plus_variance",
        "asimov",
        "asimov_uncertainty",
        "binomial",
    ),
    *("punzi", "profile", "mu_uncertainty", "upper_limit", "bce_balanced"),
)
"""Figures of merit of one of the cases; sums over counts would take hours, and have the same events."""

CASES = {
    "1 cut, 150 events": Case(1, ((0.4, 10_000.0),), 150),
    "1 cut, 300 events": Case(1, ((0.4, 10_000.0),), 300),
    "1 cut, 3000 events": Case(1, ((0.4, 10_000.0),), 3000, figures=EVERY),
    "1 cut, 15 000 events": Case(1, ((0.4, 10_000.0),), 15_000),
    "1 cut, three backgrounds": Case(1, ((0.4, 10_000.0), (0.6, 500.0), (0.3, 20_000.0)), 1000),
    "1 cut, weights of three decades": Case(1, ((0.4, 10_000.0),), 3000, decades=3.0),
    "1 cut, 20 % negative": Case(1, ((0.4, 10_000.0),), 3000, negative=0.2),
    "2 cuts, two backgrounds": Case(2, ((0.5, 10_000.0), (0.6, 2000.0)), 1000),
    "3 cuts, three decades, 10 % negative": Case(3, ((0.6, 10_000.0),), 5000, decades=3.0, negative=0.1),
    "4 cuts, two backgrounds, 10 % negative": Case(4, ((0.7, 10_000.0), (0.6, 10_000.0)), 3000, negative=0.1),
    "5 cuts, 1000 events": Case(5, ((0.7, 10_000.0),), 1000),
    "5 cuts, 10 000 events": Case(5, ((0.7, 10_000.0),), 10_000),
    "5 cuts, 150 000 events": Case(5, ((0.7, 10_000.0),), 150_000),
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


def predicted(templates: Any) -> tuple[Any, Any]:
    """Yield of each background in templates, and its variance."""
    background = [not component.signal for component in templates.structure.components]
    return templates.nominal[background].sum(axis=-1), templates.variance[background].sum(axis=-1)


def false_alarms(yields: Any, variances: Any, truth: float) -> dict[str, float]:
    """How often data of the true background look like a signal of more than so many sigma, over a Gaussian."""
    some = yields > 0
    if not some.any():
        return {f"Z > {z}": np.nan for z in SIGMAS}
    simulated = calibration.Simulated(yields[some, None], variances[some, None], np.ones(1))
    statistic = functools.partial(calibration.separate, simulated)
    counts = {z: calibration.critical(statistic, simulated.yields.sum(0), z)[0] for z in SIGMAS}
    return {f"Z > {z}": float(stats.poisson.sf(n - 1.0, truth) / stats.norm.sf(z)) for z, n in counts.items()}


def of_background(case: Case, templates: Any, backgrounds: Any, share: float) -> dict[str, float]:
    """The background that templates predict, against that which cuts leave in truth."""
    yields, variances = predicted(templates)
    total = float(backgrounds.sum())
    found = {
        "pull": (float(yields.sum()) - total) / true_uncertainty(case, backgrounds, share),
        "background": float(yields.sum()) / total,
        "effective": float(yields.sum() ** 2 / variances.sum()),
    }
    return found | false_alarms(yields, variances, total)


def optimized(case: Case, seed: int) -> dict[str, float]:
    """One simulation, its best cuts by the default of `hepcuts.optimize`, and the truth of them."""
    import hepcuts as hc  # noqa: PLC0415

    cuts = hc.Selection([hc.Cut(f"x{i}", ">") for i in range(case.dimensions)])
    samples = simulate(case, seed)
    result = hc.optimize(samples, cuts, objective="asimov_uncertainty", seed=seed, throw=False)
    thresholds = [result.thresholds[f"x{i}"] for i in range(case.dimensions)]
    share = len(result.samples[1]) / len(samples[1])
    backgrounds = truth(case, thresholds)[1]
    quoted = of_background(case, result.quoted.templates, backgrounds, share)
    chose = of_background(case, result.training.templates, backgrounds, 1.0 - share)
    true, of_training = (true_significance(case, thresholds, part) for part in (share, 1.0 - share))
    replicas = result.bootstrap.significance
    return quoted | {f"chose: {name}": value for name, value in chose.items()} | {
        "significance": result.significance / true,
        "significance: less the gain of replicas": (2.0 * result.significance - replicas.mean) / true,
        "significance: within its uncertainty": float(abs(result.significance - true) <= replicas.uncertainty),
        "cross-validated": (np.nan if result.validated is None else result.validated) / of_training,
        "chose: significance": result.training.significance / of_training,
    }  # fmt: skip


@functools.cache
def true_figures(case: Case) -> tuple[Any, dict[str, Any], dict[str, float]]:
    """Cuts, the true value of each figure of merit after them, and its best cut.

    The figures are those of hepcuts, of the true yields and their variances; tests hold the formulas.
    """
    import hepcuts as hc  # noqa: PLC0415
    from hepcuts.merit.registry import FIGURES  # noqa: PLC0415
    from hepcuts.merit.rows import Rows  # noqa: PLC0415
    from hepcuts.scanning.optima import best_row, guarded  # noqa: PLC0415
    from hepcuts.templates.templates import Yields  # noqa: PLC0415

    cuts = np.linspace(0.0, 2.0, 401)
    totals = np.array([case.signal, *(b for _, b in case.backgrounds)])
    after = [truth(case, [cut]) for cut in cuts]
    yields = np.array([[signal, *backgrounds] for signal, backgrounds in after])
    variances = yields * totals / case.simulated * events_per_effective(case)
    structure = hc.fill(simulate(case, 0), None).structure
    whole = (float(totals[0]), float(totals[1:].sum()))
    rows = Rows.of_yields(structure, Yields(yields[:, None, :, None], variances[:, None, :, None]), whole)
    values = {name: np.asarray(FIGURES[name].values([rows])) for name in case.figures}
    best = {
        name: float(cuts[best_row(FIGURES[name], found, guarded(FIGURES[name], rows, 10.0))])
        for name, found in values.items()
    }
    return cuts, values, best


def scanned(case: Case, seed: int) -> dict[str, float]:
    """One simulation, its best cuts by `hepcuts.scan`, and the truth of them."""
    import hepcuts as hc  # noqa: PLC0415

    scan = hc.scan(simulate(case, seed), hc.Cut("x0", ">"), metrics=case.figures, seed=seed)
    cuts, values, best = true_figures(case)
    found = {}
    for name in case.figures:
        optimum = scan.optimum(name)
        true = float(np.interp(optimum.threshold, cuts, values[name]))
        found |= {
            f"{name}: value": optimum.value / true,
            f"{name}: held out": optimum.held_out / true,
            f"{name}: interval": float(optimum.interval[0] <= best[name] <= optimum.interval[1]),
            f"{name}: plateau": float(optimum.statistical_plateau[0] <= best[name] <= optimum.statistical_plateau[1]),
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
        "cases",
        nargs="*",
        choices=[*CASES, []],
        metavar="CASE",
        help=f"all, or of: {', '.join(CASES)}".replace("%", "%%"),
    )
    parser.add_argument("--runs", type=int, default=400, help="simulations of each case (%(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rows", type=Path, help="keep what each simulation gives, and go on with what is there")
    parser.add_argument("--output", type=Path, help="write the results as JSON, too")
    arguments = parser.parse_args()
    rows: Rows = {}
    if arguments.rows is not None and arguments.rows.exists():
        rows = json.loads(arguments.rows.read_text(encoding="utf-8"))
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
        for name in arguments.cases or CASES:
            measure(rows.setdefault(name, []), name, arguments, pool)
            if arguments.rows is not None:
                arguments.rows.write_text(json.dumps(rows) + "\n", encoding="utf-8")
            print(f"{name}, {len(rows[name])} simulations")
            for quantity, (mean, error, spread) in summary(rows[name]).items():
                print(f"    {quantity:44s} {mean:7.3f} +- {error:.3f}   (standard deviation {spread:.3f})")
            sys.stdout.flush()
    results = {name: summary(rows[name]) for name in CASES if rows.get(name)}
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if set(results) == set(CASES):
        write_tables({f"{name} ({len(rows[name])})": found for name, found in results.items()})


Rows = dict[str, list[dict[str, float]]]
"""Name of a case to what each of its simulations gives; the number of a simulation is its seed."""


def measure(found: list[dict[str, float]], name: str, arguments: argparse.Namespace, pool: Any) -> None:
    """Add the simulations of a case that are missing."""
    seeds = range(len(found), arguments.runs)
    found.extend(pool.map(functools.partial(run, CASES[name]), seeds, chunksize=5))


def shown(found: dict[str, tuple[float, float, float]], name: str, digits: int = 2) -> str:
    """Mean and standard error of a measured number."""
    if name not in found or not np.isfinite(found[name][0]):
        return ""
    mean, error, _ = found[name]
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def write_tables(results: dict[str, dict[str, tuple[float, float, float]]]) -> None:
    """The tables of the documentation."""
    first = "case (simulations)"
    last = ("Z > 1", "Z > 2", "chose: pull", "chose: Z > 1", "chose: Z > 2")
    rows = [
        [
            case,
            f"{found['effective'][0]:.0f}",
            shown(found, "pull"),
            f"{found['pull'][2]:.2f}",
            *(shown(found, name) for name in last),
        ]
        for case, found in results.items()
    ]
    header = ["effective events", "pull", "its width", "Z > 1", "Z > 2"]
    chose = [f"{name}, events that chose" for name in ("pull", "Z > 1", "Z > 2")]
    _write("predictions", [first, *header, *chose], rows)

    names = ["significance", "significance: less the gain of replicas", "significance: within its uncertainty"]
    names += ["cross-validated", "chose: significance"]
    header = ["quoted / true", "less the gain of replicas", "true within the uncertainty"]
    rows = [[case, *(shown(found, name) for name in names)] for case, found in results.items()]
    _write("significances", [first, *header, "cross-validated / true", "of those that chose / true"], rows)

    measured = ("value", "held out", "interval", "plateau")
    header = ["best value / true", "held out / true", "best cut in 68 % of replicas", "in the plateau"]
    rows = [
        [case, *(shown(found, f"profile: {what}") for what in measured)]
        for case, found in results.items()
        if "profile: value" in found
    ]
    _write("scans", [first, *header], rows)
    every = next(found for found in results.values() if f"{EVERY[-1]}: value" in found)
    rows = [[name, *(shown(every, f"{name}: {what}") for what in measured)] for name in EVERY]
    _write("figures_of_merit", ["figure of merit", *header], rows)


def _write(name: str, header: list[str], rows: list[list[str]]) -> None:
    with (TABLES / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
