"""Draw ``_static/overview.png``, the figure of the README and of the front page.

Run ``python docs/make_overview.py`` after a change that it should show. The events are those of the scenario
"gauss40x10-gauss50x10", fifty simulated ones for each expected one, with a background normalization known to 5 %.
"""

import dataclasses
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import mplhep
import numpy as np

import hepcuts as hc
from hepcuts import plotting

MORE = 50
SEED = 1
LOOK = {
    "axes.labelsize": 16,
    "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
    "font.size": 14,
    "mathtext.fontset": "stixsans",
    "xtick.labelsize": 14,
    "ytick.labelsize": 14,
}


def samples() -> list[hc.Sample]:
    truth = hc.datasets.SCENARIOS["gauss40x10-gauss50x10"]
    generator = np.random.default_rng(SEED)
    drawn = {
        name: dataclasses.replace(part, size=MORE * part.size).draw(generator)
        for name, part in (("signal", truth.signal), ("background", truth.background))
    }
    made = []
    for name, x in drawn.items():
        weights, is_signal = np.full(len(x), 1 / MORE), name == "signal"
        modifiers = [] if is_signal else [hc.NormSys("background_norm", 1.05, 0.95)]
        made.append(hc.Sample(name, {"x": x}, weights=weights, signal=is_signal, modifiers=modifiers))
    return made


def main() -> None:
    events = samples()
    metrics = ("bce", "s_over_sqrt_b", "asimov", "profile")
    scan = hc.scan(events, hc.Cut("x", ">"), metrics=metrics, thresholds=np.arange(5.0, 80.5, 0.5))
    best = hc.Cut("x", ">", scan.optimum("profile").threshold)
    path = Path(__file__).parent / "_static" / "overview.png"
    with mpl.rc_context(mplhep.style.ATLAS | LOOK):
        figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5.4), layout="constrained")
        plotting.distributions(events, "x", cut=best, bins=np.linspace(5, 80, 51), log=True, ax=left)
        plotting.scan(scan, ax=right)
        figure.savefig(path, dpi=110)
        plt.close(figure)
    print(f"wrote {path}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
