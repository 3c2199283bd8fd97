"""Objects that hepcuts does not know, importable so that another process can unpickle them."""

import dataclasses
import pickle
from typing import Any

import equinox as eqx
import hist
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import hepcuts as hc
from hepcuts.binning import bin_edges
from hepcuts.cuts import AbstractCut, CutEdge
from hepcuts.cuts.steps import AbstractStep
from hepcuts.evaluation.bootstrap import bootstrap
from hepcuts.evaluation.resampling import AbstractResampling
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
        shift = self.percent / 100.0 * nominal.sum(-1)
        return shift, -shift, 0.0


@dataclasses.dataclass(frozen=True)
class Unfilled(Modifier):
    """One whose templates nobody fills: it writes a type of pyhf's whose numbers depend on the cuts."""

    kind: str = "histosys"

    def specification(self, nominal, up, down):
        data = {"histosys": {"hi_data": (1.2 * up).tolist(), "lo_data": (0.8 * down).tolist()}}
        return {"name": self.name, "type": self.kind, "data": data.get(self.kind, (0.2 * nominal).tolist())}


@dataclasses.dataclass(frozen=True)
class AbsoluteWindow(AbstractCut):
    """low < |eta| < high."""

    low: float | None = None
    high: float | None = None
    variable: str = "eta"
    bounds: tuple[float, float] | None = None
    width: float | None = None
    missing: Any = "fail"

    signs = (1, -1)

    @property
    def thresholds(self):
        return (self.low, self.high)

    def at(self, thresholds):
        return dataclasses.replace(self, low=float(thresholds[0]), high=float(thresholds[1]))

    def value(self, thresholds):
        return tuple(thresholds)

    def edges(self):
        return CutEdge(1), CutEdge(-1)

    def quantity(self, *values):
        return np.abs(values[0])

    def compare(self, thresholds, *values):
        return (np.abs(values[0]) > thresholds[0]) & (np.abs(values[0]) < thresholds[1])


@dataclasses.dataclass(frozen=True)
class Mailed:
    """An executor that keeps blocks as bytes, opens them for each use, and begins with the last one."""

    mapped: list[str] = dataclasses.field(default_factory=list)

    def lay_out(self, blocks):
        return [pickle.dumps(block) for block in blocks]

    def map(self, function, handles, arguments=()):
        self.mapped.append(getattr(function, "func", function).__name__)
        function, arguments = pickle.loads(pickle.dumps((function, arguments)))  # noqa: S301
        found = [pickle.dumps(function(pickle.loads(handle), *arguments)) for handle in reversed(handles)]  # noqa: S301
        return [pickle.loads(one) for one in reversed(found)]  # noqa: S301


@dataclasses.dataclass(frozen=True)
class Exponential(AbstractResampling):
    """The Bayesian bootstrap: an event counts with an exponential weight of mean 1."""

    number: int
    seed: int = 0

    @property
    def size(self):
        return self.number

    def training(self, number, identity):
        # Of each event its own, whatever others it comes with.
        bits = (identity * np.uint64(2 * (self.seed + number) + 1)) ^ (identity >> np.uint64(31))
        bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        return -np.log(((bits ^ (bits >> np.uint64(32))) >> np.uint64(11)) * 2.0**-53 + 2.0**-54)

    def test(self, number, identity):  # noqa: ARG002
        return np.ones(len(identity)) / self.size


@dataclasses.dataclass(frozen=True)
class Third(AbstractResampling):
    """About one third of the events is held out, by what they are called."""

    size = 1

    def training(self, number, identity):  # noqa: ARG002
        return np.where(identity % np.uint64(3) == 0, 0.0, 1.5)

    def test(self, number, identity):  # noqa: ARG002
        return np.where(identity % np.uint64(3) == 0, 3.0, 0.0)


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
    options = {"objective": "asimov_uncertainty", "folds": folds, "replicas": 0, "anneal": (2.0, 1.0)}
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


def sums_of(samples: list[hc.Sample], executor: Any, replicas: Any = 4) -> dict[str, Any]:
    """What the public functions say if an executor does the work, for comparison."""
    axis, cuts = hist.axis.Regular(5, -10.0, 10.0, name="x"), hc.Cut("x", ">", 0.5) & hc.Window("eta", -2.0, 2.0)
    region = hc.Region("control", inverted="eta")
    options: dict[str, Any] = {"replicas": replicas, "executor": executor}
    filled = hc.fill(samples, cuts, axis=axis, executor=executor)
    metrics = ["asimov_uncertainty", "profile"]
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=metrics, axis=axis, folds=2, **options)
    windows = hc.scan(samples, hc.Window("eta"), metrics=["asimov_uncertainty"], folds=0, **options)
    spread = bootstrap(samples, cuts, regions=[region], **options)
    searched = {"objective": "asimov_uncertainty", "anneal": (2.0, 1.0), "folds": 2, "holdout": 0.5} | options
    found = hc.optimize(samples, hc.Cut("x", ">") & hc.Window("eta"), **searched)
    return {
        "fill": [*filled.yields.values.ravel(), *filled.yields.variances.ravel(), *filled.outside],
        "scan": [*scan.values["profile"], scan.optimum("profile").held_out, scan.optimum("profile").uncertainty],
        "scan of windows": [*windows.thresholds.ravel(), *windows.values["asimov_uncertainty"]],
        "bootstrap": [*spread.objective.replicas, *spread.significance.replicas],
        "optimize": [*np.ravel(list(map(str, found.thresholds.values()))), *found.validation, found.validated],
        "optimism": [found.optimism.value, *found.bootstrap.objective.replicas],
        "history": [*found.history.values, *found.history.thresholds.ravel()],
    }
