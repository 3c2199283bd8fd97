"""What a page knows of a scan: plain numbers and text, as JSON."""

import json
import math
from typing import Any

import numpy as np

from hepcuts._core.types import FloatArray
from hepcuts.plotting.views import OptimumView, ScanView

from .labels import plain, tree
from .shown import PageCurve, Positions, of_cut, of_windows
from .spectra import spectra

_MOST = 3000
"""Of more thresholds than so many a part is shown."""
_MOST_WINDOWS = 3200
"""Of windows more are needed: they have two edges."""
_MOST_NUMBERS = 38_000
"""What keeps a page below a megabyte."""
_COLUMNS = ("signal", "background", "sigma_background", "effective_background")
_FRACTIONS = ("signal_efficiency", "background_efficiency", "purity")
_RANGES = ("plateau", "statistical_plateau", "interval")
"""Fields of an optimum that are ranges of the threshold; a result may have only some of them."""


def payload(result: ScanView) -> dict[str, Any]:
    """Everything that a page shows, made of what JSON knows; None stands for a number that does not exist.

    Args:
        result: from `hepcuts.scan`.

    Returns:
        ``variable``, ``signs`` (for each edge +1 if larger values pass, else -1), ``missing``; ``num_thresholds`` of
        the scan; ``thresholds``, for each edge one number for each threshold shown; ``columns`` (yields and fractions),
        ``metrics``, ``reasons`` (why metrics have no value) and ``spectra``.
    """
    thresholds = np.asarray(result.thresholds, dtype=np.float64)
    thresholds = thresholds.reshape(len(thresholds), -1)
    optima = {name: _optimum(result, name) for name in result.metrics}
    at = _shown(result, thresholds, [optimum for optimum in optima.values() if optimum is not None])
    reasons: dict[tuple[str, bool], int] = {}
    return {
        "variable": result.cut.variable,
        "signs": list(result.cut.signs),
        "missing": result.cut.missing,
        "num_thresholds": len(thresholds),
        "thresholds": thresholds[at].T.tolist(),
        "columns": {name: numbers(getattr(result.table, name)[at]) for name in _COLUMNS}
        | {name: numbers(getattr(result, name)[at]) for name in _FRACTIONS},
        "metrics": [_metric(result, name, at, (optima[name], reasons)) for name in result.metrics],
        "reasons": [{"text": text, "evaluated": evaluated} for text, evaluated in reasons],
        "spectra": spectra(result),
    }


def as_json(content: Any) -> str:
    """JSON that may stand within a script element: nothing in it ends the element or opens a comment."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def numbers(values: FloatArray) -> list[float | None]:
    """Numbers of shape (threshold,), with None where there is none."""
    return [value if math.isfinite(value) else None for value in np.asarray(values, dtype=np.float64).tolist()]


def _shown(result: ScanView, thresholds: FloatArray, optima: list[dict[str, Any]]) -> Positions:
    """Positions of the thresholds to show; they contain the optima and the ends of their ranges."""
    edges = thresholds.shape[1]
    most = _MOST_NUMBERS // (edges + len(_COLUMNS) + len(_FRACTIONS) + len(result.metrics))
    best = np.array([optimum["thresholds"] for optimum in optima], dtype=np.float64).reshape(-1, edges)
    if edges == 1:
        ends = [end for optimum in optima for field in _RANGES for pair in optimum[field] or () for end in pair]
        curves = [PageCurve(np.asarray(result.values[name]), result.evaluated[name]) for name in result.metrics]
        return of_cut(thresholds[:, 0], np.append(best, ends), min(most, _MOST), curves)
    oriented = [metric.sign * np.asarray(result.values[name]) for name, metric in result.metrics.items()]
    return of_windows(thresholds, best, _ends(optima), min(most, _MOST_WINDOWS), oriented)


def _ends(optima: list[dict[str, Any]]) -> FloatArray:
    """Windows at the ends of plateaus, shape (end, 2): one edge at the end, the other one that of the optimum."""
    ends = []
    for optimum in optima:
        low, high = optimum["thresholds"]
        for lows, highs in filter(None, (optimum["plateau"], optimum["statistical_plateau"])):
            ends += [(end, high) for end in lows] + [(low, end) for end in highs]
    return np.array(ends, dtype=np.float64).reshape(-1, 2)


def _metric(
    result: ScanView, name: str, at: Positions, context: tuple[dict[str, Any] | None, dict[tuple[str, bool], int]]
) -> dict[str, Any]:
    """A metric at the thresholds shown, with its optimum; reasons are collected over all metrics."""
    optimum, reasons = context
    metric, values = result.metrics[name], np.asarray(result.values[name], dtype=np.float64)
    why = {}
    for row, position in enumerate(at.tolist()):
        if not np.isfinite(values[position]):
            reason = (result.reason(name, position), bool(result.evaluated[name][position]))
            why[row] = reasons.setdefault(reason, len(reasons))
    finite = values[np.isfinite(values)]
    return {
        "name": name,
        "label": tree(metric.label),
        "text": plain(metric.label),
        "sign": metric.sign,
        "values": numbers(values[at]),
        "why": why,
        # One character for each threshold: 1 where the optimum may lie.
        "allowed": "".join(map(str, np.asarray(result.allowed(name))[at].astype(int))),
        "range": [float(finite.min()), float(finite.max())] if len(finite) else None,
        "optimum": optimum,
    }


def _optimum(result: ScanView, name: str) -> dict[str, Any] | None:
    """The optimum of a metric, or None if it has no value anywhere."""
    if not np.any(np.isfinite(result.values[name])):
        return None
    found = result.optimum(name)
    edges = np.atleast_1d(np.asarray(found.threshold, dtype=np.float64))
    return {
        "thresholds": edges.tolist(),
        "value": found.value,
        "message": found.message,
        **{field: _ranges(found, field, len(edges)) for field in _RANGES},
        **{field: _plain_value(getattr(found, field, None)) for field in ("uncertainty", "held_out", "excluded")},
    }


def _ranges(found: OptimumView, field: str, edges: int) -> list[list[float]] | None:
    """A pair (low, high) for each edge, or None if the optimum has no such range."""
    given = getattr(found, field, None)
    if given is None:
        return None
    pairs = np.asarray(given, dtype=np.float64)
    if pairs.size != 2 * edges or not np.all(np.isfinite(pairs)):
        return None
    whole: list[list[float]] = pairs.reshape(edges, 2).tolist()
    return whole


def _plain_value(value: Any) -> float | str | None:
    """A number or text as JSON has it."""
    if value is None or isinstance(value, str):
        return value or None
    number = float(value)
    return number if math.isfinite(number) else None
