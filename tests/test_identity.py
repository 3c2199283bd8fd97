"""The identity of a problem: what has to be equal for a run to go on where another ended."""

import dataclasses
import enum
import functools
import os
import subprocess
import sys
import textwrap
import threading

import hist
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core import identity
from hepcuts._core.errors import InputError
from hepcuts._core.identity import differing, digest, identify
from hepcuts.cuts.steps import step
from hepcuts.merit.figures import AbstractYieldFigure
from hepcuts.optimization.solvers import LBFGS, Adam

FACTOR = 2.0


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(frozen=True)
class Scaled:
    factor: float

    def __call__(self, yields, _):
        return self.factor * yields.nominal.sum()


class Stateful:
    def __init__(self, factor):
        self.factor = factor

    @functools.cached_property
    def twice(self):
        return 2 * self.factor

    def __call__(self, yields, _):
        return self.factor * yields.nominal.sum()


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def closure(factor):
    return lambda yields, _: factor * yields.nominal.sum()


def with_default(factor):
    def own(yields, _, *, by=factor):
        return by * yields.nominal.sum()

    return own


def own_class(factor):
    class Own(AbstractYieldFigure):
        def value(self, yields, structure, totals):  # noqa: ARG002
            return factor * yields.nominal.sum((-2, -1))

    return Own("own", "own")


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def generator(draws):
    made = np.random.default_rng(1)
    made.random(draws)
    return made


AXES = hist.axis
DIFFERENT = {
    "numbers": (1, 1.0, True, 1j, "1", b"1", None, (1,), [1], {1}, {1: 1}, ((1,),), -0.0, 0.0, float("nan")),
    "joined": (("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")),
    "arrays": (
        *(np.arange(4), np.arange(4.0), np.arange(4.0).reshape(2, 2), np.arange(4, dtype=">i8"), np.zeros(0)),
        *(np.array(["a", "b"]), np.array(["a", None], dtype=object), np.ma.array([1, 2], mask=[0, 1])),
        *(jnp.arange(4), jax.random.key(4), np.datetime64("2020-01-01"), np.datetime64("2020-01-01T00")),
    ),
    "enums": (Color.RED, Color.BLUE, Color),
    "instances": (Scaled(1.0), Scaled(2.0), Stateful(1.0), Stateful(2.0), Slotted(1.0), Slotted(2.0)),
    "functions": (
        *(lambda x: x + 1, lambda x: x + 2, lambda x: x - 1, lambda x, y: x + 1),  # noqa: ARG005
        *(closure(1.0), closure(2.0), with_default(1.0), with_default(2.0), even, odd, np.sqrt, np.exp, jnp.sqrt),
        *(jax.jit(closure(1.0)), jax.jit(closure(2.0)), jax.vmap(closure(1.0)), jax.vmap(closure(2.0))),
        *(functools.partial(closure(1.0), 1), functools.partial(closure(1.0), 2), Scaled(1.0).__call__),
    ),
    "within": (lambda x: [i + 1 for i in x], lambda x: [i + 2 for i in x]),
    "axes": (
        *(AXES.Regular(5, 0, 1), AXES.Regular(5, 0, 2), AXES.Regular(5, 0, 1, name="x"), AXES.Variable([0, 1, 2])),
        *(AXES.Variable([0, 1, 3]), AXES.Regular(5, 1, 2), AXES.Regular(5, 1, 2, transform=AXES.transform.log)),
    ),
    "generators": (generator(0), generator(1), np.random.Generator(np.random.MT19937(1)), np.random.default_rng(2)),
    "classes": (own_class(1.0), own_class(2.0)),
    "cuts": (
        *(hc.Cut("x", ">", 1), hc.Cut("x", "<", 1), hc.Cut("x", ">", 2), hc.Cut("x", ">", 1, bounds=(0, 2))),
        *(
            hc.Cut("x", ">", 1, width=1),
            hc.Cut("x", ">", 1, missing="pass"),
            hc.Window("x", 1, 2),
            ~hc.Cut("x", ">", 1),
        ),
    ),
    "options": (LBFGS(), LBFGS(max_steps=3), Adam(), Adam(learning_rate=1.0), step("sigmoid"), step("balanced")),
    "regions": (hc.Region("c", inverted=["x"]), hc.Region("c", without=["x"]), hc.Region("d", inverted=["x"])),
}


