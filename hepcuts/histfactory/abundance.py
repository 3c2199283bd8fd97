"""Very many expected events: where double precision no longer tells a fit where its minimum is.

A bin of n events measures its rate to 1 / sqrt(n), while constraints leave the parameters behind it a width of 1. From
some 1e11 events on the minimum is so narrow and bent a valley that a search with several parameters creeps along it;
beyond 1e15 rounding of the rates is what the data measure.
"""

import numpy as np

from hepcuts._core.types import FloatArray

from .batch import Batch

MANY_EVENTS = 1e11
"""Events of one bin from which on a search that did not converge is not tried again. With one to seven nuisance
parameters in one to four bins 25 random likelihoods of 1e9 events a bin all converged, of 1e12 one did."""
MOST_EVENTS = 1e15
"""Events of one bin beyond which nothing is fitted."""


def most_events(batch: Batch) -> FloatArray:
    """Events of the fullest bin, expected at nominal parameters or in the data, shape (lane,)."""
    expected = np.abs(batch.templates.nominal).sum(axis=0)
    most: FloatArray = expected.max(axis=0, initial=0.0) + np.zeros(batch.lanes)
    if batch.data is not None:
        most = np.maximum(most, batch.data[: len(expected)].max(axis=0, initial=0.0))
    return most


def too_many(events: float) -> str:
    """What to say where a bin has so many events; an empty string where that is no trouble."""
    if not events > MANY_EVENTS:
        return ""
    limit, why = MANY_EVENTS, "may have a minimum that double precision cannot find"
    if events > MOST_EVENTS:
        limit, why = MOST_EVENTS, "is not fitted"
    return (
        f"a bin has {events:.3g} events, and a likelihood with more than {limit:.0e} {why}: check the weights "
        "(cross-section times luminosity over the number of simulated events), tighten the cuts, or take a closed form "
        "('asimov_uncertainty')"
    )
