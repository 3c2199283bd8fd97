"""Samples from files: weights and normalization, preselection, and variations from wherever they are."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import ColumnsLike, FloatArray

from .identity import given
from .modifiers import HistoSys, Modifier, NormSys, Variation
from .readers import Needs, Quantities, naming, read_table
from .sample import Sample
from .sources import Files

_FB_PER_PB = 1000.0


@dataclasses.dataclass(frozen=True)
class Normalization:
    """To how many events a simulation is scaled: cross section x luminosity x k-factor / sum of weights.

    Attributes:
        cross_section: in pb.
        luminosity: in 1/fb.
        k_factor: further factor, such as one of higher orders, or a branching fraction.
        sum_of_weights: the sum of the weights of all events that were simulated, or a formula of the events of the same
            files before any selection, whose sum it is.
    """

    cross_section: float
    luminosity: float
    sum_of_weights: float | str
    k_factor: float = 1.0

    def factor(self, events: Quantities) -> float:
        """What each weight is multiplied by.

        Raises:
            InputError: the sum of weights is not above zero.
        """
        total = self.sum_of_weights
        if isinstance(total, str):
            total = float(np.sum(events.value(total), dtype=np.float64))
        if not total > 0:
            raise InputError(f"The sum of weights ({self.sum_of_weights}) is {total:g}; expected a number above zero.")
        return self.cross_section * _FB_PER_PB * self.luminosity * self.k_factor / total


@dataclasses.dataclass(frozen=True)
class Origin:
    """Events in files: which of them, and what they weigh.

    Attributes:
        files: see `hepcuts.io.read_columns`, or a table in memory.
        tree: the tree in a ROOT file, or the group in an HDF5 file.
        friends: files with further columns of the same events.
        where: a formula that an event has to pass, or None.
        weight: a formula, or None for 1 each.
        normalization: to how many events they are scaled; None to take the weights as they are.
        scale: a factor on all weights.
        define: names of quantities and their formulas.
    """

    files: Files | ColumnsLike
    tree: str | None = None
    friends: tuple[Files, ...] = ()
    where: str | None = None
    weight: str | None = None
    normalization: Normalization | None = None
    scale: float = 1.0
    define: Mapping[str, str] = dataclasses.field(default_factory=lambda: MappingProxyType({}))


@dataclasses.dataclass(frozen=True)
class Shift:
    """One side of a systematic variation.

    Attributes:
        columns: which columns stand for others, or formulas that do: ``{"met": "met_jes_up"}``. What is computed from
            them is computed again.
        weight: a formula in place of the weight.
        origin: other events that are the varied ones (another tree, another generator); None for the same events.
    """

    columns: Mapping[str, str] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    weight: str | None = None
    origin: Origin | None = None


@dataclasses.dataclass(frozen=True)
class Shape:
    """A systematic variation of events, `hepcuts.HistoSys`, by where its events are.

    Attributes:
        name: the parameter's name.
        up: the events at +1 standard deviation.
        down: those at -1, or ``"mirror"``, or ``"nominal"``.
        effect: ``"both"``; ``"normalization"`` for what it does to the yield before any cut, and nothing else (a
            `hepcuts.NormSys`); or ``"shape"`` for everything but that.
        kind: class of the modifier.
    """

    name: str
    up: Shift
    down: Shift | str
    effect: Literal["both", "normalization", "shape"] = "both"
    kind: type[HistoSys] = HistoSys


def load_sample(
    name: str,
    origin: Origin,
    quantities: Sequence[str],
    *,
    systematics: Iterable[Modifier | Shape] = (),
    identity: Sequence[str] = (),
    **options: Any,
) -> Sample:
    """Read a sample and its variations.

    A variation that consists of other events (of another file, or since the preselection depends on what is varied)
    stands in the same sample: there the nominal events weigh nothing, and its own weigh nothing in the nominal sample.

    Args:
        name: the sample's name.
        origin: its nominal events.
        quantities: columns and formulas that are cut on or used otherwise.
        systematics: the modifiers, and `Shape` for those whose events are to be read.
        identity: columns by which an event is known, see `hepcuts.Sample`. Name them where variations are other files:
            copies of one event then share a fold.
        options: of `hepcuts.Sample`.

    Raises:
        InputError: files or formulas cannot be read, see `hepcuts.io.read_columns`.
        SampleError: see `hepcuts.Sample`.

    Example:
        >>> table = {"pt": [40.0, 60.0], "pt_up": [44.0, 66.0], "genWeight": [2.0, 2.0]}
        >>> scaled = Normalization(cross_section=0.5, luminosity=10.0, sum_of_weights="genWeight")
        >>> origin = Origin(table, where="pt > 45", weight="genWeight", normalization=scaled)
        >>> load_sample("ttbar", origin, ["log(pt)"])
        Sample('ttbar', background, 1 events, yield 2500 +- 2.5e+03, columns: log(pt))
    """
    systematics = list(systematics)
    shapes = [shape for shape in systematics if isinstance(shape, Shape)]
    sides = {(shape.name, side): shift for shape in shapes for side, shift in _shifts(shape)}
    events = _OriginEvents(origin, [shift for shift in sides.values() if shift.origin is None], quantities, identity)
    nominal = events.part(Shift())
    parts = {
        key: (events if shift.origin is None else _OriginEvents(shift.origin, [shift], quantities, identity)).part(
            shift
        )
        for key, shift in sides.items()
    }
    others = [part for part in parts.values() if not part.same_events(nominal)]
    variations = {key: _variation(part, nominal, others) for key, part in parts.items()}
    known = {column: np.concatenate([part.known[column] for part in (nominal, *others)]) for column in identity}
    weights = np.concatenate([nominal.weights, *(np.zeros(len(part.weights)) for part in others)])
    with naming(origin.files):
        return Sample(
            name,
            {text: np.concatenate([part.columns[text] for part in (nominal, *others)]) for text in quantities},
            weights=weights,
            modifiers=[_modifier(one, variations, weights) if isinstance(one, Shape) else one for one in systematics],
            identity=given(tuple(identity), known, name) if identity else None,
            **options,
        )


def _shifts(shape: Shape) -> list[tuple[str, Shift]]:
    return [(side, shift) for side, shift in (("up", shape.up), ("down", shape.down)) if isinstance(shift, Shift)]


def _modifier(shape: Shape, variations: Mapping[tuple[str, str], Variation], weights: FloatArray) -> Modifier:
    """The modifier of a shape.

    Args:
        shape: the shape.
        variations: name and side to what is varied.
        weights: of the nominal sample, shape (event,).
    """
    sides = {side: variations[shape.name, side] for side, _ in _shifts(shape)}
    ratios = {side: _total(one, weights) / float(np.sum(weights)) for side, one in sides.items()}
    if shape.effect == "normalization":
        mirrored = 2.0 - ratios["up"] if shape.down == "mirror" else 1.0
        return NormSys(shape.name, ratios["up"], ratios.get("down", mirrored))
    if shape.effect == "shape":
        sides = {side: _times(one, weights, 1.0 / ratios[side]) for side, one in sides.items()}
    down = shape.down if isinstance(shape.down, str) else sides["down"]
    return shape.kind(shape.name, up=sides["up"], down=down)


def _total(variation: Variation, weights: FloatArray) -> float:
    return float(np.sum(weights if variation.weights is None else np.asarray(variation.weights)))


def _times(variation: Variation, weights: FloatArray, factor: float) -> Variation:
    """A variation whose weights are multiplied."""
    given = weights if variation.weights is None else np.asarray(variation.weights)
    return Variation(variation.columns, given * factor)


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """Events that pass, nominal or varied.

    Attributes:
        of: the table that they are from.
        passed: which events of it, shape (event,).
        columns: quantities of those.
        known: columns by which they are known.
        weights: of those, normalized.
    """

    of: "_OriginEvents"
    passed: NDArray[np.bool_]
    columns: Mapping[str, NDArray[Any]]
    known: Mapping[str, NDArray[Any]]
    weights: FloatArray

    def same_events(self, other: "_Part") -> bool:
        """Whether both are the same events, one after the other."""
        return self.of is other.of and np.array_equal(self.passed, other.passed)


class _OriginEvents:
    """Events of one origin, of which the columns that are needed are read once."""

    def __init__(
        self, origin: Origin, shifts: Sequence[Shift], quantities: Sequence[str], identity: Sequence[str]
    ) -> None:
        self.origin = origin
        self.quantities = quantities
        self.identity = identity
        scaled = origin.normalization
        total = [scaled.sum_of_weights] if scaled is not None and isinstance(scaled.sum_of_weights, str) else []
        needs = [
            Needs([*quantities, *identity, *self._weight(shift), *total], origin.where, self._define(shift))
            for shift in (Shift(), *shifts)
        ]
        self.table = read_table(origin.files, needs, tree=origin.tree, friends=origin.friends)
        self.size = len(next(iter(self.table.values()), ()))
        with naming(origin.files):
            if not self.size:
                raise InputError("there are no events.")
            whole = Quantities(self.table, origin.define)
            self.factor = origin.scale * (1.0 if scaled is None else scaled.factor(whole))

    def _define(self, shift: Shift) -> Mapping[str, str]:
        return {**self.origin.define, **shift.columns}

    def _weight(self, shift: Shift) -> list[str]:
        return [text for text in (shift.weight or self.origin.weight,) if text is not None]

    def part(self, shift: Shift) -> _Part:
        """The events that pass under a shift, and what they are then."""
        with naming(self.origin.files):
            return self._part(shift)

    def _part(self, shift: Shift) -> _Part:
        varied, where = Quantities(self.table, self._define(shift)), self.origin.where
        passed = np.ones(self.size, dtype=bool) if where is None else varied.condition(where)
        if not np.any(passed) and shift == Shift():  # a variation may have no events
            raise InputError(f"none of the {self.size} events passes {where!r}.")
        weights = np.full(self.size, self.factor)
        for text in self._weight(shift):
            weights = weights * np.asarray(varied.value(text), dtype=np.float64)
        logging.getLogger(__name__).info(
            "%d of %d events pass %s, each weight times %.6g",
            np.count_nonzero(passed),
            self.size,
            where or "(all)",
            self.factor,
        )
        columns, known = (
            {text: varied.value(text)[passed] for text in texts} for texts in (self.quantities, self.identity)
        )
        return _Part(self, passed, columns, known, weights[passed])


def _variation(part: _Part, nominal: _Part, others: Sequence[_Part]) -> Variation:
    """What is varied in a sample of the nominal events, followed by those of all variations that are other events."""
    if not part.same_events(nominal):
        weights = [other.weights if other is part else np.zeros(len(other.weights)) for other in others]
        return Variation(weights=np.concatenate([np.zeros(len(nominal.weights)), *weights]))
    changed = {
        text: np.concatenate([values, *(other.columns[text] for other in others)])
        for text, values in part.columns.items()
        if not np.array_equal(values, nominal.columns[text], equal_nan=True)
    }
    rest = [np.zeros(len(other.weights)) for other in others]
    kept = changed and np.array_equal(part.weights, nominal.weights)
    return Variation(changed, None if kept else np.concatenate([part.weights, *rest]))
