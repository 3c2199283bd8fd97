r"""
A discriminant that knows the systematics
=========================================

A classifier is trained with binary cross-entropy (BCE) to tell signal from background, and its score is cut on where
the significance is largest. What it does not know: which of its features can be trusted. On this page the same small
network is trained twice on the same events, once with BCE, once on the significance of the profile likelihood itself.
"""

import matplotlib.pyplot as plt
import mplhep
import numpy as np

import hepcuts as hc
from hepcuts.discriminant import small_network

# %%
# One feature is better, the other is safer
# -----------------------------------------
# The energy ``ht`` separates best, but its scale is known to 3 % only. The scale is a `hepcuts.HistoSys`: it moves the
# events of the background, and with them any score that looks at ``ht``. The other feature, ``shape``, has no such
# uncertainty. 3000 signal and 50 000 background events are expected, the latter to 5 %.


def make(seed, size):
    """Signal and three times as many background events."""
    generator = np.random.default_rng(seed)
    signal = {"ht": generator.gamma(12.0, 8.0, size), "shape": generator.normal(0.8, 1.0, size)}
    background = {"ht": generator.gamma(9.0, 8.0, 3 * size), "shape": generator.normal(0.0, 1.0, 3 * size)}
    norm = hc.NormSys("norm", 1.05, 0.95)
    scale = hc.HistoSys("scale", up={"ht": 1.03 * background["ht"]}, down={"ht": 0.97 * background["ht"]})
    return (
        hc.Sample("signal", signal, weights=np.full(size, 3000.0 / size), signal=True),
        hc.Sample("background", background, weights=np.full(3 * size, 50_000.0 / (3 * size)), modifiers=[scale, norm]),
    )


samples = make(seed=1, size=15_000)

# %%
# Trained twice
# -------------
# `hepcuts.train` takes a selection with a cut on the discriminant's name. With ``objective="profile"`` a short training
# with BCE is only the start; then the gradient of the significance goes back through the likelihood, the soft cut and
# the network to its 32 parameters. With ``objective="bce_balanced"`` BCE is all there is, and the threshold alone
# knows of the likelihood. 30 % of the events are held out of both.

results = {
    name: hc.train(
        samples,
        hc.Cut("score", ">"),
        small_network("score", ["ht", "shape"], hidden=(8,), seed=1),
        objective=objective,
        cut_objective="profile",
        anneal=(2.5, 0.6),
        weight_decay=0.003,
        patience=10,
        holdout=0.3,
        seed=1,
    )
    for name, objective in {"BCE": "bce_balanced", "likelihood": "profile"}.items()
}
print(results["likelihood"].summary())

# %%
# On the held-out events, and on 18 times as many new ones, which leave less uncertainty of the simulation:

new = make(seed=2, size=80_000)
print(f"{'trained with':<14s}{'signal':>8s}{'background':>12s}{'scale up':>10s}{'Z held out':>12s}{'Z new':>8s}")
for name, result in results.items():
    templates = result.quoted.templates
    signal, background = templates.nominal[:, 0]
    change = templates.varied("scale", "up")[1, 0] / background - 1.0
    again = hc.fill(result.samples(new), result.selection)
    z = hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(again)))
    print(f"{name:<14s}{signal:>8.1f}{background:>12.1f}{change:>+10.1%}{result.significance:>12.2f}{z:>8.2f}")

# %%
# What they select
# ----------------
# The shaded events are selected. BCE wants much of both features, and the scale takes its toll. The likelihood has
# found a region whose background hardly changes: some events of low ``ht``, hardly any of them signal, leave it when
# the scale goes up, and make up for those that come in at high ``ht``.
#
# That is right if, as the samples say, one parameter moves all of ``ht``. A network takes the likelihood at its word.
# If the scale at low and at high energy may differ, the samples should say so, with a `hepcuts.HistoSys` for each.

look = {"mathtext.fontset": "stixsans", "axes.labelsize": 15, "axes.titlesize": 13, "font.size": 13}
plt.style.use([mplhep.style.ATLAS, look])
x, y = np.meshgrid(np.linspace(0, 220, 161), np.linspace(-3, 5, 161))
fig, axes = plt.subplots(1, 2, figsize=(11, 5), sharey=True, layout="constrained")
for ax, (name, result) in zip(axes, results.items(), strict=True):
    score = result.discriminant.apply({"ht": x.ravel(), "shape": y.ravel()}).reshape(x.shape)
    threshold = result.thresholds["score"]
    ax.contourf(x, y, score, levels=[threshold, np.inf], colors=["#e76300"], alpha=0.25)
    ax.contour(x, y, score, levels=[threshold], colors=["#e76300"], linewidths=2)
    for sample, color in zip(samples[::-1], ("#717581", "#bd1f01"), strict=True):
        ax.plot(sample.column("ht")[:1500], sample.column("shape")[:1500], ".", ms=2, color=color, label=sample.name)
    ax.set(xlim=(0, 220), ylim=(-3, 5), xlabel="$h_T$ [GeV]")
    ax.set_title(f"Trained with {name}: Z = {result.significance:.2f} (held out)", loc="left")
axes[0].set_ylabel("shape")
axes[0].legend(loc="lower left", markerscale=6, frameon=True)

# %%
# What the scale does to the score
# --------------------------------
# What is selected by any threshold on the score. BCE's background changes the more the harder one cuts. That of the
# network that was trained on the likelihood does not change where it is cut (dashed), and only there.

fig, axes = plt.subplots(2, 2, figsize=(11, 6), sharex="col", height_ratios=(3, 2), layout="constrained")
for (upper, lower), (name, result) in zip(axes.T, results.items(), strict=True):
    signal, background = result.samples(new)
    scale = background.modifiers[0]
    bins = np.linspace(*np.quantile(signal.column("score"), [0.001, 0.999]), 31)
    counts = {
        "nominal": np.histogram(background.column("score"), bins, weights=background.weights)[0],
        "scale up": np.histogram(scale.up.columns["score"], bins, weights=background.weights)[0],
        "scale down": np.histogram(scale.down.columns["score"], bins, weights=background.weights)[0],
    }
    # Events from each bin's lower edge on: what a cut there selects.
    passed = {label: np.cumsum(values[::-1])[::-1] for label, values in counts.items()}
    upper.stairs(
        np.cumsum(np.histogram(signal.column("score"), bins, weights=signal.weights)[0][::-1])[::-1],
        bins,
        color="#bd1f01",
        linewidth=2,
        label="signal",
    )
    for (label, values), color in zip(passed.items(), ("#717581", "#e76300", "#832db6"), strict=True):
        upper.stairs(values, bins, color=color, linewidth=2, label=f"background, {label}")
        lower.stairs(values / np.maximum(passed["nominal"], 1e-3), bins, color=color, linewidth=2)
    for ax in (upper, lower):
        ax.axvline(result.thresholds["score"], color="0.15", linestyle="--", linewidth=1)
    upper.set(yscale="log", ylim=(10, 1e5), xlim=(bins[0], bins[-1]))
    upper.set_title(f"Trained with {name}", loc="left")
    lower.set(ylim=(0.7, 1.3), xlabel="threshold on the score")
axes[0, 0].set_ylabel("Events after the cut")
axes[1, 0].set_ylabel("Over nominal")
axes[0, 1].legend(fontsize=10)
