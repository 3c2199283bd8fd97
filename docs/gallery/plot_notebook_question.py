r"""
Does minimizing BCE maximize the significance?
==============================================

A classifier is trained with binary cross-entropy (BCE). An analysis is judged by its discovery significance. Does the
cut that is best for one also serve the other?

**No, except by coincidence.** BCE counts mistakes, and every lost signal event is as bad as every accepted background
event. The significance knows what an event is worth: much where little background is left, next to nothing where there
is plenty. The two agree when the signal-to-background ratio after the best cut happens to be about 2.5. With less
there, BCE cuts too hard; with more, too loosely. :doc:`/bce_or_significance` proves it, and says what to do instead.

On this page five toy scenarios show it, and the known densities explain it.
"""

# %%
# Five scenarios
# --------------
# Each has one variable ``x``, and we keep what is above the cut. A name reads *background-signal*: ``exp10`` is an
# exponential distribution of mean 10, ``gauss50x10`` a normal distribution of mean 50 and width 10. All events have
# weight 1, and the cuts are the whole numbers from 1 to 99.
#
# `hepcuts.study.run` scans them. At every cut it computes
#
# - the log loss of the hard decisions, which is what BCE becomes if an event is either signal or not;
# - the closed forms :math:`S/\sqrt{B}` and the Asimov significance :math:`Z_A`;
# - the discovery significance :math:`Z` of the profile likelihood, in which the finite simulation is an uncertainty.
#
# In the figures each figure of merit is divided by its best value (a loss the other way around), and a marker is where
# it would cut. The distributions show the cut that maximizes :math:`Z`.

import dataclasses

import matplotlib.pyplot as plt
import mplhep
import numpy as np
from scipy.optimize import brentq, minimize_scalar

import hepcuts as hc
from hepcuts import study

cases = {case.name: case for case in study.run(seed=1)}


def show(name):
    """Distributions with the best cut, and all figures of merit against the cut."""
    for figure in study.drawings(cases[name]).values():
        figure.figure.axes[0].set_title(name, loc="left")


# %%
# **Plenty of everything, well separated.** BCE cuts near 32, where the two densities cross. The significance wants less
# background and cuts near 40.

show("exp10-gauss50x10")

# %%
# **A narrow signal.** The edge of the signal decides, whatever the figure of merit. All agree.

show("exp10-gauss30x1")

# %%
# **A long tail.** The further out, the purer, without end. BCE stops where the densities cross; :math:`S/\sqrt{B}`
# and :math:`Z_A` go on until the *simulation* runs out of background, and their curves end there. `More on this
# below <runs-out_>`_.

show("exp10-exp100")

# %%
# **Ten signal events in ten thousand.** The fewest mistakes are made by rejecting (almost) everything, and this is
# what BCE does. What is left has no significance.

show("exp10-gauss50x1")

# %%
# **Strong overlap, a rare signal.** BCE again prefers a few pure events, and loses almost half of the significance.

show("gauss40x10-gauss50x10")

# %%
# The same as a table. ``Z`` is always the significance of the profile likelihood, *at the cut that each figure of merit
# chose*:

print(study.summary(list(cases.values())))

# %%
# When do they agree?
# -------------------
# Let :math:`s(x)` and :math:`b(x)` be the densities of the expected events, and :math:`S(c)`, :math:`B(c)` what is
# expected above the cut :math:`c`. Moving the cut changes :math:`S` by :math:`-s(c)\,dc` and :math:`B` by
# :math:`-b(c)\,dc`, and each figure of merit is stationary where these two changes balance:
#
# .. list-table::
#    :header-rows: 1
#    :widths: 40 60
#
#    * - figure of merit
#      - stationary where :math:`s(c)/b(c)` is
#    * - error rate, and so the log loss of hard decisions
#      - :math:`1`
#    * - :math:`S/\sqrt{B}`
#      - :math:`r/2`
#    * - Asimov significance :math:`Z_A`
#      - :math:`r/\ln(1+r) - 1`
#
# with :math:`r = S(c)/B(c)` and :math:`Z_A = \sqrt{2\,[(S+B)\ln(1+S/B) - S]}`. (The notebook that first asked the
# question had :math:`\sqrt{2\,(S+B)\ln(1+S/B) - S}`, a parenthesis in the wrong place: its curve of :math:`Z_A` is
# another one, and does not go to :math:`S/\sqrt B` for small signals.)
#
# The left side is a property of the *events at the cut*, the right side (but for the first line) one of *all events
# after it*. Here are the four curves for the last scenario, from the densities that
# `hepcuts.samples.datasets.SCENARIOS` knows. Where the black one crosses a colored one, that figure of merit has its
# best cut.


