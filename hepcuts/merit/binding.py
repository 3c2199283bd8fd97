"""From yields to the likelihood's templates: the link of the chain that an optimizer differentiates through."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepcuts._core.errors import InputError
from hepcuts.histfactory.likelihood import HistFactory
from hepcuts.histfactory.structure import LikelihoodTemplates
from hepcuts.samples.modifiers import HistoSys, Modifier, ShapeSys
from hepcuts.templates.templates import Structure, Yields

_Row = Callable[[Structure, Yields, int], Any]
"""Numbers of one sample of one channel, shape (..., bin), from the channel's yields."""


class TemplateMapper:
    """Turns new yields of the channels into templates of the likelihood, in pyhf's order.

    What no event can change (normsys factors) stays what it is in the likelihood. Yields with the axes of a batch in
    front give templates with the same axes (normsys factors without). JAX arrays give JAX arrays, differentiably;
    NumPy arrays give NumPy arrays.

    Args:
        likelihood: made from a workspace of templates of these channels.
        channels: their structures, in the order in which yields will be given.

    Raises:
        InputError: the likelihood has other channels, or a modifier's templates could not be made from the yields.
    """

    def __init__(self, likelihood: HistFactory, channels: Sequence[Structure]) -> None:
        config = likelihood.model.config
        numbers = {structure.channel: number for number, structure in enumerate(channels)}
        if sorted(numbers) != list(config.channels):
            raise InputError(f"The likelihood has channels {config.channels}; templates came for {sorted(numbers)}.")
        _check_modifiers(channels)
        self._samples = tuple(config.samples)
        self._channels = [(channels[numbers[name]], numbers[name]) for name in config.channels]
        self._histosys = sorted({name for name, kind in config.modifiers if kind == "histosys"})
        self._own = likelihood.templates

    def __call__(self, yields: Sequence[Yields]) -> LikelihoodTemplates:
        """Templates of the likelihood from one `Yields` for each channel."""
        xp = _namespace(yields)
        nominal = self._table(_nominal, yields)
        lead = nominal.shape[:-2]

        def stack(rows: Sequence[_Row]) -> Any:
            parts = [self._table(row, yields) for row in rows]
            return xp.stack(parts, axis=-3) if parts else xp.zeros((*lead, 0, *nominal.shape[-2:]))

        return LikelihoodTemplates(
            nominal,
            stack([_varied(name, "up") for name in self._histosys]),
            stack([_varied(name, "down") for name in self._histosys]),
            self._own.normsys_up,
            self._own.normsys_down,
            stack([_staterror for _ in self._own.staterror]),
            stack([_shapesys(layer) for layer in range(len(self._own.shapesys))]),
        )

    def _table(self, row: _Row, yields: Sequence[Yields]) -> Any:
        """Rows of all samples, bins of all channels one after the other; zero where a channel lacks a sample."""
        xp = _namespace(yields)
        blocks = []
        for structure, number in self._channels:
            names = [component.name for component in structure.components]
            nominal = yields[number].nominal
            empty = xp.zeros((*nominal.shape[:-2], structure.num_bins))
            present = (names.index(s) if s in names else None for s in self._samples)
            rows = [empty if at is None else row(structure, yields[number], at) for at in present]
            blocks.append(xp.stack(rows, axis=-2))
        return xp.concatenate(blocks, axis=-1)


_FOLLOWING: Mapping[str, type[Modifier]] = MappingProxyType({"histosys": HistoSys, "shapesys": ShapeSys})
"""Types of modifiers whose numbers follow the yields, and the classes that say how."""


def _check_modifiers(channels: Sequence[Structure]) -> None:
    """A modifier of one's own may write what it likes, but what follows the cuts must not be lost."""
    for structure in channels:
        one = np.ones(structure.num_bins)
        for component in structure.components:
            for modifier in component.modifiers:
                kind = str(modifier.specification(one, one, one)["type"])
                following = _FOLLOWING.get(kind, Modifier)
                if not isinstance(modifier, following):
                    raise InputError(
                        f"{type(modifier).__name__} {modifier.name!r} of sample {component.name!r} writes a {kind}, "
                        "whose numbers depend on the cuts, but does not say how; derive it from "
                        f"hepcuts.{following.__name__}."
                    )


def _namespace(tree: Any) -> Any:
    """NumPy or JAX's NumPy, whichever the arrays are of."""
    return jnp if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tree)) else np


def _nominal(_: Structure, yields: Yields, sample: int) -> Any:
    return yields.nominal[..., sample, :]


def _varied(systematic: str, side: str) -> _Row:
    def row(structure: Structure, yields: Yields, sample: int) -> Any:
        known = systematic in structure.systematics
        return yields.values[..., structure.position(systematic, side) if known else 0, sample, :]

    return row


def _staterror(structure: Structure, yields: Yields, sample: int) -> Any:
    xp = _namespace(yields)
    variance = yields.variance[..., sample, :]
    return _root(xp, variance) if structure.components[sample].staterror == "gaussian" else 0.0 * variance


def _root(xp: Any, variance: Any) -> Any:
    """The root, with a slope of zero where the variance is zero."""
    positive = variance > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, variance, 1.0)), 0.0)


def _shapesys(layer: int) -> _Row:
    def row(structure: Structure, yields: Yields, sample: int) -> Any:
        # Several on one sample lie in as many layers, in their order; finite simulation comes last.
        component = structure.components[sample]
        mine = [m for m in component.modifiers if isinstance(m, ShapeSys)]
        nominal = yields.nominal[..., sample, :]
        if layer < len(mine):
            return mine[layer].uncertainties(nominal)
        if layer == len(mine) and component.staterror == "poisson":
            return _root(_namespace(yields), yields.variance[..., sample, :])
        return 0.0 * nominal

    return row
