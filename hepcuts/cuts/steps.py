"""The step functions behind a soft cut: pure JAX, smooth stand-ins for "is the distance positive?".

A step takes the signed distance of an event's value to the threshold (positive on the side that passes) and a width,
both in the units of the variable, and returns a pass weight in [0, 1]. At any positive width the soft steps are 1/2 at
distance zero and satisfy ``pass(d) + pass(-d) = 1``. As the width goes to zero they go to the hard cut, except at
distance zero itself: width zero is the hard cut, which an event on the threshold fails. Which one do I need?

- `Sigmoid`: the default; exponential tails, the usual choice in the literature on differentiable analyses.
- `ErrorFunction`: Gaussian tails: closest to a hard cut at given slope, but blind to events a few widths away.
- `Balanced`: algebraic tails: weighs near and far events in a balanced way, so that a badly started threshold still
  feels events many widths away; its templates differ most from those of the hard cut.
- `Hard`: the limit of width zero; its gradient is zero everywhere.

No value or gradient is NaN or infinite at any width or distance: where ``distance / width`` would leave the range in
which a step differs from its limit, the limit is used.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from hepcuts._core.errors import InputError

# Below this width (in any unit) a soft cut is a hard one: its slope 1/width could not be squared without overflow.
_SMALLEST_WIDTH = 1e-100


class AbstractStep(eqx.Module):
    """Interface of the step functions.

    `pass_weight` and `log_pass_weight` handle every distance and width; a step only has to give the two functions of
    the scaled distance ``z``, and the reach in ``z`` beyond which its pass weight is 0 or 1 to machine precision.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The name by which `step` finds it."""

    @property
    @abc.abstractmethod
    def reach(self) -> float:
        """Largest ``|z|`` at which `unit` and `log_unit` are evaluated."""

    @abc.abstractmethod
    def unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Pass weight at scaled distance ``z``."""

    @abc.abstractmethod
    def log_unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Natural logarithm of the pass weight, accurate where the pass weight is tiny."""

    def pass_weight(self, distance: ArrayLike, width: ArrayLike) -> Float[Array, "..."]:
        """Pass weights in [0, 1].

        Args:
            distance: signed distance to the threshold, positive where the event passes.
            width: width of the step, not negative, broadcast against `distance`; 0 is the hard cut.
        """
        near, z = self._scaled(distance, width)
        return jnp.where(near, self.unit(z), jnp.where(jnp.asarray(distance) > 0, 1.0, 0.0))

    def log_pass_weight(self, distance: ArrayLike, width: ArrayLike) -> Float[Array, "..."]:
        """Logarithms of the pass weights, never below those at the step's reach (never minus infinity)."""
        near, z = self._scaled(distance, width)
        limit = self.log_unit(jnp.asarray(-self.reach, dtype=z.dtype))
        return jnp.where(near, self.log_unit(z), jnp.where(jnp.asarray(distance) > 0, 0.0, limit))

    def pass_and_slope(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Pass weights at scaled distances, and the slopes of their logarithms; the limits of both beyond the reach."""
        near = jnp.clip(z, -self.reach, self.reach)
        passed, slope = jax.jvp(self.unit, (near,), (jnp.ones_like(near),))
        inside = (near == z) & (passed > 0)
        return passed, jnp.where(inside, slope / jnp.where(inside, passed, 1.0), 0.0)

    def _scaled(self, distance: ArrayLike, width: ArrayLike) -> tuple[Array, Float[Array, "..."]]:
        """Where the step is soft, and the scaled distance there (0 elsewhere, so that no gradient can be NaN)."""
        distance, width = jnp.broadcast_arrays(jnp.asarray(distance), jnp.asarray(width))
        soft = width > _SMALLEST_WIDTH
        safe_width = jnp.where(soft, width, 1.0)
        # Compare through a product with the width kept in range: a quotient could overflow, and then so its gradient.
        near = soft & (jnp.abs(distance) <= self.reach * safe_width)
        return near, jnp.where(near, distance, 0.0) / safe_width


def _magnitude(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """|z| with the slope of -z at zero: a step that is written for z <= 0 keeps its slope there."""
    return jnp.where(z > 0, z, -z)


class Sigmoid(AbstractStep):
    """Logistic function of distance / width."""

    name = "sigmoid"
    reach = 700.0  # exp(-700) is about the smallest normal number

    def unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.unit`."""
        return jax.nn.sigmoid(z)

    def pass_and_slope(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """See `AbstractStep.pass_and_slope`; with one exponential for both."""
        exponential = jnp.exp(-jnp.clip(z, -self.reach, self.reach))
        passed = 1.0 / (1.0 + exponential)
        return passed, exponential * passed

    def log_unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.log_unit`."""
        return jax.nn.log_sigmoid(z)


class ErrorFunction(AbstractStep):
    """(1 + erf(distance / width)) / 2: the normal distribution function with sigma = width / sqrt(2)."""

    name = "erf"
    reach = 26.0  # exp(-26^2) is about the smallest normal number

    def unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.unit`."""
        return 0.5 * jax.scipy.special.erfc(-z)

    def log_unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.log_unit`."""
        # Not norm.logcdf, which is an asymptotic series far out: wrong by 1e-9 below and by 1e-3 above.
        small = 0.5 * jax.scipy.special.erfc(_magnitude(z))
        return jnp.where(z > 0, jnp.log1p(-small), jnp.log(small))


class Balanced(AbstractStep):
    """(1 + z / sqrt(1 + z^2)) / 2 with z = distance / width: falls like 1 / (4 z^2)."""

    name = "balanced"
    reach = 1e8  # there 1/(4 z^2) reaches the machine precision

    def unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.unit`."""
        small = self._small(z)
        return jnp.where(z > 0, 1.0 - small, small)

    def log_unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.log_unit`."""
        small = self._small(z)
        return jnp.where(z > 0, jnp.log1p(-small), jnp.log(small))

    def _small(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Pass weight at -|z|: 1 - |z|/root cancels; multiplied out it is 1 / (root (root + |z|))."""
        root = jnp.sqrt(1.0 + z**2)
        return 1.0 / (2.0 * root * (root + _magnitude(z)))


class Hard(AbstractStep):
    """The hard cut: 1 for positive distances, else 0; the width is ignored and all gradients are zero."""

    name = "hard"
    reach = 0.0

    def unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.unit`."""
        return jnp.zeros_like(z)

    def log_unit(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """See `AbstractStep.log_unit`; the logarithm of zero is represented by that of the smallest normal number."""
        return jnp.full_like(z, -700.0)


def step(given: Any) -> AbstractStep:
    """A step function by its name.

    Args:
        given: ``"sigmoid"``, ``"erf"``, ``"balanced"``, ``"hard"``, or a step (returned as it is).

    Raises:
        InputError: the name is unknown.

    Example:
        >>> step("erf")
        ErrorFunction()
    """
    if isinstance(given, AbstractStep):
        return given
    steps: dict[str, AbstractStep] = {s.name: s for s in (Sigmoid(), ErrorFunction(), Balanced(), Hard())}
    if not isinstance(given, str) or given not in steps:
        raise InputError(f"There is no step function {given!r}; choose one of {', '.join(steps)}.")
    return steps[given]
