"""`HistFactory`: the likelihood of a `pyhf.Model` in JAX, with the templates as arguments."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hepcuts._core.errors import InputError
from hepcuts._core.lazy import pyhf
from hepcuts._core.precision import float64_scope, is_traced
from hepcuts._core.types import AnyArray, Scalar

from . import density, interest, patchsets, referee, specification
from .documents import foreign
from .interest import required_poi
from .minimization import numbers_of
from .patchsets import source_of
from .reading import read
from .structure import LikelihoodStructure, LikelihoodTemplates

OBSERVED = "observed"
WORKSPACE_ASIMOV = "workspace's Asimov"
"""Kinds of data, as results call them."""

_logpdf = eqx.filter_jit(density.logpdf)
_expected_data = eqx.filter_jit(density.expected_data)


class HistFactory(eqx.Module):
    """The likelihood of a HistFactory model, equal to pyhf's and differentiable in parameters, data and templates.

    Parameters, data, samples, channels and bins are in pyhf's order. The model itself stays pyhf's; its structure is
    read once. `eqx.tree_at` or `dataclasses.replace` make changed `templates`.

    Attributes:
        model: the model as pyhf built it.
        structure: which parameter acts where.
        templates: the model's own templates, NumPy arrays.
        observations: observed main data that came with a workspace, or None.
        asimov: whether these are no data but an expectation, as the workspace's measurement says.

    Args:
        model: a built model, not batched.
        observations: see above.
        asimov: see above.

    Raises:
        InputError: two channels, samples or modifiers of a sample share a name, or templates are no numbers.
        UnsupportedModelError: the model has a feature that hepcuts does not reproduce; it is named.

    Example:
        >>> import pyhf
        >>> model = pyhf.simplemodels.uncorrelated_background(signal=[5.0], bkg=[50.0], bkg_uncertainty=[7.0])
        >>> likelihood = HistFactory(model)
        >>> data = [60.0, *model.config.auxdata]
        >>> pars = [1.0, 0.9]
        >>> bool(abs(likelihood.logpdf(pars, data) - model.logpdf(pars, data)[0]) < 1e-9)
        True
    """

    model: "pyhf.Model" = eqx.field(static=True)
    structure: LikelihoodStructure
    templates: LikelihoodTemplates
    observations: Any
    asimov: bool = eqx.field(static=True)

    def __init__(
        self, model: "pyhf.Model", *, observations: Iterable[float] | None = None, asimov: bool = False
    ) -> None:
        if not isinstance(model, pyhf.Model):
            raise InputError(
                f"HistFactory takes a pyhf.Model, got {type(model).__name__}; for a workspace use "
                "HistFactory.from_workspace(workspace)."
            )
        specification.check_channels(model.spec["channels"], "The model")
        structure, templates = read(model)
        self.model = model
        self.structure = _with_overrides(structure, templates)
        self.templates = templates
        self.observations = None if observations is None else np.asarray(observations, dtype=np.float64)
        self.asimov = asimov

    @classmethod
    def from_workspace(
        cls,
        workspace: "Mapping[str, Any] | pyhf.Workspace | str | Path",
        *,
        measurement: str | None = None,
        patches: Iterable[Any] = (),
        point: str | None = None,
        poi: str | None = None,
        validate: bool = True,
        verify_digest: bool = True,
        **model_options: Any,
    ) -> "HistFactory":
        """Build the model of a workspace with pyhf and compile it.

        Args:
            workspace: a pyhf workspace, its dict, or its path as `hepcuts.histfactory.documents.load` takes it: a JSON
                file, compressed or not, an archive of HEPData, or HistFactory's XML.
            measurement: name of the measurement, or None for the first.
            patches: JSON patches and patch sets, or the paths of their files, to apply to the whole workspace one after
                the other, such as the signals of a background-only one.
            point: which patch of a patch set, by its name. Without `patches`, of the patch set in the same archive.
            poi: name of the parameter of interest, or None for the measurement's; "" for none.
            validate: whether it is compared with pyhf's schema and checked; not needed for what `hepcuts.workspace`
                returned.
            verify_digest: whether a patch set has to be made for this very workspace.
            model_options: passed on to `pyhf.Workspace.model`, such as ``modifier_settings`` or ``clip_bin_data``.

        Returns:
            The likelihood, with the workspace's observations.

        Raises:
            InputError: it cannot be read, patched or built, or is not valid: see `hepcuts.histfactory.patchsets` and
                `hepcuts.histfactory.specification`. The message names channel, sample and modifier.
            YieldError: the background of a bin is negative, see `hepcuts.histfactory.interest.check_background`.
        """
        source = source_of(workspace)
        document = patchsets.read(workspace, patches, point=point, verify=verify_digest)
        if validate:
            specification.check(document, source, measurement, poi)
        options = {"measurement_name": measurement, "validate": False, **model_options}
        if poi is not None:
            options["poi_name"] = poi or None
        with foreign(f"pyhf cannot build a model of {source[0].lower()}{source[1:]}"):
            valid = document if isinstance(document, pyhf.Workspace) else pyhf.Workspace(document, validate=False)
            model = referee.build(valid, **options)
            observations = valid.data(model, include_auxdata=False)
        if measurement is None:
            measurement = valid.measurement_names[model_options.get("measurement_index") or 0]
        likelihood = cls(model, observations=observations, asimov=measurement.endswith(specification.ASIMOV))
        if validate:
            interest.check_background(likelihood.structure, likelihood.templates, model.config, source)
        return likelihood

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names along the axis ``parameter``; parameters of a bin carry its number."""
        return tuple(self.model.config.par_names)

    @property
    def samples(self) -> tuple[str, ...]:
        """Names along the axis ``sample``."""
        return tuple(self.model.config.samples)

    @property
    def poi(self) -> int:
        """Position of the parameter of interest.

        Raises:
            UnsupportedModelError: the model has none, or fixes it.
        """
        return required_poi(self.structure, self.model.config.poi_name)

    @property
    def observed_data(self) -> Float[Any, " data"]:
        """Observed main data of the workspace, and the auxiliary data.

        If `asimov` is set they are no data but the expectation that the workspace was written with.

        Raises:
            InputError: the model did not come from a workspace.
        """
        if self.observations is None:
            raise InputError("The likelihood was made from a model without observations; pass data=... yourself.")
        return np.concatenate([self.observations, self.structure.auxdata])

    def kind_of(self, data: Any) -> str:
        """What data are: ``"observed"``, unless they are those of a workspace that are no data."""
        known = self.asimov and np.array_equal(np.asarray(data, dtype=np.float64), self.observed_data)
        return WORKSPACE_ASIMOV if known else OBSERVED

    def nominal_parameters(self, mu: float = 1.0) -> Float[Any, " parameter"]:
        """Nominal parameters (pyhf's suggested initial values) with the parameter of interest at `mu`."""
        parameters = np.array(self.structure.init)
        parameters[self.poi] = mu
        return parameters

    def logpdf(self, pars: Any, data: Any, templates: LikelihoodTemplates | None = None) -> Scalar:
        """Logarithm of the density, equal to `pyhf.Model.logpdf`.

        Args:
            pars: shape (parameter,).
            data: main and auxiliary data, shape (data,).
            templates: templates in place of the model's own.

        Returns:
            A scalar, differentiable in all three arguments.

        Raises:
            InputError: a wrong number of parameters or data.
            PrecisionError: called inside a 32-bit JAX transformation.
        """
        self._check_length("parameters", pars, len(self.structure.init))
        value: Scalar = _scoped_logpdf(self, templates, pars, self.check_data(data))
        return value

    def expected_data(self, pars: Any, templates: LikelihoodTemplates | None = None) -> Float[AnyArray, " data"]:
        """Expected main and auxiliary data, as `pyhf.Model.expected_data`; arguments and errors as `logpdf`."""
        self._check_length("parameters", pars, len(self.structure.init))
        expected: AnyArray = _scoped_expected_data(self, templates, pars)
        return expected

    def check_data(self, data: Any) -> Any:
        """The data, if they are as many as the model has.

        Raises:
            InputError: wrong number; or, outside of JAX transformations, NaN, infinite or negative counts.
        """
        num_main = len(self.structure.channel_of_bin)
        self._check_length("data (main and auxiliary)", data, num_main + len(self.structure.auxdata))
        if not isinstance(data, jax.core.Tracer):
            numbers = np.asarray(data, dtype=np.float64)
            bad = ~np.isfinite(numbers) | ((numbers < 0) & (np.arange(len(numbers)) < num_main))
            if bad.any():
                at = int(bad.argmax())
                raise InputError(
                    f"The data are {numbers[at]:g} at position {at}; expected finite numbers, counts not negative."
                )
            return numbers
        return data

    @staticmethod
    def _check_length(what: str, values: Any, expected: int) -> None:
        if np.shape(values) != (expected,):
            raise InputError(f"{what} came with shape {np.shape(values)}; the model expects ({expected},).")

    def __repr__(self) -> str:
        config = self.model.config
        return (
            f"HistFactory({len(config.channels)} channels, {len(config.samples)} samples, {config.nmaindata} bins, "
            f"{config.npars} parameters, parameter of interest {config.poi_name!r})"
        )


