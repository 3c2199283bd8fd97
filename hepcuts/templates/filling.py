"""Filling templates from events: hard, as one quotes them, or soft, differentiable in the thresholds.

`fill` makes hard templates, `soft_fill` soft ones at given widths. An optimizer lays the events out once with
`EventTable.of` and calls `EventTable.soft_yields` at every step.
"""

import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import equinox as eqx
import hist
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hepcuts._core.errors import EmptySelectionError, InputError, OutsideAxisWarning
from hepcuts._core.executors import Executor, executor_of
from hepcuts._core.precision import float64_scope, to_numpy
from hepcuts._core.types import AnyArray, FloatArray
from hepcuts.cuts import AbstractCut, Selection
from hepcuts.cuts.steps import AbstractStep
from hepcuts.cuts.steps import step as find_step
from hepcuts.samples.histogram import Histogram, are_histograms, check_histograms
from hepcuts.samples.sample import Sample, check_samples

from .binned import axis_of, binned_templates
from .events import CHUNK, blocks_of
from .hard_sums import hard_sums
from .templates import Component, Structure, Templates, Yields

_FEW = 4_000_000
"""Events that threads do not sum sooner; set by filling 0.1 to 12 million events on two cores."""

P = ParamSpec("P")
R = TypeVar("R")


def as_selection(selection: Selection | AbstractCut | None) -> Selection | None:
    """A single cut as a selection of one.

    Raises:
        InputError: neither a selection nor a cut nor None.
    """
    if isinstance(selection, AbstractCut):
        return Selection([selection])
    if selection is not None and not isinstance(selection, Selection):
        raise InputError(f"selection came as {type(selection).__name__}; expected a hepcuts.Selection, a cut or None.")
    return selection


def structure_of(samples: Sequence[Sample | Histogram], *, axis: Any, channel: str) -> Structure:
    """Structure of the templates that `samples` will fill.

    Raises:
        InputError: the axis has no name, is not an axis of hist, is named like another axis of the histogram, grows,
            or takes text.
    """
    if axis is not None:
        # The axes of boost_histogram have no name.
        known = all(hasattr(axis, of_hist) for of_hist in ("traits", "index", "name"))
        if not known or isinstance(axis, hist.axis.StrCategory):
            kind = type(axis).__name__ + (" of boost_histogram" if hasattr(axis, "traits") and not known else "")
            raise InputError(f"axis came as {kind}; expected an axis of hist.axis, or None to count.")
        if axis.traits.growth:
            raise InputError(f"The axis {axis.name!r} grows; templates need bins that do not depend on the events.")
        if not axis.name or axis.name in {"sample", "variation"}:
            raise InputError(
                f"The axis is named {axis.name!r}; its name is the column to fill, as in "
                'hist.axis.Regular(10, 0, 100, name="mass").'
            )
    components = tuple(
        Component(s.name, s.signal, tuple(m.without_events() for m in s.modifiers), s.staterror, s.empty, s.simulated)
        for s in samples
    )
    return Structure(channel, axis, components)


def fill(
    samples: Iterable[Sample | Histogram],
    selection: Selection | AbstractCut | None,
    *,
    axis: Any = None,
    channel: str = "signal_region",
    executor: Executor | None = None,
) -> Templates:
    """Fill hard templates: count the weights of the events that pass.

    Args:
        samples: at least one signal and one background; events, or `hepcuts.Histogram` of one variable.
        selection: cuts with their thresholds, or None for all events. Of histograms one cut at edges of their bins.
        axis: an axis of `hist.axis` whose name is the column of the observable, or None for one bin. Histograms have
            their bins if nothing is cut on, and are counted after a cut.
        channel: name of the channel in the likelihood.
        executor: who sums the events up, see `hepcuts._core.executors`; None for threads, if there are many events.

    Returns:
        Yields and variances of each sample, variation and bin.

    Raises:
        SampleError: no samples, equal names, no signal or no background, or an unknown column.
        InputError: a threshold is not set, the axis has no name, or this is no executor.
        EmptySelectionError: no event of any sample passes.

    Warns:
        OutsideAxisWarning: selected events lie outside the axis and are not counted.

    Templates of chunks of the events add to those of all, with what is outside the axis. So a chunk whose events all
    lie outside has templates of zeros; one of which no event passes raises, and has nothing to add.

    Example:
        >>> import hepcuts as hc
        >>> hc.fill(hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Cut("x", ">", 20.0))
        Templates of channel 'signal_region' (1 bin, variations nominal)
          signal: 1000 +- 31.6
          background: 1309 +- 36.2
    """
    given, chosen = tuple(samples), as_selection(selection)
    if are_histograms(given):
        found = _of_histograms(check_histograms(given), chosen, axis=axis, channel=channel)
        warn_outside(found.outside, found.structure)
        return found
    samples = check_samples(given)
    structure = structure_of(samples, axis=axis, channel=channel)
    columns = () if chosen is None else chosen.columns
    blocks = blocks_of(samples, structure, columns, chunk=CHUNK)
    few = executor is None and sum(map(len, samples)) < _FEW
    sums = hard_sums(blocks, chosen, structure, executor=None if few else executor_of(executor))
    if sums.passed == 0:
        raise EmptySelectionError(
            f"Selection {chosen or '(all events)'}: no event of any sample passes; loosen the cuts."
        )
    warn_outside(sums.outside, structure)
    return Templates(structure, structure.complete(sums.values, sums.variances), sums.outside)


