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
# The missing momentum ``met`` separates best. Far in its exponential tail a change of the energy scale by 5 % changes
# the background behind a cut by 20 % and more. The scale is a `hepcuts.HistoSys`: it moves events, and with them the
# score. ``shape`` stands for a feature without such an uncertainty. 400 signal and 20 000 background events are
# expected.


def make(seed, size):
    """Signal and background."""
    generator = np.random.default_rng(seed)
    signal = {"met": generator.normal(160.0, 40.0, size), "shape": generator.normal(1.5, 1.0, size)}
    background = {"met": generator.exponential(40.0, 4 * size), "shape": generator.normal(0.0, 1.0, 4 * size)}
    scale = hc.HistoSys("met_scale", up={"met": 1.05 * background["met"]}, down={"met": 0.95 * background["met"]})
    return (
        hc.Sample("signal", signal, weights=np.full(size, 400.0 / size), signal=True),
        hc.Sample("background", background, weights=np.full(4 * size, 5_000.0 / size), modifiers=[scale]),
    )


samples = make(seed=1, size=8000)

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
        small_network("score", ["met", "shape"], hidden=(8,), seed=1),
        objective=objective,
        cut_objective="profile",
        anneal=(2.5, 0.6),
        holdout=0.3,
        seed=1,
    )
    for name, objective in {"BCE": "bce_balanced", "likelihood": "profile"}.items()
}
print(results["likelihood"])

# %%
# On the held-out events, and on four times as many new ones:

new = make(seed=2, size=32_000)
print(f"{'trained with':<14s}{'signal':>8s}{'background':>12s}{'scale up':>10s}{'Z held out':>12s}{'Z new':>8s}")
for name, result in results.items():
    templates = result.quoted.templates
    signal, background = templates.nominal[:, 0]
    change = templates.varied("met_scale", "up")[1, 0] / background - 1.0
    again = hc.fill(result.samples(new), result.selection)
    z = hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(again)))
    print(f"{name:<14s}{signal:>8.1f}{background:>12.1f}{change:>+10.1%}{result.significance:>12.2f}{z:>8.2f}")

# %%
# What they select
# ----------------
# The shaded events are selected. Behind BCE's cut the background rests on the tail of ``met``, and the scale takes its
# toll. The likelihood has found a region whose background hardly changes: what the scale moves in at one side it moves
# out at another, or ``shape`` does the work.

look = {"mathtext.fontset": "stixsans", "axes.labelsize": 15, "axes.titlesize": 13, "font.size": 13}
plt.style.use([mplhep.style.ATLAS, look])
x, y = np.meshgrid(np.linspace(0, 320, 161), np.linspace(-3, 5, 161))
fig, axes = plt.subplots(1, 2, figsize=(11, 5), sharey=True, layout="constrained")
for ax, (name, result) in zip(axes, results.items(), strict=True):
    score = result.discriminant.apply({"met": x.ravel(), "shape": y.ravel()}).reshape(x.shape)
    threshold = result.thresholds["score"]
    ax.contourf(x, y, score, levels=[threshold, np.inf], colors=["#e76300"], alpha=0.25)
    ax.contour(x, y, score, levels=[threshold], colors=["#e76300"], linewidths=2)
    for sample, color in zip(samples[::-1], ("#717581", "#bd1f01"), strict=True):
        ax.plot(sample.column("met")[:1500], sample.column("shape")[:1500], ".", ms=2, color=color, label=sample.name)
    ax.set(xlim=(0, 320), ylim=(-3, 5), xlabel="met [GeV]")
    ax.set_title(f"Trained with {name}: Z = {result.significance:.2f} (held out)", loc="left")
axes[0].set_ylabel("shape")
axes[1].legend(loc="lower right", markerscale=6, frameon=True)

# %%
# What the scale does to the score
# --------------------------------
# The background's score, and what the scale makes of it. Right of the threshold the bands of the second network are
# together.

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
    behind = {label: np.cumsum(values[::-1])[::-1] for label, values in counts.items()}
    upper.stairs(
        np.cumsum(np.histogram(signal.column("score"), bins, weights=signal.weights)[0][::-1])[::-1],
        bins,
        color="#bd1f01",
        linewidth=2,
        label="signal",
    )
    for (label, values), color in zip(behind.items(), ("#717581", "#e76300", "#832db6"), strict=True):
        upper.stairs(values, bins, color=color, linewidth=2, label=f"background, {label}")
        lower.stairs(values / np.maximum(behind["nominal"], 1e-3), bins, color=color, linewidth=2)
    for ax in (upper, lower):
        ax.axvline(result.thresholds["score"], color="0.15", linestyle="--", linewidth=1)
    upper.set(yscale="log", ylim=(1, 2e4), xlim=(bins[0], bins[-1]))
    upper.set_title(f"Trained with {name}", loc="left")
    lower.set(ylim=(0.7, 1.3), xlabel="threshold on the score")
axes[0, 0].set_ylabel("Events behind the cut")
axes[1, 0].set_ylabel("Over nominal")
axes[0, 1].legend(fontsize=10)