@pytest.mark.parametrize("objects", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_has_another_digest(objects):
    assert len({digest(item) for item in objects}) == len(objects)


EQUAL = {
    "mappings": ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
    "sets": ({"a", "b", "c"}, {"c", "b", "a"}),
    "scalars": (1.5, np.float64(1.5)),
    "order": (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3))),
    "steps": (np.arange(200_000)[::2], np.arange(0, 200_000, 2)),
    "functions": (closure(1.0), closure(1.0)),
    "jitted": (jax.jit(closure(1.0)), jax.jit(closure(1.0))),
    "classes": (own_class(1.0), own_class(1.0)),
    "generators": (generator(3), generator(3)),
    "shared": ([(LBFGS(),)] * 2, [(LBFGS(),), (LBFGS(),)]),
    "axes": (AXES.Regular(5, 0, 1, name="x"), AXES.Regular(5, 0, 1, name="x")),
}


@pytest.mark.parametrize("objects", EQUAL.values(), ids=EQUAL)
def test_what_is_equal_has_an_equal_digest(objects):
    assert digest(objects[0]) == digest(objects[1])


def test_what_was_computed_on_the_way_does_not_count():
    used, fresh = Stateful(1.0), Stateful(1.0)
    assert used.twice == 2.0
    assert digest(used) == digest(fresh)


def test_objects_that_hold_themselves():
    circle, other = [1], [2]
    circle.append(circle)
    other.append(other)
    assert len({digest(circle), digest(other)}) == 2


def test_a_global_number_counts(monkeypatch):
    def own(yields, _):
        return FACTOR * yields.nominal.sum()

    before = digest(own)
    monkeypatch.setitem(own.__globals__, "FACTOR", 3.0)
    assert digest(own) != before


def test_a_function_of_a_users_module_counts(tmp_path, monkeypatch):
    (tmp_path / "formulas_of_mine.py").write_text("K = 1\ndef formula(y):\n    return K * y\n")
    monkeypatch.syspath_prepend(tmp_path)
    import formulas_of_mine  # type: ignore[import-not-found]

    def outside(yields, _):
        return formulas_of_mine.formula(yields)

    def inside(yields, _):
        from formulas_of_mine import formula

        return formula(yields)

    before = [digest(outside), digest(inside)]
    monkeypatch.setattr(formulas_of_mine, "K", 2)
    after = [digest(outside), digest(inside)]
    assert all(first != second for first, second in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "made",
    [threading.Lock, lambda: (i for i in ()), lambda: Stateful(threading.Lock()), lambda: np.frompyfunc(abs, 1, 1)],
    ids=["lock", "iterator", "held", "ufunc"],
)
def test_what_has_no_content_is_refused(made):
    with pytest.raises(InputError, match=r"no content|does not tell"):
        digest(made())
    with pytest.raises(InputError, match="The objective of this problem"):
        identify(objective=made())


def test_it_says_what_differs():
    first, second = identify(samples=(1, 2), seed=1), identify(samples=(1, 2), seed=2, axis=None)
    assert differing(first, second) == ("seed", "axis")
    assert differing(first, first) == ()
    assert differing({}, first) == ("version of hepcuts", "samples", "seed")