def expected(truth, scale=1.0):
    """Densities and yields after a cut as functions of the cut, with the signal scaled."""
    signal, background = truth.signal, truth.background
    return {
        "s": lambda c: scale * signal.size * signal.frozen.pdf(c),
        "b": lambda c: background.size * background.frozen.pdf(c),
        "S": lambda c: scale * signal.size * signal.frozen.sf(c),
        "B": lambda c: background.size * background.frozen.sf(c),
    }


def ratio(of, c):
    """Signal over background after the cut."""
    return of["S"](c) / of["B"](c)


CONDITIONS = {
    "bce": np.ones_like,
    "s_over_sqrt_b": lambda r: r / 2,
    "asimov": lambda r: r / np.log1p(r) - 1,
}


def stationary(of, metric, low, high):
    """The cut at which a figure of merit is stationary, between two cuts on either side of it."""
    return brentq(lambda c: of["s"](c) / of["b"](c) - CONDITIONS[metric](ratio(of, c)), low, high, xtol=1e-12)


truth = hc.datasets.SCENARIOS["gauss40x10-gauss50x10"]
of = expected(truth)
known = {metric: stationary(of, metric, 30.0, 80.0) for metric in CONDITIONS}

look = {"mathtext.fontset": "stixsans", "axes.labelsize": 15, "axes.titlesize": 13, "font.size": 13}
plt.style.use([mplhep.style.ATLAS, look])
colors = {"bce": "#3f90da", "s_over_sqrt_b": "#e76300", "asimov": "#832db6"}
labels = {
    "bce": r"$1$ (error rate, BCE)",
    "s_over_sqrt_b": r"$r/2$ ($S/\sqrt{B}$)",
    "asimov": r"$r/\ln(1+r)-1$ ($Z_A$)",
}
x = np.linspace(30, 75, 400)
fig, ax = plt.subplots(figsize=(8, 6), layout="constrained")
ax.plot(x, of["s"](x) / of["b"](x), color="0.15", linewidth=2.2, label=r"$s(c)/b(c)$")
for metric, condition in CONDITIONS.items():
    ax.plot(x, condition(ratio(of, x)), color=colors[metric], linewidth=1.8, label=labels[metric])
    at = known[metric]
    ax.plot(
        [at], [of["s"](at) / of["b"](at)], "o", color=colors[metric], markersize=9, markeredgecolor="white", zorder=4
    )
ax.set(xlim=(30, 75), ylim=(0.01, 5), yscale="log", xlabel="Cut $c$", ylabel="Signal over background")
ax.set_title("gauss40x10-gauss50x10: where the figures of merit cut", loc="left")
ax.legend()

# %%
# A scan of simulated events has to find the same cuts, within what the number of events permits. We draw the scenario
# with twenty times as many events, of weight 1/20 each, and let `hepcuts.scan` try every distinct threshold:


def simulate(truth, *, more, seed):
    """Samples with `more` simulated events for each expected one."""
    generator = np.random.default_rng(seed)
    samples = []
    for name, part in (("signal", truth.signal), ("background", truth.background)):
        drawn = dataclasses.replace(part, size=round(more * part.size)).draw(generator)
        samples.append(hc.Sample(name, {"x": drawn}, weights=np.full(len(drawn), 1 / more), signal=name == "signal"))
    return samples


