"""Working points: for each of several signal efficiencies the cuts with the best background rejection.

An analysis that does not know its significance yet, or that needs loose and tight versions of one selection, asks for
cuts of given signal efficiency. Here all of them are found together, so that their thresholds vary smoothly with the
efficiency and rejection only grows as efficiency is given up (`hepcuts.optimization.working_points.curve`); then each
is moved, all thresholds by the same distance in normal scores, until the hard signal efficiency of the training events
is the one asked for.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.errors import InputError, OptimizationError
from hepcuts._core.identity import identify
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.steps import AbstractStep
from hepcuts.cuts.steps import step as find_step
from hepcuts.evaluation.resampling import HoldoutLike, hold_out
from hepcuts.merit.registry import figure_of_merit
from hepcuts.optimization.soft.directions import find_directions
from hepcuts.optimization.soft.problem import Problem
from hepcuts.optimization.soft.search import Search
from hepcuts.optimization.solvers import LBFGS
from hepcuts.optimization.stages import Checkpoint
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import as_selection

from . import Curve, HardSelections, WorkingPoints, efficiencies_of, solve
from .curve import State

EFFICIENCIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

WIDTH = 0.12
"""Width of the soft cuts in normal scores. Among 0.06, 0.12 and 0.25 the best on 3 and 10 features of
`hepcuts.samples.datasets.many_features`, from 20 000 to 200 000 simulated signal events."""

SMOOTHNESS = 0.01
"""Weight of the curvature: too little to cost rejection on the same features, enough to gain some where events are
few."""


def working_points(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    efficiencies: Sequence[float] = EFFICIENCIES,
    holdout: HoldoutLike = 0.5,
    width: float = WIDTH,
    smoothness: float = SMOOTHNESS,
    step: str | AbstractStep = "sigmoid",
    seed: int | np.random.Generator = 0,
    checkpoint: str | Path | None = None,
    throw: bool = True,
) -> WorkingPoints:
    """Find, for each signal efficiency, the cuts with the best background rejection.

    Efficiencies are weighted and relative to all events of the samples; systematic uncertainties have no part in it.
    The background that is minimized is the sum of all background samples. Thresholds vary smoothly with the efficiency
    except where the best cuts change their kind: there they jump, if that gains more than 1 % of rejection. On
    training events rejection never grows with the efficiency.

    Args:
        samples: at least one signal and one background.
        selection: the cuts; their own thresholds are not used, their ``bounds`` are. The direction ``"auto"`` is found
            from the events.
        efficiencies: of the signal, between 0 and 1.
        holdout: fraction of events, between 0 and 1, that does not choose the cuts, and on which efficiencies are
            reported, too; None to use all events for both, which overstates the rejection.
        width: of the soft cuts of the search, in standard deviations of normal scores; cuts with a ``width`` of their
            own are searched in units of their variable. Narrow cuts follow the events, wide ones smooth over them.
        smoothness: weight of the mean square of the second derivative of each threshold (in normal scores, along
            the normal quantile of the efficiency) against the mean logarithm of the background; 0 for none.
        step: the step function of the soft cuts; see `hepcuts.cuts.steps`.
        seed: seed of the split.
        checkpoint: as in `hepcuts.optimize`: a file that is written after each stage, and from which the search for the
            same problem goes on.
        throw: whether to raise if the search does not converge; otherwise ``success`` and ``message`` tell. An
            interrupt (Ctrl-C) ends the search with what its last finished stage found.

    Returns:
        Cuts with their efficiencies on training and held-out events.

    Raises:
        InputError: an efficiency that is not between 0 and 1 or that no thresholds reach, a width that is not
            positive, a negative smoothness, a fraction that is not between 0 and 1, or a checkpoint of another problem.
        OptimizationError: a background without positive yield, or no convergence and `throw` is set.
        SampleError: as `hepcuts.fill`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> points = working_points(samples, hc.Cut("x", ">"), efficiencies=[0.5, 0.8])
        >>> points.training.signal.round(2)
        array([0.5, 0.8])
        >>> bool(abs(points.thresholds[0, 0] - 50.0) < 2.0)  # the median of the signal
        True
    """
    samples = check_samples(samples)
    chosen = as_selection(selection)
    if chosen is None:
        raise InputError("Working points need cuts; the selection came as None.")
    targets = _checked(efficiencies, width=width, smoothness=smoothness)
    seed, checkpoint, samples = as_seed(seed), checks.path("checkpoint", checkpoint), _bare(samples, chosen)
    training, held_out = hold_out(samples, holdout, seed=seed)
    known = find_directions(training, chosen)
    problem = Problem(known, figure_of_merit("s_over_sqrt_b"), LBFGS(), find_step(step))
    search = Search.of(training, problem)
    cuts = _hard_cuts(search, training)
    _require_reachable(targets, *cuts.range())
    curve = Curve(search, targets, smoothness)
    own = np.array([known.cuts[cut].width is not None for cut in known.cut_of_threshold])
    widths = np.where(own, search.space.widths, width)
    options = {"width": width, "smoothness": smoothness, "holdout": holdout, "seed": seed}
    keeper = Checkpoint.at(checkpoint, lambda: identify(samples=samples, **_parts(problem, curve), **options))
    state, history = solve(curve, [factor * widths for factor in curve.tuning.stages], checkpoint=keeper)
    if throw:
        _require_converged(state)
    positions = _at_targets(cuts, state.positions, targets)
    selections = tuple(cuts.at(position) for position in positions)
    return WorkingPoints(
        names=known.names,
        efficiencies=targets,
        thresholds=np.array([one.thresholds for one in selections], dtype=np.float64),
        selections=selections,
        training=efficiencies_of(training, selections),
        held_out=None if held_out is None else efficiencies_of(held_out, selections),
        positions=positions,
        smoothness=float(smoothness),
        success=state.converged and not state.interrupted,
        message=_message(state),
        num_steps=state.num_steps,
        history=history,
        seed=seed,
        cuts=cuts,
    )


def _checked(efficiencies: Sequence[float], *, width: float, smoothness: float) -> FloatArray:
    """The efficiencies in ascending order, each once."""
    try:
        targets = np.unique(np.asarray(efficiencies, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"efficiencies are {efficiencies!r}; expected numbers between 0 and 1.") from error
    if len(targets) == 0 or not np.all((targets > 0) & (targets < 1)):
        raise InputError(f"efficiencies are {efficiencies}; expected at least one, all between 0 and 1.")
    checks.positive("width", width, what=f"a positive number of standard deviations, such as {WIDTH}")
    checks.amount("smoothness", smoothness)
    return targets


def _parts(problem: Problem, curve: Curve) -> dict[str, Any]:
    """All that working points can be told from others by, but the events and options."""
    return problem.parts | {"efficiencies": curve.efficiencies, "tuning": (problem.tuning, curve.tuning)}


def _require_converged(state: State) -> None:
    if not (state.converged or state.interrupted):
        raise OptimizationError(
            f"The search for the working points did not converge in {state.num_steps} steps. Use a larger width or "
            "fewer efficiencies, or set throw=False to get what was found."
        )


def _message(state: State) -> str:
    """How the search ended."""
    until_then = "interrupted; until then: " if state.interrupted else ""
    return f"{until_then}{'converged' if state.converged else 'not converged'} after {state.num_steps} steps"


def _bare(samples: Sequence[Sample], selection: Selection) -> list[Sample]:
    """Only what is cut on, without systematic uncertainties."""
    return [sample.with_columns({name: sample.column(name) for name in selection.columns}, ()) for sample in samples]


def _hard_cuts(search: Search, training: Sequence[Sample]) -> HardSelections:
    selection = search.space.selection
    coordinates = tuple(search.space.coordinates[cut] for cut in selection.cut_of_threshold)
    return HardSelections.of(
        search.regions[0].layout, selection, coordinates, (search.space.lower, search.space.upper), training
    )


def _require_reachable(targets: FloatArray, smallest: float, largest: float) -> None:
    beyond = targets[(targets < smallest) | (targets > largest)]
    if len(beyond):
        raise InputError(
            f"No thresholds have a signal efficiency of {', '.join(f'{e:g}' for e in beyond)}: within the cuts' bounds "
            f"it goes from {smallest:.4g} to {largest:.4g}, relative to all signal events, those with missing values "
            "among them. Leave these efficiencies out, or change the bounds or what is done with missing values."
        )


def _at_targets(cuts: HardSelections, positions: FloatArray, targets: FloatArray) -> FloatArray:
    """Positions moved to the hard signal efficiencies, shape (point, threshold).

    Those are replaced that let more background pass than their neighbor.
    """
    found = [cuts.shifted(position, float(e)) for position, e in zip(positions, targets, strict=True)]
    for point in range(len(found) - 2, -1, -1):
        if cuts.background(found[point]) > cuts.background(found[point + 1]):
            found[point] = cuts.shifted(found[point + 1], float(targets[point]))
    return np.array(found)
