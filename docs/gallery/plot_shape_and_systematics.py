r"""
Shapes and systematic uncertainties
===================================

Counting the events after a cut uses one number. A fit of a whole distribution uses its shape, and lets the data beside
the signal tell how much background there is. This changes where to cut. On this page the same events are optimized
twice, once to be counted and once to be fitted, with the same systematic uncertainties.
"""

import warnings

import hist
import matplotlib.pyplot as plt
import mplhep
import numpy as np

import hepcuts as hc
from hepcuts import plotting
from hepcuts._core.errors import OutsideAxisWarning

# %%
# A peak on a falling background
# ------------------------------
# The simulated events have a mass and a transverse momentum ``pt``. The signal is a peak at 125 GeV, of which 100
# events are expected; the background falls, with 10 000.
#
# There are two systematic uncertainties. The normalization of the background is known to 10 % (`hepcuts.NormSys`). The
# energy scale is known to 1 % (`hepcuts.HistoSys`): it moves *events*, those of both samples together, since the
# uncertainty has the same name in both, and they go through the same cuts.

generator = np.random.default_rng(7)


def sample(name, mass, pt, *, expected, signal=False, modifiers=()):
    """A sample with the energy scale among its systematic uncertainties."""
    scale = hc.HistoSys(
        "energy_scale",
        up={"mass": 1.01 * mass, "pt": 1.01 * pt},
        down={"mass": 0.99 * mass, "pt": 0.99 * pt},
    )
    return hc.Sample(
        name,
        {"mass": mass, "pt": pt},
        weights=np.full(len(mass), expected / len(mass)),
        signal=signal,
        modifiers=[scale, *modifiers],
    )


falling = 70 + generator.exponential(70.0, 60_000)
falling = falling[falling < 230]
samples = [
    sample("signal", generator.normal(125, 10, 4000), generator.gamma(9.0, 8.0, 4000), expected=100.0, signal=True),
    sample(
        "background",
        falling,
        generator.gamma(2.0, 18.0, len(falling)),
        expected=10_000.0,
        modifiers=[hc.NormSys("background_norm", 1.1, 0.9)],
    ),
]
plotting.distributions(samples, "pt", bins=np.linspace(0, 200, 41), log=True)

# %%
# Counting
# --------
# To count, we cut on ``pt`` and on a window of the mass. Both start loose, and half of the events are held out:

counted = hc.optimize(
    samples,
    hc.Cut("pt", ">", 30.0) & hc.Window("mass", 95.0, 160.0),
    objective="profile",
    holdout=0.5,
    seed=1,
)
print(counted)

# %%
# Fitting the shape
# -----------------
# To fit, we cut on ``pt`` only, and hand the mass to the likelihood: ``axis`` is an axis of the package hist, and its
# name is the column to fill. It does not cover all simulated masses, since the energy scale moves events across its
# ends in both directions. hepcuts warns of what is not counted; here it is meant.

warnings.simplefilter("ignore", OutsideAxisWarning)
axis = hist.axis.Regular(12, 80, 200, name="mass", label="mass [GeV]")
fitted = hc.optimize(samples, hc.Cut("pt", ">", 30.0), objective="profile", axis=axis, holdout=0.5, seed=1)
print(fitted)

# %%
# Side by side, on the held-out events:

print(f"{'':<10s}{'pt above':>9s}{'signal':>9s}{'background':>12s}{'Z':>7s}")
for name, result in {"counted": counted, "fitted": fitted}.items():
    signal, background = result.quoted.templates.nominal.sum(axis=1)
    print(f"{name:<10s}{result.thresholds['pt']:>9.1f}{signal:>9.1f}{background:>12.1f}{result.significance:>7.2f}")

# %%
# The fit keeps more events and gains. The bins beside the peak fix the background, so that the prior knowledge of 10 %
# hardly enters. Counting has nothing else to rely on: it has to reject background until 10 % of what is left is not
# much more than its other fluctuations. Cuts that were optimized for one analysis are not those of the other.
#
# What the likelihood sees
# ------------------------
# The templates after the cut, and how the energy scale moves them. They come as one `hist.Hist` with the axes sample,
# variation and mass. The changes of the background are ragged: a bin changes by the few simulated events that cross its
# edges. That is a fluctuation, too, and one that no parameter of finite simulation covers.

templates = fitted.quoted.templates.to_hist()
look = {"mathtext.fontset": "stixsans", "axes.labelsize": 15, "axes.titlesize": 13, "font.size": 13}
plt.style.use([mplhep.style.ATLAS, look])
fig, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(8, 7), height_ratios=(3, 2), layout="constrained")
mplhep.histplot(
    [templates["background", "nominal", :], templates["signal", "nominal", :]],
    stack=True,
    histtype="fill",
    color=["#3f90da", "#bd1f01"],
    label=["background", "signal"],
    yerr=False,
    ax=upper,
)
upper.set(ylabel="Events / bin", xlabel="", xlim=(80, 200))
upper.set_title(f"After {fitted.selection}", loc="left")
upper.legend()
for name, dash in (("signal", "-"), ("background", "--")):
    nominal = templates[name, "nominal", :].values()
    for side, color in (("up", "#e76300"), ("down", "#832db6")):
        change = templates[name, f"energy_scale_{side}", :].values() - nominal
        lower.stairs(change, axis.edges, color=color, linestyle=dash, linewidth=1.8, label=f"{name}, scale {side}")
lower.axhline(0.0, color="0.15", linewidth=1)
lower.set(xlabel="mass [GeV]", ylabel="Change / bin")
lower.legend(ncols=2, fontsize=10)

# %%
# What the fit did
# ----------------
# `hepcuts.discovery_test` tells the whole story of the likelihood that the optimization ended with. pyhf or cabinetry
# can fit the same workspace as it is.

likelihood = hc.HistFactory.from_workspace(fitted.workspace)
test = hc.discovery_test(likelihood)
print(test)
print()
for name, pull in zip(test.names, test.pulls, strict=True):
    if np.isfinite(pull) and "staterror" not in name:
        print(f"pull of {name:<16s} in the fit without signal: {pull:+.2f}")
