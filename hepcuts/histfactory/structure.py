"""What a HistFactory likelihood consists of, in two halves.

`LikelihoodTemplates` holds the numbers that depend on events, hence on cuts; they are arguments of the likelihood.
`LikelihoodStructure` holds everything else: which parameter acts where. Both are pytrees of plain arrays, so that two
models of one structure share their compiled code.
"""

import dataclasses

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from hepcuts._core.types import AnyArray


class LikelihoodTemplates(eqx.Module):
    """The event-dependent numbers of a likelihood: a pytree, differentiable in all its fields.

    Samples are in pyhf's order (``model.config.samples``); bins are those of all channels one after the other
    (``model.config.channels``). Cells that a modifier does not touch are ignored, whatever they hold. The axes of
    a batch come first.

    Attributes:
        nominal: expected events, shape (sample, bin).
        histosys_up: expected events at +1 sigma, shape (histosys, sample, bin).
        histosys_down: expected events at -1 sigma, shape (histosys, sample, bin).
        normsys_up: factors at +1 sigma, shape (normsys, sample, channel).
        normsys_down: factors at -1 sigma, shape (normsys, sample, channel).
        staterror: absolute uncertainties from finite simulation, shape (layer, sample, bin).
        shapesys: absolute uncertainties, shape (layer, sample, bin).
    """

    nominal: Float[AnyArray, "... sample bin"]
    histosys_up: Float[AnyArray, "... histosys sample bin"]
    histosys_down: Float[AnyArray, "... histosys sample bin"]
    normsys_up: Float[AnyArray, "... normsys sample channel"]
    normsys_down: Float[AnyArray, "... normsys sample channel"]
    staterror: Float[AnyArray, "... staterror_layer sample bin"]
    shapesys: Float[AnyArray, "... shapesys_layer sample bin"]


class LikelihoodStructure(eqx.Module):
    """Which parameter acts where, and how parameters are constrained.

    Attributes:
        factor: parameter that multiplies a cell, shape (layer, sample, bin).
        histosys: parameter of each histosys, shape (histosys,).
        histosys_mask: which cells it touches, shape (histosys, sample, bin).
        normsys: parameter of each normsys, shape (normsys,).
        normsys_mask: which samples and channels it touches, shape (normsys, sample, channel).
        channel_of_bin: shape (bin,).
        normal_parameter: parameters with a Gaussian constraint, shape (normal,).
        normal_data: position of their auxiliary data, shape (normal,).
        normal_sigma: widths in the model as built, shape (normal,). Those of staterrors follow the templates.
        staterror: Gaussian constraint that a cell contributes to, shape (staterror_layer, sample, bin).
        poisson_parameter: parameters with a Poisson constraint, shape (poisson,).
        poisson_data: position of their auxiliary data, shape (poisson,).
        poisson_factor: rate factors in the model as built, shape (poisson,). Those of shapesys follow the templates.
        shapesys: Poisson constraint that a cell contributes to, shape (shapesys_layer, sample, bin).
        init: parameter values before a fit, and the nominal ones, shape (parameter,).
        lower: bounds, shape (parameter,).
        upper: bounds, shape (parameter,).
        fixed: parameters that the model as built fixes, shape (parameter,).
        auxdata: auxiliary data of the model as built, shape (auxiliary,).
        poi: position of the parameter of interest, or None.
        histosys_code: interpolation code.
        normsys_code: interpolation code.
        clip_sample: lower limit of each sample's rate in a bin, or None.
        clip_bin: lower limit of each bin's rate, or None.
    """

    factor: Int[AnyArray, "layer sample bin"]
    histosys: Int[AnyArray, " histosys"]
    histosys_mask: Bool[AnyArray, "histosys sample bin"]
    normsys: Int[AnyArray, " normsys"]
    normsys_mask: Bool[AnyArray, "normsys sample channel"]
    channel_of_bin: Int[AnyArray, " bin"]
    normal_parameter: Int[AnyArray, " normal"]
    normal_data: Int[AnyArray, " normal"]
    normal_sigma: Float[AnyArray, " normal"]
    staterror: Int[AnyArray, "staterror_layer sample bin"]
    poisson_parameter: Int[AnyArray, " poisson"]
    poisson_data: Int[AnyArray, " poisson"]
    poisson_factor: Float[AnyArray, " poisson"]
    shapesys: Int[AnyArray, "shapesys_layer sample bin"]
    init: Float[AnyArray, " parameter"]
    lower: Float[AnyArray, " parameter"]
    upper: Float[AnyArray, " parameter"]
    fixed: Bool[AnyArray, " parameter"]
    auxdata: Float[AnyArray, " auxiliary"]
    poi: int | None = eqx.field(static=True)
    histosys_code: str = eqx.field(static=True)
    normsys_code: str = eqx.field(static=True)
    clip_sample: float | None = eqx.field(static=True)
    clip_bin: float | None = eqx.field(static=True)

    def of_all_templates(self) -> "LikelihoodStructure":
        """What this structure has in common with that of other templates of the same model.

        Widths, rate factors and auxiliary data that follow the templates are those of the model as built no more, but
        the same for all: 0.1 for a width, which is where a fit that fails looks for other starts, and what goes with
        it. NumPy arrays only.
        """
        width, data = 0.1, np.array(self.auxdata)
        follows = np.isin(np.arange(len(self.normal_sigma)), self.staterror)
        follows_rate = np.isin(np.arange(len(self.poisson_factor)), self.shapesys)
        data[self.poisson_data[follows_rate]] = width**-2
        return dataclasses.replace(
            self,
            normal_sigma=np.where(follows, width, self.normal_sigma),
            poisson_factor=np.where(follows_rate, width**-2, self.poisson_factor),
            auxdata=data,
        )
