"""From any selection to the best one in rounds: classify with a weighted background, then ask for the next weight.

The signal that is needed for a given significance is a concave function of the background, for all figures of merit
with a condition (`hepcuts.merit.conditions`). So a selection that classifies best with the weight that the last one
asks for lies on or above the tangent of the last one's curve of constant significance, and this above the curve: no
round is worse than the one before. This is the minorize-maximize scheme of L. Mackey, J. Bryan and M. Y. Mo, "Weighted
classification cascades for optimizing discovery significance in the HiggsML challenge", PMLR 42 (2015) 129.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame

from .conditions import Condition
from .figures import AbstractFigureOfMerit
from .stationarity import StationarityOfYields


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The selection that classifies best with a weight.

    Attributes:
        threshold: its cut.
        signal: expected signal after it.
        background: expected background after it.
        value: the figure of merit.
        asked: the weight of the background that the figure of merit asks for there.
    """

    threshold: float
    signal: float
    background: float
    value: float
    asked: float


@dataclasses.dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        background_weight: what an accepted background event counted, in units of a missed signal event.
        posterior_threshold: the same as a cut on a calibrated posterior, `kappa / (1 + kappa)`.
        threshold: the cut that classifies best with it.
        signal: expected signal after that cut.
        background: expected background after it.
        value: the figure of merit.
    """

    background_weight: float
    posterior_threshold: float
    threshold: float
    signal: float
    background: float
    value: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Rounds(Tabular):
    """The way to the best cut.

    Attributes:
        objective: name of the figure of merit.
        rounds: all of them, at least one.
        converged: whether another round would change nothing.
        message: why they ended.
    """

    objective: str
    rounds: Sequence[Round]
    converged: bool
    message: str

    @property
    def last(self) -> Round:
        """The last round, and the best."""
        return self.rounds[-1]

    @property
    def threshold(self) -> float:
        """The cut of the last round."""
        return self.last.threshold

    @property
    def background_weight(self) -> float:
        """The weight that chose it."""
        return self.last.background_weight

    @property
    def posterior_threshold(self) -> float:
        """The same as a cut on a calibrated posterior."""
        return self.last.posterior_threshold

    @property
    def value(self) -> float:
        """The figure of merit there."""
        return self.last.value

    def overview(self) -> SummaryTable:
        """One row for each round."""
        rows = [
            (
                str(number),
                f"{one.background_weight:.4g}",
                f"{one.posterior_threshold:.4g}",
                f"{one.threshold:.6g}",
                f"{one.signal:.4g}",
                f"{one.background:.4g}",
                f"{one.value:.5g}",
            )
            for number, one in enumerate(self.rounds, 1)
        ]
        head = ("round", "weight", "posterior >", "cut", "signal", "background", self.objective)
        return SummaryTable("Rounds to the best cut", rows, head, foot=(self.message,))

    def to_dataframe(self) -> DataFrame:
        """One row for each round."""
        return data_frame([dataclasses.asdict(one) for one in self.rounds])


def condition_of(figure: AbstractFigureOfMerit) -> Condition:
    """The weight of the background that a figure of merit asks for, as a function of `r`, `k` and `systematic`.

    Raises:
        InputError: none is known.
    """
    known = figure.stationarity
    if isinstance(known, StationarityOfYields) and known.condition is not None:
        return known.condition
    raise InputError(
        f"The weight of the background is known of closed forms only, and not of {figure.name!r}; choose 'asimov', "
        "'asimov_uncertainty', 's_over_sqrt_b', 's_over_sqrt_s_plus_b' or 's_over_sqrt_b_plus_variance'."
    )


def climb(
    choose: Callable[[float], Chosen | None],
    starts: Sequence[float],
    *,
    objective: str,
    max_rounds: int,
    tolerance: float = 0.0,
) -> Rounds:
    """The best of the climbs from several weights; the first of those that are equal.

    Args:
        choose: the selection that classifies best with a weight; None if there is nothing in it.
        starts: weights of the background.
        objective: name of the figure of merit.
        max_rounds: of each climb.
        tolerance: relative change of the weight at which a climb has converged.

    Raises:
        InputError: no start leaves anything.
    """
    climbs = [_climb(choose, start, objective, max_rounds, tolerance) for start in dict.fromkeys(starts)]
    found = [climbed for climbed in climbs if climbed is not None]
    if not found:
        weights = ", ".join(f"{start:.4g}" for start in starts)
        raise InputError(
            f"Nothing is kept by the best classification with background weights of {weights}; start from less."
        )
    return max(found, key=lambda climbed: climbed.value)


def _climb(
    choose: Callable[[float], Chosen | None], weight: float, objective: str, max_rounds: int, tolerance: float
) -> Rounds | None:
    rounds: list[Round] = []
    for _ in range(max_rounds):
        chosen = choose(weight)
        if chosen is None or not np.isfinite(chosen.value):
            return Rounds(objective, rounds, False, "the next round would keep nothing") if rounds else None
        one = Round(weight, weight / (1.0 + weight), chosen.threshold, chosen.signal, chosen.background, chosen.value)
        same = bool(rounds) and one.threshold == rounds[-1].threshold
        rounds.append(one)
        if same or abs(chosen.asked - weight) <= tolerance * weight:
            return Rounds(objective, rounds, True, "another round changes nothing")
        weight = chosen.asked
    return Rounds(objective, rounds, False, f"the cut still moves after {max_rounds} rounds; allow more")
