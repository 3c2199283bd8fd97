"""Parts and replicas of the events: which events choose, which ones judge, how often each counts.

Which one do I need?

- `HeldOut`: a fraction of the events judges what the others choose. What is quoted has no bias, at the price of events.
- `Folds`: each part is judged by what the other parts choose. All events choose and all judge, never both at once.
- A splitter of scikit-learn, where parts must not be drawn at random, such as runs or periods of data taking; see
  `hepcuts.evaluation.splitters`.
- `PoissonReplicas`: how far would the answer scatter? A bootstrap, in which each event counts as often as a Poisson
  distribution of mean 1 says (G. Chamandy et al., "Estimating uncertainty for massive data streams", 2012).

An object of one's own derives from `AbstractFolds` (as ``folds``) or from `AbstractResampling`: as ``replicas`` its
training events are the replicas, whose spread is quoted as the uncertainty; as ``holdout``, of one part, its test
events judge.

All are functions of a seed and of the identity of events (`hepcuts.Sample.identity`), with the random numbers of
`hepcuts._core.counters`. So they are the same for events in blocks of any size and order, nothing of the shape
(replica, event) is stored, and copies of one event share its part, such as the varied ones of a systematic uncertainty.

Each event is drawn by itself: of n events, one of k folds has n / k on average, with a binomial spread. Equal folds
would need all events at once, and could not be shared by copies in several samples. They would gain nothing: of 10 or
20 events in 2 to 5 folds, equal ones gave a held-out significance 1 % above that of new events at the same cuts,
binomial ones 1 % below it, a tenth of its standard deviation; of 50 and more events binomial ones are the nearer.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hepcuts._core import checks, counters
from hepcuts._core.counters import Bits
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.samples.sample import Sample

_AT_ONCE = 16_384
"""Random numbers that are drawn at once, if a replica does not need more: so many stay in a processor's cache."""


