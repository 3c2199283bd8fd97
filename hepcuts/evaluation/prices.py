"""The price list of an analysis: what each systematic, each sample's simulation and the luminosity cost in Z.

What would help most: a better calibration, more simulation, more data? Each row says by how much the expected Z grows
if one thing is better by a stated step. All are of the prefit Asimov dataset (mu = 1, nuisance parameters nominal).

What a step is, exactly:

- *luminosity*, 10 % more: the expected events of all samples, in all their variations, times 1.1; relative
  uncertainties, those of simulation among them, stay.
- *signal*, 10 % more, and *background*, 10 % less: the same of one sample. Signals are what the signal strength scales.
- *systematic*, 10 % smaller: the width of the constraint of its parameter times 0.9, the variations where they are. For
  what grows linearly with its parameter that is the same as variations of 0.9 times the size. The name is that of the
  modifier: normsys and histosys of one name are one systematic. Free factors have no constraint and no row.
- *simulation*, twice the events: the relative uncertainties of a sample's staterror and shapesys over the root of two.
  Samples that share a staterror share its width, the root of their summed squares over their summed events.

First-order estimates would not do: they are wrong by a tenth and more where a systematic matters. Each number is that
of a fit to the changed likelihood, all of them together from where the first ended (`hepcuts.histfactory.nearby`).
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hepcuts._core import checks
from hepcuts._core.tables import DataFrame, SummaryTable, Tabular, data_frame
from hepcuts.histfactory import discovery_test
from hepcuts.histfactory.nearby import Nearby

from .exchange import Exchange, exchange
from .levers import ALL, Lever, levers
from .systematics import Given, Groups, likelihood_of, members_of

_ROWS = 20
"""Rows that are printed; the others are in the data frame."""


@dataclasses.dataclass(frozen=True)
class Price:
    """What one thing costs.

    Attributes:
        kind: ``"luminosity"``, ``"signal"``, ``"background"``, ``"simulation"``, ``"systematic"`` or ``"group"`` (of
            systematics).
        name: of the sample, modifier or group; ``"all"`` for all simulation and all systematics.
        factor: of the expected or simulated events, or of the constraint's width.
        gain: by how much the expected Z grows.
    """

    kind: str
    name: str
    factor: float
    gain: float

    @property
    def label(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}".strip()

    @property
    def change(self) -> str:
        """The step in words."""
        if self.kind == "simulation":
            return f"{self.factor:g} times"
        return f"{100.0 * abs(self.factor - 1.0):.3g} % {'more' if self.factor > 1 else 'less'}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PriceList(Tabular):
    """What an analysis could gain.

    Attributes:
        significance: expected Z as it is.
        prices: all of them, the largest gain first.
        gain: in Z that `exchanges` are for; None without any.
        exchanges: what it costs in luminosity, in the most expensive systematic and in the most expensive simulation.
        members: names of the systematics of each group.
        message: what the fits did.
    """

    significance: float
    prices: tuple[Price, ...]
    gain: float | None
    exchanges: tuple[Exchange, ...]
    members: Mapping[str, tuple[str, ...]]
    message: str

    def __getitem__(self, key: tuple[str, str]) -> Price:
        """The price of a kind and a name, such as ``["systematic", "lumi"]`` or ``["luminosity", ""]``."""
        return {(price.kind, price.name): price for price in self.prices}[key]

    def overview(self) -> SummaryTable:
        """The largest prices, and what the gain costs."""
        largest = max((abs(price.gain) for price in self.prices), default=0.0)
        decimals = max(0, 3 - math.floor(math.log10(largest))) if 0 < largest < math.inf else 2
        shown, others = self.prices[:_ROWS], self.prices[_ROWS:]
        rows = [(price.label, price.change, f"{price.gain:+.{decimals}f}") for price in shown]
        foot = [f"and {len(others)} more, each {others[0].gain:+.{decimals}f} or less"] if others else []
        for number, one in enumerate(self.exchanges):
            foot.append(f"{self.gain:+g} in Z: {one}" if number == 0 else f"{' ' * len(f'{self.gain:+g} in ')}or {one}")
        title = f"Prices: expected Z = {self.significance:.4f} (prefit Asimov data, mu = 1)"
        return SummaryTable(title, rows, ("what", "change", "gain in Z"), foot, "llr")

    def to_dataframe(self) -> DataFrame:
        """One row for each price, the largest gain first."""
        return data_frame([{**dataclasses.asdict(price), "change": price.change} for price in self.prices])

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON; NaN where there is no number."""
        return {
            "significance": self.significance,
            "prices": [{**dataclasses.asdict(price), "change": price.change} for price in self.prices],
            "gain": self.gain,
            "exchanges": [dataclasses.asdict(one) for one in self.exchanges],
            "groups": {name: list(members) for name, members in self.members.items()},
            "message": self.message,
        }

    def plot(self, *, most: int = 15, ax: Any = None) -> Any:
        """Draw them; see `hepcuts.plotting.price_list`."""
        from hepcuts import plotting  # noqa: PLC0415 (drawing is imported when something is drawn)

        return plotting.price_list(self, most=most, ax=ax)


