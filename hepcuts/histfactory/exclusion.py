"""Where signal strengths are excluded: the CLs method with qmu-tilde, on Asimov data without signal and on data.

On the Asimov dataset without signal, where the n-th band has CLb = Phi(n), CLs = alpha is where sqrt(q_mu) is
Phi^-1(1 - alpha Phi(n)) + n: for the median and 95 % that is 1.96 (Cowan et al. 2011 :cite:p:`cowan2011`, eq. 89). That
root and the logarithm of the CLs of data are smooth functions of mu whose slopes come with the fits (the envelope
theorem), so that Newton's method needs three or four fits, each of which begins where those before lead.
"""

from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.lazy import stats
from hepcuts._core.types import FloatArray
from hepcuts.histfactory.solver.minima import Minima
from hepcuts.histfactory.solver.roots import rising_roots

from .batch import Batch
from .interest import required_poi
from .profiles import Profiles
from .searches import nominal_parameters
from .structure import LikelihoodStructure, LikelihoodTemplates

_CERTAIN = 9.0
"""Standard deviations of a tail that no sum with one in 64 bits knows of."""
_MARGIN, _MOST_NEARER = 2.0, 3
"""By how many more to look for a signal strength that is excluded so clearly, and how often: roots bend downwards."""


def cls_of(q: Any, q_asimov: Any) -> Any:
    """CLs from qmu-tilde of the data and of the Asimov dataset without signal (Cowan et al. 2011, eq. 64-66)."""
    above, below = _tails(np.sqrt(q), np.sqrt(q_asimov))
    # By logarithms: both tails may be too small for a number of their own.
    return np.exp(stats.norm.logsf(above) - stats.norm.logsf(below))


def _tails(root: Any, root_asimov: Any) -> tuple[Any, Any]:
    """Standard deviations whose tails are CLs+b and CLb."""
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (root**2 - root_asimov**2) / (2.0 * root_asimov)
    below = np.where(root <= root_asimov, root - root_asimov, beyond)
    return below + root_asimov, below


def target_of(confidence_level: float, band: float) -> float:
    """sqrt(q_mu) on the Asimov dataset at the limit."""
    if not 0.0 < confidence_level < 1.0:
        raise InputError(f"confidence_level is {confidence_level}; expected a number between 0 and 1, such as 0.95.")
    return float(stats.norm.isf((1.0 - confidence_level) * stats.norm.cdf(band)) + band)