def test_large_arrays_are_not_copied():
    import tracemalloc

    whole = np.ones(2_000_000)
    tracemalloc.start()
    digest(whole, whole[::2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * whole.nbytes


SCRIPT = """
import hist, jax.numpy as jnp, numpy as np
import hepcuts as hc
from hepcuts._core.identity import identify
from hepcuts.merit.registry import figure_of_merit
names = {"signal", "background", "control", "other"}
power = 0.5
def own(yields, structure):
    return jnp.sqrt(yields.nominal.sum()) ** power + len(names) * np.log1p(2.0)
class Goal:
    def __init__(self): self.names, self.own = names, own
    def __call__(self, yields, structure): return self.own(yields, structure)
samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
parts = identify(samples=samples, selection=hc.Cut("x", ">") & hc.Window("m"), own=figure_of_merit(own),
    goal=figure_of_merit(Goal()),
    profile=figure_of_merit("profile"), asimov=figure_of_merit("asimov"), axis=hist.axis.Regular(3, 0, 1, name="x"),
    seed=np.random.default_rng(3), names=names)
print(parts)
"""


def test_another_process_finds_the_same(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    found = [
        subprocess.run(
            [sys.executable, script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    assert "version of hepcuts" in found[0]


# --- checkpoints -----------------------------------------------------------------------------------------------------


def problem(up=1.001, *, events=300, staterror=True, column=0.0):
    r = np.random.default_rng(1)
    x = {"signal": r.normal(60.0, 10.0, events), "b": r.exponential(30.0, events)}
    x["b"][0] += column
    norm = hc.NormSys("norm", up, 1.0 / up)
    return [
        hc.Sample("signal", {"x": x["signal"]}, weights=np.full(events, 0.1), signal=True),
        hc.Sample("b", {"x": x["b"]}, weights=np.full(events, 0.5), modifiers=[norm], staterror=staterror),
    ]


def run(samples=None, cut=None, **options):
    given = {"objective": "asimov", "folds": 0, "anneal": (1.0,), "replicas": 0} | options
    return hc.optimize(samples or problem(), cut or hc.Cut("x", ">", 50.0), **given)


CHANGES = {
    "normsys": ({"objective": "profile"}, {"objective": "profile", "samples": problem(1.3)}, "samples"),
    "event": ({}, {"samples": problem(column=1e-9)}, "samples"),
    "staterror": ({}, {"samples": problem(staterror=False)}, "samples"),
    "lambda": (
        {"objective": lambda y, _: y.nominal[0, 0]},
        {"objective": lambda y, _: y.nominal[0, 0] ** 2},
        "objective",
    ),
    "closure": ({"objective": closure(1.0)}, {"objective": closure(2.0)}, "objective"),
    "object": ({"objective": Scaled(1.0)}, {"objective": Scaled(2.0)}, "objective"),
    "cut": ({}, {"cut": hc.Cut("x", ">", 51.0)}, "selection"),
    "bounds": ({}, {"cut": hc.Cut("x", ">", 50.0, bounds=(0.0, 99.0))}, "selection"),
    "stages": ({}, {"anneal": (2.0, 1.0)}, "stages"),
    "holdout": ({"holdout": None}, {"holdout": 0.5}, "holdout"),
    "another holdout": ({"holdout": 0.5}, {"holdout": 0.4}, "holdout"),
    "seed": ({"holdout": 0.5}, {"holdout": 0.5, "seed": 1}, "seed"),
    "solver": ({}, {"solver": LBFGS(max_steps=7)}, "solver"),
    "step": ({}, {"step": "balanced"}, "step"),
    "minimum": ({}, {"min_background": 11.0}, "min_background"),
    "constraints": ({}, {"constraints": {"signal": 1.0}}, "constraints"),
    "axis": ({}, {"axis": hist.axis.Regular(2, 0, 500, name="x")}, "axis"),
}


@pytest.fixture(scope="module")
def checkpoint_of(tmp_path_factory):
    """The checkpoint of each search, made and resumed once."""

    @functools.cache
    def made(name):
        first, path = CHANGES[name][0], tmp_path_factory.mktemp(name) / "cuts.json"
        found = run(**first, checkpoint=path)
        assert run(**first, checkpoint=path).thresholds == found.thresholds
        return path

    return lambda name: made(name if CHANGES[name][0] else "event")


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_of_another_problem_is_refused(checkpoint_of, change):
    path, (_, second, part) = checkpoint_of(change), CHANGES[change]
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"another problem: not the same are {part}\\."):
        run(**second, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "cuts.json"
    run(checkpoint=path)
    monkeypatch.setattr(identity, "__version__", "0.0.0")
    with pytest.raises(InputError, match="not the same are version of hepcuts"):
        run(checkpoint=path)


def test_equal_seeds_are_equal_problems(tmp_path):
    path = tmp_path / "cuts.json"
    first = run(checkpoint=path, seed=np.random.default_rng(3), holdout=0.5)
    for same in (np.random.default_rng(3), first.seed):  # a generator is turned into one integer
        assert run(checkpoint=path, seed=same, holdout=0.5).thresholds == first.thresholds


def test_an_objective_that_cannot_be_told_from_others_gets_no_checkpoint(tmp_path):
    lock = threading.Lock()

    def own(yields, _):
        with lock:
            return yields.nominal[0, 0]

    with pytest.raises(InputError, match=r"The objective of this problem cannot be told from others.*lock"):
        run(objective=own, checkpoint=tmp_path / "cuts.json")
    assert run(objective=own).success
