"""The systematics of a likelihood by name, and groups of them by pattern."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hepcuts._core.errors import InputError
from hepcuts.histfactory import HistFactory

Groups: TypeAlias = Mapping[str, str | Sequence[str]]
"""Names of groups with one or several patterns of the names of their members, as in a shell: ``{"jets": "JE[RS]_*"}``.
"""
Given: TypeAlias = HistFactory | Mapping[str, Any] | str | Path
"""A likelihood, a workspace or the path of one."""
_SHOWN = 5
"""Names that a message lists."""


def likelihood_of(workspace: Given, **options: Any) -> HistFactory:
    """The likelihood of a workspace, as `HistFactory.from_workspace` takes both, or the likelihood itself."""
    if isinstance(workspace, HistFactory):
        return workspace
    return HistFactory.from_workspace(workspace, **options)


def systematics(likelihood: HistFactory) -> dict[str, NDArray[np.int64]]:
    """Free parameters with a constraint that does not follow the simulation, by the name of the modifier.

    These are normsys, histosys and lumi, and what a measurement itself sets of staterror and shapesys.

    Example:
        >>> import hepcuts as hc
        >>> signal = hc.Sample("s", {"x": [1.0]}, weights=[5.0], signal=True)
        >>> background = hc.Sample("b", {"x": [1.0]}, weights=[50.0], modifiers=[hc.NormSys("xsec", 1.1, 0.9)])
        >>> workspace = hc.workspace(hc.fill([signal, background], hc.Cut("x", ">", 0.0)))
        >>> systematics(hc.HistFactory.from_workspace(workspace))
        {'xsec': array([1])}
    """
    structure = likelihood.structure
    normal = structure.normal_parameter[~np.isin(np.arange(len(structure.normal_parameter)), structure.staterror)]
    poisson = structure.poisson_parameter[~np.isin(np.arange(len(structure.poisson_parameter)), structure.shapesys)]
    chosen = np.zeros(len(structure.init), dtype=bool)
    chosen[normal] = chosen[poisson] = True
    chosen &= ~np.asarray(structure.fixed)
    config = likelihood.model.config
    parts = {name: np.arange(len(chosen))[config.par_slice(name)] for name in config.par_order}
    return {name: members[chosen[members]] for name, members in parts.items() if chosen[members].any()}


def members_of(likelihood: HistFactory, groups: Groups | None) -> dict[str, tuple[str, ...]]:
    """Names of the systematics in each group.

    Raises:
        InputError: a pattern that no name matches.
    """
    return grouped(tuple(systematics(likelihood)), groups)


def grouped(names: Sequence[str], groups: Groups | None) -> dict[str, tuple[str, ...]]:
    """Members of each group.

    Args:
        names: that may be members.
        groups: patterns of each group, or None for no groups.

    Raises:
        InputError: a pattern that no name matches.

    Example:
        >>> grouped(["JES_1", "JES_2", "lumi"], {"jets": "JES_*", "all": ["JES*", "lumi"]})
        {'jets': ('JES_1', 'JES_2'), 'all': ('JES_1', 'JES_2', 'lumi')}
    """
    found = {}
    for group, given in (groups or {}).items():
        patterns = [given] if isinstance(given, str) else list(given)
        for pattern in patterns:
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                more = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
                raise InputError(
                    f"No systematic matches {pattern!r} of group {group!r}; there are "
                    f"{', '.join(names[:_SHOWN])}{more}."
                )
        found[group] = tuple(name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns))
    return found
