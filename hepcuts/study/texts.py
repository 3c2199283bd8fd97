"""What the report says: the sentences of ``texts.txt`` and tables, around numbers that are all computed."""

from collections.abc import Sequence

import numpy as np

from hepcuts._core.pages import AbstractBlock, Heading, TableBlock, joined
from hepcuts._core.tables import SummaryTable
from hepcuts._core.types import FloatArray
from hepcuts._core.version import __version__
from hepcuts.merit.theory import agreement

from .families import FAMILIES
from .few_events import FewEvents
from .founding import cut_or_fit, rows_of_few, rows_of_fit, rows_of_thresholds
from .grids import DECISIONS, PhaseDiagram
from .overview import NOTHING, Grids, share
from .scenarios import HEAD, NOTES, Case, rows
from .sentences import percent, section, sentences
from .simulation import SimulationSize, interval


def opening(cases: Sequence[Case], grids: Grids | None) -> list[AbstractBlock]:
    """Title and answer."""
    fits = "; ".join(f"{one.bce:.3g}, {one.best:.3g}, {one.fit:.3g}" for one in cut_or_fit())
    few = sentences("few events elsewhere") if grids is None else _few_in_short(grids.few)
    blocks = section("opening", agreement=agreement(), fits=fits, few=few)
    return joined([*blocks, *section("limits"), *_shares_of(cases, grids)])


def _few_in_short(found: FewEvents) -> str:
    at, smallest = int(np.argmin(np.abs(np.log(found.ratios / agreement())))), int(np.argmin(found.sizes))
    z, errors, _, star = (percent(worth) for worth in found.worth[:, at, smallest])
    return sentences(
        "few events at hand", agreement=agreement(), size=found.sizes[smallest], z=z, errors=errors, star=star
    )


def _shares_of(cases: Sequence[Case], grids: Grids | None) -> list[AbstractBlock]:
    """What the cut of BCE keeps, in the scenarios and over the grids."""
    blocks: list[AbstractBlock] = []
    fractions = {c.name: f for c in cases for f in [_fraction(c, "bce")] if np.isfinite(f)}
    if fractions:
        kept = ", ".join(f"{percent(fraction)} in {name}" for name, fraction in fractions.items())
        blocks += section("answer of the scenarios", kept=kept)
    if grids is not None:
        for family in dict.fromkeys(d.family.name for d in grids.phases):
            blocks += _answer_of(grids, family)
        for found in grids.simulations:
            blocks += _answer_of_size(found)
    return blocks


def _fraction(case: Case, metric: str) -> float:
    return next((choice.fraction for choice in case.choices if choice.metric == metric), np.nan)


def _answer_of(grids: Grids, family: str) -> list[AbstractBlock]:
    mine = [diagram for diagram in grids.phases if diagram.family.name == family]
    known = next(share(diagram, "bce") for diagram in mine if diagram.fixed["relative_uncertainty"] == 0)
    uncertain = [share(diagram, "bce") for diagram in mine if diagram.fixed["relative_uncertainty"] > 0]
    shares = {"good": known.good, "bad": known.bad}
    for name in ("good", "bad"):
        values = [getattr(found, name) for found in uncertain]
        shares |= {f"least_{name}": min(values), f"most_{name}": max(values)}
    texts = {name: percent(value) for name, value in shares.items()}
    return section("answer of a family", family=FAMILIES[family].title, **texts)


def _answer_of_size(found: SimulationSize) -> list[AbstractBlock]:
    worth = interval(found.worth)
    parts = [
        f"{_median(worth[:, i, 0])} with {found.sizes[0]:.0f} and {_median(worth[:, i, -1])} with "
        f"{found.sizes[-1]:.0f} simulated events ({rule.label})"
        for i, rule in enumerate(found.rules)
        if rule.metric in ("bce", "asimov") and not rule.min_background
    ]
    return section("answer of a simulation", scenario=found.scenario, worth="; ".join(parts))


def _median(values: FloatArray) -> str:
    """Median and interval of a share."""
    low, middle, high = values
    return f"{percent(middle)} ({percent(low)} to {percent(high)})" if np.isfinite(middle) else "nothing"


def about_theorem() -> list[AbstractBlock]:
    """The theorem, and its two tables."""
    thresholds = SummaryTable(
        sentences("table of thresholds"), rows_of_thresholds(), ("S/B after the cut", "weight of background", "p*")
    )
    fits = SummaryTable(sentences("table of fits"), rows_of_fit(), ("scenario", "cut of BCE", "best cut", "fit"))
    return [*section("founding"), TableBlock(thresholds), TableBlock(fits)]


def about_few(found: FewEvents) -> list[AbstractBlock]:
    """How few events are studied, and what the rules are worth."""
    head = ("S/B", "rule", *(f"{size:.0f} events" for size in found.sizes))
    table = SummaryTable(sentences("table of few"), rows_of_few(found), head, align="ll" + "r" * len(found.sizes))
    return [*section("few events"), TableBlock(table)]


