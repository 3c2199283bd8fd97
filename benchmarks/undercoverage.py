"""Whether intervals of a fit of many bins hold the truth where simulation is finite: a table of toys.

    python benchmarks/undercoverage.py [--toys 800] [--output undercoverage.csv]

Two samples of equal size and similar shape, the signal strength of one and the normalization of the other free, each
bin with a staterror (Barlow and Beeston's light form, one parameter for each bin). The same events in more and more
bins: with few simulated events the shapes of the two seem to differ where it is noise. Toys that are drawn from the
likelihood itself see nothing of it; toys that draw the simulation again tell what the intervals are worth
(Alexe, Bendavid, Bianchini, Bruschini, arXiv:2401.10542).
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np

TABLE = Path(__file__).parents[1] / "docs" / "tables" / "undercoverage.csv"
CASES = ((10, 1.0), (10, 0.2), (50, 1.0), (50, 0.2), (200, 1.0), (200, 0.5))
"""Bins, and simulated events for each one that is expected; of fewer some of 200 bins would have none."""


def workspace(bins: int, simulated: float, *, events: float = 20_000.0) -> dict[str, Any]:
    """The workspace; its observations are its expectation."""
    edges = np.linspace(0.0, 1.0, bins + 1)

    def sample(name: str, factor: str, slope: float) -> dict[str, Any]:
        yields = 0.5 * events * np.diff(np.expm1(slope * edges)) / np.expm1(slope)
        stat = {"name": "stat", "type": "staterror", "data": np.sqrt(yields / simulated).tolist()}
        free = {"name": factor, "type": "normfactor", "data": None}
        return {"name": name, "data": yields.tolist(), "modifiers": [free, stat]}

    samples = [sample("signal", "mu", -3.0), sample("background", "norm", -3.5)]
    bounds = [{"name": name, "bounds": [[-100.0, 100.0]], "inits": [1.0]} for name in ("mu", "norm")]
    return {
        "channels": [{"name": "channel", "samples": samples}],
        "observations": [{"name": "channel", "data": np.sum([s["data"] for s in samples], axis=0).tolist()}],
        "measurements": [{"name": "measurement", "config": {"poi": "mu", "parameters": bounds}}],
        "version": "1.0.0",
    }


def row(bins: int, simulated: float, num_toys: int) -> list[str]:
    """One row of the table."""
    import hepcuts as hc  # noqa: PLC0415
    from hepcuts.histfactory import discovery_toys  # noqa: PLC0415

    likelihood = hc.HistFactory.from_workspace(workspace(bins, simulated))
    found = [f"{bins}", f"{simulated:g}"]
    for simulation in (False, True):
        toys = discovery_toys(likelihood, mu=1.0, num_toys=num_toys, seed=1, simulation=simulation, intervals=True)
        for level in (0.6827, 0.9545):
            value, low, high = toys.coverage(level)
            found.append(f"{100 * value:.1f} ± {50 * (high - low):.1f}")
    return found


def main() -> None:
    """Make the table of the documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--toys", type=int, default=800, help="of each kind (%(default)s)")
    parser.add_argument("--output", type=Path, default=TABLE)
    arguments = parser.parse_args()
    head = ["bins", "simulated per expected"]
    head += [f"{level} %, {kind}" for kind in ("likelihood's toys", "simulation redrawn") for level in (68.3, 95.5)]
    table = [head]
    for bins, simulated in CASES:
        table.append(row(bins, simulated, arguments.toys))
        print(*table[-1], sep=" | ")
        sys.stdout.flush()
        with arguments.output.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)


if __name__ == "__main__":
    main()
