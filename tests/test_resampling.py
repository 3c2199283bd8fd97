"""Parts and replicas as functions of seed and identity: distribution, independence, blocks, copies, splitters."""

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import hepcuts as hc
from hepcuts._core import counters
from hepcuts._core.errors import InputError, SampleError
from hepcuts.binning import bin_edges
from hepcuts.evaluation.bootstrap import bootstrap
from hepcuts.evaluation.resampling import AbstractFolds, Folds, HeldOut, PoissonReplicas, hold_out
from hepcuts.evaluation.splitters import SplitterFolds, folds_of
from hepcuts.optimization.single_cuts import compare_with_single_cuts

EVENTS = np.arange(200_000, dtype=np.uint64)
"""Identities that differ by one: what a bad mixing function would show first."""


def independent(first: Any, second: Any) -> float:
    """p-value of the independence of two sequences of small numbers."""
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first.astype(int), second.astype(int)), 1)
    return float(scipy.stats.chi2_contingency(table).pvalue)


# --- the numbers ------------------------------------------------------------------------------------------------------


def test_splitmix64_gives_the_numbers_of_its_authors() -> None:
    """The first outputs of the reference C program (S. Vigna, https://prng.di.unimi.it/splitmix64.c), seed 1234567."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    start = np.array([1234567], dtype=np.uint64)
    assert [int(counters.numbers(start, position)[0]) for position in range(4)] == expected


def test_seeds_are_mixed_as_events_are() -> None:
    words = [0, 1, 2**63, 2**64 - 1]
    assert [counters._mixed_word(word) for word in words] == counters.mixed(np.array(words, dtype=np.uint64)).tolist()
    keys = {counters.key_of(seed, purpose) for seed in (0, 1, -1, 2**64, 2**64 + 1, 2**200) for purpose in (1, 2)}
    assert len(keys) == 12


@pytest.mark.parametrize("position", [0, 1, 99])
def test_every_bit_is_even_and_independent_of_the_others(position: int) -> None:
    bits = counters.numbers(counters.states(1, counters.FOLDS, EVENTS), position)
    table = (bits[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    means = table.mean(axis=0)
    # The largest of 64 deviations is beyond 5 standard deviations in one of 30 000 cases.
    assert np.all(np.abs(means - 0.5) < 5 * 0.5 / np.sqrt(len(EVENTS)))
    correlations = np.corrcoef(table.astype(float), rowvar=False)[~np.eye(64, dtype=bool)]
    assert np.max(np.abs(correlations)) < 5.5 / np.sqrt(len(EVENTS))


def test_poisson_numbers_are_the_inverse_of_the_distribution() -> None:
    """At the ends of the range, and at and below each step of the cumulative distribution."""
    steps = scipy.stats.poisson(1.0).cdf(np.arange(12))
    below, above = (np.array([int(c * (1 + sign * 1e-12) * 2.0**64) for c in steps[:6]]) for sign in (-1, 1))
    np.testing.assert_array_equal(counters.poisson(below.astype(np.uint64)), np.arange(6))
    np.testing.assert_array_equal(counters.poisson(above.astype(np.uint64)), np.arange(1, 7))
    assert counters.poisson(np.array([0], dtype=np.uint64))[0] == 0
    assert 18 <= counters.poisson(np.array([2**64 - 1], dtype=np.uint64))[0] <= 21  # of 10^19 numbers the largest


@pytest.mark.parametrize("seed", [0, 1, -1, 2**80], ids=str)
def test_poisson_replicas_have_the_distribution(seed: int) -> None:
    counts = PoissonReplicas(10, seed).block(range(10), EVENTS).ravel()
    expected = scipy.stats.poisson(1.0).pmf(np.arange(7)) * len(counts)
    found = np.bincount(np.minimum(counts, 7), minlength=8)
    expected = np.append(expected, len(counts) - expected.sum())
    assert scipy.stats.chisquare(found, expected).pvalue > 1e-4


@pytest.mark.parametrize("number", [2, 3, 5, 7, 64])
def test_folds_are_equally_probable(number: int) -> None:
    found = np.bincount(Folds(number, seed=3).part(EVENTS), minlength=number)
    assert len(found) == number
    assert scipy.stats.chisquare(found).pvalue > 1e-4


def counts(replica: int, seed: int) -> Any:
    return np.minimum(PoissonReplicas(9, seed).block([replica], EVENTS)[0], 3)


HALF, PARTS = HeldOut(0.5, 1).held_out(EVENTS), Folds(4, 1).part(EVENTS)

PAIRS = {
    "seeds": (PARTS, Folds(4, 2).part(EVENTS)),
    "folds and half": (PARTS, HALF),
    "half and validation": (HALF, HeldOut(0.5, 1, counters.VALIDATION).held_out(EVENTS)),
    "folds and replica": (PARTS, counts(0, 1)),
    "replicas": (counts(0, 1), counts(1, 1)),
    "replicas of two seeds": (counts(0, 1), counts(0, 2)),
    "an event and the next": (PARTS[:-1], PARTS[1:]),
    "number": (PARTS, EVENTS % 4),
}


@pytest.mark.parametrize(("first", "second"), PAIRS.values(), ids=PAIRS)
def test_what_has_another_seed_purpose_replica_or_event_is_independent(first: Any, second: Any) -> None:
    assert independent(first, second) > 1e-4


RESAMPLINGS = {"held-out": HeldOut(0.3, 5), "folds": Folds(4, 5), "replicas": PoissonReplicas(6, 5)}


@pytest.mark.parametrize("resampling", RESAMPLINGS.values(), ids=RESAMPLINGS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_blocks_order_and_subsets_change_nothing(resampling: Any, data: st.DataObject) -> None:
    events = counters.mixed(EVENTS[:500])
    size = data.draw(st.integers(1, 500))
    order = np.random.default_rng(data.draw(st.integers(0, 2**32))).permutation(500)
    number = data.draw(st.integers(0, resampling.size - 1))
    for multiplicity in (resampling.training, resampling.test):
        whole = multiplicity(number, events)
        blocks = [multiplicity(number, events[order][first : first + size]) for first in range(0, 500, size)]
        np.testing.assert_array_equal(np.concatenate(blocks), whole[order])


@pytest.mark.parametrize("resampling", RESAMPLINGS.values(), ids=RESAMPLINGS)
def test_training_events_stand_for_all_and_so_do_all_tests_together(resampling: Any) -> None:
    events = EVENTS[:100_000]
    training = np.array([resampling.training(number, events) for number in range(resampling.size)])
    test = np.array([resampling.test(number, events) for number in range(resampling.size)])
    np.testing.assert_allclose(training.mean(axis=1), 1.0, atol=5 * np.sqrt(training.var() / 100_000))
    assert test.sum(axis=0).mean() == pytest.approx(1.0, abs=5 * np.sqrt(test.var() * len(test) / 100_000))
    assert not np.any(training * test)  # nobody judges what it chose


def test_resamplings_can_be_sent_elsewhere_and_compared() -> None:
    for one in RESAMPLINGS.values():
        assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301


# --- the identity of an event -----------------------------------------------------------------------------------------


def test_by_default_an_event_is_its_number_in_its_sample() -> None:
    first, second = (hc.Sample(name, {"x": np.zeros(100_000)}) for name in ("a", "b"))
    assert len(np.unique(np.concatenate([first.identity, second.identity]))) == 200_000
    np.testing.assert_array_equal(first.identity, hc.Sample("a", {"y": np.ones(100_000)}).identity)
    assert independent(Folds(5).part(first.identity), Folds(5).part(second.identity)) > 1e-4


RUN, EVENT = [1, 1, 2, 2], [2**53, 2**53 + 1, 7, 8]

IDENTITIES = {
    "columns": {"columns": {"x": np.zeros(4), "run": RUN, "event": EVENT}, "identity": ("run", "event")},
    "floats": {
        "columns": {"x": np.ones(4), "run": np.array(RUN, dtype=np.float32), "event": np.array(EVENT, dtype=np.uint64)},
        "identity": ["run", "event"],
    },
    "frame": {
        "columns": pd.DataFrame({"x": 0.0, "run": pd.array(RUN, dtype="Int64"), "event": EVENT}),
        "identity": ("run", "event"),
    },
    "objects": {
        "columns": pd.DataFrame({"x": 0.0, "run": RUN, "event": EVENT}, dtype=object),
        "identity": ("run", "event"),
    },
}


@pytest.mark.parametrize("given", IDENTITIES.values(), ids=IDENTITIES)
def test_columns_count_by_value_whatever_their_type_and_the_sample(given: dict[str, Any]) -> None:
    sample = hc.Sample("any", given["columns"], identity=given["identity"])
    known = hc.Sample("known", IDENTITIES["columns"]["columns"], identity=("run", "event"))
    np.testing.assert_array_equal(sample.identity, known.identity)
    assert len(np.unique(sample.identity)) == 4  # 2^53 and 2^53 + 1 are the same float
    swapped = hc.Sample("any", given["columns"], identity=("event", "run"))
    assert not np.any(swapped.identity == sample.identity)


def test_fractions_and_integers_of_any_sign_are_told_apart() -> None:
    values = [0.0, 0.5, -0.5, 1.0, -1.0, 1e300, 2.0**-1070]
    sample = hc.Sample("a", {"x": values}, identity="x")
    assert len(np.unique(sample.identity)) == len(values)
    assert hc.Sample("a", {"x": [-0.0]}, identity="x").identity == sample.identity[0]
    assert hc.Sample("a", {"x": [-1]}, identity="x").identity == sample.identity[4]


def test_integers_are_identities_as_they_are() -> None:
    sample = hc.Sample("a", {"x": np.zeros(3)}, identity=np.array([5, 3, 2**40]))
    again = hc.Sample("b", {"x": np.zeros(3)}, identity=sample.identity)
    np.testing.assert_array_equal(sample.identity, [5, 3, 2**40])
    np.testing.assert_array_equal(sample.identity, again.identity)
    assert not sample.identity.flags.writeable


BAD = {
    "unknown": ("event", "no column 'event' to take the identity"),
    "nan": ("nan", "column 'nan' of the identity: came as missing values"),
    "none": ("none", "column 'none' of the identity: came as missing values"),
    "masked": ("masked", "column 'masked' of the identity: came as missing values"),
    "length": ([1, 2], "2 identities for 3 events"),
    "fractions": ([1.0, 2.5, 3.0], "expected one integer per event"),
    "matrix": (np.ones((3, 2), dtype=int), "expected one integer per event"),
    "missing": ([1, None, 2], "expected one integer per event"),
}


@pytest.mark.parametrize(("identity", "match"), BAD.values(), ids=BAD)
def test_what_is_no_identity_is_refused(identity: Any, match: str) -> None:
    columns = {
        "x": np.zeros(3),
        "nan": [1.0, np.nan, 2.0],
        "none": pd.Series([1, None, 2], dtype=object),
        "masked": np.ma.masked_array([1, 2, 3], [False, True, False]),
    }
    with pytest.raises(SampleError, match=match):
        hc.Sample("a", columns, missing=np.nan, identity=identity)


@pytest.mark.parametrize("identity", [None, np.arange(40) // 2], ids=["number", "given"])
def test_parts_of_a_sample_and_copies_of_it_keep_the_identity(identity: Any) -> None:
    sample = hc.Sample("a", {"x": np.arange(40.0)}, identity=identity)
    chosen = np.array([3, 30, 31])
    np.testing.assert_array_equal(sample.take(chosen).identity, sample.identity[chosen])
    (half,), (other,) = hold_out([sample], 0.5, seed=2)
    for part in (half, other):
        np.testing.assert_array_equal(part.identity, sample.identity[part.columns["x"].astype(int)])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(half)).identity, half.identity)  # noqa: S301
    scored = hc.discriminant.linear("d", ["x"]).samples([sample, hc.Sample("s", {"x": [1.0, 2.0]}, signal=True)])[0]
    np.testing.assert_array_equal(scored.identity, sample.identity)


def test_copies_of_an_event_are_held_out_together() -> None:
    """The same simulated events twice, as a sample of its own with other columns, and in another order."""
    rng = np.random.default_rng(1)
    number, order = rng.permutation(1000), rng.permutation(1000)
    signal = hc.Sample("s", {"x": rng.normal(size=50)}, signal=True)
    first = hc.Sample("a", {"x": rng.normal(size=1000), "event": number}, identity="event")
    second = hc.Sample("b", {"x": rng.normal(size=1000), "event": number[order]}, identity="event")
    training, held_out = hold_out([signal, first, second], 0.4, seed=3)
    for events in (training, held_out):
        assert set(events[1].columns["event"]) == set(events[2].columns["event"])
    assert 250 < len(held_out[1]) < 550
    parts = [Folds(5, 1).part(sample.identity) for sample in (first, second)]
    np.testing.assert_array_equal(parts[0][order], parts[1])


def test_copies_of_an_event_are_drawn_together() -> None:
    """Two samples of the same events, one of which counts negative: in no replica is anything left."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    signal = hc.Sample("s", {"x": rng.normal(2.0, 1.0, 300)}, signal=True)
    samples = [
        signal,
        hc.Sample("more", {"x": x}, weights=np.full(300, 2.0), identity=np.arange(300)),
        hc.Sample("less", {"x": x}, weights=np.full(300, -1.0), identity=np.arange(300)),
    ]
    plain = [signal, hc.Sample("one", {"x": x}, identity=np.arange(300))]
    options: dict[str, Any] = {"objective": "s_over_sqrt_b", "replicas": 20, "seed": 4}
    found, expected = (bootstrap(s, hc.Cut("x", ">", 0.0), **options).objective for s in (samples, plain))
    np.testing.assert_allclose(found.replicas, expected.replicas, rtol=1e-12)


