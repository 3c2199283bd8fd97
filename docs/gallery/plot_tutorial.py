r"""
The tutorial's problem: a cut found by gradient descent
=======================================================

A cut is a step function, and a step function has no useful gradient. Replace it by a smooth step, and the best cut can
be found the way that networks are trained. This page walks through the classic example in four steps: look at the
events, at the loss, at the descent, and then replace the loss by what the analysis will publish.

The background is N(0, 4), the signal N(5, 1), with 10 000 events each. We keep what is above the cut.
"""

import numpy as np

import hepcuts as hc
from hepcuts import plotting
from hepcuts.optimization.landscape import landscape
from hepcuts.optimization.solvers import GradientDescent

samples = hc.datasets.tutorial(seed=1)
bins = np.linspace(-12, 12, 61)
plotting.distributions(samples, "x", bins=bins)

# %%
# A soft cut and its loss
# -----------------------
# The soft cut passes an event with a weight between 0 and 1, here :math:`\frac{1}{2}[1 + \mathrm{erf}((x - c)/w)]`
# with the width :math:`w = 1`. Read as the probability that the event is signal, it has a squared error, summed over
# all events. This is the loss and its gradient, by automatic differentiation, as functions of the cut:

cut = hc.Cut("x", ">", 0.0, width=1.0)
grid = np.linspace(-4, 8, 121)
landscape(samples, cut, thresholds=grid, objective="squared_error", step="erf").plot()

# %%
# One valley, and a slope that leads into it from everywhere between the two distributions. Outside of them the gradient
# fades: a cut that starts where there are no events learns nothing.
#
# Gradient descent
# ----------------
# We start at 0 and go 50 times downhill, each step 5e-4 times the gradient:

descent = hc.optimize(
    samples,
    cut,
    objective="squared_error",
    solver=GradientDescent(learning_rate=5e-4, steps=50),
    step="erf",
    anneal=(1.0,),
    min_background=0.0,
    holdout=None,
)
descent.plot()

# %%
# The right axis shows the cut, the left one the loss. The star is the loss of the *hard* cut at the end; it is
# larger, because a hard cut is either right or wrong. The log of cuts has one line for each step: number, loss, cut.

print("\n".join(descent.history.lines()[:6]))
print("...")
print(descent.history.lines()[-1])

# %%
# The squared error ends near 3.3.
#
# From the loss to a figure of merit
# ----------------------------------
# Nothing in the method asks for a loss. Any differentiable function of the expected events will do, and
# :math:`S/\sqrt{B}` is one. Its soft landscape is best near 3.5:

soft = landscape(samples, cut, thresholds=grid, objective="s_over_sqrt_b", step="erf")
soft.plot()
print(f"soft S/sqrt(B): best cut {grid[np.nanargmax(soft.values)]:.1f}")

# %%
# The hard cut has its optimum elsewhere, between 3.7 and 3.9 depending on the random numbers: a flat top, on which
# few events decide. With hard cuts there is no gradient, but with one variable there is no need for one.
# `hepcuts.scan` tries every cut:

scan = hc.scan(
    samples,
    hc.Cut("x", ">"),
    metrics=("bce", "s_over_sqrt_b", "asimov", "profile"),
    thresholds=np.linspace(-4, 8, 241),
)
print(scan.summary())
scan.plot()

# %%
# The plateau ("within 1 %") is the number to remember. The 1 % best cuts by :math:`S/\sqrt{B}` are all those from
# about 3.4 to 4.0. The width of the soft cut moved its optimum by less than that.
#
# The same from the final likelihood
# ----------------------------------
# :math:`S/\sqrt{B}` is an approximation for :math:`S \ll B`, and here there is five times as much signal as
# background after the cut. What the analysis will publish is the discovery significance of a likelihood fit, with
# all its uncertainties. It is a function of the expected events as well, though one with a fit inside. Its gradient
# needs no differentiation of that fit (see :doc:`/statistics`), and the optimization stays as it was:

result = hc.optimize(samples, cut, objective="profile", step="erf", holdout=None)
print(result.summary())

# %%
# By default the soft cut starts wide and is narrowed in stages. Each stage has its own curve; thin lines part
# them. The hard cuts at the end are confirmed by pyhf, with its own code and its own minimizer.

result.plot()

# %%
# The landscape of the significance, for comparison with that of the loss:

profile = landscape(samples, cut, thresholds=np.linspace(0, 7, 71), objective="profile", step="erf")
profile.plot()

# %%
# And the distributions before and after the cut:

plotting.before_after(samples, result, "x", bins=bins)

# %%
# What each of the cuts is worth, in standard deviations of the profile likelihood:

candidates = {
    "no cut": bins[0],
    "start": 0.0,
    "squared error, gradient descent": descent.thresholds["x"],
    "S/sqrt(B), hard optimum": scan.optimum("s_over_sqrt_b").threshold,
    "profile likelihood": result.thresholds["x"],
}
for name, threshold in candidates.items():
    templates = hc.fill(samples, hc.Cut("x", ">", threshold))
    z = hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(templates)))
    print(f"{name:<33s} x > {threshold:6.3f}   Z = {float(z):6.2f}")

# %%
# All reasonable cuts are within one percent of each other: this problem is kind. :doc:`plot_notebook_question`
# shows some that are not. All numbers on this page were found and judged with the same
# events, which flatters them a little; use ``holdout=0.5`` to quote a result on events that did not choose it.
