"""Samples of simulated events: columns, weights and systematic uncertainties; checked once, then immutable."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.columns import Numbers, checked_columns, frozen, raw_columns, read_column, read_weights
from hepcuts._core.counters import SPLIT, as_seed, below, numbers, states
from hepcuts._core.errors import InputError, SampleError
from hepcuts._core.memory import reuse_memory
from hepcuts._core.types import Columns, ColumnsLike, FloatArray, FloatLike

from .identity import Identity, given, numbered
from .modifiers import HistoSys, Modifier, Variation, check_name, number
from .signals import SignalOrNot
from .staterror import StatError
from .staterror import checked as staterror_of

REFUSED, LIMITED, IGNORED = "refuse", "limit", "ignore"
"""What a background counts as where none of its simulated events is left."""

_FEWEST_BINS, _MOST_BINS = 10, 1000
"""Rows of what may be bins in place of events. Ten events in equal steps by chance: there are none."""
_FEW_WEIGHTS = 2
"""Different weights, up to signs, that generators give to all their events."""
_EQUAL = 1e-4
"""By what share steps may differ: bin centers of 32 bits."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Events of one origin, a signal or a background: columns, weights, systematic uncertainties.

    Attributes:
        name: the sample's name in the likelihood and in figures.
        columns: feature name to values, each of shape (event,), read-only. Floats of 32 bits stay such; everything else
            becomes floats of 64 bits. Thresholds are compared in 64 bits, which hold all numbers of 32.
        weights: expected number of events that each simulated event stands for, shape (event,), read-only.
            Negative weights are allowed.
        signal: whether the parameter of interest scales this sample.
        modifiers: its systematic uncertainties.
        missing: the number that stands for "this quantity does not exist for this event", or None. Such a value
            is never compared with a threshold: see ``missing`` of `hepcuts.Cut`.
        staterror: the uncertainty from the finite number of simulated events: ``"poisson"`` (also True), one Poisson
            constraint for each bin of this sample; ``"gaussian"``, one Gaussian constraint for each bin, shared by the
            backgrounds; False for none. See `hepcuts.workspace`.
        empty: what a background counts as after cuts that none of its simulated events passes. With ``"refuse"`` such
            cuts are no optimum if one event would matter, and neither are those that leave few; with ``"limit"`` it
            counts as one event +- one event; with ``"ignore"`` as nothing. See `hepcuts.templates.simulated`.
        identity: what each event is known by, shape (event,). Folds, held-out parts and replicas depend on it and on a
            seed, not on the order of the events.

    Args:
        name: see above.
        columns: a mapping of arrays, a pandas data frame or a structured array.
        weights: shape (event,), the name of a column that holds them, or None for 1 each.
        signal: see above.
        modifiers: see above.
        missing: see above.
        staterror: see above.
        empty: see above.
        identity: a column, or several such as ``("run", "event")``, or integers of shape (event,). Events of one
            identity go into the same fold, in whatever samples they are: name it if several samples hold copies of the
            same simulated events. By default an event is known by its number in its sample.

    Raises:
        SampleError: NaN, infinite values, unequal lengths, unknown or duplicate names, no events, all weights zero, or
            no identity.

    Example:
        >>> ttbar = Sample("ttbar", {"pt": [20.0, 50.0, 80.0]}, weights=[0.5, 0.5, 0.4])
        >>> ttbar
        Sample('ttbar', background, 3 events, yield 1.4 +- 0.812, columns: pt)
    """

    name: str
    columns: Columns
    weights: FloatArray
    signal: bool
    modifiers: tuple[Modifier, ...]
    missing: float | None
    staterror: StatError
    empty: str
    _given: NDArray[np.uint64] | None

    def __init__(
        self,
        name: str,
        columns: ColumnsLike,
        *,
        weights: Numbers | str | None = None,
        signal: bool = False,
        modifiers: Iterable[Modifier] | Modifier = (),
        missing: FloatLike | None = None,
        staterror: bool | StatError = True,
        empty: str = REFUSED,
        identity: Identity | None = None,
    ) -> None:
        reuse_memory()
        check_name(name, "sample")
        missing = None if missing is None else number(missing, f"Sample {name!r}: missing", finite=False)
        raw = raw_columns(columns, name)
        table = dict(checked_columns(raw, name, missing))
        if isinstance(weights, str):
            if weights not in table:
                rows = len(next(iter(table.values())))
                raise SampleError(
                    f"Sample {name!r}: no column {weights!r} to take the weights from; its columns of {rows} rows are "
                    f"{', '.join(table)}."
                )
            weights = table.pop(weights)
        # Without columns (only weights, to count) the weights say how many events there are.
        checked = np.ones(len(next(iter(table.values())))) if weights is None else weights
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "columns", MappingProxyType(table))
        object.__setattr__(self, "weights", read_weights(checked, sample=name))
        object.__setattr__(self, "signal", bool(signal))
        object.__setattr__(self, "modifiers", (modifiers,) if isinstance(modifiers, Modifier) else tuple(modifiers))
        object.__setattr__(self, "missing", missing)
        object.__setattr__(self, "staterror", staterror_of(staterror, name))
        object.__setattr__(self, "empty", check_empty(empty, name))
        object.__setattr__(self, "_given", None if identity is None else frozen(given(identity, raw, name)))
        self._check()

    def _check(self) -> None:
        if len(self.weights) != len(self):
            raise SampleError(f"Sample {self.name!r}: {len(self.weights)} weights for {len(self)} events.")
        if self._given is not None and len(self._given) != len(self):
            raise SampleError(f"Sample {self.name!r}: {len(self._given)} identities for {len(self)} events.")
        if not np.any(self.weights):
            raise SampleError(f"Sample {self.name!r}: all {len(self)} weights are zero; the sample has no yield.")
        self._check_bins()
        check_modifiers(self.name, self.modifiers)
        for modifier in self.modifiers:
            if isinstance(modifier, HistoSys):
                self._check_variation(modifier)

    def _check_bins(self) -> None:
        """Refuse bins that came as if they were events: one column of equal steps, with weights that differ.

        Each would count as one simulated event of a large weight. Without ``staterror`` it does not matter.
        """
        values = next(iter(self.columns.values()), np.zeros(0))
        if len(self.columns) != 1 or not self.staterror or not _FEWEST_BINS <= len(values) <= _MOST_BINS:
            return
        steps = np.diff(values.astype(np.float64))
        equal = np.all(steps > 0) and np.ptp(steps) <= _EQUAL * steps[0]
        if equal and len(np.unique(np.abs(self.weights))) > _FEW_WEIGHTS:
            raise SampleError(
                f"Sample {self.name!r}: the column {next(iter(self.columns))!r} has {len(values)} values in equal "
                "steps, each with a weight of its own. These are bins of a histogram and no events: their number and "
                "their squared weights say nothing of the simulation. Take "
                f"hepcuts.Histogram({self.name!r}, histogram), or staterror=False if nothing was simulated."
            )

    def _check_variation(self, modifier: HistoSys) -> None:
        for side, variation in modifier.sides.items():
            where = f"{self.name}: HistoSys {modifier.name!r}, {side}"
            if variation.histogram is not None:
                raise SampleError(
                    f"Sample {where}: is a histogram, and the sample has events; expected varied columns or weights. A "
                    "sample that is a histogram itself: hepcuts.Histogram."
                )
            for column, values in variation.columns.items():
                self.column(column)
                read_column(values, sample=where, column=column, missing=self.missing)
            arrays = dict(variation.columns)
            if variation.weights is not None:
                arrays["weights"] = variation.weights
            for column, values in arrays.items():
                if len(np.asarray(values)) != len(self):
                    raise SampleError(
                        f"Sample {where}: column {column!r} has {len(np.asarray(values))} rows for {len(self)} events; "
                        "a variation has one value for each event of the nominal sample, in the same order."
                    )

    def __reduce__(self) -> tuple[Any, ...]:
        make = functools.partial(
            type(self),
            self.name,
            dict(self.columns) or {"weights": self.weights},
            weights=self.weights if self.columns else "weights",
            signal=self.signal,
            modifiers=self.modifiers,
            missing=self.missing,
            staterror=self.staterror,
            empty=self.empty,
            identity=self._given,
        )
        return make, ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), self.weights))

    def __repr__(self) -> str:
        kind = "signal" if self.signal else "background"
        return (
            f"Sample({self.name!r}, {kind}, {len(self)} events, yield {self.total:.4g} +- "
            f"{np.sqrt(np.sum(self.weights**2)):.3g}, columns: {', '.join(self.columns)})"
        )

    @functools.cached_property
    def identity(self) -> NDArray[np.uint64]:
        """See the class."""
        return frozen(numbered(self.name, len(self))) if self._given is None else self._given

    @property
    def total(self) -> float:
        """Sum of weights: the expected number of events before any cut."""
        return float(np.sum(self.weights))

    @functools.cached_property
    def simulated(self) -> tuple[float, float]:
        """Sums of the absolute and of the squared weights before any cut."""
        return float(np.sum(np.abs(self.weights))), float(np.sum(self.weights**2))

    def column(self, name: str) -> FloatArray:
        """One column as floats of 64 bits, shape (event,).

        Raises:
            SampleError: there is no such column; the message lists those there are.
        """
        if name not in self.columns:
            raise SampleError(
                f"Sample {self.name!r} has no column {name!r}; its columns of {len(self)} rows are "
                f"{', '.join(self.columns) or '(none)'}."
            )
        return np.asarray(self.columns[name], dtype=np.float64)

    def varied(self, variation: Variation | None) -> tuple[Columns, FloatArray]:
        """Columns and weights under one side of a systematic uncertainty; the nominal ones for None."""
        if variation is None:
            return self.columns, self.weights
        columns = {**self.columns, **{name: np.asarray(values) for name, values in variation.columns.items()}}
        return columns, self.weights if variation.weights is None else np.asarray(variation.weights)

    def with_columns(self, columns: ColumnsLike, modifiers: Iterable[Modifier]) -> "Sample":
        """The same events with other columns and other systematic uncertainties."""
        return self._with(columns, self.weights, modifiers)

    def with_weights(self, weights: FloatArray, modifiers: Iterable[Modifier]) -> "Sample":
        """The same events with other weights, shape (event,), and other systematic uncertainties."""
        return self._with(dict(self.columns), weights, modifiers)

    def _with(self, columns: ColumnsLike, weights: FloatArray, modifiers: Iterable[Modifier]) -> "Sample":
        return Sample(
            self.name,
            columns,
            weights=weights,
            signal=self.signal,
            modifiers=modifiers,
            missing=self.missing,
            staterror=self.staterror,
            empty=self.empty,
            identity=self._given,
        )

    def take(self, events: NDArray[Any], *, scale: float = 1.0) -> "Sample":
        """Some of the events (indices or a mask, shape (event,)), all weights times `scale`.

        Raises:
            SampleError: no event is left.
        """
        return Sample(
            self.name,
            {name: values[events] for name, values in self.columns.items()},
            weights=self.weights[events] * scale,
            signal=self.signal,
            modifiers=[_scaled(modifier.take(events), scale) for modifier in self.modifiers],
            missing=self.missing,
            staterror=self.staterror,
            empty=self.empty,
            identity=self.identity[events],
        )

    def split(self, fraction: float, *, seed: int | np.random.Generator) -> tuple["Sample", "Sample"]:
        """Split at random into two samples that each stand for the whole yield.

        Args:
            fraction: fraction of events in the first part, between 0 and 1. Each event is in it with this probability.
            seed: seed, or a generator that one is drawn from. A part that is split again needs another one: the same
                would ask for the same random number of each event.

        Returns:
            Two samples; weights are scaled by the inverse fractions of events, so that both expect the same number
            of events as the whole.

        Raises:
            InputError: the fraction is not between 0 and 1, or a part would be empty.

        Example:
            >>> half, other = Sample("b", {"x": range(10)}).split(0.5, seed=1)
            >>> len(half) + len(other), half.total, other.total
            (10, 10.0, 10.0)
        """
        if not 0 < fraction < 1:
            raise InputError(f"Sample {self.name!r}: the fraction is {fraction}; expected one between 0 and 1.")
        second = below(numbers(states(as_seed(seed), SPLIT, self.identity), 0), 1.0 - fraction)
        return self.divided(~second)

    def divided(self, first: NDArray[np.bool_]) -> tuple["Sample", "Sample"]:
        """The events of a mask, shape (event,), and the others, each of which stand for the whole yield.

        Raises:
            InputError: one of the two would be empty.
        """
        size, count = len(self), int(np.count_nonzero(first))
        if not 0 < count < size:
            raise InputError(
                f"Sample {self.name!r}: splitting its {size} events leaves one part without events; choose another "
                "fraction or, also if they are part of a sample that was split, another seed."
            )
        return self.take(first, scale=size / count), self.take(~first, scale=size / (size - count))


def _scaled(modifier: Modifier, scale: float) -> Modifier:
    """The modifier for weights that were multiplied by `scale`."""
    if not isinstance(modifier, HistoSys) or scale == 1.0:
        return modifier
    sides = {
        side: dataclasses.replace(
            variation, weights=None if variation.weights is None else np.asarray(variation.weights) * scale
        )
        for side, variation in modifier.sides.items()
    }
    return modifier.with_sides(sides)


def check_empty(empty: str, sample: str) -> str:
    """What a background counts as without events, if it is one of the choices.

    Raises:
        SampleError: it is not.
    """
    if empty not in {REFUSED, LIMITED, IGNORED}:
        raise SampleError(f"Sample {sample!r}: empty is {empty!r}; expected {REFUSED!r}, {LIMITED!r} or {IGNORED!r}.")
    return empty


def check_modifiers(sample: str, modifiers: Iterable[Modifier]) -> None:
    """Check the modifiers of a sample.

    Raises:
        SampleError: one is none, or two of one type share a name.
    """
    seen: set[tuple[type, str]] = set()
    for modifier in modifiers:
        if not isinstance(modifier, Modifier):
            raise SampleError(f"Sample {sample!r}: {modifier!r} is not a modifier such as NormSys or HistoSys.")
        if (type(modifier), modifier.name) in seen:
            raise SampleError(f"Sample {sample!r}: two {type(modifier).__name__} are named {modifier.name!r}.")
        seen.add((type(modifier), modifier.name))


def check_samples(samples: Iterable[Any]) -> tuple[Sample, ...]:
    """Check a list of samples for use in one likelihood.

    Raises:
        SampleError: not samples, none at all, two of one name, no signal, or no background.
    """
    checked = tuple(samples)
    for sample in checked:
        if not isinstance(sample, Sample):
            only = getattr(sample, "only", "")
            raise SampleError(
                f"Expected hepcuts.Sample objects, got {type(sample).__name__}{f'; {only}' if only else ''}."
            )
    check_together(checked)
    return checked


def check_together(samples: Sequence[SignalOrNot]) -> None:
    """Check names and kinds of what is to be in one likelihood.

    Raises:
        SampleError: two of one name, no signal, or no background.
    """
    names = [sample.name for sample in samples]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise SampleError(f"Samples share the names {duplicates}; every sample needs its own name.")
    for what, count in (
        ("signal", sum(s.signal for s in samples)),
        ("background", sum(not s.signal for s in samples)),
    ):
        if count == 0:
            hint = "mark one with Sample(..., signal=True)" if what == "signal" else "add one with signal=False"
            raise SampleError(f"No {what} among the samples {names}; {hint}.")
