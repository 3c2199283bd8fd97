"""Pseudo-experiments that draw the simulation again, too: events, then templates, then data, then fits.

`hepcuts.histfactory.discovery_toys` draws the data and what constrains the parameters from the likelihood itself, and
so cannot see whether the likelihood describes finite simulation well (with ``simulation=True`` it draws the templates
of any workspace within their staterror, not knowing the events). Here each toy has a simulation of its own: every
event is in it a Poisson number of times. Its templates make the model that is fitted, and the data come from the
expectation of the simulation at hand, which the toy does not know. The number of toys above a significance, compared
with that of a Gaussian, then says what the model of finite simulation is worth for this analysis
(:cite:t:`alexe2024` show how far off it can be).
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.errors import FitError
from hepcuts._core.progress import steps
from hepcuts._core.types import FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.regions import Region
from hepcuts.histfactory import HistFactory
from hepcuts.histfactory.batch import Batch
from hepcuts.histfactory.statistic import fits_of, signed
from hepcuts.histfactory.toys import ToysResult, data_of_truth
from hepcuts.merit.binding import TemplateMapper
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.templates import Structure, Templates, Yields
from hepcuts.templates.workspace import STATERROR, likelihood_of

from .replicas import HardCuts, complete_selection, replicated_yields
from .resampling import PoissonReplicas

_CHUNK = 500
"""Toys that are fitted at once. Chosen by hand."""


def simulation_toys(
    samples: Sequence[Sample],
    selection: Selection | AbstractCut,
    *,
    axis: Any = None,
    regions: Sequence[Region] = (),
    mu: float = 0.0,
    num_toys: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> ToysResult:
    """Generate toys with a simulation of their own, and fit q0 of each.

    Args:
        samples: signal and background. Their events are the truth; each toy's simulation is as large as theirs.
        selection: cuts with all of their thresholds.
        axis: of a shape fit in the signal region, None to count.
        regions: control regions.
        mu: signal strength that the data are drawn with; 0 tells how often there seems to be a signal where there is
            none.
        num_toys: how many.
        seed: of the random numbers, or a generator that one is drawn from.

    Returns:
        q0 of the toys; `hepcuts.histfactory.toys.ToysResult.excess` compares them with a Gaussian. Toys whose
        simulation has no likelihood, such as one without signal or background, count as failed.

    Raises:
        FitError: no toy could be fitted.
        InputError: a threshold is not set, or `num_toys` is no whole number of two or more.
        YieldError: the events themselves have no likelihood after the cuts.

    Example:
        >>> import hepcuts as hc
        >>> from hepcuts.evaluation.toys import simulation_toys
        >>> x = np.arange(10.0)
        >>> def excess(kind):
        ...     signal = hc.Sample("signal", {"x": x}, weights=np.full(10, 5.0), signal=True, staterror=kind)
        ...     background = hc.Sample("background", {"x": x}, weights=np.full(10, 10.0), staterror=kind)
        ...     toys = simulation_toys([signal, background], hc.Cut("x", ">", -1.0), num_toys=4000, seed=1)
        ...     return toys.excess(2.0)[0]
        >>> bool(excess("poisson") < 1.6), bool(excess("gaussian") > 2.0)
        (True, True)
    """
    checked = check_samples(samples)
    replicas = PoissonReplicas(checks.count("num_toys", num_toys, least=2), as_seed(seed))
    cuts = HardCuts((complete_selection(selection),))
    structures, found = replicated_yields(checked, [cuts], axis=axis, regions=regions, replicas=replicas)
    truth = [
        Templates(structure, jax.tree.map(lambda a: a[0], yields), np.zeros(len(checked)))
        for structure, yields in zip(structures, found[0], strict=True)
    ]
    toys = [jax.tree.map(lambda a: a[1:], yields) for yields in found[0]]
    return _fitted(likelihood_of(truth), structures, toys, mu, replicas)


def _fitted(
    likelihood: HistFactory,
    structures: Sequence[Structure],
    toys: Sequence[Yields],
    mu: float,
    replicas: PoissonReplicas,
) -> ToysResult:
    mapper = TemplateMapper(likelihood, structures)
    generator = np.random.default_rng(replicas.seed)
    at = likelihood.nominal_parameters(mu)
    observed = np.array([name.startswith(STATERROR) for name in likelihood.parameter_names])
    values, strengths = np.full(replicas.size, np.nan), np.full(replicas.size, np.nan)
    signal = np.any([_signal(structure, y) > 0 for structure, y in zip(structures, toys, strict=True)], axis=0)
    possible = np.flatnonzero(signal & np.all([_have_likelihood(yields) for yields in toys], axis=0))
    chunks = np.array_split(possible, 1 + len(possible) // _CHUNK)
    for lanes in steps(chunks, "toys", unit_scale=_CHUNK, unit=" toys"):
        templates = mapper([jax.tree.map(lambda a, at=lanes: a[at], yields) for yields in toys])
        data = data_of_truth(likelihood, templates, at, observed, generator)
        unconditional, background_only = fits_of(likelihood.structure, Batch.of(templates, data))
        values[lanes] = signed(likelihood.structure, unconditional, background_only)
        strengths[lanes] = unconditional.parameters[likelihood.poi]
    if not np.any(np.isfinite(values)):
        raise FitError("No toy could be fitted; loosen the cuts, so that their simulations have background.")
    return ToysResult(mu, values, strengths, replicas.seed)


def _signal(structure: Structure, yields: Yields) -> FloatArray:
    """Signal of each toy, shape (toy,)."""
    mine = [component.signal for component in structure.components]
    total: FloatArray = np.asarray(yields.nominal)[..., mine, :].sum(axis=(-2, -1))
    return total


def _have_likelihood(yields: Yields) -> Any:
    """Which toys have a model, shape (toy,): something is expected in each bin, of no sample less than nothing."""
    return np.all(yields.nominal.sum(axis=-2) > 0, axis=-1) & np.all(yields.nominal.sum(axis=-1) >= 0, axis=-1)
