"""What categories are worth: a figure of merit of their templates, on the events that chose them and on others."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.merit.counts import Totals
from hepcuts.merit.figures import AbstractTemplateFigure
from hepcuts.optimization.soft.constraints import AtLeast, effective_background
from hepcuts.optimization.soft.evaluators import TemplateEvaluator
from hepcuts.templates.templates import Templates, Yields

from .fine import Guard
from .fits import signed_root, values_of

_SAME = 1e-9
"""Relative; sums of weights in another order."""


class Judge:
    """A figure of merit of the templates of some number of categories.

    Args:
        figure: the figure of merit.
        reference: templates of the structure, with events in every bin.
        totals: expected signal and background before any selection.
        guard: what each category needs at least.
        observable: number of bins of the observable in each category.

    Raises:
        YieldError: a sample has a negative yield.
    """

    def __init__(
        self,
        figure: AbstractTemplateFigure,
        reference: Templates,
        totals: Totals,
        guard: Guard,
        *,
        observable: int = 1,
    ) -> None:
        self.figure, self._reference, self._totals = figure, reference, totals
        components = reference.structure.components
        self._background = tuple(i for i, component in enumerate(components) if not component.signal)
        self._guards = guards(reference, guard, observable)
        self._values = values_of(figure, reference, totals)

    @functools.cached_property
    def _evaluator(self) -> TemplateEvaluator:
        return TemplateEvaluator(self.figure, [self._reference], self._guards, self._totals)

    def deficit(self, yields: Yields) -> float:
        """By how much the guards are missed: sum of the logarithms of wanted over found; 0 if they are not.

        If any is missed then of all backgrounds: one that is not at stake here may be so after the next move.
        """
        total = self._missed(yields, self._guards)
        if total > 0:
            total = self._missed(yields, [_of_all(guard) for guard in self._guards])
        nominal = np.asarray(yields.nominal)
        background = nominal[list(self._background)].sum(axis=0)
        # A bin without background has no significance, and one that expects less than nothing no likelihood.
        bad = (background <= 0) & (nominal.sum(axis=0) != 0) | (nominal.sum(axis=0) < 0)
        return total + 700.0 * float(bad.sum())

    def _missed(self, yields: Yields, guards: Sequence[AtLeast]) -> float:
        total = 0.0
        for one in guards:
            found = np.asarray(one.quantity(yields, self._reference.structure))
            short = found[found < one.least * (1.0 - _SAME)]
            total += float(np.sum(np.log(one.least / np.maximum(short, 1e-300))))
        return total

    def __call__(self, binned: Sequence[Yields]) -> FloatArray:
        """The figure of merit of some yields, negated for a loss, shape (lane,); NaN where there is none."""
        return self.figure.sign * self._values(binned)

    def value_and_slopes(self, sums: FloatArray) -> tuple[float, FloatArray]:
        """The guarded value, negated for a loss, and its slopes to sums of shape (variation, sample, bin, 2)."""
        value, (slopes,) = self._evaluator.of_sums([sums.reshape(-1, 2)])
        return self.figure.sign * value, self.figure.sign * slopes.reshape(sums.shape)

    def tangent(self, chose: FloatArray, other: FloatArray) -> tuple[float, FloatArray]:
        """The figure of merit, continued along its tangent from the sums of the events that chose to those of others.

        Of one that is made large its square is continued: of a significance that is q0, or a sum over bins, of
        which `hepcuts.merit.gains` says what its tangent is worth.

        Returns:
            The square (a loss itself, negated) and its slopes, of the shape of the sums.
        """
        value, slopes = self.value_and_slopes(chose)
        if self.figure.sign > 0:
            value, slopes = value**2, 2.0 * value * slopes
        return value + float(np.sum(slopes * (other - chose))), slopes

    def root(self, continued: float) -> float:
        """The figure of merit from a mean of tangents, negative where a square is."""
        return signed_root(continued) if self.figure.sign > 0 else -continued


def _of_all(guard: AtLeast) -> AtLeast:
    """A guard that asks of each background, whatever its share."""
    if guard.backgrounds is None:
        return guard
    return dataclasses.replace(guard, backgrounds=dataclasses.replace(guard.backgrounds, share=0.0))


def guards(reference: Templates, guard: Guard, observable: int) -> tuple[AtLeast, ...]:
    """The guard as what is wanted of each category, of so many bins of the observable."""
    components = reference.structure.components
    background = tuple(i for i, component in enumerate(components) if not component.signal)
    wanted = (
        AtLeast("background", guard.min_expected, background, each=observable),
        effective_background(reference.structure, guard.min_background, soft=False, each=observable),
    )
    return tuple(one for one in wanted if one.least > 0)
