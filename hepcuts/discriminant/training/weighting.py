"""Training on a weighted BCE whose weight is found on the way: train, see what is accepted, ask for the next weight."""

import dataclasses
import math

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.merit import conditions
from hepcuts.merit.counting import asimov_significance
from hepcuts.merit.cross_entropy import WeightedCrossEntropy
from hepcuts.merit.rounds import Chosen, Rounds, climb

from .course import Course
from .layout import Laid

MAX_ROUNDS = 20
"""Of trainings; each starts where the last one ended. Chosen by hand: five to ten are needed."""
TOLERANCE = 0.02
"""Relative change of the weight that ends the rounds; chosen by hand, below what the events fluctuate by."""


def weighted_rounds(laid: Laid, course: Course, figure: WeightedCrossEntropy) -> tuple[FloatArray, Rounds]:
    """Train in rounds; parameters and offset of the last, shape (parameter + 1,).

    What is accepted is seen on the events that validate, or, without any, on those that train. The first weight is that
    of the figure of merit, which no cut asks for.

    Raises:
        InputError: nothing is accepted in the first round.
    """
    vector, last = np.append(laid.scorer.start, 0.0), 1.0

    def choose(weight: float) -> Chosen | None:
        nonlocal vector, last
        # The logarithm of the odds of a weighted posterior moves with the weight.
        vector = np.append(vector[:-1], vector[-1] - math.log(weight / last))
        losses = laid.losses(dataclasses.replace(figure, background_weight=weight))
        vector, last = course.classify(losses, vector, course.plan.solver), weight
        s, b = (losses[1] or losses[0]).accepted(vector)
        if not (s > 0 and b > 0):
            return None
        return Chosen(-vector[-1], s, b, float(asimov_significance(s, b)), float(conditions.asimov(s / b)))

    first = figure.weight_of_background(*laid.totals)
    rounds = climb(choose, (first,), objective="asimov", max_rounds=MAX_ROUNDS, tolerance=TOLERANCE)
    return vector, rounds
