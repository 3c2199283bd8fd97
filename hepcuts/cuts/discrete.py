"""A cut on a variable of few values: equal to one of some numbers, or to none of them."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray, FloatLike

from .checks import check_cut, maybe_float, shown
from .expressions import Clauses
from .languages import Condition
from .parsing import Compared
from .selection import AbstractCut

_OPERATORS = ("==", "!=")


@dataclasses.dataclass(frozen=True)
class OneOf(AbstractCut):
    """Keep events whose variable, of whole numbers, is one of some values, or none of them.

    There is no threshold to move: such a cut can be filled and evaluated. To scan or to optimize others, put it into
    the preselection, or take the events that pass it (`hepcuts.samples.derived.passing`).

    Args:
        variable: the column that is cut on.
        values: a whole number, or several.
        excluded: whether to keep the others instead. An event without a value is none of them.
        missing: see `AbstractCut`.

    Raises:
        InputError: no values, or one that is no whole number.

    Example:
        >>> print(OneOf("njet", {3, 2}) & OneOf("charge", 0, excluded=True))
        njet in {2, 3} & charge != 0
        >>> OneOf("njet", {2, 3}).mask([1, 2, 4])
        array([False,  True, False])
    """

    bounds: tuple[float, float] | None = dataclasses.field(init=False, default=None)
    width: float | None = dataclasses.field(init=False, default=None)
    values: tuple[float, ...]
    excluded: bool

    def __init__(
        self,
        variable: str,
        values: Iterable[FloatLike] | FloatLike,
        *,
        excluded: bool = False,
        missing: Literal["fail", "pass"] = "fail",
    ) -> None:
        given = [values] if np.ndim(values) == 0 and not isinstance(values, Iterable) else list(values)  # type: ignore[arg-type]
        numbers = [maybe_float(value, f"Cut on {variable!r}: a value") for value in given]
        for number in numbers:
            if number is None or number != np.floor(number) or not np.isfinite(number):
                raise InputError(
                    f"Cut on {variable!r}: the value {number} is no whole number, and of fractions hardly one is equal "
                    "to another; take a window around it."
                )
        if not numbers:
            raise InputError(f"Cut on {variable!r}: no value came; expected one whole number or several.")
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "values", tuple(sorted({number for number in numbers if number is not None})))
        object.__setattr__(self, "excluded", bool(excluded))
        object.__setattr__(self, "missing", missing)
        check_cut(self)

    @property
    def thresholds(self) -> tuple[float | None, ...]:
        """See `AbstractCut.thresholds`: none."""
        return ()

    @property
    def signs(self) -> tuple[int, ...]:
        """See `AbstractCut.signs`: none."""
        return ()

    @property
    def suffixes(self) -> tuple[str, ...]:
        """See `AbstractCut.suffixes`: none."""
        return ()

    @classmethod
    def of_comparison(cls, comparison: Compared) -> "OneOf | None":
        """See `AbstractCut.of_comparison`."""
        operators = {operator for operator, _ in comparison.sides}
        if len(operators) != 1 or not operators <= set(_OPERATORS):
            return None
        numbers = [number for _, number in comparison.sides if number is not None]
        if len(numbers) < len(comparison.sides):
            raise InputError(
                f"{comparison.variable} {operators.pop()} ?: only thresholds are searched for, not values."
            )
        return cls(comparison.variable, numbers, excluded=operators == {"!="})

    def edges(self) -> None:
        """See `AbstractCut.edges`: there is nothing soft about it.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"The cut {self} has no threshold to scan or to optimize, and no soft reading. Put it into the "
            "preselection, or take the events that pass it: hepcuts.samples.derived.passing(sample, selection)."
        )

    def at(self, thresholds: Sequence[float]) -> "OneOf":  # noqa: ARG002 (there are none)
        """See `AbstractCut.at`: the cut itself."""
        return self

    def value(self, thresholds: Sequence[float]) -> tuple[float, ...]:  # noqa: ARG002 (there are none)
        """See `AbstractCut.value`: none."""
        return ()

    def compare(self, thresholds: Sequence[float], *values: FloatArray) -> NDArray[np.bool_]:  # noqa: ARG002
        """See `AbstractCut.compare`."""
        return np.isin(values[0], self.values, invert=self.excluded)

    def clauses(self) -> Clauses:
        """See `AbstractCut.clauses`."""
        if self.excluded:
            return (tuple(Condition(self.variable, "!=", value) for value in self.values),)
        return tuple((Condition(self.variable, "==", value),) for value in self.values)

    def __str__(self) -> str:
        texts = [shown(value) for value in self.values]
        if len(texts) == 1:
            return f"{self.variable} {_OPERATORS[self.excluded]} {texts[0]}"
        return f"{self.variable} {'not in' if self.excluded else 'in'} {{{', '.join(texts)}}}"
