"""The numbers that steer a search, each with what set it.

Where it is not said otherwise a number was chosen by hand: the benchmarks of the optimizer (``benchmarks/``) and the
tests of many cuts pass with it, and it was not tuned further.
"""

import dataclasses

from hepcuts._core import checks

STAGES = (5.0, 3.0, 1.8, 1.1, 0.65, 0.4, 0.25)
"""Default widths of the stages in units of each cut's own."""


@dataclasses.dataclass(frozen=True)
class Anneal:
    """The stages of ever narrower soft cuts.

    Attributes:
        stages: widths in units of each cut's own, decreasing; None for `STAGES`, or those down to 1 if a cut has a
            width of its own.
        reach: how far a stage may move thresholds, in widths, before the events within reach are looked for again.
        most_moves: how often, at most, they are looked for again in a stage.
        coarse_precision: relative precision of the optima of stages that may not be chosen.
        revived_efficiency: signal efficiency to which a threshold that was given up is put back before the next stage.

    Raises:
        InputError: widths that are not positive or do not decrease.
    """

    stages: tuple[float, ...] | None = None
    reach: float = 2.0
    most_moves: int = 8
    coarse_precision: float = 1e-5
    revived_efficiency: float = 0.99

    def __post_init__(self) -> None:
        if self.stages is not None:
            object.__setattr__(self, "stages", checks.stages(self.stages))
        checks.positive("reach", self.reach)

    def schedule(self, *, widths_given: bool) -> tuple[float, ...]:
        """The stages; `widths_given` says whether cuts have a width of their own."""
        if self.stages is not None:
            return self.stages
        return (*(stage for stage in STAGES if stage > 1.0), 1.0) if widths_given else STAGES


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How many events are looked at where not all are needed.

    Attributes:
        stage_events: of each sample, for a stage whose optimum is not the last; with fewer in all, all are always
            looked at.
        jump_events: of each sample, to tell whether one threshold had better be elsewhere.
        restart_events: of each sample, to compare starts.
        lost: yield that may be lost by leaving out events that cannot be reached, relative to that of their cell.
    """

    stage_events: int = 30_000
    jump_events: int = 10_000
    restart_events: int = 5_000
    lost: float = 1e-4


@dataclasses.dataclass(frozen=True)
class Jumps:
    """Moves of a single threshold to a distant place, between wide stages.

    Attributes:
        efficiencies: signal efficiencies of the threshold that are tried.
        worthwhile: relative gain of the objective below which a threshold stays where it is.
        least_width: width, in the coordinates, below which the events tried on are too few to jump by.
        most: jumps after one stage.
    """

    efficiencies: tuple[float, ...] = (0.995, 0.95, 0.85, 0.7, 0.5, 0.3, 0.15, 0.05)
    worthwhile: float = 0.01
    least_width: float = 0.2
    most: int = 3


@dataclasses.dataclass(frozen=True)
class Restarts:
    """Several starts, most of them rejected early.

    Attributes:
        widths: of the stage after which they are tried, between these two, in units of each cut's own: soft cuts so
            narrow show what wider ones blur, and few events are enough for them.
        combinations: of thresholds that are compared; a power of two, as a Sobol sequence wants it.
        followed: starts that go their own way through a stage, at most.
        levels: signal efficiencies of each threshold.
        loosest: the largest of them.
        tightest: the smallest of them.
        tightest_together: the least signal efficiency of all thresholds together if each was at its smallest.
        worthwhile: relative gain of the objective below which the search stays where it is.
    """

    widths: tuple[float, float] = (0.5, 1.5)
    combinations: int = 64
    followed: int = 3
    levels: int = 16
    loosest: float = 0.995
    tightest: float = 0.05
    tightest_together: float = 0.01
    worthwhile: float = 0.01


@dataclasses.dataclass(frozen=True)
class Polish:
    """The last step, from the optimum of soft cuts to that of hard ones.

    Attributes:
        thresholds: that each is tried at in a sweep.
        around: how far from the soft optimum it may get, in widths of the last stage.
        deviations: standard deviations of a gain that are taken off before it counts; of so many thresholds one is
            nearly always better by one or two of them.
        most_sweeps: over all thresholds.
    """

    thresholds: int = 24
    around: float = 3.0
    deviations: float = 3.0
    most_sweeps: int = 10


@dataclasses.dataclass(frozen=True)
class Validation:
    """How the cross-validation chooses a stage.

    The rule was set on samples of known truth: 42 of 500 to 10 000 events of each class in 2 to 20 features (the
    families of ``benchmarks/run.py small_samples`` and such of fewer features, other seeds), and 32 of a steep
    background (``tests/test_steep_backgrounds.py``, another seed). Of the best stage's true significance the chosen
    ones had 98.2 % in the former; of the true significance of the best cuts 97.9 % in the latter, 87 % at worst. The
    usual one alone had 97.5 and 95.8 %, 73 % at worst; with a gain of 1.5 standard deviations, and of 2 % by soft cuts,
    97.7 and 97.8 %, 86 % at worst. Anything between a fourth and three fourths of a standard deviation does as well.

    Attributes:
        precision: relative precision of the folds' optima; far less than what a fold's fluctuations change.
        likely: by how many of its standard deviations a stage has to be better than the usual one by hard cuts.
        confirmed_at: width of soft cuts, in units of each cut's own, that have to find it better, too: they hang less
            on single events.
        sure: by how many of its standard deviations the start has to be better than what was found, to be kept.
        patience: stages, all worse than one before, after which narrower ones are not tried.
    """

    precision: float = 1e-4
    likely: float = 0.5
    confirmed_at: float = 0.5
    sure: float = 1.5
    patience: int = 2


@dataclasses.dataclass(frozen=True)
class Loosening:
    """How hard cuts are loosened until constraints hold.

    Attributes:
        shifts: up to the largest, where the constraints hold at none of a few.
        precision: of the shift, in the coordinates.
        closest: how far each side of an inverted window may move toward the other, of its width.
    """

    shifts: int = 32
    precision: float = 1e-6
    closest: float = 0.499


@dataclasses.dataclass(frozen=True)
class Tuning:
    """All numbers that steer a search, by what they steer.

    Example:
        >>> Tuning(jumps=Jumps(most=0)).jumps.most
        0
    """

    anneal: Anneal = Anneal()
    sampling: Sampling = Sampling()
    jumps: Jumps = Jumps()
    restarts: Restarts = Restarts()
    polish: Polish = Polish()
    validation: Validation = Validation()
    loosening: Loosening = Loosening()


DEFAULT_TUNING = Tuning()
