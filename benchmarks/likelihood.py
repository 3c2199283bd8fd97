"""The likelihood engine: `hc.discovery_significance` against pyhf, NextStat and, written by hand, everwillow.

Compiling (the first result, in a process that has done nothing else) is apart from running. Each ratio is of two
numbers of the same run, and stands beside the largest difference in Z between the two tools: a fast wrong answer is
no answer. pyhf's part is timed on some of the template sets only, because all of them would take minutes.
"""

from collections.abc import Callable

from measure import Measurement
from report import Result, Target
from session import Session, Work

Rows = dict[str, Measurement]

HEPCUTS, GRADIENT, JITTED = "hepcuts", "hepcuts, with gradient", "hepcuts, with gradient, in jax.jit"
SCIPY, MINUIT, EVERWILLOW, NEXTSTAT = "pyhf, scipy", "pyhf, minuit", "everwillow", "NextStat"
TIGHT, CLOSED = "minuit, tight", "closed form"
NAN = float("nan")


def one_bin(session: Session) -> Result:
    """Z at 10 000 values of one cut: one bin, one background with an uncertainty."""
    rows = session.take_turns(_batched("one_bin") | _pyhf("one_bin", (SCIPY,), count=20) | _nextstat("one_bin"))
    rows |= _once(session, CLOSED, Work.of("hepcuts_tasks", "closed_form", problem="one_bin"))
    targets = (
        _run(rows, SCIPY, 5000),
        _run(rows, EVERWILLOW, 1),
        _first(rows, EVERWILLOW, 10),
        _run(rows, NEXTSTAT, None),
    )
    return Result(_title(one_bin), rows, targets, CLOSED)


def two_channels(session: Session) -> Result:
    """Z of 1000 template sets: two channels, five bins, two backgrounds, ten nuisance parameters."""
    rows = session.take_turns(
        _batched("two_channels") | _pyhf("two_channels", (SCIPY, MINUIT), count=20) | _nextstat("two_channels")
    )
    rows |= _once(session, TIGHT, Work.of("pyhf_tasks", "precise", problem="two_channels", count=20))
    against_pyhf = (_run(rows, SCIPY, 1000), _run(rows, MINUIT, 2500))
    more = (_run(rows, EVERWILLOW, 1), _first(rows, EVERWILLOW, 10), _run(rows, NEXTSTAT, None))
    targets = (*against_pyhf, *more)
    return Result(_title(two_channels), rows, targets, TIGHT)


def atlas(session: Session) -> Result:
    """One expected Z with its gradient to all templates on an ATLAS likelihood, against pyhf's value alone."""
    mine = {GRADIENT: _single("atlas"), JITTED: _single("atlas", jitted=True)}
    rows = session.take_turns(mine | _pyhf("atlas", (SCIPY, MINUIT), count=1, build=False) | _nextstat("atlas"))
    rows |= _once(session, TIGHT, Work.of("pyhf_tasks", "precise", problem="atlas", count=1))
    goals = {SCIPY: 50.0, MINUIT: 500.0, NEXTSTAT: None}
    targets = tuple(_run(rows, other, goal, ours=ours) for ours in mine for other, goal in goals.items())
    return Result(_title(atlas), rows, targets, TIGHT)


def first_gradient(session: Session) -> Result:
    """Time from a built pyhf.Model to the first Z with its gradient to all templates, in seconds."""
    goals = {"two_channels": 1.5, "atlas": 4.0}
    ways = {"called plainly": False, "in jax.jit": True}
    works = {f"{p}, {way}": _single(p, jitted=jitted) for p in goals for way, jitted in ways.items()}
    rows = session.take_turns(works)
    targets = tuple(
        Target(f"first result, {name}", _or_nan(row.first_s), goals[name.split(",")[0]], at_least=False)
        for name, row in rows.items()
    )
    return Result(_title(first_gradient), rows, targets)


def second_model(session: Session) -> Result:
    """A second model of the same structure compiles nothing, without and with gradient."""
    kinds = {"Z": False, "Z with gradient": True}
    problems = ("one_bin", "two_channels")
    works = {f"{p}, {kind}": _single(p, gradient=g, second=True) for p in problems for kind, g in kinds.items()}
    rows = session.take_turns(works)
    targets: list[Target] = []
    for name, row in rows.items():
        seconds, programs = (row.remarks.get(key, NAN) for key in ("second_first_s", "second_compilations"))
        targets += [
            Target(f"programs compiled for the second, {name}", programs, 0, at_least=False),
            Target(f"first call of the second / of the first, {name}", seconds / _or_nan(row.first_s), None),
        ]
    return Result(_title(second_model), rows, tuple(targets))


