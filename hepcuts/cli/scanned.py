"""Which cuts of a selection the command scans, and what their files are called."""

import dataclasses

from hepcuts._core.errors import InputError
from hepcuts.cuts import AbstractCut, Cut, Selection, SlidingCut


def scanned(selection: Selection) -> tuple[dict[str, AbstractCut], list[str]]:
    """The cuts to scan by the names of their files, and remarks on those that cannot be.

    A cut whose direction is to be found is scanned in both.

    Raises:
        InputError: none of them can be scanned.

    Example:
        >>> cuts, _ = scanned(Cut("x", "auto") & Cut("y", "<"))
        >>> print(*cuts)
        x-above x-below y
    """
    cuts: dict[str, AbstractCut] = {}
    remarks = []
    for cut in selection.cuts:
        if isinstance(cut, SlidingCut):
            remarks.append(
                f"the cut on {cut.variable} along {cut.along} is not scanned: it has a threshold at each of "
                f"{len(cut.knots)} knots; use hepcuts optimize"
            )
        elif not cut.thresholds:
            remarks.append(f"{cut} has no threshold to scan")
        elif isinstance(cut, Cut) and cut.direction == "auto":
            cuts[f"{cut.variable}-above"] = dataclasses.replace(cut, direction=">")
            cuts[f"{cut.variable}-below"] = dataclasses.replace(cut, direction="<")
        else:
            cuts[cut.variable] = cut
    if not cuts:
        raise InputError(f"There is no cut to scan: {'; '.join(remarks)}.")
    return cuts, remarks
