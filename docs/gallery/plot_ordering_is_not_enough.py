r"""
The ordering is not enough
==========================

A perfectly trained classifier orders events by their likelihood ratio. Neyman and Pearson :cite:p:`neyman1933` say that
no other ordering has less background at the same signal. So is it best to train with binary cross-entropy (BCE), and
to cut on the score? This page shows three analyses where that goes wrong, each a step worse than the one before: the
threshold is wrong, the ordering is wrong, the question is wrong. All densities are known, nothing is simulated;
:doc:`/bce_or_significance` derives the formulas.
"""

import math

import matplotlib.pyplot as plt
import mplhep
import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from hepcuts.merit.counting import asimov_significance
from hepcuts.merit.theory import CutProblem
from hepcuts.samples.datasets import Distribution

look = {"mathtext.fontset": "stixsans", "axes.labelsize": 15, "axes.titlesize": 13, "font.size": 13}
plt.style.use([mplhep.style.ATLAS, look])
BLUE, ORANGE, PURPLE, RED, GRAY = "#3f90da", "#e76300", "#832db6", "#bd1f01", "#717581"


def plane(ax, means):
    """Contours of signal and background in the plane of two features: 1, 2 and 3 standard deviations."""
    for (x, y), color, name in ((means, RED, "signal"), ((0.0, 0.0), GRAY, "background")):
        for radius in (1, 2, 3):
            ax.add_patch(plt.Circle((x, y), radius, fill=False, color=color, linewidth=1.2, alpha=1.15 - 0.3 * radius))
        ax.plot([x], [y], "+", color=color, markersize=10, label=name)
    ax.set(xlim=(-4, 6), ylim=(-4, 6), aspect="equal", xlabel="Feature $x$", ylabel="Feature $y$")


# %%
# The threshold
# -------------
# Two independent features, normal with width 1: the background at the origin, the signal at (1.2, 0.9). 1000 signal
# and 20 000 background events are expected, and counted. The likelihood ratio grows along the line through the two
# centers, and the projection :math:`u` on it has two normal distributions, 1.5 apart. The perfect score is
# :math:`p = s/(s+b)`.

means = (1.2, 0.9)
distance = math.hypot(*means)
problem = CutProblem(Distribution("norm", (distance, 1.0), 1000), Distribution("norm", (0.0, 1.0), 20_000))


def score(u):
    """The posterior probability of signal."""
    return 1 / (1 + np.exp(-problem.log_density_ratio(u)))


best, half = problem.optimum("asimov"), problem.optimum("bce")
for name, optimum in {"smallest BCE": half, "best significance": best}.items():
    z = float(problem.value("asimov", optimum.threshold))
    print(
        f"{name:<18s} p > {score(optimum.threshold):.3f}: S = {optimum.signal:4.0f}, B = {optimum.background:4.0f}, "
        f"S/B = {optimum.ratio:.2f}, Z = {z:.2f}"
    )

# %%
# The ordering is the best one, and the threshold of 1/2 throws away 15 % of the significance. On the right side, the
# significance against the score: it is nearly flat over a wide range, and 1/2 is beyond it.

fig, (left, right) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
plane(left, means)
along = np.array([-8.0, 8.0])
for optimum, color, dash, name in ((best, PURPLE, "-", "best $Z$"), (half, BLUE, "--", "score 1/2")):
    x = optimum.threshold * means[0] / distance - along * means[1] / distance
    y = optimum.threshold * means[1] / distance + along * means[0] / distance
    left.plot(x, y, color=color, linestyle=dash, linewidth=2.2, label=name)
left.legend(loc="lower left", fontsize=11)
left.set_title("Same ordering, two thresholds", loc="left")
u = np.linspace(-1.5, 4.5, 400)
right.plot(score(u), problem.value("asimov", u), color="0.15", linewidth=2.2)
for optimum, color, name in ((best, PURPLE, "best $Z$"), (half, BLUE, "score 1/2")):
    at = optimum.threshold
    right.plot([score(at)], [problem.value("asimov", at)], "o", color=color, markersize=10, label=name)
right.set(xlim=(0, 1), ylim=(0, 15), xlabel="Cut on the score $s/(s+b)$", ylabel="$Z_A$ of what passes")
right.legend()

