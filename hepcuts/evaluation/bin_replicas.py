"""Bootstrap replicas of histograms: each bin fluctuates as its effective number of simulated events does."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import Bits
from hepcuts._core.errors import InputError
from hepcuts._core.types import FloatArray
from hepcuts.samples.histogram import Histogram
from hepcuts.templates.templates import effective_events

from .resampling import AbstractResampling, ReplicasLike


@dataclasses.dataclass(frozen=True, eq=False)
class NumberedBins:
    """The bins of a histogram, in the place of events that are resampled.

    Attributes:
        signal: whether it is a signal.
        weights: sums of weights, shape (bin + 2,).
        identity: numbers of the bins among those of all histograms, likewise.
    """

    signal: bool
    weights: FloatArray
    identity: Bits

    def __len__(self) -> int:
        return len(self.weights)


@dataclasses.dataclass(frozen=True, eq=False)
class BinReplicas(AbstractResampling):
    """Replicas in which a bin counts k/n times, with k of a Poisson distribution of its effective number of events n.

    The mean of its content is that of the histogram, and the variance the sum of squared weights. All variations of a
    bin fluctuate together, as weight variations do; what moves events from bin to bin does so less. A bin whose weights
    cancel to nothing does not fluctuate.

    Attributes:
        events: effective number of events of all bins, by number.
        number: of replicas.
        seed: of the random numbers.

    Example:
        >>> replicas = BinReplicas(np.array([100.0, 0.0]), 1000, seed=1)
        >>> found = replicas.block(range(1000), np.arange(2, dtype=np.uint64))
        >>> found.mean(axis=0).round(1), found.std(axis=0).round(2)
        (array([1., 1.]), array([0.1, 0. ]))
    """

    events: FloatArray
    number: int
    seed: int = 0

    @property
    def size(self) -> int:
        """See `AbstractResampling.size`."""
        return self.number

    def training(self, number: int, identity: Bits) -> FloatArray:
        """See `AbstractResampling.training`."""
        drawn = np.random.default_rng([self.seed, number]).poisson(self.events)
        factors = np.divide(drawn, self.events, out=np.ones(len(self.events)), where=self.events > 0)
        return factors[identity.astype(np.int64)]

    def test(self, number: int, identity: Bits) -> FloatArray:  # noqa: ARG002 (the same for all)
        """See `AbstractResampling.test`: nothing is left to judge with."""
        return np.zeros(len(identity))


def bin_replicas(
    histograms: Sequence[Histogram], replicas: ReplicasLike, *, seed: int
) -> tuple[tuple[NumberedBins, ...], BinReplicas | None]:
    """The bins of histograms by number, and their replicas; None for none.

    Raises:
        InputError: replicas of events, or no number of replicas.
    """
    if isinstance(replicas, AbstractResampling):
        raise InputError(f"replicas is {replicas!r}, which resamples events, and histograms have none; give a number.")
    first = np.cumsum([0, *(len(one.weights) for one in histograms)])
    numbered = tuple(
        NumberedBins(one.signal, one.weights, np.arange(start, start + len(one.weights), dtype=np.uint64))
        for one, start in zip(histograms, first[:-1], strict=True)
    )
    size = checks.replicas(replicas)
    if size == 0:
        return numbered, None
    events = [effective_events(one.weights, one.contents.variances) for one in histograms]
    return numbered, BinReplicas(np.concatenate(events), size, seed)