result = hc.scan(simulate(truth, more=20, seed=2), hc.Cut("x", ">"), metrics=tuple(CONDITIONS))
print(f"{'metric':<16s}{'known cut':>11s}{'scan':>8s}{'within 1 %':>16s}{'r = S/B':>9s}")
for metric, cut in known.items():
    found = result.optimum(metric)
    plateau = f"{found.plateau[0]:.1f} to {found.plateau[1]:.1f}"
    print(f"{metric:<16s}{cut:>11.4f}{found.threshold:>8.2f}{plateau:>16s}{ratio(of, cut):>9.3f}")

# %%
# The conditions for BCE and :math:`Z_A` are the same one if :math:`r/\ln(1+r) - 1 = 1`, that is, if

special = brentq(lambda r: r / np.log1p(r) - 2, 1, 10)
print(f"r = {special:.6f}")

# %%
# So **BCE and the Asimov significance choose the same cut exactly when** :math:`S/B` **after it is 2.513**, however
# well or badly the variable separates. (For :math:`S/\sqrt{B}` the number is 2.) To see it, we change the expected
# signal and keep everything else:

scales = np.geomspace(0.5, 500, 60)
passed, fractions = [], []
for scale in scales:
    scaled = expected(truth, scale)
    significance = lambda c, of=scaled: hc.counting.asimov_significance(of["S"](c), of["B"](c))  # noqa: E731
    best = minimize_scalar(lambda c, z=significance: -z(c), bounds=(0, 110), method="bounded")
    bce = stationary(scaled, "bce", -40.0, 110.0)
    passed.append(ratio(scaled, bce))
    fractions.append(significance(bce) / -best.fun)

fig, ax = plt.subplots(figsize=(8, 6), layout="constrained")
ax.plot(scales * truth.signal.size / truth.background.size, fractions, color="#3f90da", linewidth=2.2)
at = np.interp(special, passed, scales * truth.signal.size / truth.background.size)
ax.axvline(at, color="0.15", linestyle="--", linewidth=1.2, label=f"$S/B = {special:.3f}$ after the cut")
ax.axvline(0.1, color="#e76300", linestyle=":", linewidth=1.8, label="the scenario")
ax.set(xscale="log", ylim=(0, 1.05), xlabel="Expected signal over expected background, before the cut")
ax.set_ylabel(r"$Z_A$ at BCE's cut over the best $Z_A$")
ax.set_title("What the cut of the smallest error rate is worth", loc="left")
ax.legend(loc="lower right")

# %%
# Searches live on the left side of this figure. Two more remarks:
#
# - *Balancing the classes* (``bce_balanced`` in the table) moves BCE's condition to :math:`s(c)/b(c) = S_0/B_0`, the
#   ratio before the cut. This answers the question for an experiment with equally much signal and background, which is
#   not the one at hand. It does well in the last scenario and
#   less well in the first.
# - *Luminosity* multiplies :math:`s` and :math:`b` alike and leaves all three conditions as they are. It does not move
#   these cuts. A background uncertainty does: the next section.
#
# Why the profile likelihood differs from the closed form
# -------------------------------------------------------
# :math:`Z_A` takes the background as known. In the likelihood it is known as well as it was simulated: the simulated
# events are a Poisson count that constrains it. In the scenarios one event was simulated for each one expected, so that
# :math:`\sigma_B^2 = B`. With one background this is the closed form with :math:`\sigma_B`, at every cut, and about
# :math:`1/\sqrt{2}` of the significance is left, less where there is more signal than background:

scan = cases["gauss40x10-gauss50x10"].scan
both = np.isfinite(scan.values["profile"]) & (scan.values["asimov"] > 0)
signal, background = scan.table.signal[both], scan.table.background[both]
profile, known = scan.values["profile"][both], scan.values["asimov"][both]
closed = hc.counting.asimov_significance(signal, background, np.sqrt(background))
print(f"Z differs from the closed form by at most {np.max(np.abs(profile / closed - 1)):.1e}")
print(f"Z / Z_A is between {np.min(profile / known):.3f} and {np.max(profile / known):.3f}")

