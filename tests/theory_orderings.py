"""Three problems in which more than a threshold matters, as yields from scipy and sums over grids.

Nothing of hepcuts is used here but the formula of the significance.
"""

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm

from hepcuts.merit.counting import asimov_significance


def behind(c, mean):
    """Fraction of a normal distribution of width 1 above a cut."""
    return ndtr(mean - np.asarray(c))


class TwoFeatures:
    """Independent normal features of width 1; the background at the origin, the signal at `means`."""

    def __init__(self, means, signal, background):
        self.means, self.signal, self.background = np.asarray(means, dtype=float), signal, background
        self.separation = float(np.hypot(*means))

    def grid(self, half=7.0, points=1401):
        """Midpoints of a fine grid, and the events expected in each of its cells; x along the first axis."""
        x = np.linspace(-half, half + 2.0, points)
        cell = (x[1] - x[0]) ** 2
        density = lambda mean: norm.pdf(x[:, None], mean[0]) * norm.pdf(x[None, :], mean[1]) * cell  # noqa: E731
        return x, self.signal * density(self.means), self.background * density((0.0, 0.0))

    def along(self, angle, c):
        """Yields behind `x cos(angle) + y sin(angle) > c`, in closed form: the projection is normal, too."""
        mean = self.means @ [np.cos(angle), np.sin(angle)]
        return self.signal * behind(c, mean), self.background * behind(c, 0.0)

    @property
    def best_angle(self):
        """Along which the projection is the likelihood ratio."""
        return float(np.arctan2(self.means[1], self.means[0]))


class ShiftedFeature(TwoFeatures):
    """The same; the first feature of the background is known up to a shift, its energy scale."""

    def __init__(self, means, signal, background, shift):
        super().__init__(means, signal, background)
        self.shift = shift

    def sigma(self, angle, c):
        """How the background after the cut changes if its first feature moves by one standard deviation."""
        return self.background * (behind(c, self.shift * np.cos(angle)) - behind(c, 0.0))

    def significance(self, angle, c):
        """Asimov significance with that uncertainty."""
        return asimov_significance(*self.along(angle, c), self.sigma(angle, c))

    def change_on_grid(self):
        """The change of the background in each cell of `grid`; it is negative below the mean."""
        x, _, background = self.grid()
        return background * np.expm1(self.shift * x[:, None] - self.shift**2 / 2)

    def region(self, kappa, price):
        """Signal, background and its change in the region `s > kappa (b + price * change)`, as integrals over x.

        At each x the region is a half line of y, and all of it where the change outweighs the background.
        """
        x = np.linspace(-10.0, 12.0, 4001)
        relative = np.expm1(self.shift * x - self.shift**2 / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            asked = np.log(kappa * self.background / self.signal * np.maximum(1 + price * relative, 0.0))
        from_y = (asked - self.means[0] * x + self.separation**2 / 2) / self.means[1]
        kept_b = self.background * norm.pdf(x) * behind(from_y, 0.0)
        kept_s = self.signal * norm.pdf(x, self.means[0]) * behind(from_y, self.means[1])
        return np.array([np.sum(f) * (x[1] - x[0]) for f in (kept_s, kept_b, relative * kept_b)])


class PeakAndScore:
    """A mass in bins, a peak on a flat background, and an independent score, normal with width 1."""

    def __init__(self, signal, background, *, width=0.2, separation=1.0, bins=40):
        edges = np.linspace(-1.0, 1.0, bins + 1)
        peak = np.diff(ndtr(edges / width))
        self.signal, self.background = signal * peak / peak.sum(), np.full(bins, background / bins)
        self.separation = separation

    def yields(self, cuts):
        """In each bin of the mass, after a cut on the score that may depend on the bin."""
        return self.signal * behind(cuts, self.separation), self.background * behind(cuts, 0.0)

    def same_cut(self, c):
        """On the score alone."""
        return self.yields(np.full(len(self.signal), c))

    def joint_cut(self, log_ratio):
        """On the likelihood ratio of mass and score together."""
        d = self.separation
        return self.yields((log_ratio - np.log(self.signal / self.background)) / d + d / 2)


def counted(s, b):
    """All bins added before the significance is computed."""
    return float(asimov_significance(np.sum(s), np.sum(b)))


def fitted(s, b):
    """A fit of all bins with a known background: independent experiments, their squares add."""
    kept = b > 1e-280
    return float(np.sqrt(np.sum(asimov_significance(s[kept], b[kept]) ** 2)))
