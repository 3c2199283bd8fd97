"""The HistFactory likelihood in JAX, compiled from a `pyhf.Model`, with the templates as arguments.

pyhf is the referee, JAX the player: the model is built, validated and owned by pyhf; its structure is read off once
(`reading`), and the same log-likelihood is evaluated with the templates as arguments. Twice, because two things are
wanted of it: `density` is JAX, to be differentiated as often as one likes; `solver` is NumPy with its derivatives
written out, for fits by the thousand that have nothing to compile; `searches` walks with it from one start and from
others. `minimization` joins the two: to JAX a fit is a function on the host (`host`) whose derivatives are known. On it
stand `fit`, `discovery` (`bands`), `toys`, `limits` and `precision`.
"""

from .asimov import postfit_asimov_data as postfit_asimov_data
from .asimov import prefit_asimov_data as prefit_asimov_data
from .bands import FEW_EXPECTED as FEW_EXPECTED
from .bands import equivalent_events as equivalent_events
from .bands import few_expected as few_expected
from .discovery import SignificanceResult as SignificanceResult
from .discovery import discovery_significance as discovery_significance
from .discovery import discovery_test as discovery_test
from .discovery import significance_of_structure as significance_of_structure
from .discovery import significances as significances
from .fit import FitResult as FitResult
from .fit import fit as fit
from .fit import fixed_poi_fit as fixed_poi_fit
from .likelihood import HistFactory as HistFactory
from .limits import UpperLimitResult as UpperLimitResult
from .limits import expected_upper_limit as expected_upper_limit
from .limits import expected_upper_limits as expected_upper_limits
from .limits import upper_limit as upper_limit
from .limits import upper_limit_of_structure as upper_limit_of_structure
from .nuisance import NuisanceParameters as NuisanceParameters
from .points import SignalPoint as SignalPoint
from .points import SignalPoints as SignalPoints
from .points import discovery_tests as discovery_tests
from .points import tested_points as tested_points
from .precision import expected_mu_uncertainties as expected_mu_uncertainties
from .precision import expected_mu_uncertainty as expected_mu_uncertainty
from .precision import mu_uncertainty_of_structure as mu_uncertainty_of_structure
from .statistic import q0 as q0
from .statistic import significance_of as significance_of
from .structure import LikelihoodTemplates as LikelihoodTemplates
from .toys import ToysResult as ToysResult
from .toys import discovery_toys as discovery_toys
