"""How other minima are looked for, and whether there is anything to look for."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from hepcuts.histfactory.structure import LikelihoodStructure

from .rates import Lanes


@dataclasses.dataclass(frozen=True)
class Lookout:
    """How other minima are looked for.

    Attributes:
        least: deviance below which there is nothing to look for.
        least_of_factors: deviance below which free factors are left alone.
        grid: points of a sweep, in widths of the constraint from its center.
        far: least distance of a point from the minimum, in widths.
        missing: share of the constraint's own rise that has to be missing.
        loose: relative uncertainty of a free factor from which on it is tried elsewhere.
        multiple: by how much it is multiplied and divided.
        most_sweeps: places of one lane from sweeps, at most.
        most_factors: free factors of one lane, at most.
        steps: Gauss-Newton steps on the sketch.
        same: distance in widths within which two places are one.
        higher: deviance by which a place may be higher, and the same relative to it.
        lower: by how much a place has to be lower on the sketch so that higher ones are left alone.
        most: searches of the likelihood for one lane, at most.
        hopeless: deviance of a bin from which on nothing fits: there the walls of the bounds make the minima.
        many: variations from which on one of both sides has to do there: the other would take as long as all else.
        search_steps: of such a search, after which it goes on only from below the minimum that is known (with 400, slow
            ways back cost more than all else on 60 random workspaces; 50 find what 100 do).
        rounds: how often to look, again only from a lower minimum and beside it.
        straight: bend of a variation below which it makes no other minimum: of the mean of its two sides relative to
            the nominal yield of all samples in the bin, or of the sum of the logarithms of its two factors (0.01 for
            +-10 %). With 0.05 one of 25 random workspaces of the tests kept a higher minimum.
        sharp: bend of a variation, as the mean of its two sides, in standard deviations of a bin's counts, from which
            on neither straight lines nor the sketch say where the minimum is: the likelihood is searched from beside
            it. Without, 9 of 600 fits of 200 random workspaces kept a higher minimum. Of published likelihoods one of
            seven has such a bin, the others' largest bend is 1.1.
        beside: by how much all variations are moved to either side then, in widths; and where rates would be negative
            there, as a variation to zero makes them on its way.
        largest: numbers of its table from which on no sketch is made, 40 MB; published likelihoods have a tenth.
    """

    least: float = 1e-3
    least_of_factors: float = 1.0
    grid: tuple[float, ...] = (-1.3, -0.6, 0.6, 1.3)
    far: float = 0.5
    missing: float = 0.45
    loose: float = 0.2
    multiple: float = 4.0
    most_sweeps: int = 3
    most_factors: int = 2
    steps: int = 30
    same: float = 0.25
    higher: tuple[float, float] = (0.5, 0.01)
    lower: float = 0.02
    most: int = 2
    search_steps: int = 50
    rounds: int = 2
    hopeless: float = 100.0
    many: int = 30
    straight: float = 0.02
    sharp: float = 2.0
    beside: tuple[float, float] = (0.6, 1.1)
    largest: int = 5_000_000


STANDARD = Lookout()


def suspicious(structure: LikelihoodStructure, templates: Lanes, free: NDArray[np.bool_], lookout: Lookout) -> bool:
    """Whether anything could make other minima: a variation that is bent, or a free normalization.

    Args:
        structure: the model.
        templates: of all lanes.
        free: parameters that are fitted, shape (parameter,).
        lookout: how bent.
    """
    loose = np.array(free)
    known = [*structure.normal_parameter, *structure.poisson_parameter]
    loose[known if structure.poi is None else [*known, structure.poi]] = False
    factors = np.ravel(structure.factor)
    if np.any(loose[factors[factors < len(free)]]):
        return True
    nominal = templates.nominal
    mask = np.asarray(structure.histosys_mask)[..., None]
    bend = np.where(mask, templates.histosys_up + templates.histosys_down - 2.0 * nominal, 0.0)
    total = np.abs(nominal).sum(axis=0)
    sharp = lookout.sharp / np.sqrt(np.maximum(total, 1.0))
    if np.any(np.abs(bend).sum(axis=1) > 2.0 * np.minimum(lookout.straight, sharp) * total):
        return True
    mask = np.asarray(structure.normsys_mask)[..., None]
    product = np.where(mask, templates.normsys_up * templates.normsys_down, 1.0)
    return bool(np.any(~(np.abs(np.log(product)) <= min(lookout.straight, 2.0 * sharp.min()))))
