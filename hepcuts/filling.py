"""Filling templates from events: hard, as one quotes them, or soft, differentiable in the thresholds.

`fill` makes hard templates, `soft_fill` soft ones at given widths. An optimizer lays the events out once with
`EventTable.of` and calls `EventTable.soft_yields` at every step.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

import equinox as eqx
import hist
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from ._precision import float64_scope, to_numpy
from ._types import AnyArray, Columns, FloatArray
from .cuts import AbstractCut, Selection
from .errors import EmptySelectionError, InputError, OutsideAxisWarning
from .modifiers import HistoSys
from .relaxations import AbstractStep
from .relaxations import step as find_step
from .samples import Sample, check_samples
from .templates import Component, Structure, Templates, Yields, empty_histogram


def as_selection(selection: Selection | AbstractCut | None) -> Selection | None:
    """A single cut as a selection of one."""
    return Selection([selection]) if isinstance(selection, AbstractCut) else selection


def structure_of(samples: Sequence[Sample], *, axis: Any, channel: str) -> Structure:
    """Structure of the templates that `samples` will fill.

    Raises:
        InputError: the axis has no name, is not an axis of hist, or is named like another axis of the histogram.
    """
    if axis is not None:
        if not hasattr(axis, "edges") or not hasattr(axis, "index"):
            raise InputError(f"axis came as {type(axis).__name__}; expected an axis of hist.axis, or None to count.")
        if not axis.name or axis.name in {"sample", "variation"}:
            raise InputError(
                f"The axis is named {axis.name!r}; its name is the column to fill, as in "
                'hist.axis.Regular(10, 0, 100, name="mass").'
            )
    components = tuple(
        Component(s.name, s.signal, tuple(m.without_events() for m in s.modifiers), s.staterror) for s in samples
    )
    return Structure(channel, axis, components)


def blocks(samples: Sequence[Sample], structure: Structure) -> Iterable[tuple[int, int, Any, FloatArray, Sample]]:
    """Variation, sample, columns and weights of everything that has events of its own."""
    for s, sample in enumerate(samples):
        yield 0, s, sample.columns, sample.weights, sample
        for modifier in sample.modifiers:
            if isinstance(modifier, HistoSys):
                for side, variation in modifier.sides.items():
                    columns, weights = sample.varied(variation)
                    yield structure.position(modifier.name, side), s, columns, weights, sample


def fill(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut | None,
    *,
    axis: Any = None,
    channel: str = "signal_region",
) -> Templates:
    """Fill hard templates: count the weights of the events that pass.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds, or None for all events.
        axis: an axis of `hist.axis` whose name is the column of the observable, or None for one bin.
        channel: name of the channel in the likelihood.

    Returns:
        Yields and variances of each sample, variation and bin.

    Raises:
        SampleError: no samples, equal names, no signal or no background, or an unknown column.
        InputError: a threshold is not set, or the axis has no name.
        EmptySelectionError: no event of any sample passes.

    Warns:
        OutsideAxisWarning: selected events lie outside the axis and are not counted.

    Example:
        >>> import hepcuts as hc
        >>> hc.fill(hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Cut("x", ">", 20.0))
        Templates of channel 'signal_region' (1 bin, variations nominal)
          signal: 1000 +- 31.6
          background: 1309 +- 36.2
    """
    samples = check_samples(samples)
    chosen = as_selection(selection)
    structure = structure_of(samples, axis=axis, channel=channel)
    histogram: Any = empty_histogram(structure)
    outside = np.zeros(len(samples))
    num_passed = 0
    for variation, s, columns, weights, sample in blocks(samples, structure):
        _require_columns(sample, chosen, axis)
        passed = np.ones(len(weights), bool) if chosen is None else chosen.mask(columns, missing=sample.missing)
        observable = _observable(structure, columns, len(weights))[passed]
        label = structure.variations[variation]
        histogram.fill(sample.name, label, observable, weight=weights[passed])
        if variation == 0:
            num_passed += int(passed.sum())
            outside[s] = np.sum(weights[passed & ~bins_of(structure, columns, len(weights))[1]])
    if num_passed == 0:
        raise EmptySelectionError(f"No event of any sample passes the selection {chosen}; loosen its cuts.")
    _warn_outside(outside, structure)
    view: Any = histogram.view(flow=False)
    yields = structure.complete(np.moveaxis(view["value"], 1, 0), np.moveaxis(view["variance"], 1, 0))
    return Templates(structure, yields, outside)


def _observable(structure: Structure, columns: Columns, size: int) -> NDArray[Any]:
    """What is filled along the axis of the observable, shape (event,); zeros for counting."""
    if structure.axis is None:
        return np.zeros(size, dtype=np.int64)
    values = columns[structure.axis.name]
    # An integer axis takes nothing but integers.
    return np.floor(values).astype(np.int64) if isinstance(structure.axis, hist.axis.Integer) else values


def bins_of(structure: Structure, columns: Columns, size: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Bin of each of the events, and whether it is on the axis at all, both of shape (event,)."""
    observable = _observable(structure, columns, size)
    bins = observable if structure.axis is None else np.asarray(structure.axis.index(observable), dtype=np.int64)
    return bins, (bins >= 0) & (bins < structure.num_bins)


