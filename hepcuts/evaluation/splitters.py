"""Folds of any kind: a number of them, a resampling, or what a user's own splitter makes of the events."""

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hepcuts._core import checks
from hepcuts._core.counters import Bits, as_seed
from hepcuts._core.errors import InputError
from hepcuts.samples.sample import Sample

from .resampling import AbstractFolds, Folds


@runtime_checkable
class SplitterLike(Protocol):
    """scikit-learn's contract for splitters."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[tuple[Any, Any]]:  # noqa: N803
        """Indices that train and that test, for each part."""

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: N803
        """The number of parts."""


@dataclasses.dataclass(frozen=True, eq=False)
class SplitterFolds(AbstractFolds):
    """Parts that a user's splitter makes of some events.

    Attributes:
        number: of parts.
        identities: of the events, ascending, each once, shape (event,).
        parts: their parts, shape (event,).
    """

    number: int
    identities: Bits
    parts: NDArray[np.int64]

    @classmethod
    def of(cls, splitter: SplitterLike, samples: Sequence[Sample]) -> "SplitterFolds":
        """Ask a splitter.

        It is given one row for each identity, sample after sample: the columns that all samples have (shape (event,
        column)), the number of the sample, to stratify by, and the identity as the group.

        Raises:
            InputError: an event is not tested exactly once, or trains where it is tested.
        """
        identities, first = np.unique(np.concatenate([s.identity for s in samples]), return_index=True)
        rows = np.argsort(first)  # in the order of the samples, as a splitter without shuffling expects
        names = [name for name in samples[0].columns if all(name in sample.columns for sample in samples)]
        label = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])[first[rows]]
        columns = [np.concatenate([s.columns[n] for s in samples])[first[rows]] for n in names]
        table = np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))
        with warnings.catch_warnings():
            # Those of scikit-learn that need no groups say so.
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
            splits = list(splitter.split(table, label, identities[rows]))
        parts, tested = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        for number, (train, test) in enumerate(splits):
            parts[rows[test]] = number
            tested[rows[test]] += 1
            if len(np.union1d(train, test)) != len(rows) or len(np.intersect1d(train, test)):
                raise InputError(
                    f"folds is {splitter!r}: in its part {number} some events neither train nor test, or do both; "
                    "expected that all train that do not test."
                )
        if len(splits) < 2 or np.any(tested != 1):
            raise InputError(
                f"folds is {splitter!r}: {np.count_nonzero(tested != 1)} of {len(rows)} events are not tested exactly "
                f"once by its {len(splits)} parts; expected at least 2 parts that every event is in one of."
            )
        return cls(len(splits), identities, parts)

    @property
    def size(self) -> int:
        """The number of parts."""
        return self.number

    def part(self, identity: Bits) -> NDArray[np.int64]:
        """See `AbstractFolds.part`.

        Raises:
            InputError: an event that the splitter was not asked for.
        """
        position = np.minimum(np.searchsorted(self.identities, identity), len(self.identities) - 1)
        if not np.array_equal(self.identities[position], identity):
            raise InputError("The folds are those of a splitter that was given other events; give the splitter itself.")
        return np.asarray(self.parts[position])


FoldsLike: TypeAlias = int | AbstractFolds | SplitterLike
"""What public functions take as ``folds``."""


def folds_of(folds: FoldsLike, samples: Sequence[Sample], *, seed: int | np.random.Generator) -> AbstractFolds | None:
    """The folds that are asked for; None for none.

    Args:
        folds: a number, 0 for none; a resampling; or a splitter of scikit-learn's contract, with ``split`` and
            ``get_n_splits``, by which every event is tested once.
        samples: the events.
        seed: of a number of folds.

    Raises:
        InputError: none of these.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> folds_of(5, samples, seed=1)
        Folds(number=5, seed=1)
    """
    if isinstance(folds, AbstractFolds):
        return folds
    # A number is asked for first: to ask for a protocol takes as long as some figures of merit of a scan.
    if not isinstance(folds, int) and isinstance(folds, SplitterLike):
        return SplitterFolds.of(folds, samples)
    number = checks.folds(folds)
    return None if number == 0 else Folds(number, as_seed(seed))
