"""The best cut on the score of any classifier, from its posterior, in a few rounds."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from hepcuts._core import checks
from hepcuts._core.counters import as_seed
from hepcuts._core.errors import EmptySelectionError, InputError
from hepcuts._core.tables import SummaryTable, Tabular
from hepcuts.cuts import Cut, Selection
from hepcuts.evaluation.resampling import Folds
from hepcuts.merit.counts import totals_of
from hepcuts.merit.figures import AbstractFigureOfMerit
from hepcuts.merit.price import PriceOfDecisions
from hepcuts.merit.registry import Given, figure_of_merit
from hepcuts.merit.rounds import Chosen, Rounds, climb, condition_of
from hepcuts.merit.rows import Rows
from hepcuts.samples.sample import Sample, check_samples
from hepcuts.templates.filling import fill

from .posterior import Posterior
from .reliability import Calibration, Scored


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ScoreCut(Tabular):
    """The best cut on a score.

    Attributes:
        score: name of its column.
        threshold: what is above it is kept.
        rounds: how it was found. Expected events and figure of merit are those of a posterior that each event got from
            the others, and of the events themselves if the score was taken as the posterior.
        calibration: of the score as it came; None if it goes beyond 0 to 1.
        calibrated: whether the score was made into a posterior; if not, it was taken as one.
        half: the cut on the score where the posterior is 1/2, that of BCE.
        price: what wrong decisions cost along the score.
        message: why the search ended.
    """

    score: str
    threshold: float
    rounds: Rounds
    calibration: Calibration | None
    calibrated: bool
    half: float
    price: PriceOfDecisions
    message: str

    @property
    def selection(self) -> Selection:
        """The cut."""
        return Selection([Cut(self.score, ">", self.threshold)])

    @property
    def posterior_threshold(self) -> float:
        """Where the posterior is cut."""
        return self.rounds.posterior_threshold

    @property
    def background_weight(self) -> float:
        """What a background event counts, in units of a signal event: that of a `WeightedCrossEntropy`."""
        return self.rounds.background_weight

    @property
    def value(self) -> float:
        """The figure of merit; see `rounds`."""
        return self.rounds.value

    @property
    def converged(self) -> bool:
        """Whether another round would change nothing."""
        return self.rounds.converged

    def overview(self) -> SummaryTable:
        """The cut, how good the score is as a posterior, and the rounds."""
        last, told = self.rounds.last, self.calibration
        if told is None:
            quality = "the score goes beyond 0 to 1"
        else:
            quality = f"mean distance {told.error:.3g}, p = {told.p_value:.2g}"
        rows = [
            ("best cut", f"{self.score} > {self.threshold:.6g}"),
            ("on the posterior", f"p > {self.posterior_threshold:.4g} (BCE: {self.score} > {self.half:.6g})"),
            ("weight of background", f"{self.background_weight:.4g}"),
            ("expected", f"signal {last.signal:.4g}, background {last.background:.4g}"),
            (self.rounds.objective, f"{self.value:.5g}"),
            ("score as posterior", quality + ("; calibrated out of fold" if self.calibrated else "; taken as it is")),
            ("rounds", f"{len(self.rounds.rounds)}; {self.message}"),
        ]
        return SummaryTable("Best cut on a score", rows)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw what wrong decisions cost along the score; see `hepcuts.plotting.price`."""
        return self.price.plot(ax=ax)


def cut_score(
    samples: Iterable[Sample],
    score: str,
    *,
    objective: Given = "asimov",
    calibrate: bool | None = None,
    folds: int = 5,
    background_weight: float | None = None,
    min_background: float = 10.0,
    max_rounds: int = 50,
    seed: int | np.random.Generator = 0,
) -> ScoreCut:
    """Turn the score of any classifier into the best cut: where its posterior is cut follows from S / B after the cut.

    A cut leaves `r = S / B`; a figure of merit then asks for another cut, at the posterior `1 - ln(1 + r) / r` if it
    is the Asimov significance; and so on, until nothing changes. If the posterior is right, no round is worse than the
    one before. See `hepcuts.theory.rounds` for the same on known densities.

    A posterior is the share of signal among the expected events at a score. Most scores are none: trained on other
    shares of signal and background, or not to the end. So they are calibrated by isotonic regression, which keeps
    their order. Each event gets its posterior from the events of the other folds, so that none decides of itself.
    The value is still that of events that chose, and too large, by less than that of a scan: 6 % instead of 13 % with
    300 simulated events of each kind, 1 % with 3000. Quote it of other events (`hepcuts.evaluation.evaluation`).

    Args:
        samples: at least one signal and one background, with the score as a column. None of their events may have
            trained it.
        score: name of that column, larger for signal.
        objective: a closed form, by its name or as an object; its value and the weights that it asks for count all
            samples, with their systematics where it takes the background's uncertainty.
        calibrate: whether to calibrate; None to do so if the score is no posterior, by its range or by a p-value below
            0.01.
        folds: parts of the events for that; at least 2.
        background_weight: with which to start; None for the better of two climbs, see `hepcuts.theory.rounds`.
        min_background: effective number of simulated background events that a cut has to leave.
        max_rounds: of a climb.
        seed: of the folds.

    Raises:
        SampleError: there is no such column.
        InputError: the weight of the background is not known of the objective, a score is missing or, with
            `calibrate=False`, no posterior, or nothing is kept.

    Example:
        >>> import hepcuts as hc
        >>> samples = hc.datasets.scenario("gauss40x10-gauss50x10", seed=1)
        >>> found = cut_score(samples, "x")  # of which any function is a score
        >>> print(f"x > {found.threshold:.1f}, p > {found.posterior_threshold:.3f}, BCE: x > {found.half:.1f}")
        x > 44.2, p > 0.090, BCE: x > 67.1
    """
    samples, figure = check_samples(samples), figure_of_merit(objective)
    max_rounds = checks.count("max_rounds", max_rounds, least=1)
    if background_weight is not None:
        checks.positive("background_weight", background_weight)
    posterior = Posterior.of(samples, score, calibrate, Folds(folds, as_seed(seed)))
    search = _Weighing(posterior, figure, checks.amount("min_background", min_background))
    starts = search.starts() if background_weight is None else (background_weight,)
    rounds = climb(search.choose, starts, objective=figure.name, max_rounds=max_rounds)
    message = rounds.message
    if rounds.posterior_threshold > search.highest:
        message += f"; a tighter cut would leave fewer than {min_background:g} effective simulated background events"
    return ScoreCut(
        score,
        rounds.threshold,
        rounds,
        posterior.calibration,
        posterior.map is not None,
        posterior.on_score(0.5),
        _price(Scored.of(samples, score), rounds, posterior.on_score(0.5), score),
        message,
    )