@float64_scope
def _scoped_logpdf(likelihood: HistFactory, templates: Any, pars: Any, data: Any) -> Any:
    templates = likelihood.templates if templates is None else templates
    return _logpdf(likelihood.structure, templates, *_as_arrays(pars, data))


@float64_scope
def _scoped_expected_data(likelihood: HistFactory, templates: Any, pars: Any) -> Any:
    templates = likelihood.templates if templates is None else templates
    if not is_traced(likelihood, templates, pars):
        numbers = numbers_of(likelihood.structure, templates)
        return numbers.expected_data(np.asarray(pars, dtype=np.float64)[:, None])[:, 0]
    return _expected_data(likelihood.structure, templates, *_as_arrays(pars))


def _as_arrays(*values: Any) -> tuple[Array, ...]:
    return tuple(jnp.asarray(value, dtype=jnp.float64) for value in values)


def _with_overrides(structure: LikelihoodStructure, templates: LikelihoodTemplates) -> LikelihoodStructure:
    """Leave to the measurement what it says itself of constraints that the templates would determine.

    A measurement may set widths, rate factors or fixed flags of staterror and shapesys parameters. Where they differ
    from what the templates give, they are the user's and stay what they are when the templates change.
    """
    terms = numbers_of(structure, templates)
    void = terms.void[:, 0]
    agree_normal = np.isclose(terms.sigma[:, 0], structure.normal_sigma, rtol=1e-9, atol=0.0)
    agree_poisson = np.isclose(terms.factor[:, 0], structure.poisson_factor, rtol=1e-9, atol=0.0)
    # A parameter that the templates would fix, but the measurement sets free.
    freed = void & ~np.asarray(structure.fixed)
    agree_normal &= ~freed[structure.normal_parameter]
    agree_poisson &= ~freed[structure.poisson_parameter]

    def keep(target: Any, agree: Any) -> Any:
        return np.where(np.append(agree, True)[target], target, len(agree)).astype(np.int32)

    structure = eqx.tree_at(
        lambda s: (s.staterror, s.shapesys),
        structure,
        (keep(structure.staterror, agree_normal), keep(structure.shapesys, agree_poisson)),
    )
    # What only the templates fix is decided anew with each set of templates.
    still_void = numbers_of(structure, templates).void[:, 0]
    result: LikelihoodStructure = eqx.tree_at(lambda s: s.fixed, structure, structure.fixed & ~still_void)
    return result
