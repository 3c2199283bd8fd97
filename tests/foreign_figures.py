"""Figures of merit that hepcuts does not know: a class of each kind, and a function; registered nowhere."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from hepcuts._core.precision import namespace
from hepcuts.histfactory import discovery_significance, expected_mu_uncertainty
from hepcuts.merit.closed_forms import ClosedForm
from hepcuts.merit.figures import AbstractYieldFigure
from hepcuts.merit.gains import Gain
from hepcuts.merit.likelihood import LikelihoodFigure
from hepcuts.merit.losses import AbstractDecisionLoss


@dataclasses.dataclass(frozen=True)
class Significance(AbstractYieldFigure):
    """S / sqrt(B + (c B)^2) of the sum of all bins: a class of the yields."""

    name: str = "foreign"
    label: str = r"$S/\sqrt{B+(cB)^2}$"
    c: float = dataclasses.field(default=0.1, kw_only=True)

    def value(self, yields, structure, totals):  # noqa: ARG002
        signal = np.array([component.signal for component in structure.components])
        nominal = yields.nominal.sum(-1)
        xp = namespace(nominal)
        s, b = xp.where(signal, nominal, 0.0).sum(-1), xp.where(signal, 0.0, nominal).sum(-1)
        good = b > 0
        return xp.where(good, s / xp.sqrt(xp.where(good, b + (self.c * b) ** 2, 1.0)), xp.nan)


def significance(yields, structure):
    """The same as a function, in JAX, of one set of yields; c = 0.1."""
    signal = np.array([component.signal for component in structure.components])
    nominal = yields.nominal.sum(-1)
    s, b = jnp.where(signal, nominal, 0.0).sum(), jnp.where(signal, 0.0, nominal).sum()
    return s / jnp.sqrt(b + (0.1 * b) ** 2)


def asimov(yields, structure):
    """The same under the name of another one."""
    return significance(yields, structure)


def twice(s, b):
    """Twice S / sqrt(B)."""
    return 2.0 * s / namespace(s, b).sqrt(b)


def squared(ratio, _):
    """What a bin adds to the square of `twice`, over its background."""
    return 4.0 * ratio**2


def slope(ratio, _):
    """Its slope."""
    return 8.0 * ratio


def impostor(name="asimov"):
    """A closed form with a built-in one's name."""
    return ClosedForm(name, "twice", formula=twice, of_bin=Gain(False, squared, slope))


def precision(name="profile"):
    """A likelihood's figure of merit, to be made small, with the significance's name."""
    return LikelihoodFigure(name, "precision", -1, statistic=expected_mu_uncertainty)


def doubled(likelihood, templates):
    """Twice the significance."""
    return 2.0 * discovery_significance(likelihood, templates)


def double(name="doubled"):
    """A likelihood's figure of merit without a way for many at once."""
    return LikelihoodFigure(name, "twice Z", statistic=doubled)


@dataclasses.dataclass(frozen=True)
class Wrong(AbstractDecisionLoss):
    """Number of wrong decisions, where accepted background counts a fifth."""

    name: str = "wrong"
    label: str = "wrong"
    sign: int = -1

    def of_events(self, step):
        def soft(table, thresholds, widths):
            n = table.num_nominal
            passed = table.selection.pass_weights(table.values[:, :n], table.missing[:, :n], thresholds, widths, step)
            return (table.weights[:n] * jnp.where(table.is_signal, 1.0 - passed, 0.2 * passed)).sum()

        return soft

    def of_decisions(self, missed, accepted, totals):  # noqa: ARG002
        return missed + 0.2 * accepted


def scanned(figure, samples, cut, thresholds):
    """Values of a scan, for another process."""
    import hepcuts as hc

    (values,) = hc.scan(samples, cut, metrics=[figure], thresholds=thresholds, replicas=0, folds=0).values.values()
    return values
