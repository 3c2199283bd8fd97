"""pyhf as the referee: what is switched is switched back, and the verdict is pyhf's."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
import pyhf
import pytest

from hepcuts import Cut, HistFactory, NormSys, Sample, Selection, discovery_significance, fill, workspace
from hepcuts._core.errors import FitError
from hepcuts.evaluation.evaluation import evaluate
from hepcuts.histfactory import referee

USERS = {
    "numpy": ("numpy", "scipy", "64b"),
    "numpy-32b": ("numpy", "scipy", "32b"),
    "numpy-minuit": ("numpy", "minuit", "64b"),
    "jax": ("jax", "scipy", "64b"),
    "jax-32b": ("jax", "minuit", "32b"),
}


@pytest.fixture(params=USERS.values(), ids=USERS)
def users(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A user's own choice of backend and optimizer."""
    name, optimizer, precision = request.param
    # pyhf tells a new backend to all models, those of other tests too; here only to those that are made from now on.
    heard = vars(pyhf.events)["__events"]
    for event in heard:
        monkeypatch.setitem(heard, event, type(heard[event])())
    tensorlib, previous = pyhf.get_backend()
    flag = jax.config.jax_enable_x64
    try:
        if name == "jax":
            # pyhf does so itself when its jax backend is imported, but only then.
            jax.config.update("jax_enable_x64", True)
        pyhf.set_backend(name, custom_optimizer=optimizer, precision=precision)
        yield pyhf.get_backend()
    finally:
        pyhf.set_backend(tensorlib, custom_optimizer=previous)
        jax.config.update("jax_enable_x64", flag)


@pytest.mark.parametrize("optimizer", ["scipy", "minuit"])
def test_the_users_backend_is_restored(users: tuple[Any, Any], optimizer: str) -> None:
    flag = jax.config.jax_enable_x64
    with referee.backend(optimizer=optimizer):
        inside = pyhf.get_backend()
        assert (inside[0].name, inside[0].precision, inside[1].name) == ("numpy", "64b", optimizer)
    assert pyhf.get_backend()[0] is users[0]
    assert pyhf.get_backend()[1] is users[1]
    assert jax.config.jax_enable_x64 == flag


def test_the_users_backend_is_restored_after_an_exception(users: tuple[Any, Any]) -> None:
    def fail() -> None:
        with referee.backend(optimizer="minuit"):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert pyhf.get_backend()[0] is users[0]
    assert pyhf.get_backend()[1] is users[1]
    # Nested, too.
    with referee.backend():
        fails = pyhf.get_backend()
        with pytest.raises(RuntimeError, match="inside"):
            fail()
        assert pyhf.get_backend() == fails
    assert pyhf.get_backend()[0] is users[0]


@pytest.mark.parametrize("users", [USERS["jax"]], ids=["jax"], indirect=True)
def test_threads_switch_one_after_the_other(users: tuple[Any, Any]) -> None:
    def switch(number: int) -> None:
        with referee.backend(optimizer=("scipy", "minuit")[number % 2]):
            inside = pyhf.get_backend()
            for _ in range(20):
                time.sleep(1e-5)
                assert pyhf.get_backend() == inside
            if number % 3 == 0:
                raise RuntimeError("inside")

    with ThreadPoolExecutor(6) as pool:
        failures = list(pool.map(lambda number: _failure(switch, number), range(24)))
    assert failures == ["inside" if number % 3 == 0 else "" for number in range(24)]
    assert pyhf.get_backend()[0] is users[0]
    assert pyhf.get_backend()[1] is users[1]


def _failure(function: Any, *arguments: Any) -> str:
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared to what was expected
        return str(error)
    return ""


@pytest.mark.parametrize("users", [USERS["jax"]], ids=["jax"], indirect=True)
def test_selections_are_evaluated_in_threads(users: tuple[Any, Any]) -> None:
    samples = [
        Sample("s", {"x": [1.0, 2.0, 3.0]}, weights=[2.0, 3.0, 4.0], signal=True),
        Sample("b", {"x": [1.0, 2.0, 3.0]}, weights=[9.0, 8.0, 7.0]),
    ]
    selections = [Selection([Cut("x", ">", threshold)]) for threshold in (0.5, 1.5, 2.5)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda selection: evaluate(samples, selection), selections * 2))
    assert pyhf.get_backend()[0] is users[0]
    assert pyhf.get_backend()[1] is users[1]
    for one in found:
        assert one.pyhf is not None
        assert one.pyhf.significance == pytest.approx(one.significance, abs=1e-3)


def spec(signal: float = 10.0, background: float = 50.0, **options: Any) -> dict[str, Any]:
    s = Sample("s", {"x": [1.0]}, weights=[signal], signal=True, staterror=False)
    b = Sample("b", {"x": [1.0]}, weights=[background], staterror=False, modifiers=NormSys("norm", 1.1, 0.9))
    return workspace(fill([s, b], None), **options)


def test_the_verdict_is_the_same_whatever_the_user_has_set(users: tuple[Any, Any]) -> None:
    with referee.backend():
        model = pyhf.Workspace(spec()).model()
    verdict = referee.hypotest(model)
    ours = float(discovery_significance(HistFactory.from_workspace(spec())))
    # The minimizer of SciPy in pyhf stops at a relative change of 1e-6 or so.
    assert verdict.significance == pytest.approx(ours, abs=2e-4)
    assert verdict.optimizer == "scipy"
    assert pyhf.get_backend()[0] is users[0]


@pytest.mark.parametrize("optimizer", ["scipy", "minuit"])
def test_the_verdict_on_given_data(optimizer: str) -> None:
    model = pyhf.Workspace(spec()).model()
    data = [75.0, *model.config.auxdata]
    verdict = referee.hypotest(model, data, optimizer=optimizer)
    with referee.backend():
        assert verdict.p0 == pytest.approx(float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0")), rel=1e-2)
    ours = float(discovery_significance(HistFactory.from_workspace(spec()), data=np.array(data)))
    assert verdict.significance == pytest.approx(ours, abs=1e-3)


def test_beyond_the_smallest_p_value_the_statistic_is_left() -> None:
    verdict = referee.hypotest(pyhf.Workspace(spec(signal=20_000.0)).model())
    assert verdict.p0 == 0.0
    ours = float(discovery_significance(HistFactory.from_workspace(spec(signal=20_000.0))))
    assert verdict.significance == pytest.approx(ours, rel=1e-5)
    assert verdict.significance > 38


def test_a_model_that_pyhf_cannot_test_is_a_fit_error() -> None:
    model = pyhf.Model(
        {
            "channels": [
                {
                    "name": "c",
                    "samples": [
                        {"name": "s", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
                        {"name": "b", "data": [0.0], "modifiers": []},
                    ],
                }
            ]
        },
        poi_name="mu",
    )
    before = pyhf.get_backend()
    with pytest.raises(FitError, match="pyhf's own"):
        referee.hypotest(model, [np.nan])
    assert pyhf.get_backend() == before
