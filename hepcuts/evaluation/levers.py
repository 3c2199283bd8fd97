"""What could be better of an analysis, and what a likelihood is if it is: the rows of a price list."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory import HistFactory
from hepcuts.histfactory.changes import Change

from .systematics import Groups, members_of, systematics

ALL = "all"
"""Name of the rows that have all simulation, or all systematics, better at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class Lever:
    """One thing that could be better.

    Attributes:
        kind: ``"luminosity"``, ``"signal"``, ``"background"``, ``"simulation"``, ``"systematic"`` or ``"group"``.
        name: of the sample, modifier or group; of the luminosity none.
        acts: samples (or for a systematic or a group the parameters) that it acts on, shape (sample,) or (parameter,).
    """

    kind: str
    name: str
    acts: NDArray[np.bool_]

    @property
    def of_events(self) -> bool:
        """Whether it is a number of expected events."""
        return self.kind in {"luminosity", "signal", "background"}

    def change(self, likelihood: HistFactory, factor: float) -> Change:
        """The change that it makes.

        Args:
            likelihood: to be changed.
            factor: of the expected or simulated events, or of the width of constraints.
        """
        none = Change.none(likelihood)
        factors = np.where(self.acts, factor, 1.0)
        if self.of_events:
            return none._replace(yields=factors)
        return none._replace(simulated=factors) if self.kind == "simulation" else none._replace(widths=factors)

    def factor(self, step: float) -> float:
        """The factor of a step for the better: 1.1 of a step of 0.1, 0.9 where less is better, 2 for simulation."""
        if self.kind == "simulation":
            return 2.0
        return 1.0 + step if self.kind in {"luminosity", "signal"} else 1.0 - step


def levers(likelihood: HistFactory, groups: Groups | None = None) -> tuple[Lever, ...]:
    """All that could be better of a likelihood.

    Args:
        likelihood: the likelihood.
        groups: of systematics.

    Raises:
        InputError: a pattern of a group that no systematic matches.
    """
    return (*_of_samples(likelihood), *_of_systematics(likelihood, groups))


def _of_samples(likelihood: HistFactory) -> Iterator[Lever]:
    structure, templates, samples = likelihood.structure, likelihood.templates, likelihood.samples
    yield Lever("luminosity", "", np.ones(len(samples), dtype=bool))
    every = np.eye(len(samples), dtype=bool)
    signal = (np.asarray(structure.factor) == structure.poi).any(axis=(0, 2))
    for name, is_signal, one in zip(samples, signal, every, strict=True):
        yield Lever("signal" if is_signal else "background", name, one)
    # Entries that follow no constraint, because the measurement sets its width, have no effect.
    stat = (np.asarray(templates.staterror) > 0) & (np.asarray(structure.staterror) < len(structure.normal_parameter))
    shape = (np.asarray(templates.shapesys) > 0) & (np.asarray(structure.shapesys) < len(structure.poisson_parameter))
    simulated = np.asarray(stat.any(axis=(0, 2)) | shape.any(axis=(0, 2)))
    if simulated.sum() > 1:
        yield Lever("simulation", ALL, simulated)
    for number in np.flatnonzero(simulated):
        yield Lever("simulation", samples[number], every[number])


def _of_systematics(likelihood: HistFactory, groups: Groups | None) -> Iterator[Lever]:
    members, parameters = systematics(likelihood), len(likelihood.structure.init)

    def moved(*names: str) -> NDArray[np.bool_]:
        acts = np.zeros(parameters, dtype=bool)
        for name in names:
            acts[members[name]] = True
        return acts

    if len(members) > 1:
        yield Lever("group", ALL, moved(*members))
    for name, chosen in members_of(likelihood, groups).items():
        yield Lever("group", name, moved(*chosen))
    for name in members:
        yield Lever("systematic", name, moved(name))