def prices(
    workspace: Given,
    *,
    step: float = 0.1,
    gain: float | None = 0.1,
    groups: Groups | None = None,
    **options: Any,
) -> PriceList:
    """What each systematic, each sample and its simulation, and the luminosity are worth in expected Z.

    Args:
        workspace: a workspace, as `HistFactory.from_workspace` takes it, or a likelihood.
        step: fraction by which events are more (or backgrounds less) and systematics smaller; simulation is doubled.
        gain: in Z, of which is said what it costs in luminosity, systematic and simulation, which takes up to two more
            fits; None to leave that out.
        groups: name of each group and patterns of the names of its systematics, as in a shell, such as
            ``{"jets": ["JES_*", "JER_*"]}``.
        options: of `HistFactory.from_workspace`, such as ``measurement``, ``patches`` and ``point``.

    Raises:
        FitError: the fit to the Asimov data did not converge.
        InputError: a step that is not between 0 and 1, a gain that is not positive, a pattern that matches nothing, or
            as `HistFactory.from_workspace`.
        UnsupportedModelError: the model has no parameter of interest, or fixes it.

    Warns:
        BoundWarning: as `hepcuts.discovery_test`.

    Example:
        >>> import hepcuts as hc
        >>> signal = hc.Sample("signal", {"x": [1.0]}, weights=[10.0], signal=True, staterror=False)
        >>> modifiers = [hc.NormSys("xsec", 1.1, 0.9), hc.NormSys("scale", 1.02, 0.98)]
        >>> background = hc.Sample("ttbar", {"x": [1.0] * 100}, weights=[0.5] * 100, modifiers=modifiers)
        >>> templates = hc.fill([signal, background], hc.Cut("x", ">", 0.0))
        >>> found = prices(hc.workspace(templates))
        >>> print(found)
        Prices: ...
    """
    checks.fraction("step", step)
    if gain is not None:
        checks.positive("gain", gain)
    likelihood = likelihood_of(workspace, **options)
    found = levers(likelihood, groups)
    test = discovery_test(likelihood)
    before = test.significance
    nearby = Nearby(likelihood, test.background_only)
    factors = [lever.factor(step) for lever in found]
    values = nearby.significances([one.change(likelihood, f) for one, f in zip(found, factors, strict=True)])
    rows = [
        (one, Price(one.kind, one.name, factor, float(value) - before))
        for one, factor, value in zip(found, factors, values, strict=True)
    ]
    rows.sort(key=lambda row: -row[1].gain)
    return PriceList(
        before,
        tuple(price for _, price in rows),
        gain,
        () if gain is None else exchange(likelihood, nearby, _currencies(rows, before), before=before, gain=gain),
        members_of(likelihood, groups),
        test.message,
    )


def _currencies(rows: Sequence[tuple[Lever, Price]], before: float) -> dict[Lever, tuple[float, float]]:
    """Factor and Z of luminosity, the first systematic and the first simulation of rows with the largest gain first."""
    wanted = ("luminosity", "systematic", "simulation")
    worth = [(lever, price) for lever, price in rows if price.gain > 0 and price.name != ALL]
    firsts = [next((row for row in worth if row[1].kind == kind), None) for kind in wanted]
    return {lever: (price.factor, before + price.gain) for lever, price in filter(None, firsts)}