class AbstractResampling(abc.ABC):
    """How often each event counts, number by number of a part or replica.

    The training events of each number stand for the yield of all events, and so do the test events of all numbers
    together.
    """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many parts or replicas there are."""

    @abc.abstractmethod
    def training(self, number: int, identity: Bits) -> FloatArray:
        """How often events of these identities count where something is chosen, shape (event,)."""

    @abc.abstractmethod
    def test(self, number: int, identity: Bits) -> FloatArray:
        """How often they count where it is judged, shape (event,)."""

    def block(self, numbers: Sequence[int], identity: Bits) -> NDArray[Any]:
        """Several of `training`, one below the other, shape (number, event); to be used and forgotten."""
        return np.array([self.training(number, identity) for number in numbers]).reshape(len(numbers), len(identity))


@dataclasses.dataclass(frozen=True)
class HeldOut(AbstractResampling):
    """A fraction of the events judges, the others choose.

    Attributes:
        fraction: between 0 and 1.
        seed: of the random numbers.
        purpose: so that with one seed parts for different purposes are independent.

    Raises:
        InputError: the fraction is not between 0 and 1.

    Example:
        >>> events = np.arange(10_000, dtype=np.uint64)
        >>> half = HeldOut(0.5, seed=1)
        >>> bool(abs(half.held_out(events).mean() - 0.5) < 0.02)
        True
    """

    fraction: float
    seed: int = 0
    purpose: int = counters.HELD_OUT

    def __post_init__(self) -> None:
        checks.holdout(self.fraction)

    @property
    def size(self) -> int:
        """One: there is one part."""
        return 1

    def held_out(self, identity: Bits) -> NDArray[np.bool_]:
        """Which events judge, shape (event,)."""
        return counters.below(counters.numbers(counters.states(self.seed, self.purpose, identity), 0), self.fraction)

    def training(self, number: int, identity: Bits) -> FloatArray:  # noqa: ARG002 (there is one part)
        """See `AbstractResampling.training`."""
        return np.where(self.held_out(identity), 0.0, 1.0 / (1.0 - self.fraction))

    def test(self, number: int, identity: Bits) -> FloatArray:  # noqa: ARG002 (there is one part)
        """See `AbstractResampling.test`."""
        return np.where(self.held_out(identity), 1.0 / self.fraction, 0.0)


class AbstractFolds(AbstractResampling):
    """Parts of which each event is in one."""

    @abc.abstractmethod
    def part(self, identity: Bits) -> NDArray[np.int64]:
        """Number of the part of each event, shape (event,)."""

    @property
    def scale(self) -> float:
        """By how much weights grow for all parts but one to stand for all of them."""
        return self.size / (self.size - 1)

    def training(self, number: int, identity: Bits) -> FloatArray:
        """See `AbstractResampling.training`."""
        counts: FloatArray = np.where(self.part(identity) == number, 0.0, self.scale)
        return counts

    def test(self, number: int, identity: Bits) -> FloatArray:
        """See `AbstractResampling.test`."""
        return np.asarray(self.part(identity) == number, dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class Folds(AbstractFolds):
    """Parts of equal probability.

    Attributes:
        number: of parts, at least 2.
        seed: of the random numbers.

    Example:
        >>> events = np.arange(10_000, dtype=np.uint64)
        >>> bool(np.all(abs(np.bincount(Folds(5, seed=1).part(events)) - 2000) < 200))
        True
    """

    number: int
    seed: int = 0

    def __post_init__(self) -> None:
        checks.folds(self.number)

    @property
    def size(self) -> int:
        """The number of parts."""
        return int(self.number)

    def part(self, identity: Bits) -> NDArray[np.int64]:
        """See `AbstractFolds.part`."""
        bits = counters.numbers(counters.states(self.seed, counters.FOLDS, identity), 0)
        return counters.divided(bits, self.size)


@dataclasses.dataclass(frozen=True)
class PoissonReplicas(AbstractResampling):
    """Bootstrap replicas: the number of simulated events is random, as in a staterror.

    Attributes:
        number: of replicas, at least 2.
        seed: of the random numbers.

    Raises:
        InputError: too few replicas for a spread.

    Example:
        >>> counts = PoissonReplicas(100, seed=1).training(7, np.arange(10_000, dtype=np.uint64))
        >>> bool(abs(counts.mean() - 1.0) < 0.05), bool(abs(counts.var() - 1.0) < 0.1)
        (True, True)
    """

    number: int
    seed: int = 0

    def __post_init__(self) -> None:
        checks.replicas(self.number, none=False)

    @property
    def size(self) -> int:
        """The number of replicas."""
        return int(self.number)

    def block(self, numbers: Sequence[int], identity: Bits) -> NDArray[Any]:
        """See `AbstractResampling.block`; of small integers."""
        start = counters.states(self.seed, counters.REPLICAS, identity)
        found = np.empty((len(numbers), len(identity)), dtype=np.uint8)
        step = max(1, _AT_ONCE // max(1, len(identity)))
        for first in range(0, len(numbers), step):
            found[first : first + step] = counters.poisson(counters.several(start, numbers[first : first + step]))
        return found

    def training(self, number: int, identity: Bits) -> FloatArray:
        """See `AbstractResampling.training`: the replica."""
        return np.asarray(self.block([number], identity)[0], dtype=np.float64)

    def test(self, number: int, identity: Bits) -> FloatArray:
        """See `AbstractResampling.test`: the events that the replica has not, a share of exp(-1)."""
        counts: FloatArray = np.where(self.block([number], identity)[0] == 0, np.e / self.size, 0.0)
        return counts


ReplicasLike: TypeAlias = int | AbstractResampling
"""What public functions take as ``replicas``: how many of `PoissonReplicas`, or a resampling of another kind."""


HoldoutLike: TypeAlias = float | AbstractResampling | None
"""What public functions take as ``holdout``: a fraction, a resampling of one part, or None."""


def replicas_of(replicas: ReplicasLike, *, seed: int | np.random.Generator) -> AbstractResampling | None:
    """The replicas that are asked for, None for none; arguments and errors as `some_replicas_of`."""
    if not isinstance(replicas, AbstractResampling) and checks.replicas(replicas) == 0:
        return None
    return some_replicas_of(replicas, seed=seed)


def some_replicas_of(replicas: ReplicasLike, *, seed: int | np.random.Generator) -> AbstractResampling:
    """The replicas that are asked for, at least two.

    Args:
        replicas: a number of bootstrap replicas, or a resampling, whose training events are the replicas.
        seed: of a number of replicas.

    Raises:
        InputError: fewer than two replicas, folds (each of which has most events of the others, so that their spread is
            none of new events), or neither a number nor a resampling.
    """
    if isinstance(replicas, AbstractFolds):
        raise InputError(
            f"replicas is {replicas!r}; expected a number, or a resampling whose training events scatter as new ones "
            "do. Folds share most of their events: their spread is too small."
        )
    if isinstance(replicas, AbstractResampling):
        checks.replicas(replicas.size, none=False)
        return replicas
    return PoissonReplicas(checks.replicas(replicas, none=False), counters.as_seed(seed))


HOLDOUT = 0.5
"""Fraction of the events that a search leaves out by default, and on which its result is quoted."""


def halves_of(holdout: HoldoutLike, *, seed: int | np.random.Generator) -> AbstractResampling | None:
    """The resampling of one part that is asked for, None for none.

    Args:
        holdout: a fraction, or None for none; or a resampling of one part, whose test events are held out.
        seed: of the random numbers of a fraction, or a generator that one is drawn from.

    Raises:
        InputError: the fraction is not between 0 and 1, or it is a resampling of more parts.
    """
    if not isinstance(holdout, AbstractResampling):
        fraction = checks.holdout(holdout)
        return None if fraction is None else HeldOut(fraction, counters.as_seed(seed))
    if holdout.size != 1:
        raise InputError(
            f"holdout is {holdout!r} of {holdout.size} parts; expected a fraction, or a resampling of one part."
        )
    return holdout


def hold_out(
    samples: Sequence[Sample], holdout: HoldoutLike, *, seed: int | np.random.Generator
) -> tuple[tuple[Sample, ...], tuple[Sample, ...] | None]:
    """Training and held-out samples, each of which stands for the whole yield.

    Args:
        samples: to be split.
        holdout: fraction of the events of each that is held out, or None for none; or a resampling of one part, whose
            test events are held out.
        seed: of the random numbers of a fraction, or a generator that one is drawn from.

    Raises:
        InputError: the fraction is not between 0 and 1, leaves a part without events, or is a resampling of more parts.
    """
    halves = halves_of(holdout, seed=seed)
    if halves is None:
        return tuple(samples), None
    parts = [sample.divided(halves.test(0, sample.identity) == 0) for sample in samples]
    return tuple(first for first, _ in parts), tuple(second for _, second in parts)
