"""Systematic uncertainties of a sample.

Which modifier do I need?

- a normalization uncertainty of one sample (cross section, K factor): `NormSys`
- anything that moves events or reweights them (energy scale, pileup): `HistoSys`, filled through the same cuts
- an uncertainty of each bin on its own, given as a fraction of the yield: `ShapeSys`
- a normalization that the fit shall find (from a control region): `NormFactor`
- the luminosity: `Lumi`
- finite simulation: nothing; every sample gets a `staterror` unless it says ``staterror=False``

Names and meaning of the modifiers are HistFactory's :cite:p:`histfactory`.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.cells import Cells
from hepcuts._core.columns import Numbers, frozen, numbers, read_weights
from hepcuts._core.errors import HepcutsWarning, InputError
from hepcuts._core.histograms import Contents, is_histogram
from hepcuts._core.types import FloatArray, FloatLike


def check_name(value: str, what: str) -> str:
    """The name, if it is a string that is not empty.

    Raises:
        InputError: it is not.
    """
    if not str(value).strip() or not isinstance(value, str):
        raise InputError(f"The name of a {what} is {value!r}; expected a string that is not empty.")
    return value


def number(value: FloatLike, what: str, *, finite: bool = True) -> float:
    """The value as a float.

    Raises:
        InputError: it is not a number, or not finite; the message says what it was to be.
    """
    try:
        converted = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} is {value!r}; expected a number.") from error
    if finite and not np.isfinite(converted):
        raise InputError(f"{what} is {converted}; expected a finite number.")
    return converted


@dataclasses.dataclass(frozen=True)
class Modifier:
    """Abstract base of all systematic uncertainties: what a parameter of the likelihood does to one sample.

    Attributes:
        name: the parameter's name. Modifiers of equal name, in whatever samples, share one parameter.
    """

    name: str

    def __post_init__(self) -> None:
        check_name(self.name, "modifier")

    def specification(self, nominal: FloatArray, up: FloatArray, down: FloatArray) -> dict[str, Any]:
        """The modifier as pyhf writes it.

        Args:
            nominal: the sample's yields, shape (bin,).
            up: its yields with this modifier's up variation, shape (bin,); the nominal ones if it has none.
            down: likewise.
        """
        raise NotImplementedError

    def linear_uncertainty(self, nominal: Any, up: Any, down: Any) -> tuple[Any, Any, Any]:  # noqa: ARG002
        """Effect on the summed yield to first order, one standard deviation; arguments of shape (..., bin).

        Returns:
            The shifts at +1 and at -1 standard deviation, common to all samples and bins with this parameter, and the
            variance independent of any other, each of the leading shape. All are zero for a parameter without a prior.
        """
        return 0.0, 0.0, 0.0

    @property
    def variations(self) -> tuple["Variation", ...]:
        """What this modifier has events of its own for."""
        return ()

    def signature(self) -> tuple[Any, ...]:
        """What has to be equal for templates of two parts of the events to be added."""
        return type(self).__name__, *dataclasses.astuple(self)

    @property
    def expected(self) -> float:
        """Factor on the yield at the parameter's initial value."""
        return 1.0

    @property
    def has_parameter(self) -> bool:
        """Whether it is written into a workspace; what is only a part of another modifier is not."""
        return True

    def parameter(self) -> dict[str, Any] | None:
        """What the measurement has to say of the parameter, as pyhf writes it; None for pyhf's defaults."""
        return None

    def take(self, events: NDArray[Any]) -> "Modifier":  # noqa: ARG002 (used by modifiers that hold events)
        """The same modifier for some of the sample's events (indices or mask)."""
        return self

    def without_events(self) -> "Modifier":
        """The same modifier without the arrays of events that it may hold."""
        return self


_LIKE_A_FRACTION = 0.5
"""A factor below this is rarely meant where the other side lowers the yield, too."""


