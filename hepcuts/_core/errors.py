"""Exceptions and warnings.

Every message says what came, what was expected and what to do about it. All exceptions derive from
`HepcutsError`; those that complain of a value also derive from `ValueError`.
"""


class HepcutsError(Exception):
    """Base class of all exceptions raised on purpose by hepcuts."""


class InputError(HepcutsError, ValueError):
    """An argument or a file has a value that hepcuts cannot work with."""


class SampleError(InputError):
    """Columns, weights or modifiers of a sample are not usable."""


class EmptySelectionError(InputError):
    """No event is left to compute with."""


class YieldError(InputError):
    """A yield has no statistical meaning: negative in total, or zero where it may not be."""


class UnsupportedModelError(HepcutsError):
    """A pyhf model has a feature that hepcuts does not reproduce; it is named, never ignored."""


class PrecisionError(HepcutsError):
    """A caller's own JAX transformation runs in 32 bits, in which the result would be wrong."""


class FitError(HepcutsError):
    """A fit did not converge."""


class OptimizationError(HepcutsError):
    """A search for the best cut stopped without an answer."""


class HepcutsWarning(UserWarning):
    """Base class of all warnings of hepcuts."""


class OutsideAxisWarning(HepcutsWarning):
    """Selected events lie outside the range of the observable's axis."""


class BoundWarning(HepcutsWarning):
    """A fit ended with parameters at their bounds: what is quoted depends on the bounds."""
