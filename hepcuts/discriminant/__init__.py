"""Learned discriminants: a function of several features, with parameters, whose score is cut on like a column.

Which one do I need?

- `linear`: a weighted sum of the features. The best there is for normal distributions of equal covariance, and
  readable.
- `small_network`: layers of tanh; bends where a plane is not enough.
- `Discriminant`: any function that JAX can differentiate.
- `hepcuts.score`: any classifier of another library, trained such that no event is scored by a model that it helped to
  train. The most valuable input there is, see `hepcuts.discriminant.scores`.
- `cut_score`: the best cut on the score of any classifier, trained here or elsewhere, from its posterior; and
  `calibration`, which says whether the score is one.

`hepcuts.train` finds the parameters together with the cuts. Afterwards a discriminant is a fixed map from columns to
one more column (`Discriminant.samples`), and everything that hepcuts does with columns can be done with it.

A threshold on a score and the score's own scale are degenerate. So scores are quoted in units of their spread among the
events that trained, half signal and half background, from their mean on.
"""

from .model import Discriminant as Discriminant
from .ready_made import linear as linear
from .ready_made import small_network as small_network
from .reliability import Calibration as Calibration
from .reliability import calibration as calibration
from .score_cut import ScoreCut as ScoreCut
from .score_cut import cut_score as cut_score
from .scores import OutOfFoldScore as OutOfFoldScore
