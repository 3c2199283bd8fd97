"""What the report says: sentences and tables around the numbers, which are all computed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hepcuts._core.tables import SummaryTable
from hepcuts._core.types import FloatArray
from hepcuts._core.version import __version__
from hepcuts.merit.theory import agreement

from .families import FAMILIES
from .grids import DECISIONS, PhaseDiagram
from .overview import NOTHING, Grids, share
from .pages import AbstractBlock, Bullets, Heading, Paragraph, TableBlock, percent
from .scenarios import HEAD, NOTES, Case, rows
from .simulation import SimulationSize, interval

SCENARIO_CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "distributions": "Expected events, the signal as a line. What is shaded is rejected by the cut that maximizes "
        "the significance of the profile likelihood on these events.",
        "metrics": "Each metric against the cut, divided by its best value (a loss the other way around); a marker is "
        "where the metric would cut. Chosen and judged on the same events.",
    }
)

LUMINOSITY_CAPTION = (
    "From densities, no events: the significance at the cut of BCE over the best one, against luminosity and relative "
    "background uncertainty. BCE knows of neither and does not move. The significance depends on them only through "
    "luminosity times squared relative uncertainty, so that the pattern is the same along falling diagonals."
)

SIMULATION_CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "cut": "Where each rule cuts: median and central 68 % over independent simulations, against their size. The "
        "dashed line is the best cut according to the densities, with a known background.",
        "worth": "What these cuts are truly worth: Asimov significance of the true yields behind the chosen cut, with "
        "a known background, over the best possible one. Chosen on events, judged by densities.",
        "worth-with-simulation": "The same, where the simulation that is there is all there is: the judge gives the "
        "true background the uncertainty of as many simulated events as would be behind the cut, as an auxiliary "
        "Poisson count, and compares with the cut that is best under this uncertainty.",
    }
)


def opening(cases: Sequence[Case], grids: Grids | None) -> list[AbstractBlock]:
    """Title and answer."""
    answers = [
        "The error rate, and with it binary cross-entropy (BCE) of hard decisions, is smallest where signal and "
        "background have equal densities at the cut. The significance is largest where the density at the cut "
        f"balances what lies behind it. With a known background the two agree where S/B behind the cut is "
        f"{agreement():.3f}; with less, BCE cuts too hard, with more, too loosely."
    ]
    fractions = {c.name: f for c in cases for f in [_fraction(c, "bce")] if np.isfinite(f)}
    if fractions:
        kept = ", ".join(f"{percent(fraction)} in {name}" for name, fraction in fractions.items())
        answers.append(
            f"Simulated, the cut of BCE keeps of the best profile-likelihood significance {kept}. Cuts chosen and "
            "judged on the same events."
        )
    if grids is not None:
        answers += [_answer_of(grids, family) for family in dict.fromkeys(d.family.name for d in grids.phases)]
        answers += [_answer_of_size(found) for found in grids.simulations]
    return [
        Heading("Does the cut that minimizes binary cross-entropy maximize the significance?", 1),
        Heading("The answer"),
        Paragraph(
            "Not in general. Where it does, signal and background behind the cut happen to be in the right ratio."
        ),
        Bullets(tuple(answers)),
    ]


def _fraction(case: Case, metric: str) -> float:
    return next((choice.fraction for choice in case.choices if choice.metric == metric), np.nan)


def _answer_of(grids: Grids, family: str) -> str:
    mine = [diagram for diagram in grids.phases if diagram.family.name == family]
    known = [share(diagram, "bce") for diagram in mine if diagram.fixed["relative_uncertainty"] == 0]
    uncertain = [share(diagram, "bce") for diagram in mine if diagram.fixed["relative_uncertainty"] > 0]
    good, bad = ([getattr(found, name) for found in uncertain] for name in ("good", "bad"))
    return (
        f"From densities, {FAMILIES[family].title}: with a known background the cut of BCE keeps at least 95 % of the "
        f"best significance at {percent(known[0].good)} of the points of the phase diagram, and less than half at "
        f"{percent(known[0].bad)}. With the background uncertainties shown below, the first share is between "
        f"{percent(min(good))} and {percent(max(good))}, and the second between {percent(min(bad))} and "
        f"{percent(max(bad))}."
    )


def _answer_of_size(found: SimulationSize) -> str:
    worth = interval(found.worth)
    parts = [
        f"{_median(worth[:, i, 0])} with {found.sizes[0]:.0f} and {_median(worth[:, i, -1])} with "
        f"{found.sizes[-1]:.0f} simulated events ({rule.label})"
        for i, rule in enumerate(found.rules)
        if rule.metric in ("bce", "asimov") and not rule.min_background
    ]
    return f"Chosen on events and judged by densities, in {found.scenario} cuts are worth {'; '.join(parts)}."


def _median(values: FloatArray) -> str:
    """Median and interval of a share."""
    low, middle, high = values
    return f"{percent(middle)} ({percent(low)} to {percent(high)})" if np.isfinite(middle) else "nothing"


def about_scenarios() -> list[AbstractBlock]:
    """What the scenarios are."""
    return [
        Heading("Scenarios, simulated"),
        Paragraph(
            "Each scenario has one variable x, and what is above a cut is kept. A name reads background-signal: exp10 "
            "is an exponential distribution of mean 10, gauss50x10 a normal distribution of mean 50 and standard "
            "deviation 10. Each expected event is simulated once. All metrics are scanned at whole numbers from 1 "
            "to 99."
        ),
        Paragraph(NOTES),
    ]


def of_scenario(case: Case) -> list[AbstractBlock]:
    """Heading and table of one scenario."""
    signal, background = (f"{sample.total:g}" for sample in case.samples)
    return [
        Heading(case.name, 3),
        TableBlock(SummaryTable(f"{signal} signal and {background} background events expected.", rows(case), HEAD)),
    ]


def about_phases(grids: Grids) -> list[AbstractBlock]:
    """What the phase diagrams are, and their shares."""
    return [
        Heading("Phase diagrams, from densities"),
        Paragraph(
            "No event is simulated here: yields behind a cut are integrals of known densities. The signal is normal, "
            "and all lengths are in units of its standard deviation. The background is either normal with the same "
            "width, at a distance called separation, or exponential with a mean of one such width, starting at 0, "
            "with the signal's mean at the separation. Z is the Asimov significance, in standard deviations, with the "
            "given relative uncertainty of the background."
        ),
        Paragraph(
            "Where signal is rare and overlaps with background, the fewest mistakes are made by accepting nothing. "
            "Over a normal background the cut of BCE runs far out and leaves next to nothing; over an exponential one "
            "it jumps to infinity, because the densities no longer cross, or cross only where accepting nothing is "
            "still better. Z at this cut goes to 0, and so does the ratio. Where signal is plentiful over an "
            "exponential background, a loss may accept everything: a cut at minus infinity, whose distance is "
            "infinite, but whose Z is not zero."
        ),
        Paragraph(
            "Balanced BCE weights both classes to equal sums, as classifiers are often trained. Its cut does not "
            "depend on the signal fraction. It rarely accepts nothing; the line on which it agrees with the best cut "
            "is another one."
        ),
        TableBlock(
            SummaryTable(
                "Ratio: Z at the cut of the loss over the best Z. Shares are of the points of the diagram, evenly "
                "spaced in the logarithm of signal over background before the cut, and in separation. Too hard: the "
                f"cut is above the best one. Accepts nothing: less than {percent(NOTHING, 1)} of the signal.",
                tuple(_shares(diagram, loss) for diagram in grids.phases for loss in DECISIONS),
                _SHARES,
            )
        ),
    ]


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
    what = (
        f"Z at the cut of {DECISIONS[loss]} over the best Z"
        if quantity == "ratio"
        else f"The cut of {DECISIONS[loss]} minus the best cut, in units of the signal's standard deviation; red is "
        "too hard, blue too loose. Beyond the scale, infinite distances included, the color is that of its end"
    )
    lines = "On the solid line the two cuts agree."
    if loss == "bce":
        lines += (
            f" On the dotted line S/B behind the cut of BCE is {agreement():.3f}: with a known background that is the "
            "same line, with an uncertain one it is not. The white dashed line is where BCE accepts "
            f"{percent(NOTHING, 1)} of the signal."
        )
    return (
        f"From densities, no events: {FAMILIES[family].title}. {what}. Rows: expected events before the cut; columns: "
        f"background uncertainty. {lines}"
    )


def about_luminosities(grids: Grids) -> list[AbstractBlock]:
    """What luminosity and uncertainty do together."""
    places = "; ".join(
        f"{d.family.name}, signal fraction {d.fixed['signal_fraction']:.2g}, separation {d.fixed['separation']:g}"
        for d in grids.luminosities
    )
    return [
        Heading("Luminosity and background uncertainty, from densities"),
        Paragraph(
            "Luminosity alone moves no cut: it multiplies signal and background alike, and Z by its square root. With "
            "an uncertain background it does, because then the background's uncertainty grows faster than its "
            f"fluctuation. Four points of the phase diagrams: {places}."
        ),
    ]


def about_simulations(grids: Grids) -> list[AbstractBlock]:
    """How the size of the simulation is studied."""
    return [
        Heading("Size of the simulation: chosen on events, judged by densities"),
        Paragraph(
            "Signal and background are simulated with equally many events each, weighted so that the expected yields "
            f"stay what they are, {grids.resolution.repetitions} times independently at each size. Each rule chooses "
            "the cut at which its metric is best on these events. The cut is then judged by the true yields behind "
            "it, which no event has influenced. Finite simulation is part of the background's uncertainty in "
            "asimov_uncertainty and in the profile likelihood, and in no other metric. "
            "At least 10 events: only cuts with ten effective simulated background events behind them are allowed."
        ),
    ]


def of_simulation(found: SimulationSize) -> list[AbstractBlock]:
    """Heading and tables of one scenario."""
    shown = [i for i, size in enumerate(found.sizes) if np.isclose(np.log10(size) % 1.0, 0.0)]
    head = ("rule", *(f"{found.sizes[i]:.0f}" for i in shown))

    def table(values: FloatArray, number: str, caption: str) -> TableBlock:
        low, middle, high = interval(values)
        body = [
            (
                rule.label,
                *(f"{middle[r, i]:{number}} ({low[r, i]:{number}} to {high[r, i]:{number}})" for i in shown),
            )
            for r, rule in enumerate(found.rules)
            if np.isfinite(middle[r]).any()
        ]
        title = f"{caption} Median (central 68 %) over the simulations of each size."
        return TableBlock(SummaryTable(title, body, head))

    return [
        Heading(f"Size of the simulation of {found.scenario}", 3),
        Paragraph(
            f"According to the densities, with a known background, the best cut is {found.best_cut:.4g} and its "
            f"significance {found.best_significance:.4g} standard deviations. With the uncertainty of "
            f"{found.sizes[0]:.0f} simulated events it is {found.best_cut_with_simulation[0]:.4g} if they are taken as "
            f"an auxiliary Poisson count, and {found.best_cut_gaussian[0]:.4g} with the Gaussian constraint of pyhf's "
            "staterror, which makes less of a large uncertainty."
        ),
        Paragraph(f"Half of the central 68 % of the chosen cuts, {_scatter(found)}."),
        table(
            found.cuts,
            ".3g",
            "Chosen cut on x, against the simulated events of each of signal and background.",
        ),
        table(found.worth, ".1%", "True Z at the chosen cut over the best true Z, the background known."),
        table(
            found.worth_with_simulation,
            ".1%",
            "The same with the uncertainty of the simulation: true Z at the chosen cut over the best under that.",
        ),
        table(
            found.optimism(),
            ".3g",
            "Claimed over true Asimov significance at the chosen cut: 1 would be honest. Claimed is what is chosen and "
            "judged on the same events.",
        ),
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
    lines = [f"hepcuts {__version__}, seed {seed}; the same version and seed give the same numbers."]
    if grids is not None:
        x, y = grids.resolution.shape
        lines.append(f"Diagrams of {x} times {y} points; all of them are in the folder tables.")
        lines.append(
            f"{grids.resolution.repetitions} simulations of each of the sizes "
            f"{', '.join(str(size) for size in grids.resolution.sizes)}; all choices are in study.json."
        )
    return [Heading("How this was made"), Bullets(tuple(lines))]
