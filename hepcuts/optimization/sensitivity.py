"""How much each threshold matters where a search ended: plateaus, curvature, and what is undetermined.

Along each threshold, the others where they are, the exact objective of hard cuts is looked at: where is it within 1 %
of its value, and where is its loss no larger than the loss's own statistical uncertainty? A *plateau* of the first kind
is for the eye; of the second for what the simulated events can tell. All thresholds together are looked at through the
curvature of the soft objective: its eigen-directions tell which combinations of thresholds the events determine and
which they leave free, as where one of two correlated variables could be cut on as well as the other.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts._core.types import FloatArray
from hepcuts.optimization.soft.compilation import as_yields
from hepcuts.optimization.soft.lines import Line
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.uncertainties import hidden


@dataclasses.dataclass(frozen=True)
class PlateauSearch:
    """How plateaus and curvature are looked for; chosen by hand, so that less than 60 thresholds are tried in all.

    Attributes:
        parts: of equal share of the events, into which thresholds are first divided.
        rounds: how often the part in which a plateau ends is looked at closer.
        closer: thresholds in it each time.
        difference: step of the differences of gradients, in widths of the soft cut.
    """

    parts: int = 16
    rounds: int = 2
    closer: int = 5
    difference: float = 0.01


DEFAULT_PLATEAU_SEARCH = PlateauSearch()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Tabular):
    """How much each threshold matters.

    Attributes:
        names: of the thresholds.
        thresholds: as they are quoted, shape (threshold,).
        plateau: smallest and largest threshold, the others where they are, up to which the objective of hard cuts is
            within a fraction of its value, shape (threshold, 2). Infinite where all that passes the other cuts may
            pass; NaN for a loss of single events, of which only the curvature is known.
        statistical_plateau: likewise the outermost thresholds at which the objective's loss is not larger than its
            own standard deviation. Between them there may be worse ones: from event to event it fluctuates. That is no
            confidence set: the loss is against the best of these events.
        given_up: whether a threshold rejects nothing that passes the others, shape (threshold,).
        fraction: that of `plateau`.
        value: the objective of hard cuts, or of the soft ones for a loss of single events.
        hessian: second derivatives of the soft objective with its penalties, as the search saw it, to the thresholds
            in the coordinates of the search (normal scores, or spreads where a width was given), shape
            (threshold, threshold).
        directions: orthogonal combinations of thresholds, in the same coordinates, the least determined first, shape
            (direction, threshold). Thresholds that are fixed or given up have no part in them.
        curvatures: by how much the objective falls, to second order, is half of this times the square of the distance
            along a direction; negative if it rises, shape (direction,).
        far: how far, in the coordinates, a direction goes at little loss if it is undetermined: by default half a
            standard deviation of normal scores; chosen by hand.
    """

    names: tuple[str, ...]
    thresholds: FloatArray
    plateau: FloatArray
    statistical_plateau: FloatArray
    given_up: NDArray[np.bool_]
    fraction: float
    value: float
    hessian: FloatArray
    directions: FloatArray
    curvatures: FloatArray
    far: float = 0.5

    @property
    def reach(self) -> FloatArray:
        """How far along each direction the objective falls by `fraction`, to second order, shape (direction,)."""
        falls = self.curvatures > 0
        distance = np.sqrt(2.0 * self.fraction * abs(self.value) / np.where(falls, self.curvatures, 1.0))
        return np.where(falls, distance, np.inf)

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Combinations of thresholds that may change by half a standard deviation at little loss, in words."""
        return tuple(self._in_words(k) for k in np.flatnonzero(self.reach > self.far).tolist())

    def _in_words(self, direction: int) -> str:
        parts = self.directions[direction]
        large = np.argsort(-np.abs(parts), kind="stable")
        large = large[np.abs(parts[large]) > 0.3]
        if len(large) == 1:
            return self.names[int(large[0])]
        sign = np.sign(parts[large[0]])
        terms = [f"{'-' if sign * parts[k] < 0 else '+'} {abs(parts[k]):.2f} {self.names[k]}" for k in large]
        return " ".join(terms).removeprefix("+ ")

    def described(self) -> dict[str, str]:
        """What is known of each threshold, in words."""
        return {
            name: ", ".join(
                filter(None, [f"{threshold}; within {self.fraction:.0%} {plateau}", f"within 1 sigma {same}", up])
            )
            for name, threshold, plateau, same, up in self._cells()
        }

    def to_dataframe(self) -> DataFrame:
        """A data frame with one row for each threshold."""
        columns = {
            "threshold": self.thresholds,
            "plateau_low": self.plateau[:, 0],
            "plateau_high": self.plateau[:, 1],
            "statistical_plateau_low": self.statistical_plateau[:, 0],
            "statistical_plateau_high": self.statistical_plateau[:, 1],
            "curvature": np.diagonal(self.hessian),
            "given_up": self.given_up,
        }
        return data_frame(columns, index=self.names, name="name")

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (name, f"{t:.5g}", _range(p), _range(s), "given up" if g else "")
            for name, t, p, s, g in zip(
                self.names, self.thresholds, self.plateau, self.statistical_plateau, self.given_up, strict=True
            )
        ]

    def overview(self) -> SummaryTable:
        """What is known of each threshold, and of their combinations."""
        head = "", "threshold", f"within {self.fraction:.0%}", "within 1 sigma", ""
        return SummaryTable("Sensitivity to each threshold", self._cells(), head, [self._foot], "lllll")

    @property
    def _foot(self) -> str:
        if not len(self.directions):
            return "no threshold is left that matters"
        free = self.undetermined
        if free:
            return f"undetermined: {'; '.join(free)}"
        return f"least determined: {self._in_words(0)}, {self.fraction:.0%} within {self.reach[0]:.2g} of normal scores"


