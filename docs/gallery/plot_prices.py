r"""
The price list of an analysis
=============================

The cuts are chosen and the workspace is made. What would help most now: more data, more simulation, or a better
calibration? On this page every systematic, every sample and its simulation get a price, in units of the expected
significance, and the nuisance parameters are ranked by their impact.
"""

import numpy as np

import hepcuts as hc

# %%
# A search with two backgrounds
# -----------------------------
# Signal at a mass of 125 over a falling background, and another background that few simulated events are left of.

rng = np.random.default_rng(1)


def sample(name, mass, expected, **options):
    return hc.Sample(name, {"mass": mass}, weights=np.full(len(mass), expected / len(mass)), **options)


def falling(number, slope):
    return 100.0 + rng.exponential(slope, number)


scale = lambda mass: {"up": {"mass": 1.01 * mass}, "down": {"mass": 0.99 * mass}}  # noqa: E731
peak, continuum, fakes = rng.normal(125.0, 3.0, 20_000), falling(50_000, 40.0), falling(600, 20.0)
samples = [
    sample("signal", peak, 60.0, signal=True, modifiers=[hc.HistoSys("mass_scale", **scale(peak))]),
    sample(
        "continuum",
        continuum,
        2000.0,
        modifiers=[hc.NormSys("continuum_xsec", 1.05, 0.95), hc.HistoSys("mass_scale", **scale(continuum))],
    ),
    sample("fakes", fakes, 300.0, modifiers=[hc.NormSys("fake_rate", 1.3, 0.7), hc.NormSys("fake_method", 1.15, 0.87)]),
]

# %%
import hist  # noqa: E402

templates = hc.fill(samples, hc.Window("mass", 110.0, 140.0), axis=hist.axis.Regular(12, 110.0, 140.0, name="mass"))
workspace = hc.workspace(templates)

# %%
# Prices
# ------
# `hepcuts.prices` takes any workspace of pyhf, ours or not. Each row says by how much the expected Z grows if one thing
# gets better by a stated step (:mod:`hepcuts.evaluation.prices` says exactly what the step is): systematics and
# backgrounds smaller by a tenth, signal and luminosity larger by a tenth, twice the simulation. Systematics can be
# grouped by the patterns of their names.

priced = hc.prices(workspace, groups={"fakes": "fake_*"})
print(priced)

# %%
# The last lines are the exchange: what a tenth of a standard deviation costs in luminosity, in the systematic that
# matters most and in simulation.

priced.plot()

# %%
# None of these is a first-order estimate. Each is the result of a fit to the changed likelihood; all of them together
# take about as long as the first one, because the minimum moves little and its surroundings are known.
#
# Impacts
# -------
# The price of a systematic is what its *uncertainty* costs. Its impact is how far mu-hat moves if the parameter is held
# one standard deviation away from its best fit, before or after the fit. With ``refits=True`` each is a fit.

ranked = hc.impacts(workspace, refits=True)
print(ranked)

# %%
ranked.plot(most=10)

# %%
# The correlations of all free parameters are in the result, too.

names = ranked.correlated
strongest = np.abs(np.triu(ranked.correlations, 1))
for first, second in zip(*np.unravel_index(np.argsort(-strongest, axis=None)[:3], strongest.shape), strict=True):
    print(f"{names[first]:>20s} {names[second]:20s} {ranked.correlations[first, second]:+.2f}")

# %%
# On the command line the same is ``hepcuts prices workspace.json --group "fakes=fake_*"``.
