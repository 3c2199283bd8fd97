"""Solvers: ways to walk from thresholds to better thresholds, given value and gradient.

- `LBFGS` (default): quasi-Newton steps with a line search; few evaluations, no knobs; tells convergence.
- `Adam`: steps of a size that adapts to each threshold; robust where the objective is rough.
- `GradientDescent`: steps proportional to the gradient, in the units of the variables; the textbook's method.

A solver minimizes and sees the thresholds in units of its own choice (`AbstractSolver.unit`).
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import scipy.optimize

from hepcuts._core.blas import one_blas_thread, outside
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray

ValueAndGradient = Callable[[FloatArray], tuple[float, FloatArray]]
Report = Callable[[FloatArray, float, FloatArray], None]
Rule = Callable[[FloatArray], FloatArray]
"""Makes the next step of the next gradient; it may remember earlier ones."""

_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
"""Relative difference of two values that says nothing."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a solver ended.

    Attributes:
        position: where, shape (threshold,).
        success: whether it converged, or did all the steps it was told to do.
        message: why it stopped.
        num_steps: number of steps.
    """

    position: FloatArray
    success: bool
    message: str
    num_steps: int


@dataclasses.dataclass(frozen=True)
class AbstractSolver(abc.ABC):
    """Interface of the solvers."""

    @property
    @abc.abstractmethod
    def unit(self) -> Literal["scale", "variable"]:
        """Whether positions are in units of each variable's spread or of the variable itself."""

    @abc.abstractmethod
    def minimize(
        self, function: ValueAndGradient, start: FloatArray, bounds: tuple[FloatArray, FloatArray], report: Report
    ) -> Ending:
        """Walk downhill from `start` within `bounds`, and `report` position, value and gradient at every step."""


@dataclasses.dataclass(frozen=True)
class LBFGS(AbstractSolver):
    """Limited-memory BFGS within bounds (scipy's L-BFGS-B).

    Attributes:
        max_steps: largest number of iterations.
        tolerance: relative change of the value at which it stops.
    """

    max_steps: int = 200
    tolerance: float = 1e-9
    unit: Literal["scale", "variable"] = dataclasses.field(default="scale", init=False)

    def minimize(
        self, function: ValueAndGradient, start: FloatArray, bounds: tuple[FloatArray, FloatArray], report: Report
    ) -> Ending:
        """See `AbstractSolver.minimize`."""
        # Its systems are of the number of thresholds, but its LAPACK takes all threads whatever the size.
        with one_blas_thread():
            return self._minimize(outside(function), start, bounds, outside(report))

    def _minimize(
        self, function: ValueAndGradient, start: FloatArray, bounds: tuple[FloatArray, FloatArray], report: Report
    ) -> Ending:
        last: dict[bytes, tuple[float, FloatArray]] = {}

        def remembered(x: FloatArray) -> tuple[float, FloatArray]:
            last.clear()
            last[x.tobytes()] = function(x)
            return last[x.tobytes()]

        def callback(x: FloatArray) -> None:
            # The accepted point is the one evaluated last; evaluate again only if it is not.
            report(x, *(last.get(x.tobytes()) or function(x)))

        report(start, *remembered(start))
        result = scipy.optimize.minimize(
            remembered,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=scipy.optimize.Bounds(*bounds),
            callback=callback,
            options={"maxiter": self.max_steps, "ftol": self.tolerance, "gtol": 1e-7},
        )
        ending = Ending(np.asarray(result.x), bool(result.success), self._told(result.message), int(result.nit))
        if not ending.success and "ABNORMAL" in result.message:
            # The line search found no lower point. At the optimum that is rounding: there is nothing to be gained.
            gradient = np.asarray(result.jac)
            gain = 0.5 * float(gradient @ result.hess_inv.dot(gradient))
            if gain <= self.tolerance * max(1.0, abs(float(result.fun))):
                message = "converged: what another step would gain is within rounding"
                return dataclasses.replace(ending, success=True, message=message)
        return ending

    def _told(self, message: str) -> str:
        """SciPy's message in words of thresholds and objective."""
        told = {
            "PROJECTED": "converged: at no threshold does the objective rise any more",
            "REDUCTION": f"converged: the last step changed the objective by less than {self.tolerance:g} of it",
            "ITERATIONS": f"not converged after {self.max_steps} steps; LBFGS(max_steps=...) allows more",
            "EVALUATIONS": "not converged: the objective was evaluated too often",
            "ABNORMAL": "no better thresholds were found in the direction in which the objective should rise",
        }
        return next((words for key, words in told.items() if key in message), message)