def _range(ends: Sequence[float] | FloatArray) -> str:
    low, high = ends
    if np.isnan(low) or np.isnan(high):
        return "unknown"
    if np.isinf(low):
        return "anywhere" if np.isinf(high) else f"up to {high:.4g}"
    return f"from {low:.4g}" if np.isinf(high) else f"{low:.4g} to {high:.4g}"


def sensitivity(
    search: Search,
    position: FloatArray,
    widths: FloatArray,
    *,
    fraction: float = 0.01,
    options: PlateauSearch = DEFAULT_PLATEAU_SEARCH,
) -> Sensitivity:
    """How much each threshold matters.

    Thresholds that are tied move together; one that is fixed is moved all the same for its plateau.

    Args:
        search: with the events.
        position: hard thresholds in its coordinates, shape (threshold,).
        widths: of the soft cuts of which the curvature is taken, shape (threshold,).
        fraction: of the objective that is next to nothing.
        options: how it is looked for.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> found = hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov").sensitivity
        >>> bool(found.plateau[0, 0] < 28.0 < found.plateau[0, 1] < 29.5)
        True
    """
    size = len(position)
    plateaus = np.full((2, size, 2), np.nan)
    given_up = np.zeros(size, dtype=bool)
    value = np.nan
    if search.has_templates:
        value = search.of_sums(search.hard_sums(position))[0]
    for number, group in enumerate(search.space.group):
        members = search.space.group == group if group >= 0 else np.arange(size) == number
        if np.argmax(members) != number:
            plateaus[:, number], given_up[number] = plateaus[:, np.argmax(members)], given_up[np.argmax(members)]
            continue
        line = Line(search, position, members)
        given_up[number] = line.rejects_nothing
        if np.isfinite(value):
            plateaus[:, number] = _plateaus(line, fraction * abs(value), options)
    soft = search.evaluate(position, widths).guarded if np.isnan(value) else value
    hessian = _hessian(search, position, options.difference * widths, widths)
    curvatures, directions = _directions(search, hessian, given_up)
    return Sensitivity(
        search.space.names,
        search.space.thresholds(position),
        plateaus[0],
        plateaus[1],
        given_up,
        fraction,
        float(soft),
        hessian,
        directions,
        curvatures,
    )