@dataclasses.dataclass(frozen=True)
class NormSys(Modifier):
    """Normalization uncertainty (HistFactory's ``normsys``): factors on the yield at plus and minus one sigma.

    Attributes:
        name: the parameter's name.
        up: factor at +1 standard deviation, positive.
        down: factor at -1 standard deviation, positive.

    Raises:
        InputError: a factor is not finite and positive.

    Warns:
        HepcutsWarning: both factors lower the yield, one of them below a half: it looks like a relative uncertainty.

    Example:
        >>> NormSys("ttbar_xsec", 1.1, 0.9)
        NormSys(name='ttbar_xsec', up=1.1, down=0.9)
    """

    up: float
    down: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("up", "down"):
            factor = number(getattr(self, side), f"NormSys {self.name!r}: the factor {side!r}")
            if factor <= 0:
                raise InputError(
                    f"NormSys {self.name!r}: the factor {side!r} is {factor}; expected a positive factor on the "
                    "yield, such as 1.1 for +10 %."
                )
            object.__setattr__(self, side, factor)
        if max(self.up, self.down) <= 1 and min(self.up, self.down) < _LIKE_A_FRACTION:
            warnings.warn(
                f"NormSys {self.name!r}: up = {self.up:g} and down = {self.down:g} are factors on the yield, and both "
                "make it smaller. For 10 % write up = 1.1, down = 0.9.",
                HepcutsWarning,
                stacklevel=3,
            )

    def linear_uncertainty(self, nominal: Any, up: Any, down: Any) -> tuple[Any, Any, Any]:  # noqa: ARG002
        """See `Modifier.linear_uncertainty`."""
        total = nominal.sum(-1)
        return (self.up - 1.0) * total, (self.down - 1.0) * total, 0.0

    def specification(self, nominal: FloatArray, up: FloatArray, down: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """See `Modifier.specification`."""
        return {"name": self.name, "type": "normsys", "data": {"hi": self.up, "lo": self.down}}


@dataclasses.dataclass(frozen=True, eq=False)
class Variation:
    """What one side of a `HistoSys` changes: some columns, the weights, or both.

    Attributes:
        columns: replacement values of some of the sample's columns, each of shape (event,).
        weights: replacement weights, shape (event,), or None to keep the nominal ones.
        histogram: of a sample that has no events (`hepcuts.Histogram`), which chooses one of its axes; or None.
    """

    columns: Mapping[str, Numbers] = dataclasses.field(default_factory=dict)
    weights: Numbers | None = None
    histogram: Contents | Cells | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.columns), self.weights, self.histogram)


_MIRRORED = "mirror"
_NOMINAL = "nominal"