def _require_columns(sample: Sample, selection: Selection | None, axis: Any) -> None:
    for variable in (*(selection.variables if selection else ()), *(() if axis is None else (axis.name,))):
        sample.column(variable)


def _warn_outside(outside: FloatArray, structure: Structure) -> None:
    if np.any(outside):
        lost = ", ".join(f"{c.name}: {o:.4g}" for c, o in zip(structure.components, outside, strict=True))
        warnings.warn(
            f"Selected events outside the axis {structure.axis.name!r} are not counted ({lost} expected events). "
            "Widen the axis, or cut on the observable to say so.",
            OutsideAxisWarning,
            stacklevel=3,
        )


class EventTable(eqx.Module):
    """The events of all samples and variations, laid out for soft filling. A pytree.

    Attributes:
        values: the variables that are cut on, shape (cut, event); missing values are zero.
        missing: code of missing values (`Selection.events`), shape (cut, event).
        weights: shape (event,).
        cell: position of each event in the flattened (variation, sample, bin), shape (event,).
        num_nominal: the first so many events are those of the nominal variation.
        selection: the cuts; their own thresholds are not used.
        structure: samples, variations and bins.
    """

    values: Float[AnyArray, "cut event"]
    missing: Any
    weights: Float[AnyArray, " event"]
    cell: Any
    num_nominal: int = eqx.field(static=True)
    selection: Selection = eqx.field(static=True)
    structure: Structure = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        samples: Iterable[Sample],
        selection: Selection | AbstractCut,
        *,
        axis: Any = None,
        channel: str = "signal_region",
    ) -> Self:
        """Lay out the events of `samples`; arguments and errors as `fill`. Events outside the axis are left out."""
        samples = check_samples(samples)
        chosen = Selection([selection]) if isinstance(selection, AbstractCut) else selection
        structure = structure_of(samples, axis=axis, channel=channel)
        values, missing, weights, cells, nominal = [], [], [], [], 0
        for variation, s, columns, w, sample in sorted(blocks(samples, structure), key=lambda block: block[0]):
            _require_columns(sample, chosen, axis)
            v, m = chosen.events(columns, missing=sample.missing)
            bins, inside = bins_of(structure, columns, len(w))
            values.append(v[:, inside])
            missing.append(m[:, inside])
            weights.append(w[inside])
            cells.append((variation * len(samples) + s) * structure.num_bins + bins[inside])
            nominal += int(inside.sum()) if variation == 0 else 0
        if nominal == 0:
            raise EmptySelectionError(f"No event of any sample lies on the axis {axis.name!r}.")
        return cls(
            np.concatenate(values, axis=1),
            np.concatenate(missing, axis=1),
            np.concatenate(weights),
            np.concatenate(cells).astype(np.int32),
            nominal,
            chosen,
            structure,
        )

    @property
    def is_signal(self) -> Any:
        """Whether each nominal event belongs to a signal sample, shape (nominal event,)."""
        signal = jnp.asarray([component.signal for component in self.structure.components])
        return signal[self.cell[: self.num_nominal] // self.structure.num_bins]

    def soft_yields(self, thresholds: Any, widths: Any, step: AbstractStep) -> Yields:
        """Soft templates, differentiable in `thresholds` and `widths`, both of shape (threshold,). Pure JAX."""
        passed = self.selection.pass_weights(self.values, self.missing, thresholds, widths, step)
        shape = (len(self.structure.variations), len(self.structure.components), self.structure.num_bins)

        def sums(weights: Any) -> Any:
            return jax.ops.segment_sum(weights, self.cell, num_segments=int(np.prod(shape))).reshape(shape)

        # The variance is the sum of squares of the whole weight: in the limit of a hard cut that of its templates.
        weighted = self.weights * passed
        return self.structure.complete(sums(weighted), sums(weighted**2))


@float64_scope
def soft_fill(
    samples: Iterable[Sample],
    selection: Selection | AbstractCut,
    *,
    widths: Any,
    step: str | AbstractStep = "sigmoid",
    axis: Any = None,
    channel: str = "signal_region",
) -> Templates:
    """Fill soft templates: sum the events' weights times their pass weights.

    Args:
        samples: at least one signal and one background.
        selection: cuts with their thresholds.
        widths: widths of the steps in the units of the variables, one number or shape (threshold,).
        step: the step function or its name.
        axis: as in `fill`.
        channel: as in `fill`.

    Returns:
        As `fill`, to which it tends as the widths go to zero.

    Raises:
        SampleError: as `fill`.
        InputError: as `fill`.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> soft_fill(samples, hc.Cut("x", ">", 20.0), widths=1.0).samples
        ('signal', 'background')
    """
    table = EventTable.of(samples, selection, axis=axis, channel=channel)
    if None in table.selection.thresholds:
        raise InputError(f"A threshold of {table.selection} is not set; a soft selection needs all of them too.")
    thresholds = jnp.asarray(table.selection.thresholds, dtype=float)
    yields = table.soft_yields(
        thresholds, jnp.broadcast_to(jnp.asarray(widths, float), thresholds.shape), find_step(step)
    )
    return Templates(table.structure, to_numpy(yields), np.zeros(len(table.structure.components)))
