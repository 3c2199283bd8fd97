"""The theory of one cut: where every metric has its optimum if the densities are known.

Keep what is above the cut `c`. `S(c)` and `B(c)` are the expected signal and background after it, `s = -dS/dc` and
`b = -dB/dc` their densities at the cut. A figure of merit `Z(S, B)` is stationary where

    s / b = -(dZ/dB) / (dZ/dS).

The left side belongs to the events *at* the cut, the right side to all events *after* it. For the error rate, and so
for the binary cross-entropy (BCE) of hard decisions, the right side is 1; for the Asimov significance of a known
background it is `r / ln(1 + r) - 1` with `r = S / B`. This is why the two metrics cut at different places, and why
they agree exactly where `r = 2.513`.

Which one do I need?

- A problem with known densities, its optima, and what a cut is worth: `CutProblem`.
- The right side above for each figure of merit, as a function of `r`: `conditions`.
- The signal-to-background ratio at which a figure of merit cuts where BCE does: `agreement`.
- Where a figure of merit cuts a calibrated posterior: `posterior_threshold`.
- The best cut by weighted classification, BCE with the right weight: `rounds`.
- Where a wrong decision costs most: `price_of_decisions`.
- What the variable is worth if it is fitted and not cut on: `fitted_significance`.

All is NumPy in 64 bits. Nothing is compiled, and nothing is drawn from random numbers.

Example:
    >>> problem = CutProblem.of_scenario("gauss40x10-gauss50x10")
    >>> bce, asimov = problem.optimum("bce"), problem.optimum("asimov")
    >>> print(f"BCE cuts at {bce.threshold:.4f}, the significance at {asimov.threshold:.4f}")
    BCE cuts at 68.0259, the significance at 47.1663
    >>> print(f"of the best significance BCE's cut keeps {problem.worth('bce', judge='asimov'):.0%}")
    of the best significance BCE's cut keeps 50%
"""

from hepcuts.merit import conditions as conditions
from hepcuts.merit.conditions import agreement as agreement
from hepcuts.merit.conditions import posterior_threshold as posterior_threshold
from hepcuts.merit.cross_entropy import SoftCrossEntropy as SoftCrossEntropy
from hepcuts.merit.cross_entropy import WeightedCrossEntropy as WeightedCrossEntropy

from .best import fitted_significance as fitted_significance
from .best import price_of_decisions as price_of_decisions
from .best import rounds as rounds
from .problem import CutProblem as CutProblem
from .problem import TheoryOptimum as TheoryOptimum

__all__ = [
    "CutProblem",
    "SoftCrossEntropy",
    "TheoryOptimum",
    "WeightedCrossEntropy",
    "agreement",
    "conditions",
    "fitted_significance",
    "posterior_threshold",
    "price_of_decisions",
    "rounds",
]