def blas_threads(session: Session) -> Result:
    """One Z of many parameters with BLAS's threads as they are by default, over that with one thread, in turn."""
    works = {f"{n} parameters": Work.of("blas_tasks", "interleaved", parameters=n) for n in (64, 128, 161, 300)}
    rows = session.take_turns(works)
    targets = tuple(
        Target(
            f"default over one thread, {name}",
            row.remarks.get("ratio", NAN),
            1.2,
            at_least=False,
            fastest=row.remarks.get("of_fastest", NAN),
        )
        for name, row in rows.items()
    )
    return Result(_title(blas_threads), rows, targets)


def bins(session: Session) -> Result:
    """One Z of 10 to 10 000 bins: one gamma each and 307 other parameters, or two each and 100 others."""
    sizes = [(n, 307, 1) for n in (100, 1000)] + [(n, 100, 2) for n in (10, 100, 1000, 10_000)]
    works = {
        f"{n} bins, {others + gammas * n} parameters, {kind}": Work.of(
            "bins_tasks", "significance", bins=n, others=others, gammas=gammas, kind=kind
        )
        for n, others, gammas in sizes
        for kind in ("expected", "gradient", "observed")
    }
    rows = session.take_turns(works)
    thousand, all_of_them = "1000 bins, 1307 parameters", "10000 bins, 20100 parameters"
    seconds = [(f"{thousand}, {kind}", 0.3) for kind in ("expected", "observed")] + [(f"{all_of_them}, gradient", 5.0)]
    targets = [
        Target(f"{name}, s", rows[name].run_s, goal, at_least=False, fastest=rows[name].best_s)
        for name, goal in seconds
    ]
    targets += [
        Target(f"{name}, processor's s", rows[name].remarks.get("processor_s", NAN), goal, at_least=False)
        for name, goal in seconds
    ]
    targets += [
        Target(f"{name}, peak MiB", _or_nan(rows[name].peak_mib), 150.0, at_least=False)
        for name in (f"{thousand}, {kind}" for kind in ("expected", "gradient", "observed"))
    ]
    return Result(_title(bins), rows, tuple(targets))


CASES: dict[str, Callable[[Session], Result]] = {
    case.__name__: case for case in (one_bin, two_channels, atlas, first_gradient, second_model, blas_threads, bins)
}


def _title(case: Callable[[Session], Result]) -> str:
    return (case.__doc__ or "").rstrip(".")


def _batched(problem: str) -> dict[str, Work]:
    """All template sets at once, by hepcuts and by everwillow."""
    return {
        HEPCUTS: Work.of("hepcuts_tasks", "batched", problem=problem, gradient=False),
        GRADIENT: Work.of("hepcuts_tasks", "batched", problem=problem, gradient=True),
        EVERWILLOW: Work.of("everwillow_models", "batched", problem=problem),
    }


def _single(problem: str, *, gradient: bool = True, jitted: bool = False, second: bool = False) -> Work:
    """One template set by hepcuts."""
    return Work.of("hepcuts_tasks", "single", problem=problem, gradient=gradient, jitted=jitted, second=second)


def _pyhf(problem: str, names: tuple[str, ...], *, count: int, build: bool = True) -> dict[str, Work]:
    """Some template sets by pyhf with one or both of its optimizers."""
    optimizers = {SCIPY: "scipy", MINUIT: "minuit"}
    return {
        name: Work.of("pyhf_tasks", "hypotest", problem=problem, optimizer=optimizers[name], count=count, build=build)
        for name in names
    }


def _nextstat(problem: str) -> dict[str, Work]:
    """As many template sets as by pyhf, by NextStat."""
    count, build = (1, False) if problem == "atlas" else (20, True)
    return {NEXTSTAT: Work.of("nextstat_tasks", "batched", problem=problem, count=count, build=build)}


def _once(session: Session, name: str, work: Work) -> Rows:
    """What needs no timing, hence one turn only."""
    return Session(session.progress, rounds=1).take_turns({name: work})


def _run(rows: Rows, other: str, goal: float | None, *, ours: str = HEPCUTS) -> Target:
    """How much longer another tool runs for one template set."""
    theirs, mine = rows[other], rows[ours]
    return Target(
        f"{other} over {ours}: run, per set",
        theirs.per_set_s / mine.per_set_s,
        goal,
        fastest=theirs.best_s / theirs.sets / (mine.best_s / mine.sets),
        difference=theirs.differs_from(mine),
    )


def _first(rows: Rows, other: str, goal: float) -> Target:
    """How much longer another tool takes to its first result."""
    theirs, mine = rows[other], rows[HEPCUTS]
    return Target(
        f"{other} over {HEPCUTS}: first result",
        _or_nan(theirs.first_s) / _or_nan(mine.first_s),
        goal,
        fastest=_or_nan(theirs.best_first_s) / _or_nan(mine.best_first_s),
        difference=theirs.differs_from(mine),
    )


def _or_nan(value: float | None) -> float:
    return NAN if value is None else value
