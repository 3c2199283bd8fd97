r"""
Working points
==============

Not every selection is made for one significance. A tagger, an isolation or a preselection comes loose, medium and
tight: cuts of a given signal efficiency, each with the best background rejection. On this page they are found for nine
efficiencies at once, measured on events that did not choose them, and compared with what cuts cannot reach.
"""

import numpy as np

import hepcuts as hc
from hepcuts import plotting
from hepcuts.samples.datasets import ManyFeatures

# %%
# Three features
# --------------
# `hepcuts.samples.datasets.many_features` has a known truth. The signal lies above the background in each of the three
# features, in the third by little.

samples = hc.datasets.many_features(3, seed=2, num_signal=40_000, num_background=80_000)
selection = hc.Selection([hc.Cut(name, "auto") for name in ("x0", "x1", "x2")])
points = hc.working_points(samples, selection)
print(points)

# %%
# Half of the events chose the cuts; the efficiencies that are printed are those of the other half, with binomial
# uncertainties. `to_dataframe` has both. Between the points, `at` interpolates:

print(points.at(0.55))

# %%
# Thresholds along the efficiency
# -------------------------------
# Thresholds vary smoothly: a penalty on their curvature keeps fluctuations of single points out. In one place they do
# not. The background of ``x2`` falls exponentially from zero, where there is less signal than further up, so that a
# loose cut costs signal and gains little. Where much signal is to be kept the best cuts leave ``x2`` alone (its curve
# ends), and where rejection is wanted they use it in earnest, with the two others relaxed in return. There is no
# smooth way from one kind of cuts to the other, and no gradient either.

points.plot_thresholds()

# %%
# Against a discriminant
# ----------------------
# Cuts select a box. The ratio of the densities of signal and background selects as much signal with the least
# background that any function of the features can have (the lemma of Neyman and Pearson). Here the densities are
# known, and so is what is lost by cutting:

truth = ManyFeatures(3)


def log_ratio(sample):
    """Logarithm of the ratio of the densities; very large where x0 or x2 is negative: there is no background."""
    x = np.stack([sample.columns[name] for name in truth.names], axis=1)
    correlation = np.full((3, 3), truth.correlation) + (1.0 - truth.correlation) * np.eye(3)
    pulls = (x - truth.means) / truth.sigma
    signal = -0.5 * np.einsum("ei,ij,ej->e", pulls, np.linalg.inv(correlation), pulls)
    background = np.where(truth.exponential, np.where(x < 0, -1000.0, -x), -0.5 * x**2).sum(axis=1)
    return signal - background


signal, background = (log_ratio(sample) for sample in samples)
efficiency = np.linspace(0.08, 0.95, 60)
at_least = np.quantile(signal, 1.0 - efficiency)
ratio = efficiency, np.array([np.mean(background > threshold) for threshold in at_least])
plotting.roc(points, others={"density ratio": ratio})

# %%
# The density ratio rises without limit below an efficiency of 0.15: so much of the signal is negative in ``x0`` or
# ``x2``, where there is no background at all. Cuts that keep large values throw it away.

# %%
# Smoothness
# ----------
# With few simulated events the cuts of each efficiency, found alone, follow fluctuations. ``smoothness`` says how much
# the curvature of the thresholds counts; 0 leaves each point to itself. Here even cuts cost no rejection.

few = hc.datasets.many_features(2, seed=5, num_signal=1500, num_background=1500)
two = hc.Selection([hc.Cut("x0", ">"), hc.Cut("x1", ">")])
for smoothness in (0.0, 0.1):
    found = hc.working_points(few, two, smoothness=smoothness, holdout=None)
    true = [ManyFeatures(2).yields(row) for row in found.thresholds]
    shown = "  ".join(f"{row[0]:5.2f}" for row in found.thresholds)
    print(f"smoothness {smoothness}: thresholds of x0 {shown}")
    print(f"{'':15s}true rejection   {'  '.join(f'{20_000 / b:5.1f}' for _, b in true)}")
