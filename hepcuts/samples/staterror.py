"""How the finite number of simulated events enters the likelihood.

- ``"poisson"``, also written True: a ``shapesys`` of each sample. Each bin of each sample has a parameter of its own,
  whose Poisson constraint observes the effective number of simulated events, (sum w)^2 / sum w^2.
- ``"gaussian"``: a ``staterror``. Each bin has one parameter for all backgrounds together, and one for all signals,
  with the Gaussian constraint of pyhf.
- False: none; the simulation counts as infinite.

The Gaussian form finds too many signals where there are none: with ten simulated events, one for ten expected ones, 11
times as many above three standard deviations as there should be; the Poisson one 1.3 times. Several backgrounds of
different weights need parameters of their own: with 1000 events of weight 0.1 and 5 of weight 20 one Poisson parameter
for both is wrong by a factor of 12. ``benchmarks/calibration.py`` makes the table.
"""

from typing import Any, Literal, cast

import numpy as np

from hepcuts._core.errors import SampleError

StatError = Literal["poisson", "gaussian", False]
"""The choices; True stands for the first."""

_DEFAULT: StatError = "poisson"
_CHOICES = ("poisson", "gaussian")


def checked(value: Any, sample: str) -> StatError:
    """The choice that is meant.

    Args:
        value: what came.
        sample: name of the sample, for the message.

    Raises:
        SampleError: it is none of the choices.

    Example:
        >>> checked(True, "ttbar")
        'poisson'
    """
    if isinstance(value, bool | np.bool_):
        return _DEFAULT if value else False
    if isinstance(value, str) and value in _CHOICES:
        return cast(StatError, value)
    raise SampleError(
        f"Sample {sample!r}: staterror is {value!r}; expected True (which is 'poisson'), 'poisson', 'gaussian' or "
        "False."
    )
