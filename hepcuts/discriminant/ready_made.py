"""Discriminants that need not be written: a weighted sum, and a small network."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from hepcuts._core.errors import InputError

from .model import Discriminant, checked_features


def linear(name: str, features: Sequence[str]) -> Discriminant:
    """A weighted sum of standardized features; it starts with equal weights.

    Args:
        name: what a cut calls it.
        features: the columns.

    Raises:
        InputError: as `Discriminant`.

    Example:
        >>> linear("sum", ["x", "y"])
        Discriminant('sum', 2 parameters, features: x, y)
    """
    checked = checked_features(name, features)
    return Discriminant(name, _weighted_sum, np.full(len(checked), len(checked) ** -0.5), features=checked)


def _weighted_sum(parameters: Any, features: Any) -> Any:
    return features @ parameters


def small_network(
    name: str, features: Sequence[str], *, hidden: Sequence[int] = (8,), seed: int | np.random.Generator = 0
) -> Discriminant:
    """Layers of tanh and a last, linear one.

    Args:
        name: what a cut calls it.
        features: the columns.
        hidden: numbers of nodes of the layers but the last.
        seed: seed of the weights that it starts with: normal with variance 1 / (number of inputs), biases 0.

    Raises:
        InputError: as `Discriminant`, or a layer without nodes.

    Example:
        >>> small_network("nn", ["x", "y"], hidden=(8,), seed=1)
        Discriminant('nn', 32 parameters, features: x, y)
    """
    checked, generator = checked_features(name, features), np.random.default_rng(seed)
    layers: tuple[Any, ...] = tuple(hidden)
    if not layers or not all(isinstance(size, int | np.integer) and size > 0 for size in layers):
        raise InputError(
            f"Discriminant {name!r}: hidden is {hidden!r}; expected at least one positive integer, or use "
            "hepcuts.discriminant.linear."
        )
    sizes = (len(checked), *layers)
    parameters: dict[str, Any] = {
        f"layer{i}": {
            "weights": generator.normal(0.0, sizes[i] ** -0.5, (sizes[i], sizes[i + 1])),
            "biases": np.zeros(sizes[i + 1]),
        }
        for i in range(len(sizes) - 1)
    }
    parameters["last"] = generator.normal(0.0, sizes[-1] ** -0.5, sizes[-1])
    return Discriminant(name, _network_score, parameters, features=checked)


def _network_score(parameters: Any, features: Any) -> Any:
    for number in range(len(parameters) - 1):
        layer = parameters[f"layer{number}"]
        features = jnp.tanh(features @ layer["weights"] + layer["biases"])
    return features @ parameters["last"]
