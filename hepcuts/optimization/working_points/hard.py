"""Hard cuts of a given signal efficiency, and what they let pass."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.cuts import Selection
from hepcuts.samples.sample import Sample
from hepcuts.templates.coordinates import AbstractCoordinate, NormalScores
from hepcuts.templates.events import CHUNK, Block, blocks_of
from hepcuts.templates.filling import structure_of
from hepcuts.templates.simulated import Backgrounds
from hepcuts.templates.soft_layouts import Layout, loosest_is_low

_MOST_HALVINGS = 80


@dataclasses.dataclass(frozen=True, eq=False)
class Efficiencies:
    """Efficiencies of signal and background, weighted, and their standard deviations; each of shape (point,).

    With w the weights, the variance of an efficiency e is ((1 - e)^2 sum of w^2 that pass + e^2 sum of w^2 that fail)
    / (sum of w)^2: binomial for equal weights. Where nothing passes there is no uncertainty either: NaN.

    Attributes:
        signal: efficiency of the signal.
        signal_uncertainty: its standard deviation.
        background: efficiency of the background.
        background_uncertainty: its standard deviation.
        effective_background: effective number of simulated events of the weakest background that pass; see
            `hepcuts.templates.simulated`.
    """

    signal: FloatArray
    signal_uncertainty: FloatArray
    background: FloatArray
    background_uncertainty: FloatArray
    effective_background: FloatArray

    @property
    def rejection(self) -> FloatArray:
        """Background rejection 1 / efficiency, shape (point,); infinite where nothing passes."""
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / self.background)

    @property
    def rejection_uncertainty(self) -> FloatArray:
        """Its standard deviation, to first order, shape (point,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.background_uncertainty / self.background**2)


def efficiencies_of(samples: Sequence[Sample], selections: Sequence[Selection]) -> Efficiencies:
    """Efficiencies of hard selections, relative to all events of the samples."""
    found = [[_efficiency(samples, selection, signal=kind) for selection in selections] for kind in (True, False)]
    (signal, of_signal, _), (background, of_background, effective) = (np.array(one).T for one in found)
    return Efficiencies(signal, of_signal, background, of_background, effective)


def _efficiency(samples: Sequence[Sample], selection: Selection, *, signal: bool) -> tuple[float, float, float]:
    """Efficiency, its standard deviation, and the effective number of events that pass."""
    of_samples, failed = np.zeros((2, len(samples))), np.zeros(2)
    for block in _blocks(samples, selection, signal=signal, chunk=CHUNK):
        passes = selection.mask(block.columns, missing=block.missing)
        for sums, weights in ((of_samples[:, block.sample], block.weights[passes]), (failed, block.weights[~passes])):
            sums[:] += np.sum(weights), np.sum(weights**2)
    passed = of_samples.sum(axis=1)
    total = passed[0] + failed[0]
    if passed[1] == 0.0:
        return 0.0, np.nan, 0.0
    efficiency = float(passed[0] / total)
    variance = (failed[0] / total) ** 2 * passed[1] + efficiency**2 * failed[1]
    backgrounds = Backgrounds.of(structure_of(samples, axis=None, channel="signal_region"))
    effective = passed[0] ** 2 / passed[1] if signal else backgrounds.weakest(*of_samples)
    return efficiency, float(np.sqrt(variance)) / abs(float(total)), float(effective)


def _blocks(
    samples: Sequence[Sample], selection: Selection, *, signal: bool, chunk: int | None = None
) -> Iterator[Block]:
    """All signal or all background events, without their variations."""
    structure = structure_of(samples, axis=None, channel="signal_region")
    blocks = blocks_of(samples, structure, selection.columns, chunk=chunk, nominal=True)
    return (block for block in blocks if structure.components[block.sample].signal == signal)