# %%
# The *cuts* differ, and with systematic uncertainties hardly ever agree:


def best_of(samples, metric):
    """The best cut by one figure of merit among whole and half numbers."""
    return hc.scan(samples, hc.Cut("x", ">"), metrics=(metric,), thresholds=np.arange(30, 70, 0.5)).optimum(metric)


def with_background(samples, **changes):
    """The same events, with something else said about the background."""
    signal, background = samples
    options = {"weights": background.weights, **changes}
    return [signal, hc.Sample("background", background.columns, **options)]


def row(what, found):
    """One line of the table."""
    print(f"{what:<40s}{found.threshold:>6.1f}{found.value:>8.3f}{found.effective_background:>12.0f}")


print(f"{'what the likelihood knows':<40s}{'cut':>6s}{'Z':>8s}{'background':>12s}")
large = simulate(truth, more=20, seed=2)
rows = {
    "background known exactly": with_background(large, staterror=False),
    "20 simulated events per expected event": large,
    "1 per expected event": simulate(truth, more=1, seed=3),
    "1 per 10 expected events": simulate(truth, more=0.1, seed=4),
    "20 per expected, normalization to 5 %": with_background(large, modifiers=hc.NormSys("norm", 1.05, 0.95)),
}
for what, samples in rows.items():
    row(what, best_of(samples, "profile"))
row("closed form, background known exactly", best_of(large, "asimov"))

# %%
# The last column is the effective number of simulated background events after the cut. The likelihood that knows the
# background is the closed form. With one simulated event for each expected one, about :math:`1/\sqrt{2}` of it is
# left, but for the fluctuation of the few events. With less simulation still, the optimum rests on a few events: it is
# a fluctuation, elsewhere with the next seed, and no constraint term protects against it. The last but one
# line is what an analysis meets: a 5 % uncertainty of the normalization of several thousand background events weighs
# more than their Poisson fluctuation, and the best cut moves to where there are fewer of them.
#
# .. _runs-out:
#
# Where the simulation runs out
# -----------------------------
# In ``exp10-exp100`` the figures of merit want to cut as hard as they can. Is that physics? From the densities:

of = expected(hc.datasets.SCENARIOS["exp10-exp100"])
true_best = minimize_scalar(
    lambda c: -hc.counting.asimov_significance(of["S"](c), of["B"](c)), bounds=(20, 300), method="bounded"
).x
optimum = cases["exp10-exp100"].scan.optimum("asimov")
print(f"the Asimov significance is truly best at {true_best:.1f}, where {of['B'](true_best):.2f} background events")
print("are expected. The scan found", optimum.threshold, "and says of it:", optimum.message)

# %%
# The true optimum is beyond the last simulated background event. The scan stops at whatever cut that last event happens
# to leave, and overstates what it buys, because the one event that remains is taken as the expectation.
# (:math:`S/\sqrt{B}` has no optimum at all here: it grows forever.) No figure of merit can know better than the
# simulation; what can be done is to ask for enough of it. `hepcuts.optimize` wants at least ``min_background=10``
# effective simulated background events after its cuts:

guarded = hc.optimize(cases["exp10-exp100"].samples, hc.Cut("x", ">", 20.0), objective="asimov", holdout=None)
print(guarded)

# %%
# The number above is that of the profile likelihood, with the uncertainty of so few events in it. More simulation in
# the tail is the only way further.
#
# What to take home
# -----------------
# - BCE is a fine way to *order* events and a poor way to *cut*. Take the score of a classifier and choose its
#   threshold by the significance: a score is a variable like any other for `hepcuts.scan` and `hepcuts.optimize`.
# - The closed forms show where to look. The likelihood with all its uncertainties decides.
# - Look at the plateau and at the number of simulated events after the cut before believing in an optimum.
