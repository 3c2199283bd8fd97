"""Samples that are histograms already: bins with sums of weights and of squared weights in place of events."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hepcuts._core.cells import Cells
from hepcuts._core.errors import InputError, SampleError
from hepcuts._core.histograms import Contents, is_histogram
from hepcuts._core.types import FloatArray

from .modifiers import HistoSys, Modifier, Variation, check_name
from .sample import REFUSED, Sample, check_empty, check_modifiers, check_samples, check_together
from .staterror import StatError
from .staterror import checked as staterror_of


@dataclasses.dataclass(frozen=True, eq=False)
class Histogram:
    """A sample of which only a histogram of one variable is at hand, such as that of a discriminant.

    `hepcuts.scan` takes the edges of its bins as thresholds, `hepcuts.fill` and `hepcuts.cutflow` cut at them, and
    `hepcuts.workspace` fits all bins. What lies beyond the outermost edges is counted where a cut keeps it. What needs
    single events (held-out parts, searches with soft cuts, cuts on other variables) is not possible. An event that
    stands exactly on an edge is in the upper bin.

    Attributes:
        name: the sample's name in the likelihood and in figures.
        contents: the bins.
        variable: what the histogram is of.
        signal: whether the parameter of interest scales this sample.
        modifiers: its systematic uncertainties; both sides of a `hepcuts.HistoSys` are histograms of the same bins, and
            of several axes if the sample is.
        staterror: see `hepcuts.Sample`.
        empty: see `hepcuts.Sample`.

    Args:
        name: see above.
        histogram: with variances: of hist, boost_histogram, uproot (TH1, TH2, TH3), or any with their protocol.
        variable: see above; None for the name of the axis.
        axis: which one, of a histogram of several: its name, its title, its number from 0, or, of those without a name
            (ROOT), ``"x"``, ``"y"`` or ``"z"``. The others are summed with what lies beyond their edges. None for the
            only one, or for the one that is named as the variable.
        signal: see above.
        modifiers: see above.
        staterror: see above.
        empty: see above.

    Raises:
        InputError: not a histogram that can be read, no name of the variable, no such axis, or another one with
            categories, of which one has to be chosen first (``h[{"dataset": "ttbar"}]``, `histograms_of`).
        SampleError: variations with other bins, or that are not histograms; modifiers of one name; all bins empty.

    Example:
        >>> import hist
        >>> axis = hist.axis.Regular(4, 0, 1, name="bdt")
        >>> filled, shifted = (hist.Hist(axis, storage="weight").fill(x) for x in ([0.1, 0.6, 0.9], [0.2, 0.8, 0.9]))
        >>> Histogram("ttbar", filled, modifiers=[HistoSys("jes", up=shifted, down="mirror")])
        Histogram('ttbar', background, 4 bins of bdt, yield 3 +- 1.73)
    """

    name: str
    contents: Contents
    variable: str
    signal: bool
    modifiers: tuple[Modifier, ...]
    staterror: StatError
    empty: str

    def __init__(
        self,
        name: str,
        histogram: Any,
        *,
        variable: str | None = None,
        axis: str | int | None = None,
        signal: bool = False,
        modifiers: Iterable[Modifier] | Modifier = (),
        staterror: bool | StatError = True,
        empty: str = REFUSED,
    ) -> None:
        check_name(name, "sample")
        contents = _along(histogram, axis, variable, f"Sample {name!r}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "contents", contents)
        object.__setattr__(self, "variable", contents.name if variable is None else variable)
        object.__setattr__(self, "signal", bool(signal))
        given = (modifiers,) if isinstance(modifiers, Modifier) else tuple(modifiers)
        check_modifiers(name, given)
        object.__setattr__(self, "modifiers", tuple(self._along(modifier, axis) for modifier in given))
        object.__setattr__(self, "staterror", staterror_of(staterror, name))
        object.__setattr__(self, "empty", check_empty(empty, name))
        if not self.variable:
            raise InputError(f"Sample {name!r}: the axis has no name; say what it is of: variable='bdt'.")
        if not np.any(contents.values):
            raise SampleError(f"Sample {name!r}: all {len(self)} bins are empty; the sample has no yield.")

    def _along(self, modifier: Modifier, axis: str | int | None) -> Modifier:
        """A modifier, whose histograms have the axis of the sample."""
        if not isinstance(modifier, HistoSys):
            return modifier
        sides = {}
        for side, variation in modifier.sides.items():
            where = f"Sample {self.name!r}: HistoSys {modifier.name!r}, {side}"
            if variation.histogram is None:
                raise SampleError(f"{where}: came as columns or weights of events; expected a histogram.")
            contents = _along(variation.histogram, axis, self.variable, where)
            if not contents.same_bins(self.contents):
                raise SampleError(f"{where}: has other bins than the nominal histogram; they have to be the same.")
            sides[side] = Variation(histogram=contents)
        return modifier.with_sides(sides)

    only = "a histogram can be scanned, filled, evaluated and written as a workspace, and nothing else"
    """What is said where events are needed."""

    def __len__(self) -> int:
        return len(self.contents.edges) - 1

    def __repr__(self) -> str:
        kind = "signal" if self.signal else "background"
        return (
            f"Histogram({self.name!r}, {kind}, {len(self)} bins of {self.variable}, yield {self.total:.4g} +- "
            f"{np.sqrt(np.sum(self.contents.variances)):.3g})"
        )

    @property
    def weights(self) -> FloatArray:
        """Sums of weights, shape (bin + 2,); see `hepcuts._core.histograms.Contents`."""
        return self.contents.values

    @property
    def total(self) -> float:
        """Expected number of events before any cut."""
        return float(np.sum(self.weights))

    @property
    def simulated(self) -> tuple[float, float]:
        """Sums of the absolute and of the squared weights before any cut.

        The former is too small where a bin holds negative weights among others: one event then seems to weigh more.
        """
        return float(np.sum(np.abs(self.weights))), float(np.sum(self.contents.variances))


def _along(given: Any, axis: str | int | None, variable: str | None, what: str) -> Contents:
    """What is in the bins of one axis, of a histogram, of one that has been read, or of one that has one axis only."""
    if isinstance(given, Contents):
        return given
    return (given if isinstance(given, Cells) else Cells.of(given, what)).along(axis, what, variable=variable)


def are_histograms(samples: Sequence[Any]) -> bool:
    """Whether some samples are histograms."""
    return any(isinstance(sample, Histogram) for sample in samples)


def check_histograms(samples: Iterable[Any]) -> tuple[Histogram, ...]:
    """Check a list of histograms for use in one likelihood.

    Raises:
        SampleError: see `of_same_bins`, and `hepcuts.samples.sample.check_samples`.
    """
    checked = of_same_bins(tuple(samples))
    check_together(checked)
    return checked


def check_any(samples: Iterable[Any]) -> "tuple[Sample, ...] | tuple[Histogram, ...]":
    """Samples for one likelihood, all of events or all of bins; see `check_samples` and `check_histograms`."""
    given = tuple(samples)
    return check_histograms(given) if are_histograms(given) else check_samples(given)


def of_same_bins(samples: Sequence[Any], variable: str | None = None) -> tuple[Histogram, ...]:
    """Histograms of the same variable in the same bins.

    Args:
        samples: at least one.
        variable: the variable; None for that of the first.

    Raises:
        SampleError: they are not.
    """
    for one in samples:
        if not isinstance(one, Histogram):
            raise SampleError(f"Expected hepcuts.Histogram objects only, got {type(one).__name__} among them.")
        first = samples[0]
        if one.variable != (variable or first.variable) or not one.contents.same_bins(first.contents):
            raise SampleError(
                f"Sample {one.name!r} is a histogram of {one.variable} in {len(one)} bins; expected one of "
                f"{variable or first.variable} in the {len(first)} bins of {first.name!r}."
            )
    return tuple(samples)


_SIDE = re.compile(r"(?P<name>.+?)_?(?P<side>up|down)", re.IGNORECASE)


def histograms_of(
    given: Any,
    *,
    signal: str | Iterable[str],
    sample: str = "dataset",
    variation: str = "systematic",
    modifiers: Mapping[str, Iterable[Modifier]] | None = None,
    **options: Any,
) -> tuple[Histogram, ...]:
    """Samples from one histogram with an axis of samples, and perhaps one of variations, or from a mapping of such.

    That is what coffea's processors return. A variation is named ``jes_up``, ``jesUp`` or the like, its other side
    likewise; one without another side is mirrored. Any other category of the variations is the nominal one.

    Args:
        given: a histogram of hist with an axis of text named `sample`, or a mapping from sample to histograms, which
            have the axis that is cut on and perhaps the one named `variation`.
        signal: names of the signals.
        sample: name of the axis of samples.
        variation: name of the axis of variations.
        modifiers: further systematic uncertainties of each sample, by its name.
        options: of `Histogram`, the same for all, such as ``axis="bdt"`` where there are further axes.

    Raises:
        InputError: no such samples, or as `Histogram`.

    Example:
        >>> import hist
        >>> filled = hist.Hist(
        ...     hist.axis.StrCategory(["hh", "ttbar"], name="dataset"),
        ...     hist.axis.StrCategory(["nominal", "jesUp", "jesDown"], name="systematic"),
        ...     hist.axis.Regular(4, 0, 1, name="bdt"),
        ...     storage="weight",
        ... )
        >>> for shift, name in ((0.0, "nominal"), (0.1, "jesUp"), (-0.1, "jesDown")):
        ...     _ = filled.fill(dataset="hh", systematic=name, bdt=[0.7 + shift])
        ...     _ = filled.fill(dataset="ttbar", systematic=name, bdt=[0.2 + shift, 0.6 + shift])
        >>> histograms_of(filled, signal="hh")
        (Histogram('hh', signal, 4 bins of bdt, yield 1 +- 1), Histogram('ttbar', background, 4 bins of bdt, \
yield 2 +- 1.41))
    """
    each = dict(given) if isinstance(given, Mapping) else _split(given, sample, "samples")
    signals, more = {signal} if isinstance(signal, str) else set(signal), modifiers or {}
    if unknown := sorted((signals | set(more)) - set(each)):
        raise InputError(f"There is no sample {', '.join(unknown)}; there are {', '.join(each)}.")
    found = []
    for name, one in each.items():
        varied = _split(one, variation, "variations") if variation in _names(one) else {"": one}
        sides = {text: match for text in varied if (match := _SIDE.fullmatch(text))}
        nominal = [text for text in varied if text not in sides]
        if len(nominal) != 1:
            raise InputError(f"Sample {name!r}: of the variations {', '.join(varied)} expected one without up or down.")
        own = [*_systematics(sides, varied), *more.get(name, ())]
        found.append(Histogram(name, varied[nominal[0]], signal=name in signals, modifiers=own, **options))
    return tuple(found)


def _names(given: Any) -> list[str]:
    if not is_histogram(given):
        raise InputError(f"Histograms came as {type(given).__name__}; expected one of hist, or a mapping of them.")
    return [str(getattr(axis, "name", "")) for axis in given.axes]


def _split(given: Any, axis: str, what: str) -> dict[str, Any]:
    if axis not in (names := _names(given)):
        raise InputError(f"The histogram has no axis {axis!r} of {what}; it has {', '.join(names)}.")
    return {str(name): given[{axis: name}] for name in given.axes[names.index(axis)]}


def _systematics(sides: Mapping[str, re.Match[str]], varied: Mapping[str, Any]) -> list[HistoSys]:
    pairs: dict[str, dict[str, Any]] = {}
    for text, match in sides.items():
        pairs.setdefault(match["name"], {})[match["side"].lower()] = varied[text]
    if alone := [name for name, both in pairs.items() if "up" not in both]:
        raise InputError(f"There is a down side of {', '.join(alone)}, but no up side.")
    return [HistoSys(name, up=both["up"], down=both.get("down", "mirror")) for name, both in pairs.items()]
