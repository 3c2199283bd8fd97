"""Many cuts at once: what the cuts that each tool finds are worth on events that did not choose them, and its time.

Every round is a new seed, for all tools the same: new training events in a fresh process. Medians of the rounds stand
in the rows, with the least and the largest significance beside them. All tools leave ten effective background events of
those that they are trained on after their hard cuts: cuts that do not are loosened as hepcuts loosens its own, and
``found_background_events`` tells of it. Differences between tools are paired: the same events, the same replicas.
Budgets and times of the searches are seconds of the processor, all threads together: a busy machine shortens nobody's.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Measurement, in_fresh_process
from report import Result, Target
from session import Session, Work

FEATURES = (2, 5, 10)
HEPCUTS = "hepcuts"
GOING_ON = ("differential_evolution", "cma_es")
"""Those that hepcuts is to be ten times faster than."""
OTHERS = (
    *GOING_ON,
    "random_search",
    "random_grid_search",
    "grid",
    "peeling",
    "coordinate_ascent",
    "cabin_significance",
    "cabin_efficiencies",
)
CLASSIFIERS = ("boosted_trees", "logistic_regression")
Rounds = dict[str, list[Measurement]]
TABLES = Path(__file__).parents[1] / "docs" / "tables"
NAMES = {
    "random_grid_search": "random grid search (RGS)",
    "peeling": "peeling (PRIM)",
    "cma_es": "CMA-ES",
    "cabin_significance": "CABIN, its loss the significance",
    "cabin_efficiencies": "CABIN, its own loss",
}
"""As the documentation calls the tools; others by their own name."""


def optimizers(session: Session) -> Result:
    """The best of 2, 5 and 10 cuts: half of 200 000 signal and 1 000 000 background events, significance with 10 %."""
    rows: dict[str, Measurement] = {}
    targets: list[Target] = []
    all_rounds = {features: _of_features(session, features) for features in FEATURES}
    for features, rounds in all_rounds.items():
        rows |= {f"{tool}, {features} cuts": _medians(found) for tool, found in rounds.items()}
        targets += _targets(features, rounds)
    _write_table_of_features(all_rounds)
    return Result(_title(optimizers), rows, tuple(targets))


def optimizer_scaling(session: Session) -> Result:
    """Time and memory of hepcuts against the number of events and of features, in a fresh process each."""
    sizes = [(10, 100_000), (10, 1_000_000), (10, 10_000_000), (2, 1_000_000), (50, 1_000_000)]
    rows: dict[str, Measurement] = {}
    for features, events in sizes:
        name = f"{features} cuts, {events:.0e} events"
        session.progress(name)
        rows[name] = in_fresh_process("optimizer_tasks", "scaling", num_features=features, num_events=events)
    session.progress("value and gradient")
    ratio = in_fresh_process("optimizer_tasks", "value_and_gradient", num_features=10, num_events=1_000_000)
    rows["one value and gradient, 10 cuts, 1e+06 events"] = ratio
    measured = ratio.remarks.get("times_numpy_sum", float("nan"))
    goal = Target("one value and gradient over NumPy's sum of the same array", measured, 10.0, at_least=False)
    return Result(_title(optimizer_scaling), rows, (goal,))


def dynamic_programming(session: Session) -> Result:
    """The best 20 bins of a discriminant among 200 fine ones, the sum of squared Z as objective."""
    session.progress("bin edges")
    row = in_fresh_process("optimizer_tasks", "bin_edges", num_fine=200, num_bins=20)
    goal = Target("seconds for the best 1 to 20 bins of 200", row.run_s, 0.2, at_least=False)
    return Result(_title(dynamic_programming), {HEPCUTS: row}, (goal,))


def optimizer_higgsml(session: Session) -> Result:
    """12 features of simulated H to tau tau, 5 folds: profile likelihood with systematics of the events left out."""
    works = {HEPCUTS: Work.of("higgs_tasks", "hepcuts")}
    works |= {tool: Work.of("higgs_tasks", "other", tool=tool, budget=session.budget / 10) for tool in OTHERS}
    works |= {tool: Work.of("higgs_tasks", "classifier", tool=tool) for tool in CLASSIFIERS}
    rounds = _rounds(session, works, "folds")
    rows = {tool: _medians(found) for tool, found in rounds.items()}
    _write_table_of_real_events(rounds)
    return Result(_title(optimizer_higgsml), rows, tuple(_gains(rounds, "H to tau tau", _uncertainty_from_events)))


CASES: dict[str, Callable[[Session], Result]] = {
    case.__name__: case for case in (optimizers, optimizer_scaling, dynamic_programming, optimizer_higgsml)
}


def _title(case: Callable[[Session], Result]) -> str:
    return (case.__doc__ or "").rstrip(".")


def _of_features(session: Session, features: int) -> Rounds:
    """What each tool found for so many features."""
    works = {HEPCUTS: Work.of("optimizer_tasks", "hepcuts", num_features=features)}
    for tool in OTHERS:
        budget = session.budget * features / 10
        works[tool] = Work.of("optimizer_tasks", "other", tool=tool, num_features=features, budget=budget)
    return _rounds(session, works, f"{features} cuts")


def _rounds(session: Session, works: dict[str, Work], what: str) -> Rounds:
    """What each tool found in each round."""
    found: Rounds = {tool: [] for tool in works}
    for seed in range(1, session.rounds + 1):
        for tool, work in works.items():
            if not any(measurement.skipped for measurement in found[tool]):
                session.progress(f"{what}, {tool}, {seed} of {session.rounds}")
                found[tool].append(in_fresh_process(work.module, work.function, **work.arguments, seed=seed))
    return found


def _medians(found: list[Measurement]) -> Measurement:
    """One row for all rounds; a round without result is told, with the reason."""
    for measurement in found:
        if measurement.skipped:
            return measurement
    seconds = [m.first_s for m in found if m.first_s is not None]
    run = [m.run_s for m in found]
    fresh = _fresh(found)
    shared = set.intersection(*(set(m.remarks) for m in found))
    remarks = {key: float(np.median([m.remarks[key] for m in found])) for key in found[0].remarks if key in shared}
    return Measurement(
        first_s=float(np.median(seconds)),
        best_first_s=min(seconds),
        run_s=float(np.median(run)),
        best_s=min(run),
        peak_mib=max((m.peak_mib for m in found if m.peak_mib is not None), default=None),
        remarks=remarks | {"fresh_Z_least": min(fresh), "fresh_Z_largest": max(fresh)},
    )


def _targets(features: int, rounds: Rounds) -> list[Target]:
    """Significance against all others, seed by seed, and time against those that go on."""
    targets = _gains(rounds, f"{features} cuts", _uncertainty_from_seeds)
    # Ten cuts with compiling, fewer without.
    compiling = features == max(FEATURES)
    mine = _seconds(rounds[HEPCUTS], first=compiling)
    what = f"seconds of the processor {'with' if compiling else 'without'} compiling"
    for tool in GOING_ON:
        targets.append(Target(f"{tool} over hepcuts: {what}, {features} cuts", _seconds(rounds[tool]) / mine, 10.0))
    return targets


def _gains(rounds: Rounds, where: str, uncertainty: Callable[[Rounds, str], float]) -> list[Target]:
    """Z on new events less that of each other tool, the mean of paired differences; chance may bring it below zero."""
    mine = rounds[HEPCUTS]
    targets = []
    for tool, found in rounds.items():
        if tool != HEPCUTS:
            paired = _complete(mine) and _complete(found)
            gain = float(np.mean(np.subtract(_fresh(mine), _fresh(found)))) if paired else float("nan")
            spread = uncertainty(rounds, tool) if paired else 0.0
            targets.append(Target(f"Z on new events, hepcuts less {tool}, {where} (goal: -1 sigma)", gain, -spread))
    return targets


def _uncertainty_from_seeds(rounds: Rounds, tool: str) -> float:
    """Of the mean difference to a tool, where every seed is a new sample of events and the truth is known."""
    gains = np.subtract(_fresh(rounds[HEPCUTS]), _fresh(rounds[tool]))
    return float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0


def _uncertainty_from_events(rounds: Rounds, tool: str) -> float:
    """Of the mean difference to a tool, where all rounds are judged by the same events: from replicas of these."""
    mine, theirs = (np.mean([m.significance for m in rounds[name]], axis=0) for name in (HEPCUTS, tool))
    return float(np.nanstd(mine - theirs, ddof=1))


def _write_table_of_features(all_rounds: dict[int, Rounds]) -> None:
    """Significances on new events for each number of cuts, and the difference and the time for most of them."""
    most = max(all_rounds)
    rounds = all_rounds[most]
    header = ["tool", *(f"Z, {features} cuts" for features in all_rounds)]
    header += [f"hepcuts less it, {most} cuts", f"effective background found, {most} cuts", f"seconds, {most} cuts"]
    table = []
    for tool, found in rounds.items():
        if all(_complete(of_features[tool]) for of_features in all_rounds.values()):
            values = [f"{np.mean(_fresh(of_features[tool])):.3f}" for of_features in all_rounds.values()]
            left = np.median([m.remarks["found_background_events"] for m in found])
            gain = _gain(rounds, tool, _uncertainty_from_seeds)
            table.append(
                [NAMES.get(tool, tool.replace("_", " ")), *values, gain, f"{left:.0f}", f"{_seconds(found):.2g}"]
            )
    _write("optimizers.csv", [header, *table])


def _write_table_of_real_events(rounds: Rounds) -> None:
    """Significances on events left out, and differences with their uncertainties from these events."""
    header = ["tool", "Z on events left out", "hepcuts less it", "least effective background chosen on", "seconds"]
    table = []
    for tool, found in rounds.items():
        if _complete(found):
            left = [m.remarks["training_background_events"] for m in found if "training_background_events" in m.remarks]
            events = f"{min(left):.0f}" if left else ""
            gain = _gain(rounds, tool, _uncertainty_from_events)
            seconds = np.median([m.run_s if m.first_s is None else m.first_s for m in found])
            name = NAMES.get(tool, tool.replace("_", " "))
            table.append([name, f"{np.mean(_fresh(found)):.3f}", gain, events, f"{seconds:.2g}"])
    _write("optimizer_higgsml.csv", [header, *table])


def _gain(rounds: Rounds, tool: str, uncertainty: Callable[[Rounds, str], float]) -> str:
    """Mean of the paired differences, with its uncertainty; nothing for hepcuts itself."""
    if tool == HEPCUTS:
        return ""
    gain = np.mean(np.subtract(_fresh(rounds[HEPCUTS]), _fresh(rounds[tool])))
    return f"{gain:.3f} ± {uncertainty(rounds, tool):.3f}"


def _write(name: str, table: list[list[str]]) -> None:
    with (TABLES / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


def _complete(found: list[Measurement]) -> bool:
    return bool(found) and not any(measurement.skipped for measurement in found)


def _fresh(found: list[Measurement]) -> list[float]:
    return [measurement.remarks["fresh_Z"] for measurement in found]


def _seconds(found: list[Measurement], *, first: bool = True) -> float:
    """Median of the first calls, or of the second ones, which compile nothing."""
    if not _complete(found):
        return float("nan")
    return float(np.median([measurement.first_s if first else measurement.run_s for measurement in found]))
