"""Type aliases. The axis names in jaxtyping's shapes: event, sample, bin, channel, cut, threshold, parameter."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
"""A NumPy array of 64-bit floats: everything outside the JAX half."""

AnyArray: TypeAlias = Array | np.ndarray
"""Either half: a NumPy array, or a JAX array (perhaps traced). For use in jaxtyping's shapes."""

Scalar: TypeAlias = Float[Array, ""] | np.floating[Any]
"""One number as public functions return it: `numpy.float64`, or a JAX array inside a transformation."""

Columns: TypeAlias = Mapping[str, FloatArray]
"""Feature name to values, all of one length."""

ColumnsLike: TypeAlias = Mapping[str, Any] | Any
"""What a user may hand in as columns: a mapping of arrays, a pandas data frame or a structured array."""

FloatLike: TypeAlias = float | int | np.floating[Any] | np.integer[Any]
"""A real number in any of its Python and NumPy forms."""