# --- through the public entries ---------------------------------------------------------------------------------------


def problem(size: int = 1500, seed: int = 1) -> list[hc.Sample]:
    return list(hc.datasets.many_features(2, seed=seed, num_signal=size, num_background=3 * size))


class Periods:
    """A foreign splitter of scikit-learn's contract: every n-th row is a part; it notes what it was asked."""

    def __init__(self, number: int) -> None:
        self.number, self.asked = number, list[tuple[Any, Any, Any]]()

    def get_n_splits(self, *_: Any) -> int:
        return self.number

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        self.asked.append((X, y, groups))
        rows = np.arange(len(X))
        for part in range(self.number):
            yield rows[rows % self.number != part], rows[rows % self.number == part]


class EveryNth(AbstractFolds):
    """The same parts as a resampling of one's own, for events that are numbered through all samples."""

    size = 3

    def part(self, identity: Any) -> Any:
        return (identity % np.uint64(self.size)).astype(np.int64)


def numbered(samples: list[hc.Sample]) -> list[hc.Sample]:
    first = np.cumsum([0, *map(len, samples)])
    return [
        hc.Sample(s.name, s.columns, weights=s.weights, signal=s.signal, identity=np.arange(begin, begin + len(s)))
        for s, begin in zip(samples, first, strict=False)
    ]


