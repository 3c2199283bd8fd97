"""Whether intervals of a fit of many bins hold the truth where simulation is finite: a table of toys.

    python benchmarks/undercoverage.py [--toys 4000] [--output undercoverage.csv]

A signal and two backgrounds in 40 bins, both backgrounds with a free normalization, or with one of 10 %; each sample
with a staterror (Barlow and Beeston's light form, one parameter for each bin). The simulation has a fifth of the
events that are expected, as many, five times and a hundred times as many. Toys that are drawn from the likelihood
itself see nothing; toys that draw the simulation again tell what the intervals are worth
(Alexe, Bendavid, Bianchini, Bruschini, arXiv:2401.10542).
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np

TABLE = Path(__file__).parents[1] / "docs" / "tables" / "undercoverage.csv"
SIMULATED = (0.2, 1.0, 5.0, 100.0)
"""Simulated events for each one that is expected."""


def workspace(simulated: float, *, free: bool, bins: int = 40, events: float = 40_000.0) -> dict[str, Any]:
    """The workspace; its observations are its expectation."""
    edges = np.linspace(0.0, 1.0, bins + 1)

    def share(slope: float) -> Any:
        cumulative = np.expm1(slope * edges) / np.expm1(slope)
        return np.diff(cumulative)

    def sample(name: str, yields: Any, *modifiers: dict[str, Any]) -> dict[str, Any]:
        error = np.sqrt(yields / simulated)
        stat = {"name": "stat", "type": "staterror", "data": error.tolist()}
        return {"name": name, "data": yields.tolist(), "modifiers": [*modifiers, stat]}

    def norm(name: str) -> dict[str, Any]:
        if free:
            return {"name": name, "type": "normfactor", "data": None}
        return {"name": name, "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}

    samples = [
        sample("signal", 0.05 * events * share(-3.0), {"name": "mu", "type": "normfactor", "data": None}),
        sample("first", 0.6 * events * share(-2.2), norm("norm_first")),
        sample("second", 0.4 * events * share(-4.0), norm("norm_second")),
    ]
    total = np.sum([s["data"] for s in samples], axis=0)
    bounds = [{"name": "mu", "bounds": [[-100.0, 100.0]], "inits": [1.0]}]
    return {
        "channels": [{"name": "channel", "samples": samples}],
        "observations": [{"name": "channel", "data": total.tolist()}],
        "measurements": [{"name": "measurement", "config": {"poi": "mu", "parameters": bounds}}],
        "version": "1.0.0",
    }


def rows(num_toys: int) -> list[list[str]]:
    """One row of the table for each size of the simulation and each kind of normalization."""
    import hepcuts as hc  # noqa: PLC0415
    from hepcuts.histfactory import discovery_toys  # noqa: PLC0415

    found = []
    for free in (False, True):
        for simulated in SIMULATED:
            likelihood = hc.HistFactory.from_workspace(workspace(simulated, free=free))
            row = ["free" if free else "10 %", f"{simulated:g}"]
            for simulation in (False, True):
                toys = discovery_toys(
                    likelihood, mu=1.0, num_toys=num_toys, seed=1, simulation=simulation, intervals=True
                )
                row += [f"{100 * toys.coverage(level)[0]:.1f} %" for level in (0.6827, 0.9545)]
            spread = np.nanstd(toys.mu_hat)
            row.append(f"{np.nanmean(toys.mu_hat):.2f} ± {spread / np.sqrt(len(toys.mu_hat)):.2f}")
            found.append(row)
            print(*row, sep=" | ")
            sys.stdout.flush()
    return found


def main() -> None:
    """Make the table of the documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--toys", type=int, default=4000, help="of each kind (%(default)s)")
    parser.add_argument("--output", type=Path, default=TABLE)
    arguments = parser.parse_args()
    head = ["normalizations", "simulated per expected"]
    for kind in ("from the likelihood", "with the simulation"):
        head += [f"68.3 % interval, toys {kind}", f"95.5 %, toys {kind}"]
    table = rows(arguments.toys)
    with arguments.output.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([[*head, "mean signal strength"], *table])


if __name__ == "__main__":
    main()
