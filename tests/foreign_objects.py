"""Objects that hepcuts does not know, importable so that another process can unpickle them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import hepcuts as hc
from hepcuts.binning import bin_edges
from hepcuts.cuts.steps import AbstractStep
from hepcuts.optimization.solvers import AbstractSolver, Ending
from hepcuts.samples.modifiers import Modifier


class Tangent(AbstractStep):
    """(1 + tanh(stretch z / 2)) / 2: with a stretch of 1 the logistic function, written in another way."""

    stretch: float = eqx.field(default=1.0, static=True)
    name = "tangent"
    reach = 600.0

    def unit(self, z):
        return 0.5 * (1.0 + jnp.tanh(0.5 * self.stretch * z))

    def log_unit(self, z):
        return -jnp.log1p(jnp.exp(-self.stretch * z))


@dataclasses.dataclass(frozen=True)
class Sequential(AbstractSolver):
    """Another method of scipy's."""

    tolerance: float = 1e-10
    unit = "scale"

    def minimize(self, function, start, bounds, report):
        def reported(x):
            report(x, *function(x))

        reported(start)
        found = scipy.optimize.minimize(
            function,
            start,
            jac=True,
            method="SLSQP",
            bounds=scipy.optimize.Bounds(*bounds),
            callback=reported,
            options={"ftol": self.tolerance},
        )
        return Ending(np.asarray(found.x), bool(found.success), str(found.message), int(found.nit))


@dataclasses.dataclass(frozen=True)
class Percent(Modifier):
    """A symmetric normalization uncertainty, given in percent."""

    percent: float

    def specification(self, nominal, up, down):  # noqa: ARG002
        shift = self.percent / 100.0
        return {"name": self.name, "type": "normsys", "data": {"hi": 1.0 + shift, "lo": 1.0 - shift}}

    def linear_uncertainty(self, nominal, up, down):  # noqa: ARG002
        return self.percent / 100.0 * nominal.sum(-1), 0.0


@dataclasses.dataclass(frozen=True)
class Unfilled(Modifier):
    """One whose templates nobody fills: it writes a type of pyhf's whose numbers depend on the cuts."""

    kind: str = "histosys"

    def specification(self, nominal, up, down):
        data = {"histosys": {"hi_data": (1.2 * up).tolist(), "lo_data": (0.8 * down).tolist()}}
        return {"name": self.name, "type": self.kind, "data": data.get(self.kind, (0.2 * nominal).tolist())}


def samples_with(*modifiers: Modifier, size: int = 1500, seed: int = 1) -> list[hc.Sample]:
    """A signal, and a background with these modifiers, of two columns."""
    rng = np.random.default_rng(seed)
    signal, background = (
        {"x": rng.normal(center, 1.0, n), "eta": rng.normal(0.0, sigma, n)}
        for center, sigma, n in ((1.5, 0.7, size), (0.0, 2.0, 3 * size))
    )
    return [
        hc.Sample("s", signal, weights=np.full(size, 30.0 / size), signal=True),
        hc.Sample("b", background, weights=np.full(3 * size, 200.0 / (3 * size)), modifiers=modifiers),
    ]


def numbers_of(samples: list[hc.Sample], cut: Any, folds: Any, *, step: Any, solver: Any) -> dict[str, Any]:
    """What the public functions say of them, to be compared with what they say in another process."""
    options = {"objective": "profile", "folds": folds, "replicas": 0, "anneal": (2.0, 1.0)}
    found = hc.optimize(samples, hc.Cut("x", ">") & cut, step=step, solver=solver, **options)
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=["asimov_uncertainty"], folds=folds, replicas=0)
    bins = bin_edges(samples, "x", num_bins=2, folds=folds, fine_bins=20, holdout=None)
    shape = hc.categorize(
        samples, "x", num_bins=2, folds=folds, fine_bins=20, objective="asimov_uncertainty", holdout=None
    )
    points = hc.working_points(samples, hc.Cut("x", ">") & cut, efficiencies=[0.5], step=step)
    return {
        "optimize": [found.significance, found.validated, found.soft_value, found.thresholds["x"]],
        "scan": [*scan.values["asimov_uncertainty"][::100], scan.optimum("asimov_uncertainty").held_out],
        "bin_edges": [*bins.edges, bins.best.held_out_significance],
        "categorize": [shape.value, shape.held_out_value],
        "working_points": points.thresholds.ravel().tolist(),
    }