@dataclasses.dataclass(frozen=True, eq=False)
class HardSelections:
    """Positions in the coordinates as hard selections.

    Attributes:
        selection: the cuts, directions known.
        coordinates: one for each threshold.
        box: lowest and highest thresholds in the coordinates, each of shape (threshold,).
        tighter: +1 where larger thresholds let fewer events pass, -1 elsewhere, shape (threshold,).
        samples: the training events.
    """

    selection: Selection
    coordinates: tuple[AbstractCoordinate, ...]
    box: tuple[FloatArray, FloatArray]
    tighter: FloatArray
    samples: tuple[Sample, ...]

    @classmethod
    def of(
        cls,
        layout: Layout,
        selection: Selection,
        coordinates: tuple[AbstractCoordinate, ...],
        box: tuple[FloatArray, FloatArray],
        samples: Sequence[Sample],
    ) -> "HardSelections":
        """From what a search knows."""
        return cls(selection, coordinates, box, np.where(loosest_is_low(layout), 1.0, -1.0), tuple(samples))

    def at(self, position: FloatArray) -> Selection:
        """The hard selection at a position, shape (threshold,).

        Raises:
            InputError: nothing can pass it.
        """
        return self.selection.at([self._threshold(number, float(score)) for number, score in enumerate(position)])

    def _threshold(self, number: int, score: float) -> float:
        coordinate = self.coordinates[number]
        value = float(coordinate.between(np.array([score]))[0])
        if isinstance(coordinate, NormalScores) and value in (coordinate.knots[0], coordinate.knots[-1]):
            value = coordinate.threshold(score)  # just beyond all events if they are all to pass
        bounds = self.selection.cuts[self.selection.cut_of_threshold[number]].bounds
        return value if bounds is None else float(np.clip(value, *bounds))

    def moved(self, position: FloatArray, shift: float) -> FloatArray:
        """All thresholds tighter by the same distance in the coordinates, as far as bounds allow."""
        return np.clip(position + shift * self.tighter, *self.box)

    def range(self) -> tuple[float, float]:
        """Smallest and largest signal efficiency within the bounds."""
        low, high = self.box
        ends = np.where(self.tighter > 0, high, low), np.where(self.tighter > 0, low, high)
        tight, loose = (self._share(end) for end in ends)
        return tight, loose

    def _share(self, position: FloatArray) -> float:
        try:
            return _efficiency(self.samples, self.at(position), signal=True)[0]
        except InputError:
            return 0.0  # a window without inside

    def shifted(self, position: FloatArray, efficiency: float) -> FloatArray:
        """All thresholds moved together until the signal efficiency is reached, within one event.

        Bisection; events that pass at both ends, or at neither, are not looked at again. If no shift reaches the
        efficiency, as close as the bounds let it.
        """
        blocks = list(_blocks(self.samples, self.selection, signal=True))
        missing = efficiency * sum(float(np.sum(block.weights)) for block in blocks)
        tight, loose = float(np.max(self.box[1] - self.box[0])), -float(np.max(self.box[1] - self.box[0]))
        excess = np.inf
        for _ in range(_MOST_HALVINGS):
            middle = 0.5 * (tight + loose)
            there = self.moved(position, middle)
            passed = [self._passed(block, there) for block in blocks]
            more = sum(float(np.sum(block.weights[p])) for block, p in zip(blocks, passed, strict=True))
            if more >= missing:
                loose, excess = middle, more - missing
            else:
                tight, missing = middle, missing - more
                passed = [~p for p in passed]
            blocks = [block.take(np.flatnonzero(p)) for block, p in zip(blocks, passed, strict=True)]
        return self.moved(position, tight if missing < excess else loose)

    def _passed(self, block: Block, position: FloatArray) -> NDArray[np.bool_]:
        try:
            return self.at(position).mask(block.columns, missing=block.missing)
        except InputError:
            return np.zeros(len(block), dtype=bool)

    def idle(self, position: FloatArray) -> NDArray[np.bool_]:
        """Whether each threshold is beyond all events, so that it removes none, shape (threshold,)."""
        ends = [coordinate.between(np.array(coordinate.limits)) for coordinate in self.coordinates]
        here = np.array(self.at(position).thresholds, dtype=np.float64)
        loosest = np.array([end[0 if side > 0 else 1] for end, side in zip(ends, self.tighter, strict=True)])
        return np.asarray((here - loosest) * self.tighter < 0.0)

    def background(self, position: FloatArray) -> float:
        """Background efficiency."""
        return _efficiency(self.samples, self.at(position), signal=False)[0]