# %%
# The ordering
# ------------
# Now the background's first feature has an uncertain scale: it is known up to a shift of 0.2. The signal is at
# (1.5, 1.2), with 500 events among 10 000. What is above a cut :math:`c` along the direction :math:`\alpha` changes by
# :math:`B_0 [Q(c - 0.2\cos\alpha) - Q(c)]`, where :math:`Q` is the normal tail, and this is the uncertainty
# :math:`\sigma_B`. For every direction we take its best cut:

means, signal, background, shift = (1.5, 1.2), 500.0, 10_000.0, 0.2
cuts = np.linspace(-4, 6, 2001)
angles = np.linspace(0, np.pi / 2, 181)
ratio_angle = math.atan2(means[1], means[0])


def significance(angle, c, moved):
    """Of the events with a projection above `c`, if the first feature may move by `moved`."""
    mean = means[0] * math.cos(angle) + means[1] * math.sin(angle)
    s, b = signal * norm.sf(c - mean), background * norm.sf(c)
    return asimov_significance(s, b, background * (norm.sf(c - moved * math.cos(angle)) - norm.sf(c)))


def best_cut(angle, moved=shift):
    """The best cut along a direction, and its significance."""
    z = significance(angle, cuts, moved)
    return cuts[np.nanargmax(z)], np.nanmax(z)


print(f"{'no cut':<18s} Z = {float(significance(0.0, -8.0, shift)):.2f}")
for angle, name in ((ratio_angle, "likelihood ratio"), (np.pi / 2, "y alone")):
    print(f"{name:<18s} Z = {best_cut(angle)[1]:.2f} above {best_cut(angle)[0]:.2f}")

# %%
# A cut on the likelihood ratio is hardly better than no cut: all of them are in a place where the background is
# uncertain. The weaker feature alone, which does not shift, is worth more: 5 % with the Gaussian constraint that
# HistFactory gives such a shift (7.13 instead of 6.78), and 40 % with the auxiliary count of the formula that is used
# here, to which large shifts are likelier.
#
# But ``y`` alone is not the best, either. An event belongs into the selection if
# :math:`s > \kappa\,(b + \lambda\,\delta)`, where :math:`\delta` is the change of the background density under the
# shift and :math:`\lambda` its price. We search for the best :math:`\kappa` and :math:`\lambda`:

x = np.linspace(-8, 10, 2001)
relative = np.expm1(shift * x - shift**2 / 2)  # of the background at x, if it moves by the shift


def boundary(kappa, price):
    """At each x, the y above which events are selected."""
    with np.errstate(divide="ignore"):
        asked = np.log(kappa * background / signal * np.maximum(1 + price * relative, 0))
    return (asked - means[0] * x + (means[0] ** 2 + means[1] ** 2) / 2) / means[1]


def yields(kappa, price):
    """Signal, background, and how much the background changes under the shift."""
    y = boundary(kappa, price)
    s = signal * norm.pdf(x - means[0]) * norm.sf(y - means[1])
    b = background * norm.pdf(x) * norm.sf(y)
    return [np.sum(f) * (x[1] - x[0]) for f in (s, b, relative * b)]


def loss(parameters):
    """Minus the significance of the region."""
    s, b, change = yields(math.exp(parameters[0]), parameters[1])
    return -float(asimov_significance(s, b, abs(change)))


