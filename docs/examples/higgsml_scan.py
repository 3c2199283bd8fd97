"""Where to cut on single features of the Higgs challenge's events, and on a classifier that was trained with BCE.

Put signal.csv and background.csv beside this file (see the documentation, "Real events") and run it.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

import hepcuts as hc

MISSING = -999.0
METRICS = ("bce", "bce_balanced", "s_over_sqrt_b", "asimov", "asimov_uncertainty", "profile")
CUTS = (
    hc.Window("DER_mass_MMC"),
    hc.Cut("DER_mass_transverse_met_lep", "<"),
    hc.Cut("PRI_tau_pt", ">"),
    hc.Cut("DER_met_phi_centrality", ">"),
)


def load(folder):
    """Features and weights of signal and background: expected events in 20/fb."""
    tables = [pd.read_csv(folder / name) for name in ("signal.csv", "background.csv")]
    scales = 85667 / 4999, 164333 / 4999
    weights = [table["KaggleWeight"].to_numpy() * scale for table, scale in zip(tables, scales, strict=True)]
    features = [name for name in tables[0].columns if name.startswith(("DER_", "PRI_"))]
    return [table[features] for table in tables], weights


def samples_of(columns, weights):
    """Signal, and background with a normalization known to 10 %."""
    return [
        hc.Sample("Htautau", columns[0], weights=weights[0], signal=True, missing=MISSING),
        hc.Sample(
            "background",
            columns[1],
            weights=weights[1],
            missing=MISSING,
            modifiers=[hc.NormSys("background_normalization", 1.1, 0.9)],
        ),
    ]


def scans_of_features(folder):
    """One scan for each of the cuts."""
    tables, weights = load(folder)
    samples = samples_of([{cut.variable: table[cut.variable] for cut in CUTS} for table in tables], weights)
    return [hc.scan(samples, cut, metrics=METRICS) for cut in CUTS]


def scan_of_classifier(folder, *, seed=1):
    """Train with BCE on one half of the events, classes balanced as usual; scan the score on the other half."""
    tables, weights = load(folder)
    generator = np.random.default_rng(seed)
    training = [generator.random(len(table)) < 0.5 for table in tables]
    x = np.concatenate([t[half] for t, half in zip(tables, training, strict=True)])
    w = np.concatenate([w[half] / w[half].mean() for w, half in zip(weights, training, strict=True)])
    y = np.repeat([1, 0], [half.sum() for half in training])
    model = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.05, random_state=0)
    model.fit(np.where(x == MISSING, np.nan, x), y, sample_weight=w)
    held_out = [t[~half].to_numpy() for t, half in zip(tables, training, strict=True)]
    scores = [model.predict_proba(np.where(part == MISSING, np.nan, part))[:, 1] for part in held_out]
    # The other half stands for all events.
    rest = [w[~half] * w.sum() / w[~half].sum() for w, half in zip(weights, training, strict=True)]
    samples = samples_of([{"score": score} for score in scores], rest)
    return hc.scan(samples, hc.Cut("score", ">"), metrics=METRICS), samples


def significance(samples, selection):
    """Of the profile likelihood, after given cuts."""
    workspace = hc.workspace(hc.fill(samples, selection))
    return float(hc.discovery_significance(hc.HistFactory.from_workspace(workspace)))


def worth(result):
    """What the cut of each figure of merit is worth, as text."""
    rows = [f"  {'cut chosen by':<20s}{'Z':>9s}{'held out':>10s}{'events':>9s}"]
    rows += [
        f"  {c.metric:<20s}{c.significance:>9.4f}{c.held_out:>10.4f}{c.effective_background:>9.0f}"
        for c in result.choices()
    ]
    return "\n".join(rows)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for result in scans_of_features(folder):
        print(f"{result.summary()}\n{worth(result)}\n")
    result, samples = scan_of_classifier(folder)
    print(f"{result.summary()}\n{worth(result)}")
    print(f"  score > 0.5         {significance(samples, hc.Cut('score', '>', 0.5)):>9.4f}")


if __name__ == "__main__":
    main()
