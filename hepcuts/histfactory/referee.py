"""pyhf as the referee: the only code that switches pyhf's backend, and its verdict on a significance.

pyhf's backend belongs to the process, and so does the list of models that follow each switch. Threads that switch it,
or build a model, take turns.
"""

import contextlib
import dataclasses
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from hepcuts._core.errors import FitError, UnsupportedModelError
from hepcuts._core.lazy import pyhf, stats

_TURN = threading.RLock()
"""Held by the thread whose turn it is; it may nest its own."""


@contextlib.contextmanager
def backend(name: str = "numpy", *, optimizer: str = "scipy") -> Iterator[None]:
    """Run the block with a backend and optimizer of pyhf in 64 bits, and restore the caller's afterwards.

    It is restored after an exception, too, and other threads wait until it is.
    """
    with _TURN:
        tensorlib, previous_optimizer = pyhf.get_backend()
        try:
            pyhf.set_backend(name, custom_optimizer=optimizer, precision="64b")
            yield
        finally:
            pyhf.set_backend(tensorlib, custom_optimizer=previous_optimizer)


def build(workspace: "pyhf.Workspace", **options: Any) -> "pyhf.Model":
    """Build a model of a workspace with the caller's backend, while no other thread switches it.

    Args:
        workspace: the workspace.
        options: passed on to `pyhf.Workspace.model`.

    Raises:
        pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidMeasurement, pyhf.exceptions.InvalidModel,
        pyhf.exceptions.InvalidNameReuse: as `pyhf.Workspace.model`.
    """
    with _TURN:
        return workspace.model(**options)


def shifted(code: str, alpha: float) -> tuple[float, float]:
    """How pyhf interpolates a histosys, asked of a model: its rate with an upward, and with a downward variation by 1.

    Args:
        code: pyhf's interpolation code.
        alpha: the parameter.

    Returns:
        The shifts of a rate, as exact as the caller's backend.
    """

    def shift(up: float, down: float) -> float:
        variations = {"hi_data": [8.0 + up], "lo_data": [8.0 - down]}
        modifier = {"name": "a", "type": "histosys", "data": variations}
        sample = {"name": "b", "data": [8.0], "modifiers": [modifier]}
        settings = {"histosys": {"interpcode": code}, "normsys": {"interpcode": "code1"}}
        spec = {"channels": [{"name": "c", "samples": [sample]}]}
        model = pyhf.Model(spec, poi_name=None, modifier_settings=settings, validate=False)
        return float(np.asarray(model.expected_data([alpha], include_auxdata=False)).item()) - 8.0

    with _TURN:
        return shift(1.0, 0.0), shift(0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What pyhf itself says of a model.

    Attributes:
        p0: p-value of ``pyhf.infer.hypotest(0.0, data, model, test_stat="q0")``.
        significance: the same in standard deviations.
        optimizer: pyhf's optimizer that made the fits.
    """

    p0: float
    significance: float
    optimizer: str


def hypotest(model: "pyhf.Model", data: Any = None, *, optimizer: str = "scipy") -> Verdict:
    """Let pyhf test the background-only hypothesis.

    Args:
        model: the model.
        data: main and auxiliary data; None for the expectation at pyhf's initial parameters with signal strength 1.
        optimizer: ``"scipy"`` or, if iminuit is installed, ``"minuit"``.

    Raises:
        FitError: pyhf's fit failed, or its p-value is not a number.
        UnsupportedModelError: the model has no parameter of interest.
    """
    # Since its release 0.8 a pyhf.Model that names none has none.
    if model.config.poi_index is None:
        raise UnsupportedModelError("The model has no parameter of interest to be tested; build it with poi_name=...")
    with backend(optimizer=optimizer), warnings.catch_warnings():
        # pyhf evaluates the logarithm of negative rates on its way; the final p-value is checked here.
        warnings.simplefilter("ignore", RuntimeWarning)
        if data is None:
            nominal = model.config.suggested_init()
            nominal[model.config.poi_index] = 1.0
            data = model.expected_data(nominal)
        config = model.config
        fit_arguments = (config.suggested_init(), config.suggested_bounds(), config.suggested_fixed())
        try:
            p0 = float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0"))
            # Beyond 38 standard deviations the p-value is zero in 64 bits, and only the statistic itself is left.
            q0 = float(pyhf.infer.test_statistics.q0(0.0, data, model, *fit_arguments)) if p0 == 0 else None
        except pyhf.exceptions.FailedMinimization as error:
            raise FitError(f"pyhf's own fit with {optimizer} did not converge: {error}") from error
    if not np.isfinite(p0):
        raise FitError(f"pyhf's own p-value with {optimizer} is {p0}; the model has a bin without expected events?")
    significance = stats.norm.isf(p0) if q0 is None else np.sqrt(q0)
    return Verdict(p0, float(significance), optimizer)