def _of_histograms(
    histograms: tuple[Histogram, ...], selection: Selection | None, *, axis: Any, channel: str
) -> Templates:
    if axis is not None:
        raise InputError("Histograms have an axis already; leave out axis=.")
    kept = axis_of(histograms) if selection is None else None
    return binned_templates(histograms, selection, structure_of(histograms, axis=kept, channel=channel))


def warn_outside(outside: FloatArray, structure: Structure) -> None:
    """Warn the caller's caller of events, shape (sample,), that are selected but lie outside the axis."""
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
        origin: its number within its sample, shape (event,).
        num_nominal: the first so many events are those of the nominal variation.
        selection: the cuts; their own thresholds are not used.
        structure: samples, variations and bins.
    """

    values: Float[AnyArray, "cut event"]
    missing: Any
    weights: Float[AnyArray, " event"]
    cell: Any
    origin: Any
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
    ) -> "EventTable":
        """Lay out the events of `samples`; arguments and errors as `fill`. Events outside the axis are left out."""
        samples = check_samples(samples)
        chosen = as_selection(selection)
        if chosen is None:
            raise InputError("Soft templates need a selection; got None. Use hepcuts.fill to take all events.")
        structure = structure_of(samples, axis=axis, channel=channel)
        laid = sorted(blocks_of(samples, structure, chosen.columns), key=lambda block: block.variation)
        parts, nominal = [], 0
        for block in laid:
            v, m = chosen.events(block.columns, missing=block.missing)
            rows = block.filled
            parts.append((v[:, rows], m[:, rows], block.weights[rows], block.cells(rows), block.origin[rows]))
            nominal += int(np.count_nonzero(block.inside)) if block.variation == 0 else 0
        if nominal == 0:
            raise EmptySelectionError(f"No event of any sample lies on the axis {axis.name!r}.")
        values, missing, weights, cells, origins = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        return cls(
            values,
            missing,
            weights,
            cells.astype(np.int32),
            origins.astype(np.int32),
            nominal,
            chosen,
            structure,
        )

    @property
    def sample(self) -> Any:
        """Position of each event's sample, shape (event,)."""
        return self.cell // self.structure.num_bins % len(self.structure.components)

    @property
    def is_signal(self) -> Any:
        """Whether each nominal event belongs to a signal sample, shape (nominal event,)."""
        signal = jnp.asarray([component.signal for component in self.structure.components])
        return signal[self.cell[: self.num_nominal] // self.structure.num_bins]

    def soft_yields(self, thresholds: Any, widths: Any, step: AbstractStep, *, of_hard_cut: bool = False) -> Yields:
        """Soft templates, differentiable in `thresholds` and `widths`. Pure JAX.

        Both readings of the variance go to that of the hard templates as the widths go to zero.

        Args:
            thresholds: shape (threshold,).
            widths: shape (threshold,).
            step: the step function.
            of_hard_cut: whether the variances are those that a hard cut of the same yields would have, sums of
                w^2 p, and not those of the soft templates themselves, sums of (w p)^2. An optimizer wants the former:
                a thousand events that pass with weight 1/1000 each are, to a hard cut, one event and not a thousand.
        """
        passed = self.selection.pass_weights(self.values, self.missing, thresholds, widths, step)
        shape = (len(self.structure.variations), len(self.structure.components), self.structure.num_bins)

        def sums(weights: Any) -> Any:
            return jax.ops.segment_sum(weights, self.cell, num_segments=int(np.prod(shape))).reshape(shape)

        squared = passed if of_hard_cut else passed**2
        return self.structure.complete(sums(self.weights * passed), sums(self.weights**2 * squared))


def _checked_widths(widths: Any, selection: Selection) -> FloatArray:
    """One width for each threshold, shape (threshold,)."""
    numbers = np.asarray(widths, dtype=np.float64)
    shape = (len(selection.names),)
    if numbers.shape not in {(), shape} or not np.all(np.isfinite(numbers) & (numbers >= 0)):
        raise InputError(
            f"widths are {widths}; expected one finite number, 0 or more, or one for each of "
            f"{', '.join(selection.names)}."
        )
    return np.broadcast_to(numbers, shape)


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
    yields = table.soft_yields(thresholds, _checked_widths(widths, table.selection), find_step(step))
    return Templates(table.structure, to_numpy(yields), np.zeros(len(table.structure.components)))


def without_outside_warnings(function: Callable[P, R]) -> Callable[P, R]:
    """The function without its warnings of events outside the axis, for what was warned of already."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutsideAxisWarning)
            return function(*args, **kwargs)

    return wrapped