found = minimize(loss, (-1.0, 2.5), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
kappa, price = math.exp(found.x[0]), found.x[1]
s, b, change = yields(kappa, price)
print(f"best region: kappa = {kappa:.2f}, price = {price:.2f}, Z = {-found.fun:.2f}")
print(f"S = {s:.0f}, B = {b:.0f}, of which the shift changes {change:.1f}")

# %%
# The best region is bent. It takes background on both sides of the origin in :math:`x`, where the shift adds events
# and where it takes some away, so that hardly any uncertainty is left. This is a hedge, and as good as the model of the
# shift. The straight cuts need less trust, and among them, too, the best is not the likelihood ratio's; the larger
# the shift, the further from it. BCE does not know of the shift, and training longer does not help.

fig, (left, right) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
plane(left, means)
edge = np.maximum(boundary(kappa, price), -10.0)
left.plot(x, edge, color=PURPLE, linewidth=2.2, label="best region")
left.fill_between(x, edge, 10, color=PURPLE, alpha=0.1, linewidth=0)
c, steps = best_cut(ratio_angle)[0], np.array([-9.0, 9.0])
left.plot(
    c * math.cos(ratio_angle) - steps * math.sin(ratio_angle),
    c * math.sin(ratio_angle) + steps * math.cos(ratio_angle),
    color=BLUE,
    linestyle="--",
    linewidth=2.2,
    label="likelihood ratio",
)
left.axhline(best_cut(np.pi / 2)[0], color=ORANGE, linestyle=":", linewidth=2.2, label="$y$ alone")
left.legend(loc="lower left", fontsize=11)
left.set_title("The background may shift along $x$", loc="left")
for moved, color, dash in ((0.0, GRAY, "-."), (0.1, ORANGE, "--"), (shift, "0.15", "-")):
    z = [best_cut(angle, moved)[1] for angle in angles]
    right.plot(np.degrees(angles), z, color=color, linestyle=dash, linewidth=2.2, label=f"shift {moved:g}")
    right.plot([np.degrees(angles[np.argmax(z)])], [max(z)], "o", color=color, markersize=9, markeredgecolor="white")
right.axhline(-found.fun, color=PURPLE, linewidth=1.8, label=f"best region, shift {shift:g}")
right.axvline(np.degrees(ratio_angle), color=BLUE, linestyle="--", linewidth=1.8, label="likelihood ratio")
right.set(xlim=(0, 90), ylim=(0, 20), xlabel="Direction of the cut [degrees from $x$]", ylabel="$Z_A$ at its best cut")
right.legend(loc="upper right", fontsize=11)

# %%
# The question
# ------------
# At last, the events have a mass, a peak over a flat background in 40 bins, and an independent score, normal with width
# 1 and 1.0 apart. 1000 signal and 10 000 background events are expected. We cut either on the score, or on the joint
# likelihood ratio of score and mass, and then either count, or fit the mass. For a known background the bins of the fit
# are independent, and their :math:`Z^2` add.

edges = np.linspace(-1, 1, 41)
peak = np.diff(norm.cdf(edges / 0.2))
s_bins, b_bins = 1000 * peak / peak.sum(), np.full(40, 10_000 / 40)


def counted_and_fitted(c):
    """Efficiency of the signal and both significances; the cut on the score may depend on the bin."""
    s, b = s_bins * norm.sf(c - 1.0), b_bins * norm.sf(c)
    kept = b > 1e-280
    return s.sum() / 1000, asimov_significance(s.sum(), b.sum()), np.linalg.norm(asimov_significance(s[kept], b[kept]))


curves = {
    "score": np.array([counted_and_fitted(np.full(40, c)) for c in np.linspace(-3, 4, 281)]),
    "joint ratio": np.array([counted_and_fitted(k - np.log(s_bins / b_bins) + 0.5) for k in np.linspace(-12, 4, 641)]),
}
print(f"{'best cut on':<14s}{'counted':>9s}{'fitted':>9s}")
for name, curve in curves.items():
    print(f"{name:<14s}{curve[:, 1].max():>9.2f}{curve[:, 2].max():>9.2f}")

# %%
# Counted, the joint ratio is far better: Neyman and Pearson are right about counts. Fitted, the order is reversed. The
# fit already knows what the mass says, and the joint ratio removes the bins beside the peak once more. The
# difference is small here, but it has a sign. A network that is trained with BCE on all features, mass included, learns
# the joint ratio.

fig, ax = plt.subplots(figsize=(8, 6), layout="constrained")
for name, color in (("score", ORANGE), ("joint ratio", BLUE)):
    efficiency, counted, fitted = curves[name].T
    ax.plot(efficiency, fitted, color=color, linewidth=2.2, label=f"cut on the {name}, mass fitted")
    ax.plot(efficiency, counted, color=color, linewidth=2.2, linestyle="--", label=f"cut on the {name}, counted")
    ax.plot([efficiency[fitted.argmax()]], [fitted.max()], "o", color=color, markersize=9, markeredgecolor="white")
ax.set(xlim=(0, 1), ylim=(0, 27), xlabel="Signal efficiency of the cut", ylabel="$Z_A$")
ax.legend(loc="upper left", fontsize=11, ncols=1)

# %%
# What to do? Order events by a score if it is the best you have; then choose the threshold by the significance
# (`hepcuts.scan`), with all systematic uncertainties and with the observable that will be fitted (``axis``). If the
# systematics or the fit matter, optimize cuts on several variables at once (`hepcuts.optimize`): it sees what the score
# cannot know.
