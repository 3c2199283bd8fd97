"""What is wanted after the cuts: least yields, efficiencies and effective numbers of simulated events.

An optimizer pays for what falls short in its objective, and makes sure of a user's constraints at the end, with hard
cuts on the training events: it loosens them until they hold.
"""

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.errors import InputError
from hepcuts.templates.simulated import Backgrounds
from hepcuts.templates.templates import Structure, Templates, Yields

QUANTITIES = (
    "signal",
    "background",
    "signal_efficiency",
    "background_efficiency",
    "effective_signal",
    "effective_background",
)
"""What can be constrained; besides these, the yield of a sample by its name, unless it is one of these."""


@dataclasses.dataclass(frozen=True)
class AtLeast:
    """A quantity that has to be at least so large.

    Attributes:
        name: one of `QUANTITIES`, or that of a sample.
        least: how large; of an efficiency, the yield that it means.
        samples: positions of the samples that are summed.
        effective: whether it is the effective number of simulated events, (sum w)^2 / sum w^2, and not the yield.
        soft: whether it is a wish rather than a constraint.
        each: how many neighboring bins are summed, so that each group of them has to have so much; None for all bins.
        backgrounds: of an effective number what is asked of each background, see `hepcuts.templates.simulated`; None if
            it is that of all samples together.
    """

    name: str
    least: float
    samples: tuple[int, ...]
    effective: bool = False
    soft: bool = False
    each: int | None = None
    backgrounds: Backgrounds | None = None

    def quantity(self, yields: Yields, structure: Structure) -> Any:  # noqa: ARG002
        """The quantity, from yields of one region; zero for a negative sum.

        Of each group of bins if there are any, after each background if it is asked of each.
        """
        if self.backgrounds is not None:
            total, squares = (self._in_groups(table) for table in (yields.nominal, yields.variance))
            return self.backgrounds.wanted(total, squares, self.least)
        xp = jnp if isinstance(yields.values, jax.Array) else np
        total = xp.maximum(self._summed(yields.nominal), 0.0)
        if not self.effective:
            return total
        squares = self._summed(yields.variance)
        some = squares > 0
        return xp.where(some, total**2 / xp.where(some, squares, 1.0), 0.0)

    def _summed(self, table: Any) -> Any:
        """Sums over samples and bins of a table of shape (..., sample, bin)."""
        return self._in_groups(table[..., list(self.samples), :].sum(-2))

    def _in_groups(self, table: Any) -> Any:
        """Sums over bins of a table of shape (..., bin)."""
        groups = table if self.each is None else table.reshape(*table.shape[:-1], -1, self.each)
        return groups.sum(-1)


def effective_background(structure: Structure, least: float, *, soft: bool = True, each: int | None = None) -> AtLeast:
    """So many effective simulated events of each background that matters; arguments are those of `AtLeast`."""
    backgrounds = Backgrounds.of(structure)
    return AtLeast(
        "effective_background",
        least,
        backgrounds.positions,
        effective=True,
        soft=soft,
        each=each,
        backgrounds=backgrounds,
    )


def effective_signal(structure: Structure, least: float) -> AtLeast:
    """The wish for simulated signal after the cuts."""
    signals = tuple(i for i, component in enumerate(structure.components) if component.signal)
    return AtLeast("effective_signal", least, signals, effective=True, soft=True)


def expected_background(structure: Structure, least: float) -> AtLeast:
    """The wish for expected background: what a formula needs to be right."""
    return AtLeast("background", least, Backgrounds.of(structure).positions, soft=True)


def read_constraints(
    wanted: Mapping[str, float] | None, structure: Structure, everything: Templates
) -> tuple[AtLeast, ...]:
    """Constraints as a user writes them, such as ``{"signal": 5, "signal_efficiency": 0.3, "ttbar": 1}``.

    Args:
        wanted: name to least value.
        structure: the samples.
        everything: templates without any cut, for efficiencies and to see what is possible.

    Raises:
        InputError: no mapping, an unknown name, a number that is not positive, or more than there is without any cut.
    """
    if wanted is not None and not isinstance(wanted, Mapping):
        raise InputError(f"constraints came as {type(wanted).__name__}; expected a mapping such as {{'signal': 5.0}}.")
    return tuple(_constraint(name, least, structure, everything) for name, least in (wanted or {}).items())


def _constraint(name: str, least: Any, structure: Structure, everything: Templates) -> AtLeast:
    names = [component.name for component in structure.components]
    if name not in QUANTITIES and name not in names:
        raise InputError(
            f"There is no constraint {name!r}; choose of {', '.join(QUANTITIES)}, or name a sample "
            f"({', '.join(names)}) for its yield."
        )
    efficiency = name in QUANTITIES and name.endswith("efficiency")
    most = 1.0 if efficiency else np.inf
    if not isinstance(least, numbers.Real) or not 0 < float(least) <= most or np.isinf(float(least)):
        wanted = "a number above 0 and up to 1" if efficiency else "a positive number"
        raise InputError(f"The constraint {name!r} is {least!r}; expected {wanted}, the least value.")
    effective = name in QUANTITIES and name.startswith("effective")
    plain = AtLeast(name, float(least), _members(name, structure), effective=effective)
    if name == "effective_background":
        plain = effective_background(structure, float(least), soft=False)
    there = float(np.min(plain.quantity(everything.yields, structure)))
    if efficiency:
        return dataclasses.replace(plain, least=float(least) * there)
    if plain.least > there:
        what = "effective simulated" if effective else "expected"
        raise InputError(
            f"The constraint {name!r} wants at least {least}; without any cut there are {there:.6g} {what} events. "
            "Ask for less."
        )
    return plain


def _members(name: str, structure: Structure) -> tuple[int, ...]:
    """Positions of the samples that a constraint sums: all signals, all backgrounds, or one sample."""
    if name not in QUANTITIES:
        return tuple(i for i, component in enumerate(structure.components) if component.name == name)
    return tuple(i for i, component in enumerate(structure.components) if component.signal == ("signal" in name))


def violated(constraints: Sequence[AtLeast], yields: Yields, structure: Structure) -> list[str]:
    """What falls short after hard cuts, in words.

    A relative difference of 1e-12 is none: it is that of sums in another order.
    """
    found = [(c, float(np.min(c.quantity(yields, structure)))) for c in constraints]
    return [f"{c.name} {value:.6g} < {c.least:.6g}" for c, value in found if value < c.least * (1.0 - 1e-12)]
