"""The numbers that steer the search for working points; chosen by hand where it is not said otherwise."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CurveSteps:
    """The sequential quadratic program of all working points.

    Attributes:
        most_steps: of one program.
        most_halvings: of one step.
        most_moves: how often, at most, the events within reach are looked for again.
        largest_step: of a threshold, in the coordinates: beyond it the linear model of the efficiency means little.
        precision: gain of the mean logarithm of the background below which a step is the last.
        on_target: relative precision of the soft signal efficiency; the hard one is made exact afterwards.
        jump: distance of a threshold from the line between its neighbors, in the coordinates, from which on it is a
            jump, which costs nothing.
    """

    most_steps: int = 60
    most_halvings: int = 8
    most_moves: int = 6
    largest_step: float = 0.6
    precision: float = 1e-5
    on_target: float = 1e-4
    jump: float = 0.4


@dataclasses.dataclass(frozen=True)
class Leaps:
    """Moves of a working point to another kind of cuts.

    Attributes:
        efficiencies: signal efficiencies of a single threshold that are tried.
        events: of each sample that are tried on.
        worthwhile: relative gain of background below which thresholds stay where they are.
        deviations: what has to be gained more, in standard deviations of the background that is left of the events
            tried on. Those of a difference between two cuts are smaller: most of the events are the same.
        most_rounds: at one width.
        shifts: Newton steps towards the signal efficiency.
        largest_shift: of one of them, in the coordinates.
        off_target: relative difference of the signal efficiency from the one that is wanted, beyond which a candidate
            is dropped.
    """

    efficiencies: tuple[float, ...] = (0.998, 0.95, 0.85, 0.7, 0.5, 0.3)
    events: int = 10_000
    worthwhile: float = 0.01
    deviations: float = 0.3
    most_rounds: int = 4
    shifts: int = 3
    largest_shift: float = 1.0
    off_target: float = 0.01


@dataclasses.dataclass(frozen=True)
class CurveTuning:
    """All numbers that steer the search for working points.

    Attributes:
        stages: widths of the soft cuts in units of the last.
        steps: of the program of all points.
        leaps: from one kind of cuts to another.
    """

    stages: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)
    steps: CurveSteps = CurveSteps()
    leaps: Leaps = Leaps()


DEFAULT_CURVE_TUNING = CurveTuning()