class _FirstOrder(AbstractSolver):
    """A given number of steps, each made of the gradient by a rule."""

    steps: int

    @abc.abstractmethod
    def rule(self) -> Rule:
        """The rule, at the beginning of a walk."""

    def minimize(
        self, function: ValueAndGradient, start: FloatArray, bounds: tuple[FloatArray, FloatArray], report: Report
    ) -> Ending:
        """See `AbstractSolver.minimize`. Returns the best position seen, or the last if only rounding divides them."""
        rule, position = self.rule(), start
        best, best_value = start, np.inf
        for _ in range(self.steps):
            value, gradient = function(position)
            report(position, value, gradient)
            if value < best_value:
                best, best_value = position, value
            position = np.clip(position + rule(gradient), *bounds)
        value, gradient = function(position)
        report(position, value, gradient)
        final = position if value <= best_value + _ROUNDING * abs(best_value) else best
        return Ending(final, True, f"did all {self.steps} steps", self.steps)


@dataclasses.dataclass(frozen=True)
class Adam(_FirstOrder):
    """Adam :cite:p:`adam`, in units of each variable's spread.

    Attributes:
        learning_rate: size of the first steps.
        steps: number of steps.
        decay: weight of the past in the running means of the gradient and of its square, as the paper recommends.
        epsilon: added to the root of the mean square, as the paper recommends.
    """

    learning_rate: float = 0.05
    steps: int = 200
    decay: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    unit: Literal["scale", "variable"] = dataclasses.field(default="scale", init=False)

    def rule(self) -> Rule:
        """See `_FirstOrder.rule`; algorithm 1 of the paper."""
        decay = np.array(self.decay)[:, None]
        means, remainder = np.zeros((2, 1)), np.ones((2, 1))

        def step(gradient: FloatArray) -> FloatArray:
            nonlocal means, remainder
            means = decay * means + (1.0 - decay) * np.stack([gradient, gradient**2])
            remainder = remainder * decay
            mean, square = means / (1.0 - remainder)
            moved: FloatArray = -self.learning_rate * mean / (np.sqrt(square) + self.epsilon)
            return moved

        return step


@dataclasses.dataclass(frozen=True)
class GradientDescent(_FirstOrder):
    """Plain gradient descent in the units of the variables.

    Attributes:
        learning_rate: step over gradient.
        steps: number of steps.
    """

    learning_rate: float
    steps: int = 50
    unit: Literal["scale", "variable"] = dataclasses.field(default="variable", init=False)

    def rule(self) -> Rule:
        """See `_FirstOrder.rule`."""
        return lambda gradient: -self.learning_rate * gradient


def solver(given: Any) -> AbstractSolver:
    """A solver by its name.

    Raises:
        InputError: the name is unknown, or gradient descent is asked for without its learning rate.

    Example:
        >>> solver("lbfgs")
        LBFGS(max_steps=200, tolerance=1e-09, unit='scale')
    """
    if isinstance(given, AbstractSolver):
        return given
    known: dict[str, Any] = {"lbfgs": LBFGS, "adam": Adam}
    if not isinstance(given, str) or given not in known:
        raise InputError(
            f"There is no solver {given!r}; choose 'lbfgs', 'adam' or an object such as "
            "hepcuts.optimization.solvers.GradientDescent(learning_rate=5e-4, steps=50), whose step size only you "
            "can know."
        )
    made: AbstractSolver = known[given]()
    return made
