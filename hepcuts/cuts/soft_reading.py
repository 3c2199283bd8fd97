"""The soft reading of a selection: pass weights between 0 and 1, differentiable in the thresholds."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from hepcuts._core.columns import is_missing
from hepcuts._core.errors import InputError
from hepcuts._core.types import Columns, FloatArray

from .steps import AbstractStep


class SoftReading:
    """The thresholds of several cuts in one vector, and the pass weights of cuts that are products of steps.

    Attributes:
        cuts: the cuts; of each its variable, columns, thresholds, signs and what becomes of missing values are asked.
    """

    cuts: Any

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables, one for each cut."""
        return tuple(cut.variable for cut in self.cuts)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each threshold: the variable, with ``:low`` and ``:high`` for a window, ``:pt=20`` for a knot."""
        return tuple(cut.variable + suffix for cut in self.cuts for suffix in cut.suffixes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the cuts read, each once."""
        return tuple(dict.fromkeys(column for cut in self.cuts for column in cut.columns))

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """All thresholds, shape (threshold,); None where one is still to be found."""
        return tuple(threshold for cut in self.cuts for threshold in cut.thresholds)

    @property
    def signs(self) -> tuple[int, ...]:
        """For each threshold +1 if values above it pass, -1 if values below it pass, shape (threshold,)."""
        return tuple(sign for cut in self.cuts for sign in cut.signs)

    @property
    def cut_of_threshold(self) -> tuple[int, ...]:
        """For each threshold the position of its cut, shape (threshold,)."""
        return tuple(position for position, cut in enumerate(self.cuts) for _ in cut.thresholds)

    def events(self, columns: Columns, *, missing: float | None = None) -> tuple[FloatArray, NDArray[np.int8]]:
        """What the soft reading needs of the events.

        Returns:
            The variables, shape (cut, event), with missing values replaced by zero; and a code of the same shape:
            0 where the value decides, +1 where it is missing and passes, -1 where it is missing and fails.

        Raises:
            InputError: a cut that is no product of steps along its variable: inverted, or sliding.
        """
        others = [str(cut) for cut in self.cuts if cut.inverted or len(cut.columns) > 1]
        if others:
            raise InputError(
                f"Soft templates and losses of single events take Cut and Window only, not {', '.join(others)}; "
                "hepcuts.optimize takes all cuts for objectives of the templates, such as 'profile'."
            )
        values = np.stack([np.asarray(columns[variable], dtype=np.float64) for variable in self.variables])
        absent = np.stack([is_missing(row, missing) for row in values])
        code = np.array([[1 if cut.missing == "pass" else -1] for cut in self.cuts], dtype=np.int8)
        return np.where(absent, 0.0, values), np.where(absent, code, np.int8(0)).astype(np.int8)

    def log_pass_weights(self, values: Any, missing: Any, thresholds: Any, widths: Any, step: AbstractStep) -> Array:
        """Logarithms of the soft pass weights; see `pass_weights`."""
        return sum(
            (
                jnp.where(code == 0, step.log_pass_weight(distance, width), jnp.where(code > 0, 0.0, -700.0))
                for distance, width, code in self._distances(values, missing, thresholds, widths)
            ),
            start=jnp.zeros(values.shape[-1]),
        )

    def pass_weights(self, values: Any, missing: Any, thresholds: Any, widths: Any, step: AbstractStep) -> Array:
        """Soft reading: pass weights in [0, 1], the product over all thresholds; differentiable. Pure JAX.

        Args:
            values: from `events`, shape (cut, event).
            missing: from `events`, shape (cut, event).
            thresholds: shape (threshold,).
            widths: shape (threshold,).
            step: the step function.

        Returns:
            Shape (event,).
        """
        weights = jnp.ones(values.shape[-1])
        for distance, width, code in self._distances(values, missing, thresholds, widths):
            weights *= jnp.where(code == 0, step.pass_weight(distance, width), jnp.where(code > 0, 1.0, 0.0))
        return weights

    def _distances(self, values: Any, missing: Any, thresholds: Any, widths: Any) -> Iterable[tuple[Any, Any, Any]]:
        """For each threshold: signed distances, shape (event,), its width, and the code of missing values."""
        for number, (position, sign) in enumerate(zip(self.cut_of_threshold, self.signs, strict=True)):
            yield sign * (values[position] - thresholds[number]), widths[number], missing[position]
