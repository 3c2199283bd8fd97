"""Draw the three figures of the page *BCE or significance?* into ``_static``.

Run ``python docs/make_founding.py`` after a change that they should show. All of them come from known densities; the
last one from simulations of these, with a seed.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import mplhep
import numpy as np
from scipy.optimize import brentq

import hepcuts as hc
from hepcuts.study import few_events
from hepcuts.study.founding import few_drawing, price_drawing

FOLDER = Path(__file__).parent / "_static"
LOOK = {
    "axes.labelsize": 15,
    "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
    "font.size": 13,
    "legend.fontsize": 12,
    "mathtext.fontset": "stixsans",
}
PURPLE, BLUE, GRAY = "#832db6", "#3f90da", "0.15"


def needed(z, background):
    """The signal that is needed for a significance."""
    return [brentq(lambda s, b=b: float(hc.counting.asimov_significance(s, b)) - z, 1e-9, 1e6) for b in background]


def theorem():
    """All cuts in the plane of background and signal, the curve of constant significance, and its tangent."""
    problem = hc.theory.CutProblem.of_scenario("gauss40x10-gauss50x10")
    best, bce = problem.optimum("asimov"), problem.optimum("bce")
    signal, background = problem.yields(np.linspace(25, 90, 400))
    low = np.linspace(1.0, 6000, 200)
    kappa = best.density_ratio
    with mpl.rc_context(mplhep.style.ATLAS | LOOK):
        figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
        ax.plot(background, signal, color=BLUE, linewidth=2.4, label="cuts on $x$")
        ax.fill_between(background, 0, signal, color=BLUE, alpha=0.12, linewidth=0)
        ax.plot(low, needed(best.value, low), color=PURPLE, linewidth=2.0, label=f"$Z$ = {best.value:.2f}")
        ax.plot(low, needed(6.0, low), color=PURPLE, linewidth=1.2, linestyle=":", label="$Z$ = 6.00")
        tangent = best.signal + kappa * (low - best.background)
        ax.plot(low, tangent, color=GRAY, linestyle="--", linewidth=1.5, label=rf"slope $\kappa$ = {kappa:.3f}")
        ax.plot([best.background], [best.signal], "o", color=GRAY, markersize=9, label="best cut")
        ax.plot([bce.background], [bce.signal], "s", color="#e76300", markersize=9, label="BCE: slope 1")
        ax.set(xlim=(0, 6000), ylim=(0, 1100), xlabel="Background after the cut", ylabel="Signal after the cut")
        ax.legend(loc="lower right")
    figure.savefig(FOLDER / "founding-theorem.png", dpi=100)


def main():
    """All three."""
    theorem()
    for name, drawing in {"price": price_drawing(), "few-events": few_drawing(few_events())}.items():
        drawing.figure.savefig(FOLDER / f"founding-{name}.png", dpi=100)


if __name__ == "__main__":
    main()
