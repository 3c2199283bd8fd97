"""HistFactory specifications that cover every modifier, interpolation code and corner: for tests of the likelihood."""

from typing import Any

import numpy as np
import pyhf


def channel(name: str, *samples: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "samples": list(samples)}


def sample(name: str, data: list[float], *modifiers: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "data": data, "modifiers": list(modifiers)}


def mod(kind: str, name: str, data: Any = None) -> dict[str, Any]:
    return {"type": kind, "name": name, "data": data}


MU = mod("normfactor", "mu")


def normsys(name: str, hi: float, lo: float) -> dict[str, Any]:
    return mod("normsys", name, {"hi": hi, "lo": lo})


def histosys(name: str, hi: list[float], lo: list[float]) -> dict[str, Any]:
    return mod("histosys", name, {"hi_data": hi, "lo_data": lo})


LUMI = [{"name": "lumi", "auxdata": [1.02], "sigmas": [0.03], "bounds": [[0.5, 1.5]], "inits": [1.02], "fixed": False}]

SPECS: dict[str, dict[str, Any]] = {
    "normfactor": {"channels": [channel("c", sample("s", [5.0], MU), sample("b", [50.0]))]},
    "normsys": {
        "channels": [channel("c", sample("s", [5.0], MU), sample("b", [50.0], normsys("a", 1.1, 0.85)))],
    },
    "normsys-one-sided": {
        "channels": [channel("c", sample("s", [5.0], MU), sample("b", [50.0], normsys("a", 1.2, 1.0)))],
    },
    "normsys-same-side": {
        "channels": [channel("c", sample("s", [5.0], MU), sample("b", [50.0], normsys("a", 1.2, 1.1)))],
    },
    "histosys": {
        "channels": [
            channel(
                "c", sample("s", [5.0, 3.0], MU), sample("b", [50.0, 30.0], histosys("a", [55.0, 29.0], [47.0, 33.0]))
            )
        ],
    },
    "histosys-one-sided": {
        "channels": [
            channel(
                "c", sample("s", [5.0, 3.0], MU), sample("b", [50.0, 30.0], histosys("a", [55.0, 29.0], [50.0, 30.0]))
            )
        ],
    },
    "shapesys": {
        "channels": [
            channel("c", sample("s", [5.0, 3.0], MU), sample("b", [50.0, 30.0], mod("shapesys", "a", [5.0, 4.0])))
        ],
    },
    "shapesys-zero-bins": {
        "channels": [
            channel(
                "c",
                sample("s", [5.0, 3.0, 2.0], MU),
                sample("b", [50.0, 0.0, 20.0], mod("shapesys", "a", [5.0, 4.0, 0.0])),
                sample("d", [1.0, 7.0, 3.0]),
            )
        ],
    },
    "staterror": {
        "channels": [
            channel(
                "c",
                sample("s", [5.0, 3.0], MU, mod("staterror", "st", [0.5, 0.3])),
                sample("b", [50.0, 30.0], mod("staterror", "st", [5.0, 4.0])),
                sample("no-stat", [5.0, 3.0]),
            )
        ],
    },
    "staterror-zero-bins": {
        "channels": [
            channel(
                "c",
                sample("s", [5.0, 3.0, 0.0], MU, mod("staterror", "st", [0.0, 0.3, 0.0])),
                sample("b", [50.0, 30.0, 0.0], mod("staterror", "st", [0.0, 4.0, 0.0])),
                sample("rest", [1.0, 1.0, 1.0]),
            )
        ],
    },
    "staterror-two-channels": {
        "channels": [
            channel("z", sample("s", [5.0], MU), sample("b", [50.0], mod("staterror", "st", [5.0]))),
            channel("a", sample("s", [2.0, 1.0], MU), sample("b", [20.0, 30.0], mod("staterror", "st", [3.0, 4.0]))),
            channel("m", sample("s", [1.0], MU), sample("b", [10.0])),
        ],
    },
    "shapefactor": {
        "channels": [
            channel("sr", sample("s", [5.0, 3.0], MU), sample("b", [50.0, 30.0], mod("shapefactor", "f"))),
            channel("cr", sample("b", [500.0, 300.0], mod("shapefactor", "f"), normsys("a", 1.1, 0.9))),
        ],
    },
    "lumi": {
        "channels": [
            channel("c", sample("s", [5.0], MU, mod("lumi", "lumi")), sample("b", [50.0], mod("lumi", "lumi")))
        ],
        "parameters": LUMI,
    },
    "shared-name": {
        "channels": [
            channel(
                "c",
                sample("s", [5.0, 3.0], MU, normsys("a", 1.05, 0.95)),
                sample("b", [50.0, 30.0], normsys("a", 1.1, 0.85), histosys("a", [52.0, 29.0], [47.0, 33.0])),
            )
        ],
    },
    "absent-samples": {
        "channels": [
            channel("sr", sample("s", [5.0, 3.0], MU), sample("b", [50.0, 30.0], normsys("a", 1.1, 0.9))),
            channel("cr", sample("b", [500.0], normsys("a", 1.2, 0.8), mod("normfactor", "k"))),
            channel("vr", sample("d", [5.0, 0.0, 2.0], histosys("a", [6.0, 0.0, 2.0], [4.0, 0.0, 2.5]))),
        ],
    },
    "everything": {
        "channels": [
            channel(
                "sr",
                sample(
                    "s",
                    [5.0, 9.0, 4.0],
                    MU,
                    mod("lumi", "lumi"),
                    normsys("xs", 1.1, 0.9),
                    mod("staterror", "st_sr", [0.5, 0.7, 0.4]),
                ),
                sample(
                    "b1",
                    [50.0, 40.0, 30.0],
                    mod("normfactor", "k1"),
                    mod("lumi", "lumi"),
                    histosys("jes", [55.0, 41.0, 29.0], [46.0, 38.0, 31.0]),
                    normsys("jes", 1.02, 0.97),
                    mod("staterror", "st_sr", [4.0, 3.0, 2.0]),
                ),
                sample(
                    "b2",
                    [20.0, 0.0, 10.0],
                    mod("shapesys", "sh", [2.0, 0.0, 3.0]),
                    histosys("pu", [21.0, 0.5, 10.0], [19.0, 0.0, 9.0]),
                ),
                sample(
                    "b3",
                    [3.0, 2.0, 1.0],
                    mod("shapesys", "sh2", [1.0, 1.0, 1.0]),
                    mod("shapesys", "sh3", [0.3, 0.2, 0.1]),
                ),
            ),
            channel(
                "cr",
                sample(
                    "b1",
                    [500.0, 400.0],
                    mod("normfactor", "k1"),
                    mod("lumi", "lumi"),
                    histosys("jes", [520.0, 430.0], [470.0, 390.0]),
                ),
                sample("b2", [20.0, 30.0], mod("shapefactor", "free"), normsys("xs2", 1.3, 0.8)),
            ),
        ],
        "parameters": [*LUMI, {"name": "k1", "bounds": [[0.2, 4.0]], "inits": [1.1]}, {"name": "xs", "fixed": True}],
    },
    "user-constraints": {
        "channels": [
            channel(
                "c",
                sample("s", [5.0, 3.0], MU, normsys("a", 1.1, 0.9)),
                sample("b", [50.0, 30.0], mod("staterror", "st", [5.0, 4.0]), mod("shapesys", "sh", [3.0, 2.0])),
            )
        ],
        "parameters": [
            {"name": "a", "auxdata": [0.5], "inits": [0.25], "bounds": [[-3.0, 3.0]]},
            {"name": "st", "sigmas": [0.3, 0.2], "fixed": True},
            {"name": "sh", "auxdata": [90.0, 80.0]},
        ],
    },
}

CODES = [
    {"normsys": {"interpcode": normsys_code}, "histosys": {"interpcode": histosys_code}}
    for normsys_code in ("code1", "code4")
    for histosys_code in ("code0", "code2", "code4p")
]


def build(name: str, **options: Any) -> pyhf.Model:
    return pyhf.Model(SPECS[name], poi_name="mu", **options)


def random_point(model: pyhf.Model, generator: np.random.Generator) -> np.ndarray:
    """Parameters all over their ranges: systematics beyond two standard deviations, factors from almost zero up."""
    values = []
    for low, high in model.config.suggested_bounds():
        values.append(generator.uniform(-2.5, 2.5) if low < 0 else generator.uniform(max(low, 0.05), min(high, 2.0)))
    return np.array(values)