def about_scenarios() -> list[AbstractBlock]:
    """What the scenarios are."""
    return section("scenarios", notes=NOTES)


def of_scenario(case: Case) -> list[AbstractBlock]:
    """Heading and table of one scenario."""
    signal, background = (f"{sample.total:g}" for sample in case.samples)
    return [
        Heading(case.name, 3),
        TableBlock(SummaryTable(f"{signal} signal and {background} background events expected.", rows(case), HEAD)),
    ]


def about_phases(grids: Grids) -> list[AbstractBlock]:
    """What the phase diagrams are, and their shares."""
    title = sentences("table of phases", nothing=percent(NOTHING, 1))
    shares = [_shares(diagram, loss) for diagram in grids.phases for loss in DECISIONS]
    return [*section("phases"), TableBlock(SummaryTable(title, shares, _SHARES))]


_SHARES = ("diagram", "loss", "median ratio", "worst", "at least 95 %", "below 50 %", "too hard", "accepts nothing")
"""Columns that `_shares` fills."""


def _shares(diagram: PhaseDiagram, loss: str) -> tuple[str, ...]:
    found = share(diagram, loss)
    fixed = diagram.fixed
    name = f"{diagram.family.name}, {fixed['events']:.0f} events, sigma_B/B = {percent(fixed['relative_uncertainty'])}"
    shares = (found.good, found.bad, found.too_hard, found.nothing)
    return (name, DECISIONS[loss], f"{found.median:.2f}", f"{found.worst:.2f}", *map(percent, shares))


def phase_caption(name: str) -> str:
    """What a phase diagram shows, by the name of its figure."""
    _, family, loss, quantity = name.split("-")
    what = sentences(quantity, loss=DECISIONS[loss])
    lines = sentences("lines of bce", agreement=agreement(), nothing=percent(NOTHING, 1)) if loss == "bce" else ""
    return sentences("caption of a phase", family=FAMILIES[family].title, what=what, lines=f" {lines}".rstrip())


def about_luminosities(grids: Grids) -> list[AbstractBlock]:
    """What luminosity and uncertainty do together."""
    points = "; ".join(
        f"{d.family.name}, signal fraction {d.fixed['signal_fraction']:.2g}, separation {d.fixed['separation']:g}"
        for d in grids.luminosities
    )
    return section("luminosities", points=points)


def about_simulations(grids: Grids) -> list[AbstractBlock]:
    """How the size of the simulation is studied."""
    return section("simulations", repetitions=grids.resolution.repetitions)


def of_simulation(found: SimulationSize) -> list[AbstractBlock]:
    """Heading and tables of one scenario."""
    shown = [i for i, size in enumerate(found.sizes) if np.isclose(np.log10(size) % 1.0, 0.0)]
    head = ("rule", *(f"{found.sizes[i]:.0f}" for i in shown))

    def table(name: str, values: FloatArray, number: str) -> TableBlock:
        low, middle, high = interval(values)
        body = [
            (
                rule.label,
                *(f"{middle[r, i]:{number}} ({low[r, i]:{number}} to {high[r, i]:{number}})" for i in shown),
            )
            for r, rule in enumerate(found.rules)
            if np.isfinite(middle[r]).any()
        ]
        title = f"{sentences(name)} Median (central 68 %) over the simulations of each size."
        return TableBlock(SummaryTable(title, body, head))

    text = section(
        "simulation",
        scenario=found.scenario,
        cut=found.best_cut,
        significance=found.best_significance,
        smallest=found.sizes[0],
        poisson=found.best_cut_with_simulation[0],
        gaussian=found.best_cut_gaussian[0],
        scatter=_scatter(found),
    )
    return [
        *text,
        table("table of cuts", found.cuts, ".3g"),
        table("table of worth", found.worth, ".1%"),
        table("table of worth with simulation", found.worth_with_simulation, ".1%"),
        table("table of optimism", found.optimism(), ".3g"),
    ]


def _scatter(found: SimulationSize) -> str:
    """How far the cuts of three rules scatter, on the smallest and on the largest simulation."""
    low, _, high = interval(found.cuts)
    half = 0.5 * (high - low)
    shown = [i for i, rule in enumerate(found.rules) if rule.metric in ("bce", "asimov")]
    return "; ".join(
        f"with {found.sizes[size]:.0f} simulated events: "
        + ", ".join(f"{half[i, size]:.2g} ({found.rules[i].label})" for i in shown)
        for size in (0, -1)
    )


def closing(seed: int, grids: Grids | None) -> list[AbstractBlock]:
    """How to get the same again."""
    blocks = section("closing", version=__version__, seed=seed)
    if grids is not None:
        how = grids.resolution
        sizes = ", ".join(map(str, how.sizes))
        x, y = how.shape
        blocks += section("closing with grids", x=x, y=y, repetitions=how.repetitions, sizes=sizes)
    return joined(blocks)
