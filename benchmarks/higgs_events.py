"""Simulated Higgs boson decays to two tau leptons and their background, with the uncertainty of the tau energy scale.

The ATLAS simulation of the Higgs machine-learning challenge (CERN Open Data record 328), twelve features to cut on.
The tau energy scale moves the momentum of the tau and, against it, the missing momentum; what is derived of the two is
derived again. The mass estimator cannot be run here: its mass goes as the visible mass, with the root of the scale.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cut_events import Array, CutEvents

import hepcuts as hc

MISSING = -999.0
SHIFT = 0.03
"""Uncertainty of the tau energy scale, relative."""
CUTS: tuple[hc.Cut | hc.Window, ...] = (
    hc.Window("DER_mass_MMC"),
    hc.Window("DER_mass_vis"),
    hc.Cut("DER_mass_transverse_met_lep", "<"),
    hc.Cut("DER_pt_h", ">"),
    hc.Cut("DER_deltar_tau_lep", "<"),
    hc.Cut("DER_pt_ratio_lep_tau", "<"),
    hc.Cut("DER_met_phi_centrality", ">"),
    hc.Cut("DER_sum_pt", ">"),
    hc.Cut("DER_pt_tot", "<"),
    hc.Cut("PRI_tau_pt", ">"),
    hc.Cut("PRI_lep_pt", ">"),
    hc.Cut("PRI_met", ">"),
)
FEATURES = tuple(cut.variable for cut in CUTS)


def samples() -> list[hc.Sample]:
    """Signal and background: expected events in 20/fb, with all systematic uncertainties.

    Raises:
        FileNotFoundError: the events are not beside this repository.
    """
    folder = Path(__file__).parents[2] / "shared" / "data" / "higgsml"
    found = []
    # The challenge's weights are those of its full sets, and each file holds 4999 events of them.
    for name, file, scale in (("Htautau", "signal", 85667 / 4999), ("background", "background", 164333 / 4999)):
        table = pd.read_csv(folder / f"{file}.csv")
        sides = {side: varied(table, sign * SHIFT) for side, sign in (("up", 1.0), ("down", -1.0))}
        modifiers: list[Any] = [hc.HistoSys("tau_energy_scale", **sides)]
        if name == "background":
            modifiers.append(hc.NormSys("background_normalization", 1.1, 0.9))
        columns = {feature: table[feature].to_numpy(dtype=float) for feature in FEATURES}
        weights = table["KaggleWeight"].to_numpy() * scale
        signal = name == "Htautau"
        sample = hc.Sample(name, columns, weights=weights, signal=signal, modifiers=modifiers, missing=MISSING)
        found.append(sample)
    return found


def varied(table: pd.DataFrame, shift: float) -> dict[str, Array]:
    """The features that change with the tau energy scale, for a relative shift of it."""
    t = {name: table[name].to_numpy(dtype=float) for name in table.columns if name.startswith(("DER_", "PRI_"))}
    tau, phi = t["PRI_tau_pt"], t["PRI_tau_phi"]
    x = t["PRI_met"] * np.cos(t["PRI_met_phi"]) - shift * tau * np.cos(phi)
    y = t["PRI_met"] * np.sin(t["PRI_met_phi"]) - shift * tau * np.sin(phi)
    met, met_phi = np.hypot(x, y), np.arctan2(y, x)
    side = np.sign(np.sin(t["PRI_lep_phi"] - phi))
    a, b = np.sin(met_phi - phi) * side, np.sin(t["PRI_lep_phi"] - met_phi) * side
    length = np.hypot(a, b)  # zero where angles, which are rounded, are equal
    centrality = np.where(length > 0, (a + b) / np.where(length > 0, length, 1.0), t["DER_met_phi_centrality"])
    mass = t["DER_mass_MMC"]
    return {
        "DER_mass_MMC": np.where(mass == MISSING, MISSING, mass * np.sqrt(1.0 + shift)),
        "DER_mass_vis": t["DER_mass_vis"] * np.sqrt(1.0 + shift),
        "DER_mass_transverse_met_lep": np.sqrt(
            2.0 * t["PRI_lep_pt"] * met * (1.0 - np.cos(t["PRI_lep_phi"] - met_phi))
        ),
        "DER_pt_ratio_lep_tau": t["DER_pt_ratio_lep_tau"] / (1.0 + shift),
        "DER_met_phi_centrality": centrality,
        "DER_sum_pt": t["DER_sum_pt"] + shift * tau,
        "PRI_tau_pt": tau * (1.0 + shift),
        "PRI_met": met,
    }


def cut_events(training: list[hc.Sample]) -> CutEvents:
    """The events as the other tools see them: a row for each threshold; missing values never pass."""
    signal, background = (_rows(sample) for sample in training)
    return CutEvents(signal, background, training[0].weights, training[1].weights, finite=True)


def selection(thresholds: Array) -> hc.Selection:
    """The selection of lower thresholds on the rows of `cut_events`."""
    signs = np.concatenate([cut.signs for cut in CUTS])
    return hc.Selection(CUTS).at(signs * thresholds)


def _rows(sample: hc.Sample) -> Array:
    rows = []
    for cut in CUTS:
        values = sample.columns[cut.variable]
        rows += [np.where(values == MISSING, -np.inf, sign * values) for sign in cut.signs]
    return np.array(rows)