def asimov_limits(
    structure: LikelihoodStructure, batch: Batch, known: FloatArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Where sqrt(q_mu) reaches its target on Asimov data of which the best fit, with mu = 0, is known.

    Args:
        structure: of NumPy arrays.
        batch: templates, with data or with ``asimov_mu`` of zero.
        known: parameters that the data are the expectation of, shape (parameter, lane).
        target: shape (lane,).

    Returns:
        The limits, NaN where a fit failed or there is none, shape (lane,), and the parameters there.
    """
    profiles = Profiles(structure, batch, known)

    def above(lanes: Any, mu: FloatArray, exact: Any) -> tuple[FloatArray, FloatArray, Any]:
        value, slope, good = profiles.deviance(lanes, mu, exact)
        root = np.sqrt(np.maximum(value, 0.0))
        return root - target[lanes], slope / (2.0 * np.maximum(root, 1e-300)), good

    guess = target * profiles.uncertainty
    limits = rising_roots(above, np.where(guess > 0, guess, 1.0))
    along = profiles.along(np.arange(batch.lanes), limits)
    return limits, np.where(np.isnan(limits), profiles.parameters, along)


class ObservedCLs:
    """CLs of data along the signal strength, from fits to the data and to Asimov data without signal.

    Args:
        structure: of NumPy arrays.
        templates: of one likelihood.
        data: the data, and the Asimov data that belong to them, each of shape (data,).
        best: fit to the data with a signal strength that is not negative, of one lane.
        anchor: parameters of a fit to the Asimov data with signal, shape (parameter,), and sqrt(q_mu) there.
    """

    def __init__(
        self,
        structure: LikelihoodStructure,
        templates: LikelihoodTemplates,
        data: tuple[FloatArray, FloatArray],
        best: Minima,
        anchor: tuple[FloatArray, float],
    ) -> None:
        poi = required_poi(structure)
        observed, asimov = (Batch.of(templates, some) for some in data)
        self._lowest, self.mu_hat = float(best.value[0]), float(best.parameters[poi, 0])
        self._data = Profiles(structure, observed, best.parameters, also_from=nominal_parameters(structure))
        self._asimov = Profiles(structure, asimov, anchor[0][:, None])
        self._excluded, self._by = float(anchor[0][poi]), anchor[1]

    def guess(self, alpha: float, *, uncertainty: float) -> float:
        """Where CLs may be alpha: of a Gaussian signal strength with a known uncertainty (Cowan et al. 2011, sec. 3.7).

        Args:
            alpha: between zero and one.
            uncertainty: of the signal strength, where the data do not say.
        """
        known = float(self._data.uncertainty[0]) if self.mu_hat > 0 else np.nan
        width = known if np.isfinite(known) else uncertainty
        return self.mu_hat + width * float(stats.norm.isf(alpha * stats.norm.cdf(self.mu_hat / width)))

    def logarithm(self, mu: float, *, exact: bool) -> tuple[float, float, bool]:
        """Of CLs, its slope, and whether the fits converged.

        Args:
            mu: signal strength, above zero.
            exact: whether other minima are looked for.

        Raises:
            FitError: the data are fitted better than by the best fit.
        """
        root, slope, good = _root(self._data, mu, exact=exact, lowest=self._lowest)
        if mu <= self.mu_hat:
            root, slope = 0.0, 0.0
        root_asimov, slope_asimov, converged = self._root_of_asimov(mu, root, exact=exact)
        above, below = _tails(root, root_asimov)
        below_slope = slope - slope_asimov
        if root > root_asimov:
            ratio = root / root_asimov
            below_slope = ratio * slope - 0.5 * (1.0 + ratio**2) * slope_asimov
        logarithm = stats.norm.logsf(above) - stats.norm.logsf(below)
        change = _hazard(below) * below_slope - _hazard(above) * (below_slope + slope_asimov)
        return float(logarithm), float(change), good and converged

    def _root_of_asimov(self, mu: float, root: float, *, exact: bool) -> tuple[float, float, bool]:
        """As `_root`. Where it is so large that CLb is one, that of a smaller mu will do, and nothing is fitted there.

        Very far from zero the nuisance parameters are pulled to where fits take hundreds of steps.
        """
        enough = root + _CERTAIN
        for _ in range(_MOST_NEARER):
            nearer = max(self._excluded, self._excluded * (enough + _MARGIN) / self._by)
            if nearer >= mu or self._by >= enough:
                break
            there, _, good = _root(self._asimov, nearer, exact=False)
            if not good:
                break
            self._excluded, self._by = nearer, there
        if self._excluded <= mu and self._by >= enough:
            return self._by, 0.0, True
        found = _root(self._asimov, mu, exact=exact)
        if found[2] and found[0] > 0:
            self._excluded, self._by = mu, found[0]
        return found


def _root(profiles: Profiles, mu: float, *, exact: bool, lowest: float = 0.0) -> tuple[float, float, bool]:
    """Root of q_mu, its slope, and whether the fit converged."""
    value, slope, good = profiles.deviance(np.zeros(1, dtype=np.int64), np.array([mu]), np.array([exact]))
    root = float(np.sqrt(max(value[0] - lowest, 0.0)))
    return root, float(slope[0]) / (2.0 * max(root, 1e-300)), bool(good[0])


def _hazard(x: Any) -> Any:
    """Density over tail of the standard normal distribution."""
    return np.exp(stats.norm.logpdf(x) - stats.norm.logsf(x))


def observed_limit(at: ObservedCLs, alpha: float, guess: float) -> float:
    """The mu at which CLs is alpha; NaN if none was found."""

    def below(_: Any, mu: FloatArray, exact: Any) -> tuple[FloatArray, FloatArray, Any]:
        logarithm, slope, good = at.logarithm(float(mu[0]), exact=bool(exact[0]))
        return np.array([np.log(alpha) - logarithm]), np.array([-slope]), np.array([good])

    return float(rising_roots(below, np.array([guess]))[0])