def _plateaus(line: Line, allowed: float, options: PlateauSearch) -> list[list[float]]:
    """Smallest and largest threshold where the loss is no more than allowed, and no more than its uncertainty."""
    coarse = line.divided(options.parts)
    sides = [
        (line.below, *coarse[coarse < line.below][::-1].tolist()),
        (line.below + 1, *coarse[coarse > line.below + 1].tolist()),
    ]
    # As single events make an objective jump, the second plateau goes on to the last good candidate.
    ends = [_PlateauEnd(side, lambda gain, _: gain >= -allowed, gaps=False) for side in sides]
    ends += [_PlateauEnd(side, lambda gain, sigma: gain >= -sigma, gaps=True) for side in sides]
    known: dict[int, tuple[float, float]] = {}
    for _ in range(1 + options.rounds):
        new = np.array(
            sorted({candidate for end in ends for candidate in end.candidates} - known.keys()), dtype=np.int64
        )
        if len(new):
            gain, sigma = line.gains(new)
            known.update(zip(new.tolist(), zip(gain.tolist(), sigma.tolist(), strict=True), strict=True))
        ends = [end.closer(known, options.closer) for end in ends]
    low, high, first, last = (end.threshold(line) for end in ends)
    return [[low, high], [first, last]]


@dataclasses.dataclass(frozen=True)
class _PlateauEnd:
    """One end of a plateau: the outermost of some candidates that is good.

    Attributes:
        candidates: numbers of candidates, outwards.
        good: whether a gain, with its uncertainty, is.
        gaps: whether there may be others before it that are not.
    """

    candidates: tuple[int, ...]
    good: Callable[[float, float], bool]
    gaps: bool

    def closer(self, known: Mapping[int, tuple[float, float]], number: int) -> "_PlateauEnd":
        """From the outermost good candidate to the next one, and so many between them."""
        count = self._number_of_good(known)
        if count in (0, len(self.candidates)):
            return dataclasses.replace(self, candidates=self.candidates[-1:] if count else ())
        inside, outside = self.candidates[count - 1 : count + 1]
        between = np.linspace(inside, outside, number + 2).round().astype(np.int64).tolist()
        return dataclasses.replace(self, candidates=tuple(dict.fromkeys(between)))

    def _number_of_good(self, known: Mapping[int, tuple[float, float]]) -> int:
        verdicts = [self.good(*known[candidate]) for candidate in self.candidates]
        if self.gaps:
            return len(verdicts) - [*verdicts[::-1], True].index(True)
        return [*verdicts, False].index(False)

    def threshold(self, line: Line) -> float:
        """The end, in the units of the variable: where the threshold is if no candidate is good."""
        if not self.candidates:
            return line.threshold()
        return line.end(self.candidates[0]) if len(self.candidates) == 1 else line.threshold(self.candidates[0])


def hidden_systematics(search: Search, position: FloatArray) -> tuple[str, ...]:
    """In words, each systematic that has nearly no effect on the background of hard cuts, but of neighboring ones.

    These have one threshold moved by the width of its own soft cut, to either side.

    Args:
        search: with the training events.
        position: hard thresholds in its coordinates, shape (threshold,).
    """
    structure = search.regions[0].structure
    if not structure.systematics:
        return ()
    moves = np.diag(search.space.widths)
    found = [
        as_yields(search.hard_sums(at)[0], structure) for at in (position, *(position + moves), *(position - moves))
    ]
    return hidden(structure, found[0], found[1:])


def _hessian(search: Search, position: FloatArray, steps: FloatArray, widths: FloatArray) -> FloatArray:
    """Second derivatives of the soft objective, from differences of its gradient, shape (threshold, threshold)."""
    near = search if np.any(widths >= 0.5) else search.reached(position, widths)
    rows = []
    for number, size in enumerate(steps):
        step = np.zeros(len(position))
        step[number] = size
        above, below = (near.evaluate(position + side * step, widths).gradient for side in (1, -1))
        rows.append((above - below) / (2.0 * step[number]))
    matrix = np.array(rows)
    return np.asarray(0.5 * (matrix + matrix.T))


def _directions(search: Search, hessian: FloatArray, given_up: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Curvatures, ascending, and orthogonal directions of the thresholds that can move and matter."""
    members = [group & ~given_up for group in search.space.groups]
    basis = np.array([m / np.sqrt(m.sum()) for m in members if m.any()]).reshape(-1, len(hessian))
    if not len(basis) or not np.all(np.isfinite(hessian)):
        return np.zeros(0), np.zeros((0, len(hessian)))
    curvatures, vectors = np.linalg.eigh(-search.problem.objective.sign * basis @ hessian @ basis.T)
    return curvatures, vectors.T @ basis
