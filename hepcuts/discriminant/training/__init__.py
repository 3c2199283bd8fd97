"""Training of a discriminant on the objective itself, end to end.

Parameters of a function of the features are found as thresholds are: by the gradient of the significance. The
likelihood tells what each sum over events is worth, the sums tell what each event's score is worth, and JAX takes that
back to the parameters. BCE asks how well signal and background are told apart; the profile likelihood asks what that
is worth where a background or an energy scale is uncertain. The two answers differ.
"""

from .result import TrainingResult as TrainingResult
from .train import ANNEAL as ANNEAL