class _Weighing:
    """What is chosen with a weight of the background, and what weight that asks for.

    Args:
        posterior: of each event.
        figure: a closed form.
        min_background: effective number of simulated background events that a cut has to leave.

    Attributes:
        highest: the tightest cut on the posterior that leaves them.
    """

    def __init__(self, posterior: Posterior, figure: AbstractFigureOfMerit, min_background: float) -> None:
        self._posterior, self._figure, self._condition = posterior, figure, condition_of(figure)
        self._totals = totals_of(posterior.samples)
        self.highest = _highest(Scored.of(posterior.samples, posterior.column), min_background)

    def starts(self) -> tuple[float, float]:
        """The weight that no cut asks for, and that of BCE."""
        everything = self._rows(Selection([Cut(self._posterior.column, ">", -1.0)]))
        return self._asked(everything), 1.0

    def choose(self, weight: float) -> Chosen | None:
        """See `hepcuts.merit.rounds.climb`."""
        cut = min(weight / (1.0 + weight), self.highest)
        try:
            rows = self._rows(Selection([Cut(self._posterior.column, ">", cut)]))
        except EmptySelectionError:
            return None
        s, b = float(rows.signal[0]), float(rows.background[0])
        if not (s > 0 and b > 0):
            return None
        value = float(self._figure.values([rows])[0])
        return Chosen(self._posterior.on_score(cut), s, b, value, self._asked(rows))

    def _rows(self, selection: Selection) -> Rows:
        return Rows.of_templates(fill(self._posterior.samples, selection), self._totals)

    def _asked(self, rows: Rows) -> float:
        s, b, variance = (float(a) for a in (rows.signal[0], rows.background[0], rows.sigma[0, 0] ** 2))
        values = rows.yields_at(slice(None))
        simulated = sum(
            float(np.asarray(values.variances)[0, 0, number, 0])
            for number, component in enumerate(rows.structure.components)
            if component.staterror and not component.signal
        )
        systematic = min(max(1.0 - simulated / variance, 0.0), 1.0) if variance > 0 else 1.0
        return float(self._condition(max(s, 0.0) / b, variance / b, systematic))


def _highest(events: Scored, min_background: float) -> float:
    """The highest posterior above which there are so many effective background events, as above all lower ones."""
    background = ~events.signal
    order = np.argsort(events.score[background])[::-1]
    posterior, weights = events.score[background][order], events.weights[background][order]
    enough = np.cumsum(weights) ** 2 >= min_background * np.cumsum(weights**2)
    if not enough[-1]:
        raise InputError(
            f"All background together is fewer than {min_background:g} effective simulated events; simulate more, or "
            "lower min_background."
        )
    # The last place, from the top, with too few; everything from the next posterior on is kept.
    few = np.flatnonzero(~enough)
    needed = posterior[few[-1] + 1] if len(few) else posterior[0]
    return float(np.nextafter(needed, -1.0))


def _price(events: Scored, rounds: Rounds, half: float, variable: str) -> PriceOfDecisions:
    """In bins of equally many events, that the threshold does not straddle."""
    low, high = float(np.min(events.score)), float(np.max(events.score))
    edges = np.unique([*events.edges(40), low, high, min(max(rounds.threshold, low), high)])
    at = np.clip(np.searchsorted(edges, events.score, side="left") - 1, 0, len(edges) - 2)
    s, b = (np.histogram(at, np.arange(len(edges)), weights=w)[0] for w in events.by_kind)
    return PriceOfDecisions(edges, s, b, rounds.background_weight, rounds.threshold, half, variable)