CUT = hc.Cut("x0", ">")
ENTRIES: dict[str, Any] = {
    "scan": lambda samples, folds: (
        hc.scan(samples, CUT, metrics=["asimov"], folds=folds, replicas=0).optimum("asimov").held_out
    ),
    "optimize": lambda samples, folds: (
        hc.optimize(
            samples, CUT, objective="asimov", folds=folds, replicas=0, anneal=(2.0, 1.0), holdout=None
        ).validated
    ),
    "bin_edges": lambda samples, folds: (
        bin_edges(samples, "x0", num_bins=3, folds=folds, fine_bins=30, holdout=None).best.held_out_significance
    ),
    "categorize": lambda samples, folds: (
        hc.categorize(
            samples, "x0", num_bins=2, objective="asimov", folds=folds, fine_bins=20, holdout=None
        ).held_out_value
    ),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_foreign_splitters_and_resamplings_are_used(entry: Any) -> None:
    samples, splitter = numbered(problem()), Periods(3)
    by_splitter = entry(samples, splitter)
    assert np.isfinite(by_splitter)
    assert by_splitter == pytest.approx(entry(samples, EveryNth()), rel=1e-9)
    assert by_splitter != entry(samples, 3)
    ((table, label, groups),) = splitter.asked
    assert table.shape == (len(label), 2)
    np.testing.assert_array_equal(np.bincount(label), [len(sample) for sample in samples])
    np.testing.assert_array_equal(groups, np.concatenate([sample.identity for sample in samples]))


def test_splitters_of_scikit_learn() -> None:
    model_selection = pytest.importorskip("sklearn.model_selection")
    run = np.repeat(np.arange(30), 100)
    samples = [
        hc.Sample("s", {"x": np.linspace(0, 2, 3000), "run": run}, signal=True, identity="run"),
        hc.Sample("b", {"x": np.linspace(-1, 1, 3000), "run": run}, identity="run"),
    ]
    folds = folds_of(model_selection.GroupKFold(5), samples, seed=0)
    assert folds is not None
    part = folds.part(samples[0].identity)
    # 30 runs, of which each is one row for the splitter: all of its events, in both samples, are in one part.
    np.testing.assert_array_equal(np.bincount(part), np.full(5, 600))
    assert all(len(set(part[run == number])) == 1 for number in range(30))
    np.testing.assert_array_equal(part, folds.part(samples[1].identity))
    stratified = folds_of(model_selection.StratifiedKFold(5), problem(), seed=0)
    assert stratified is not None
    for sample in problem():
        np.testing.assert_array_equal(np.bincount(stratified.part(sample.identity)), np.full(5, len(sample) // 5))


@pytest.mark.parametrize(
    ("folds", "match"),
    [
        (1, "folds is 1; expected a whole number of parts, at least 2"),
        (-2, "folds is -2"),
        (2.5, "folds is 2.5"),
        ("5", "folds is '5'"),
        (True, "folds is True"),
    ],
    ids=str,
)
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_makes_no_folds_is_refused_everywhere_alike(entry: Any, folds: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        entry(problem(100), folds)


def test_splitters_that_are_no_partition_are_refused() -> None:
    model_selection = pytest.importorskip("sklearn.model_selection")
    samples = problem(100)
    with pytest.raises(InputError, match="events are not tested exactly once by its 3 parts"):
        folds_of(model_selection.ShuffleSplit(3, train_size=0.5, test_size=0.5), samples, seed=0)
    with pytest.raises(InputError, match="neither train nor test"):
        folds_of(model_selection.TimeSeriesSplit(3), samples, seed=0)
    bound = SplitterFolds.of(Periods(2), samples)
    with pytest.raises(InputError, match="was given other events"):
        bound.part(np.array([12345], dtype=np.uint64))


@pytest.mark.parametrize("seed", [3, 2**70, np.random.default_rng(7)], ids=["int", "large", "generator"])
def test_equal_seeds_hold_out_equal_events_in_the_comparison_with_single_cuts(seed: Any) -> None:
    """A generator is turned into one seed at once, and not used up by the first who asks."""
    samples = problem(400)
    again = np.random.default_rng(7) if isinstance(seed, np.random.Generator) else seed
    options: dict[str, Any] = {"objective": "asimov", "holdout": 0.5, "folds": 0, "replicas": 0, "anneal": (1.0,)}
    alone = hc.optimize(samples, CUT, seed=seed, **options)
    compared = compare_with_single_cuts(samples, hc.Selection([CUT]), seed=again, **options)
    assert compared[str(alone.selection)] == alone.significance
    repeated = hc.optimize(samples, CUT, seed=alone.seed, **options)
    assert repeated.thresholds == alone.thresholds


@pytest.mark.parametrize("seed", ["a", 1.5, True, None], ids=str)
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    for call in (
        lambda: hc.optimize(problem(50), CUT, seed=seed, holdout=None),
        lambda: hc.scan(problem(50), CUT, seed=seed),
        lambda: bootstrap(problem(50), hc.Cut("x0", ">", 0.0), seed=seed),
    ):
        with pytest.raises(InputError, match="expected a whole number, 0 or more, or a numpy"):
            call()


def test_the_order_of_the_events_changes_nothing() -> None:
    """With an identity of their own, events may come in any order."""
    samples = numbered(problem())
    order = [np.random.default_rng(2).permutation(len(sample)) for sample in samples]
    shuffled = [sample.take(one) for sample, one in zip(samples, order, strict=True)]
    one, other = (hc.scan(s, CUT, metrics=["asimov"], replicas=20).optimum("asimov") for s in (samples, shuffled))
    assert one.threshold == other.threshold
    assert one.held_out == pytest.approx(other.held_out, rel=1e-12)
    assert one.uncertainty == pytest.approx(other.uncertainty, rel=1e-9)
    cut = hc.Cut("x0", ">", 1.0)
    first, second = (bootstrap(s, cut, replicas=20, objective="asimov").objective for s in (samples, shuffled))
    np.testing.assert_allclose(first.replicas, second.replicas, rtol=1e-12)


def test_replicas_of_many_events_are_not_held_at_once() -> None:
    """An array of a byte for each of 400 replicas and 500 000 events would be 200 MB."""
    rng = np.random.default_rng(1)
    samples = [
        hc.Sample("s", {"x": rng.normal(1.0, 1.0, 1000)}, signal=True),
        hc.Sample("b", {"x": rng.normal(0.0, 1.0, 500_000)}, weights=rng.uniform(0.5, 1.5, 500_000)),
    ]
    cut = hc.Cut("x", ">", -9.0)
    bootstrap(samples, cut, objective="s_over_sqrt_b", replicas=2)
    tracemalloc.start()
    bootstrap(samples, cut, objective="s_over_sqrt_b", replicas=400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6
