"""A figure of merit of the templates compiled for a search: guarded value and slopes at sums over events.

No event has a part in what is compiled, only the figure of merit, what is wanted after the cuts, and the structure of
the templates. So it serves again for other events of the same structure: in the next search of a session, for the next
category, for other seeds.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.executors import ahead
from hepcuts._core.precision import float64_scope
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.samples.sample import LIMITED
from hepcuts.templates.simulated import counted
from hepcuts.templates.templates import Component, Structure, Templates, Yields

from .constraints import AtLeast

_PULL = 4.0
"""Weight of a user's constraint against the objective's own size."""

_FITS, _CLOSED_FORMS = 32, 8
"""Sets of sums that are evaluated side by side."""


@dataclasses.dataclass(frozen=True)
class CompiledFigure:
    """Functions of sums of each region, of a penalty for narrow windows and of the totals before the cuts.

    Each returns the guarded and the plain value, and the slopes of the former to sums and penalty.

    Attributes:
        of_one: of sums of shape (cell, 2).
        of_many: of several at once, sums of shape (set, cell, 2) and penalties of shape (set,).
        together: how many `of_many` takes.
    """

    of_one: Callable[..., Any]
    of_many: Callable[..., Any]
    together: int


def compiled(
    figure: AbstractTemplateFigure, references: Sequence[Templates], guards: Sequence[AtLeast]
) -> CompiledFigure:
    """Compile a figure of merit, or take what was compiled of an equal one for templates of the same structure."""
    form = _Compilation(figure, tuple(guards), _signatures(references), figure.dependence(references), references)
    if form.dependence is None:
        return form.compiled()
    try:
        return _compiled_once(form)
    except TypeError:
        return form.compiled()  # arrays among the modifiers have no hash


def _signatures(references: Sequence[Templates]) -> tuple[Any, ...]:
    structures = [reference.structure for reference in references]
    return tuple((s.channel, repr(s.axis), tuple(map(_signature, s.components))) for s in structures)


def _signature(component: Component) -> tuple[Any, ...]:
    """What the compiled functions depend on: of a background that counts where it vanished, one event of it, too."""
    return component.signature, component.one_event if component.empty == LIMITED else None


@dataclasses.dataclass(frozen=True)
class _Compilation:
    """What is to be compiled; equal ones give the same functions, whatever the numbers of their references are."""

    figure: AbstractTemplateFigure
    guards: tuple[AtLeast, ...]
    signatures: tuple[Any, ...]
    dependence: Hashable | None
    references: Sequence[Templates] = dataclasses.field(compare=False)

    def compiled(self) -> CompiledFigure:
        both = _value_and_slopes(self.figure, self.references, self.guards)
        many = jax.vmap(both, in_axes=(0, 0, None))
        if self.figure.expensive:
            # One fit does not wait for others.
            return CompiledFigure(jax.jit(both), jax.jit(many), _FITS)
        # For one and for many it is compiled once, and as fast as possible: it takes no time.
        lazy = jax.jit(many, compiler_options={"xla_backend_optimization_level": 0})
        of_many = lazy if self.dependence is None else self._compiled_ahead(lazy)

        def of_one(sums: Sequence[Any], narrow: Any, totals: Totals) -> Any:
            several = [np.broadcast_to(raw, (_CLOSED_FORMS, *raw.shape)) for raw in sums]
            found = of_many(several, np.full(_CLOSED_FORMS, narrow), totals)
            return jax.tree.map(lambda a: np.asarray(a)[0], found)

        return CompiledFigure(of_one, of_many, _CLOSED_FORMS)

    def _compiled_ahead(self, lazy: Any) -> Callable[..., Any]:
        """The function compiled while others lay out the events; a call waits for it."""
        structures = [reference.structure for reference in self.references]
        cells = [len(s.variations) * len(s.components) * s.num_bins for s in structures]
        sums = [np.ones((_CLOSED_FORMS, number, 2)) for number in cells]

        @float64_scope
        def compile_it() -> Any:
            return lazy.lower(sums, np.zeros(_CLOSED_FORMS), (1.0, 1.0)).compile()

        waiting = ahead(compile_it)

        def function(*arguments: Any) -> Any:
            return waiting()(*arguments)

        return function


@functools.lru_cache(maxsize=64)
def _compiled_once(form: _Compilation) -> CompiledFigure:
    return form.compiled()


def _value_and_slopes(
    figure: AbstractTemplateFigure, references: Sequence[Templates], guards: Sequence[AtLeast]
) -> Callable[..., Any]:
    """Guarded and plain value of sums and a penalty for narrow windows, and the slopes of the former to both."""
    structures = [reference.structure for reference in references]
    of_yields = float64_scope(figure.of_yields)(references)

    def function(sums: Sequence[Any], narrow: Any, totals: Totals) -> tuple[Any, Any]:
        yields = [as_yields(raw, structure) for raw, structure in zip(sums, structures, strict=True)]
        value = of_yields(yields, totals)
        penalty = narrow + penalties(yields[0], structures[0], guards)
        return value - figure.sign * jnp.abs(value) * penalty, value

    return jax.value_and_grad(function, argnums=(0, 1), has_aux=True)


def as_yields(sums: Any, structure: Structure) -> Yields:
    """Sums of shape (cell, 2) as yields, with what has no events of its own, and what vanished as it counts."""
    shape = (len(structure.variations), len(structure.components), structure.num_bins)
    return counted(structure, structure.complete(sums[:, 0].reshape(shape), sums[:, 1].reshape(shape)))


def penalties(yields: Yields, structure: Structure, guards: Sequence[AtLeast]) -> Any:
    """Sum of the penalties of what falls short, in units of the figure of merit."""
    total = jnp.asarray(0.0)
    for guard in guards:
        found = guard.quantity(yields, structure)
        enough = found >= guard.least
        # Inside a logarithm only where it is wanted; 1e-300 stands for what has vanished altogether.
        deficit = jnp.where(enough, 1.0, guard.least / jnp.where(enough, 1.0, jnp.maximum(found, 1e-300)))
        total += jnp.where(enough, 0.0, (1.0 if guard.soft else _PULL) * _huber(jnp.log(deficit))).sum()
    return total


def _huber(deficit: Any) -> Any:
    """The square up to one, linear beyond: a stage that starts far off must not be thrown across the whole range."""
    return jnp.where(deficit < 1.0, deficit**2, 2.0 * deficit - 1.0)