@dataclasses.dataclass(frozen=True, eq=False)
class HistoSys(Modifier):
    """Shape and rate uncertainty (HistFactory's ``histosys``): events filled again, through the same cuts.

    A side is given as a mapping of replaced columns (``{"pt": pt_up}``), as an array of replaced weights, as a
    `Variation` with both, or, of a sample that is a `hepcuts.Histogram`, as a histogram. ``down`` may also be
    ``"mirror"`` (two times nominal minus up, bin by bin) or ``"nominal"`` (a one-sided uncertainty).

    Attributes:
        name: the parameter's name.
        up: the events at +1 standard deviation.
        down: the events at -1 standard deviation.

    Example:
        >>> jes = HistoSys("jes", up={"pt": [31.0, 52.0]}, down={"pt": [29.0, 48.0]})
        >>> jes.up.columns["pt"]
        array([31., 52.])
    """

    up: Variation
    down: Variation | str

    def __init__(
        self,
        name: str,
        *,
        up: Variation | Mapping[str, Numbers] | Numbers | Any,
        down: Variation | Mapping[str, Numbers] | Numbers | str | Any,
    ) -> None:
        object.__setattr__(self, "name", name)
        super().__post_init__()
        object.__setattr__(self, "up", self._side("up", up))
        object.__setattr__(self, "down", down if isinstance(down, str) else self._side("down", down))
        if isinstance(self.down, str) and self.down not in {_MIRRORED, _NOMINAL}:
            raise InputError(
                f"HistoSys {name!r}: down is {self.down!r}; expected varied columns or weights, "
                f"{_MIRRORED!r} or {_NOMINAL!r}."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew, so that its arrays are read-only again.
        return functools.partial(type(self), self.name, up=self.up, down=self.down), ()

    def _side(self, side: str, given: Variation | Mapping[str, Numbers] | Numbers) -> Variation:
        """Check one side; lengths are compared with the sample's when the sample is made."""
        where = f"HistoSys {self.name!r}, {side}"
        if isinstance(given, str):
            raise InputError(
                f"{where}: is {given!r}; expected varied columns ({{'pt': pt_{side}}}) or an array of varied weights."
            )
        if isinstance(given, Variation) and given.histogram is not None:
            return given
        if is_histogram(given):
            return Variation(histogram=Cells.of(given, where))
        if isinstance(given, Mapping):
            given = Variation(columns=given)
        elif not isinstance(given, Variation):
            given = Variation(weights=given)
        if not given.columns and given.weights is None:
            raise InputError(f"{where}: changes nothing; expected at least one varied column or varied weights.")
        # The rest is checked by the sample, which knows what it holds and which value stands for a missing one.
        try:
            columns = {column: frozen(numbers(values)) for column, values in given.columns.items()}
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: a column cannot be read as numbers ({error}).") from error
        weights = None if given.weights is None else read_weights(given.weights, sample=where)
        return Variation(MappingProxyType(columns), weights)

    def linear_uncertainty(self, nominal: Any, up: Any, down: Any) -> tuple[Any, Any, Any]:
        """See `Modifier.linear_uncertainty`."""
        return (up - nominal).sum(-1), (down - nominal).sum(-1), 0.0

    def specification(self, nominal: FloatArray, up: FloatArray, down: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """See `Modifier.specification`."""
        return {"name": self.name, "type": "histosys", "data": {"hi_data": up.tolist(), "lo_data": down.tolist()}}

    def take(self, events: NDArray[Any]) -> "HistoSys":
        """See `Modifier.take`."""

        def cut(side: Variation) -> Variation:
            weights = None if side.weights is None else np.asarray(side.weights)[events]
            return Variation({name: np.asarray(values)[events] for name, values in side.columns.items()}, weights)

        down = self.down if isinstance(self.down, str) else cut(self.down)
        return type(self)(self.name, up=cut(self.up), down=down)

    @property
    def variations(self) -> tuple[Variation, ...]:
        """See `Modifier.variations`."""
        return tuple(self.sides.values())

    @property
    def sides(self) -> dict[str, Variation]:
        """The sides that have events of their own: ``up``, and ``down`` unless mirrored or nominal."""
        return {"up": self.up} | ({} if isinstance(self.down, str) else {"down": self.down})

    def signature(self) -> tuple[Any, ...]:
        """See `Modifier.signature`."""
        return type(self).__name__, self.name, self.down if isinstance(self.down, str) else "events"

    def completed_down(self, nominal: Any, up: Any) -> Any:
        """Template of a down side that has no events of its own."""
        return 2.0 * nominal - up if self.down == _MIRRORED else nominal

    def completed(self, side: str, nominal: Any, up_of: Callable[[str], Any]) -> Any:  # noqa: ARG002 (see Envelope)
        """Template of a side that has no events of its own.

        Args:
            side: ``"up"`` or ``"down"``.
            nominal: the sample's yields, shape (..., bin).
            up_of: name of a systematic of the sample to its up side, likewise.
        """
        return self.completed_down(nominal, up_of(self.name))

    def with_sides(self, sides: Mapping[str, Variation | Mapping[str, Numbers]]) -> "HistoSys":
        """The same uncertainty with other events on its `sides`."""
        return type(self)(self.name, up=sides["up"], down=sides.get("down", self.down))

    def without_events(self) -> "HistoSys":
        """See `Modifier.without_events`."""
        return self.with_sides({side: Variation(weights=[1.0]) for side in self.sides})


@dataclasses.dataclass(frozen=True)
class ShapeSys(Modifier):
    """Uncorrelated uncertainty of each bin (HistFactory's ``shapesys``), as a fraction of the yield.

    Attributes:
        name: the parameter's name; pyhf wants it to differ between samples and channels.
        relative: relative uncertainty (one standard deviation over yield), one number or shape (bin,).

    Raises:
        InputError: negative or not finite.

    Example:
        >>> ShapeSys("fakes_closure", 0.3).relative
        (0.3,)
    """

    relative: tuple[float, ...]

    def __init__(self, name: str, relative: FloatLike | Sequence[FloatLike]) -> None:
        object.__setattr__(self, "name", name)
        super().__post_init__()
        try:
            values = np.atleast_1d(numbers(relative))
        except (TypeError, ValueError):
            values = np.array([np.nan])
        if values.ndim != 1 or not np.all(np.isfinite(values)) or np.any(values < 0):
            raise InputError(
                f"ShapeSys {name!r}: relative is {relative!r}; expected finite numbers that are not negative, "
                "such as 0.1 for 10 %, one for all bins or one per bin."
            )
        object.__setattr__(self, "relative", tuple(values.tolist()))

    def uncertainties(self, nominal: Any) -> Any:
        """Absolute uncertainties, shape (bin,), of yields of shape (bin,).

        Raises:
            InputError: the number of relative uncertainties is neither one nor the number of bins.
        """
        if len(self.relative) not in {1, nominal.shape[-1]}:
            raise InputError(
                f"ShapeSys {self.name!r}: has {len(self.relative)} relative uncertainties for {nominal.shape[-1]} "
                "bins; expected one for all bins or one per bin."
            )
        return np.asarray(self.relative) * nominal

    def linear_uncertainty(self, nominal: Any, up: Any, down: Any) -> tuple[Any, Any, Any]:  # noqa: ARG002
        """See `Modifier.linear_uncertainty`."""
        return 0.0, 0.0, (self.uncertainties(nominal) ** 2).sum(-1)

    def specification(self, nominal: FloatArray, up: FloatArray, down: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """See `Modifier.specification`."""
        return {"name": self.name, "type": "shapesys", "data": np.abs(self.uncertainties(nominal)).tolist()}


@dataclasses.dataclass(frozen=True)
class NormFactor(Modifier):
    """Free normalization (HistFactory's ``normfactor``), found by the fit.

    Attributes:
        name: the parameter's name.
        bounds: lower and upper bound.
        init: value before the fit and in the Asimov dataset, within the bounds.
        fixed: whether the fit leaves it where it is.

    Raises:
        InputError: a number is not finite, the bounds are out of order, or the initial value is not within them.

    Example:
        >>> NormFactor("k_ttbar", bounds=(0.0, 5.0)).parameter()
        {'name': 'k_ttbar', 'inits': [1.0], 'bounds': [[0.0, 5.0]], 'fixed': False}
    """

    bounds: tuple[float, float] = (0.0, 10.0)
    init: float = 1.0
    fixed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"NormFactor {self.name!r}"
        if not isinstance(self.bounds, Sequence) or len(self.bounds) != 2:  # type: ignore[redundant-expr]
            raise InputError(f"{where}: bounds are {self.bounds!r}; expected (low, high).")
        low, high = (number(bound, f"{where}: a bound") for bound in self.bounds)
        init = number(self.init, f"{where}: init")
        if not low < high:
            raise InputError(f"{where}: bounds are {self.bounds}; expected (low, high), low < high.")
        if not low <= init <= high:
            raise InputError(f"{where}: init {init} lies outside the bounds {self.bounds}; choose one within.")
        object.__setattr__(self, "bounds", (low, high))
        object.__setattr__(self, "init", init)

    @property
    def expected(self) -> float:
        """See `Modifier.expected`."""
        return self.init

    def specification(self, nominal: FloatArray, up: FloatArray, down: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """See `Modifier.specification`."""
        return {"name": self.name, "type": "normfactor", "data": None}

    def parameter(self) -> dict[str, Any]:
        """See `Modifier.parameter`."""
        return {
            "name": self.name,
            "inits": [self.init],
            "bounds": [[*self.bounds]],
            "fixed": self.fixed,
        }


@dataclasses.dataclass(frozen=True)
class Lumi(Modifier):
    """Luminosity uncertainty (HistFactory's ``lumi``): one factor, 1 +- `relative`, on every sample that has it.

    Attributes:
        relative: relative uncertainty of the luminosity, positive.
        name: ``"lumi"``, the only name that pyhf's schema knows.

    Raises:
        InputError: not finite and positive.

    Example:
        >>> Lumi(0.02).parameter()["sigmas"]
        [0.02]
    """

    relative: float

    def __init__(self, relative: FloatLike, *, name: str = "lumi") -> None:
        if name != "lumi":
            raise InputError(
                f"Lumi is named {name!r}; pyhf's schema knows one luminosity, 'lumi'. Use NormSys for more."
            )
        object.__setattr__(self, "name", name)
        value = number(relative, "Lumi: the relative uncertainty")
        if value <= 0:
            raise InputError(f"Lumi: the relative uncertainty is {value}; expected a positive number.")
        object.__setattr__(self, "relative", value)

    def linear_uncertainty(self, nominal: Any, up: Any, down: Any) -> tuple[Any, Any, Any]:  # noqa: ARG002
        """See `Modifier.linear_uncertainty`."""
        shift = self.relative * nominal.sum(-1)
        return shift, -shift, 0.0

    def specification(self, nominal: FloatArray, up: FloatArray, down: FloatArray) -> dict[str, Any]:  # noqa: ARG002
        """See `Modifier.specification`."""
        return {"name": self.name, "type": "lumi", "data": None}

    def parameter(self) -> dict[str, Any]:
        """See `Modifier.parameter`."""
        # Ten standard deviations to each side, but never below zero, where there is no luminosity.
        low, high = max(0.0, 1.0 - 10.0 * self.relative), 1.0 + 10.0 * self.relative
        return {
            "name": self.name,
            "auxdata": [1.0],
            "sigmas": [self.relative],
            "inits": [1.0],
            "bounds": [[low, high]],
            "fixed": False,
        }
