"""Arguments that many functions take are checked in one place: the same mistake is refused in the same words."""

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core import checks
from hepcuts._core.errors import InputError
from hepcuts.evaluation.bootstrap import bootstrap
from hepcuts.evaluation.presentation import drop_one, rounded
from hepcuts.study.simulation import simulation_size
from tests.unchecked import unchecked  # noqa: F401

pytestmark = pytest.mark.usefixtures("unchecked")

SAMPLES = hc.datasets.many_features(2, seed=1, num_signal=200, num_background=400)
CUT, SET = hc.Cut("x0", ">"), hc.Cut("x0", ">", 0.0)
CUTS = CUT & hc.Cut("x1", ">")
SUM = hc.discriminant.linear("sum", ["x0", "x1"])

ENTRIES = {
    "scan": lambda **kw: hc.scan(SAMPLES, CUT, metrics=("asimov",), **kw),
    "optimize": lambda **kw: hc.optimize(SAMPLES, CUTS, objective="asimov", **kw),
    "train": lambda **kw: hc.train(SAMPLES, hc.Cut("sum", ">"), SUM, objective="asimov", **kw),
    "categorize": lambda **kw: hc.categorize(SAMPLES, "x0", **kw),
    "bin_edges": lambda **kw: hc.bin_edges(SAMPLES, "x0", **kw),
    "working_points": lambda **kw: hc.working_points(SAMPLES, CUTS, efficiencies=[0.5], **kw),
    "bootstrap": lambda **kw: bootstrap(SAMPLES, SET, objective="asimov", **kw),
    "drop_one": lambda **kw: drop_one(SAMPLES, SET, **kw),
    "rounded": lambda **kw: rounded(SAMPLES, SET, **kw),
    "simulation_size": lambda **kw: simulation_size(
        "gauss40x10-gauss50x10", **({"sizes": [50], "repetitions": 1, "seed": 1} | kw)
    ),
}

TAKES = {
    "min_background": ("scan", "optimize", "train", "categorize", "bin_edges"),
    "min_expected": ("categorize", "bin_edges"),
    "folds": ("scan", "optimize", "train", "categorize", "bin_edges"),
    "replicas": ("scan", "optimize", "bootstrap", "drop_one"),
    "seed": (
        *("scan", "optimize", "train", "categorize", "bin_edges"),
        *("working_points", "bootstrap", "drop_one", "simulation_size"),
    ),
    "holdout": ("optimize", "train", "working_points"),
    "anneal": ("optimize", "train"),
    "fixed": ("optimize", "train"),
    "tied": ("optimize", "train"),
    "regions": ("optimize", "train"),
    "log": ("optimize", "train"),
    "checkpoint": ("optimize", "train", "working_points"),
    "solver": ("optimize", "train"),
    "step": ("optimize", "train", "working_points"),
    "validation": ("train",),
    "patience": ("train",),
    "pretraining": ("train",),
    "weight_decay": ("train",),
    "width": ("working_points",),
    "smoothness": ("working_points",),
    "fine_bins": ("categorize", "bin_edges"),
    "num_bins": ("categorize", "bin_edges"),
    "max_bins": ("bin_edges",),
    "max_categories": ("categorize",),
    "max_loss": ("rounded",),
    "repetitions": ("simulation_size",),
}

WRONG = {
    "min_background": [float("nan"), -5.0, float("inf"), "10", None, True],
    "min_expected": [float("nan"), -1.0, "1"],
    "folds": [2.5, 1, -2, "4", None, True],
    "replicas": [2.5, 1, -1, "many"],
    "seed": ["a", 1.5, -1, None],
    "holdout": [1.0, -0.5, "0.5", float("nan"), True],
    "anneal": [(1, 5), (1.0, 1.0), (), 5, "5", (5, -1), ("a",), (float("nan"),), (float("inf"), 1.0)],
    "fixed": [5, [5]],
    "tied": [["x"], 5, "x0", [("x0",)], ["x0", "x1"], [("x0", "x0")], [(1, 2)], [5]],
    "regions": [5, ["control"]],
    "log": [5],
    "checkpoint": [5],
    "solver": [5, [], "newton"],
    "step": [5, [], "cubic"],
    "validation": [1.0, -0.1, "a"],
    "patience": [0, 2.5, "a"],
    "pretraining": [-1, 2.5, "a"],
    "weight_decay": [-1.0, float("nan"), "a"],
    "width": [0.0, -1.0, float("nan"), "a"],
    "smoothness": [-1.0, float("inf"), "a"],
    "fine_bins": [1, 2.5, "a", 100_000],
    "num_bins": [0, 2.5, "a"],
    "max_bins": [0, 2.5, "a"],
    "max_categories": [0, 2.5, "a"],
    "max_loss": [0.0, 1.0, "a"],
    "repetitions": [0, 1.5, "a"],
}

CASES = [(entry, name, value) for name, entries in TAKES.items() for entry in entries for value in WRONG[name]]


@pytest.mark.parametrize(
    ("entry", "name", "value"), [pytest.param(*case, id=f"{case[0]}-{case[1]}-{case[2]!r}") for case in CASES]
)
def test_what_cannot_be_used_is_refused_by_name_and_value(entry, name, value):
    with pytest.raises(InputError) as found:
        ENTRIES[entry](**{name: value})
    assert repr(value) in str(found.value)
    assert "expected" in str(found.value) or "choose" in str(found.value)


@pytest.mark.parametrize("name", ["min_background", "folds", "replicas", "seed", "holdout", "anneal", "fixed", "tied"])
def test_the_words_are_the_same_everywhere(name):
    value = WRONG[name][0]
    messages = set()
    for entry in TAKES[name]:
        with pytest.raises(InputError) as found:
            ENTRIES[entry](**{name: value})
        messages.add(str(found.value).replace("(5, 2.5, 1.25)", "(5, 2, 1)").replace(", or 0 for none", ""))
    # A seed is a number alone where a call has to be repeated with it.
    assert len(messages) == (2 if name == "seed" else 1)


def test_numbers_of_any_kind_are_taken():
    assert checks.folds(np.int32(3)) == 3
    assert checks.amount("min_background", np.float32(2.0)) == 2.0
    assert checks.stages(np.array([5.0, 1.0])) == (5.0, 1.0)
    assert checks.names("fixed", iter(["a", "b"])) == ("a", "b")
    assert checks.groups("tied", ()) == ()
    assert checks.groups("tied", iter([iter(["a", "b"])])) == (("a", "b"),)
    generator = np.random.default_rng(1)
    assert checks.seed(generator) is generator
