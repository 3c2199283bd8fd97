"""The workspace: exact content, pyhf's verdict on it, and that other programs fit it as it is."""

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import click.testing
import hist
import numpy as np
import pyhf
import pyhf.cli
import pytest

from hepcuts import (
    Cut,
    HistFactory,
    HistoSys,
    Lumi,
    NormFactor,
    NormSys,
    Sample,
    ShapeSys,
    discovery_test,
    fill,
    workspace,
)
from hepcuts._core.errors import BoundWarning, InputError, YieldError
from hepcuts.histfactory import referee
from hepcuts.merit import counting
from hepcuts.templates.filling import soft_fill
from hepcuts.templates.templates import Templates
from hepcuts.templates.workspace import likelihood_of
from tests.unchecked import unchecked  # noqa: F401

AXIS = hist.axis.Variable([0, 1, 3], name="x")


def signal(**options: Any) -> Sample:
    return Sample("higgs", {"x": [0.5, 0.5, 2.0]}, weights=[1.0, 2.0, 2.0], signal=True, **options)


def background(name: str = "ttbar", weights: Any = (3.0, 4.0, 20.0), **options: Any) -> Sample:
    return Sample(name, {"x": [0.5, 0.5, 2.0]}, weights=weights, **options)


def filled(*samples: Sample, channel: str = "SR", axis: Any = AXIS) -> Templates:
    return fill(samples, None, axis=axis, channel=channel)


def test_exact_content_of_a_small_workspace() -> None:
    jes = HistoSys("jes", up={"x": [0.5, 2.0, 2.0]}, down=[1.5, 2.0, 10.0])
    ttbar = background(modifiers=[jes, NormSys("xsec", 1.1, 0.9), ShapeSys("closure", [0.5, 0.1]), Lumi(0.02)])
    fakes = background("fakes", [1.0, 1.0, 1.0], staterror=False, modifiers=NormFactor("k", bounds=(0, 5), init=2.0))
    spec = workspace(filled(signal(modifiers=Lumi(0.02)), ttbar, fakes), measurement="search")
    mu = {"name": "mu", "type": "normfactor", "data": None}
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    root5 = 5.0**0.5
    two_bins = [[1e-10, 1e6]] * 2
    assert spec == {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {
                        "name": "higgs",
                        "data": [3.0, 2.0],
                        "modifiers": [
                            mu,
                            lumi,
                            {"name": "staterror_SR_higgs", "type": "shapesys", "data": [root5, 2.0]},
                        ],
                    },
                    {
                        "name": "ttbar",
                        "data": [7.0, 20.0],
                        "modifiers": [
                            {
                                "name": "jes",
                                "type": "histosys",
                                "data": {"hi_data": [3.0, 24.0], "lo_data": [3.5, 10.0]},
                            },
                            {"name": "xsec", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                            {"name": "closure", "type": "shapesys", "data": [3.5, 2.0]},
                            lumi,
                            {"name": "staterror_SR_ttbar", "type": "shapesys", "data": [5.0, 20.0]},
                        ],
                    },
                    {
                        "name": "fakes",
                        "data": [2.0, 1.0],
                        "modifiers": [{"name": "k", "type": "normfactor", "data": None}],
                    },
                ],
            }
        ],
        # mu = 1, and k = 2 where the fit starts.
        "observations": [{"name": "SR", "data": [3.0 + 7.0 + 2 * 2.0, 2.0 + 20.0 + 2 * 1.0]}],
        "measurements": [
            {
                "name": "search (observations are Asimov data)",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {
                            "name": "lumi",
                            "auxdata": [1.0],
                            "sigmas": [0.02],
                            "inits": [1.0],
                            "bounds": [[0.8, 1.2]],
                            "fixed": False,
                        },
                        {"name": "k", "inits": [2.0], "bounds": [[0.0, 5.0]], "fixed": False},
                        {"name": "staterror_SR_higgs", "bounds": two_bins},
                        {"name": "closure", "bounds": two_bins},
                        {"name": "staterror_SR_ttbar", "bounds": two_bins},
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }


def two_channels(**options: Any) -> dict[str, Any]:
    """Signal and control region that share a systematic, with every modifier."""
    jes = HistoSys("jes", up=[3.3, 4.4, 21.0], down="mirror")
    shared = [jes, NormSys("xsec", 1.1, 0.9), NormFactor("k_ttbar"), Lumi(0.02)]
    signal_region = filled(
        signal(modifiers=[Lumi(0.02)]),
        background(modifiers=[*shared, ShapeSys("closure_SR", 0.1)]),
        background("fakes", [0.5, 0.5, 2.0], modifiers=HistoSys("jes", up=[0.5, 0.5, 3.0], down="nominal")),
    )
    control_region = filled(
        Sample("higgs", {"x": [1.0]}, weights=[0.1], signal=True),
        background(weights=[100.0, 50.0, 30.0], modifiers=[*shared, ShapeSys("closure_CR", 0.2)]),
        channel="CR",
        axis=None,
    )
    return workspace([signal_region, control_region], **options)


def test_every_modifier_in_two_channels_makes_a_model_that_pyhf_accepts() -> None:
    spec = two_channels()
    pyhf.schema.validate(spec, "workspace.json")
    model = pyhf.Workspace(spec).model()
    assert model.config.poi_name == "mu"
    assert sorted(model.config.modifiers) == [
        ("closure_CR", "shapesys"),
        ("closure_SR", "shapesys"),
        ("jes", "histosys"),
        ("k_ttbar", "normfactor"),
        ("lumi", "lumi"),
        ("mu", "normfactor"),
        ("staterror_CR_higgs", "shapesys"),
        ("staterror_CR_ttbar", "shapesys"),
        ("staterror_SR_fakes", "shapesys"),
        ("staterror_SR_higgs", "shapesys"),
        ("staterror_SR_ttbar", "shapesys"),
        ("xsec", "normsys"),
    ]
    assert model.config.channel_nbins == {"SR": 2, "CR": 1}
    # The observations are the model's own expectation at its initial parameters, mu = 1.
    data = pyhf.Workspace(spec).data(model)
    np.testing.assert_allclose(data, model.expected_data(model.config.suggested_init()), rtol=1e-14)


def test_the_asimov_observations_follow_the_initial_normalizations() -> None:
    spec = workspace(filled(signal(), background(modifiers=NormFactor("k", init=1.5))))
    model = pyhf.Workspace(spec).model()
    expected = model.expected_data(model.config.suggested_init(), include_auxdata=False)
    np.testing.assert_allclose(spec["observations"][0]["data"], expected, rtol=1e-14)
    assert spec["observations"][0]["data"] == pytest.approx([3.0 + 1.5 * 7.0, 2.0 + 1.5 * 20.0])


def test_given_observations() -> None:
    spec = two_channels(observations={"CR": np.array([180]), "SR": (9, 24.0)})
    assert spec["observations"] == [{"name": "SR", "data": [9.0, 24.0]}, {"name": "CR", "data": [180.0]}]


def test_soft_templates_make_a_workspace_too() -> None:
    templates = soft_fill([signal(), background()], Cut("x", ">", 1.0), widths=0.3, axis=AXIS)
    spec = json.loads(json.dumps(workspace(templates)))
    assert spec["channels"][0]["samples"][1]["data"] == templates.nominal[1].tolist()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(two_channels()))
    return str(path)


def test_pyhf_fits_the_file_from_its_command_line(file: str) -> None:
    run = click.testing.CliRunner().invoke
    # A program of its own may leave pyhf's optimizer as it likes; here it runs beside other tests.
    with referee.backend():
        fit = run(pyhf.cli.cli, ["fit", file, "--value"])
        cls = run(pyhf.cli.cli, ["cls", file, "--test-poi", "1.0"])
    assert fit.exit_code == 0, fit.output
    found = json.loads(fit.output)
    # Asimov data: the fit finds what they were made of. The tolerance is that of SciPy's minimizer, SLSQP.
    assert found["mle_parameters"]["mu"] == pytest.approx([1.0], abs=2e-3)
    assert found["mle_parameters"]["k_ttbar"] == pytest.approx([1.0], abs=2e-3)
    assert cls.exit_code == 0, cls.output
    values = json.loads(cls.output)
    assert 0 < values["CLs_obs"] < 1
    assert values["CLs_exp"] == sorted(values["CLs_exp"])


def test_cabinetry_fits_it() -> None:
    cabinetry = pytest.importorskip(
        "cabinetry", reason="cabinetry, which is none of our dependencies, is not installed"
    )
    with referee.backend():
        model, data = cabinetry.model_utils.model_and_data(two_channels())
        result = cabinetry.fit.fit(model, data)
    found = dict(zip(result.labels, result.bestfit, strict=True))
    assert found["mu"] == pytest.approx(1.0, abs=1e-3)
    assert found["jes"] == pytest.approx(0.0, abs=1e-3)


NEGATIVE = {
    "sample": (
        lambda: filled(signal(), background(), background("wjets", [1.0, -3.0, 1.0])),
        "Sample 'wjets' has a negative yield of -1 after the cuts: its negative weights outweigh",
    ),
    "signal": (
        lambda: filled(Sample("higgs", {"x": [0.5]}, weights=[-1.0], signal=True), background()),
        "Sample 'higgs' has a negative yield",
    ),
    "bin": (
        lambda: filled(signal(), background(weights=[3.0, -8.0, 20.0])),
        "Bin 0 of channel 'SR' expects -2 events, which is negative; merge bins or loosen the cuts",
    ),
}


@pytest.mark.parametrize(("make", "match"), NEGATIVE.values(), ids=NEGATIVE)
def test_negative_expectations_are_refused_with_the_reason(make: Any, match: str) -> None:
    with pytest.raises(YieldError, match=match):
        workspace(make())


def test_one_negative_bin_of_one_sample_is_legal() -> None:
    wjets = background("wjets", [1.0, -2.0, 5.0], modifiers=ShapeSys("closure", 0.5))
    spec = workspace(filled(signal(), background(), wjets))
    sample = spec["channels"][0]["samples"][2]
    assert sample["data"] == [-1.0, 5.0]
    # An uncertainty is positive.
    assert sample["modifiers"][0]["data"] == [0.5, 2.5]
    assert np.isfinite(pyhf.Workspace(spec).model().expected_data([1.0] * 9)).all()


def one(*modifiers: Any, other: Any = (), **options: Any) -> dict[str, Any]:
    return workspace(filled(signal(), background(modifiers=modifiers), background("fakes", modifiers=other)), **options)


CONTRADICTIONS = {
    "bounds": (
        lambda: one(NormFactor("k"), other=NormFactor("k", bounds=(0, 3))),
        r"Parameter 'k' is described as .*10\.0.* and as .*3\.0.*; modifiers of one name share one parameter",
    ),
    "lumi": (lambda: one(Lumi(0.1), other=Lumi(0.2)), "Parameter 'lumi' is described as .* must agree"),
    "free-and-constrained": (
        lambda: one(NormFactor("k"), other=NormSys("k", 1.1, 0.9)),
        "Modifiers of one name do not fit together: .*k.*give them different names",
    ),
    "on-one-sample": (lambda: one(NormFactor("k"), NormSys("k", 1.1, 0.9)), "give them different names"),
    "shapesys-twice": (
        lambda: one(ShapeSys("a", 0.1), other=ShapeSys("a", 0.1)),
        "ShapeSys 'a' is on sample 'ttbar' of channel 'SR' and on sample 'fakes' of channel 'SR'.* Give each its own",
    ),
    "shapesys-and-normsys": (
        lambda: one(ShapeSys("a", 0.1), other=NormSys("a", 1.1, 0.9)),
        "Modifiers of one name do not fit together",
    ),
    "staterror": (lambda: one(NormSys("staterror_SR_fakes", 1.1, 0.9)), "Modifiers of one name do not fit together"),
    "poi": (
        lambda: one(NormFactor("mu")),
        "A modifier of sample 'ttbar' of channel 'SR' is named 'mu', like the parameter of interest",
    ),
    "shapesys-bins": (lambda: one(ShapeSys("a", [0.1] * 3)), "has 3 relative uncertainties for 2 bins"),
    "channels": (
        lambda: workspace([filled(signal(), background())] * 2),
        r"The channels are named \['SR', 'SR'\]; expected at least one, and different names",
    ),
    "no-channels": (lambda: workspace([]), r"The channels are named \[\]"),
    "not-templates": (lambda: workspace([{}]), "Templates came as dict; expected what hepcuts.fill returns"),
    "observed-channel": (lambda: one(observations={"SR": [1, 2], "CR": [1]}), r"Observations came for .*'CR', 'SR'"),
    "observed-none": (lambda: one(observations={}), "Observations of channel 'SR' are None; expected 2 counts"),
    "observed-bins": (lambda: one(observations={"SR": [1]}), r"'SR' are \[1\]; expected 2 counts"),
    "observed-number": (lambda: one(observations={"SR": 3}), "'SR' are 3; expected 2 counts"),
    "observed-negative": (lambda: one(observations={"SR": [1, -1]}), "expected 2 counts, 0 or more"),
    "observed-nan": (lambda: one(observations={"SR": [1, np.nan]}), "expected 2 counts, 0 or more"),
    "observed-text": (lambda: one(observations={"SR": ["a", "b"]}), "expected 2 counts, 0 or more"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("make", "match"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_does_not_fit_together_is_explained(make: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()


def test_equal_statements_of_one_parameter_are_made_once() -> None:
    spec = one(NormFactor("k"), other=NormFactor("k"))
    names = [p["name"] for p in spec["measurements"][0]["config"]["parameters"]]
    assert names == ["k", "staterror_SR_higgs", "staterror_SR_ttbar", "staterror_SR_fakes"]


@pytest.mark.parametrize("kind", ["poisson", "gaussian"])
def test_factors_of_finite_simulation_end_at_no_bound(kind: str) -> None:
    """Also where there is much more than ten times as much signal as background."""
    few = Sample("ttbar", {"x": np.full(13, 0.5)}, weights=np.ones(13), staterror=kind)
    many = Sample("higgs", {"x": np.full(5100, 0.5)}, weights=np.ones(5100), signal=True, staterror=False)
    spec = workspace(fill([many, few], None))
    with warnings.catch_warnings():
        warnings.simplefilter("error", BoundWarning)
        found = discovery_test(HistFactory.from_workspace(spec)).significance
    assert found == pytest.approx(referee.hypotest(pyhf.Workspace(spec).model()).significance, rel=1e-6)
    if kind == "poisson":
        assert found == pytest.approx(float(counting.asimov_significance(5100.0, 13.0, 13.0**0.5)), rel=1e-9)


def test_yields_that_are_no_numbers_are_refused() -> None:
    templates = filled(signal(), background())
    templates.yields.values[0, 1, 0] = np.nan
    with pytest.raises(YieldError, match="Yields of channel 'SR' are not finite"):
        workspace(templates)


@pytest.fixture
def built(monkeypatch) -> dict[str, int]:
    """How often pyhf built a model, and compared one or its workspace with the schema."""
    counts = {"models": 0, "validations": 0}
    build, validate = pyhf.Model.__init__, pyhf.schema.validate

    def counting_build(*arguments: Any, **options: Any) -> None:
        counts["models"] += 1
        build(*arguments, **options)

    def counting_validate(document: Any, schema: str, **options: Any) -> None:
        counts["validations"] += schema in {"workspace.json", "model.json"}
        validate(document, schema, **options)

    monkeypatch.setattr(pyhf.Model, "__init__", counting_build)
    monkeypatch.setattr(pyhf.schema, "validate", counting_validate)
    return counts


def everything():
    modifiers = [NormSys("norm", 1.1, 0.9), Lumi(0.02), ShapeSys("shape", 0.1), NormFactor("free")]
    return filled(signal(modifiers=modifiers[:2]), background(modifiers=modifiers))


def test_a_likelihood_takes_one_model_and_one_validation(built):
    likelihood = likelihood_of(everything())
    assert built == {"models": 1, "validations": 1}
    other = HistFactory.from_workspace(workspace(everything()))
    assert built == {"models": 2, "validations": 3}
    data = other.observed_data
    np.testing.assert_array_equal(likelihood.observed_data, data)
    parameters = other.nominal_parameters()
    assert likelihood.logpdf(parameters, data) == other.logpdf(parameters, data)


def test_a_workspace_without_contradictions_takes_no_model(built):
    workspace(everything())
    assert built["models"] == 0
    # Shape and normalization of one source share their parameter.
    jes = HistoSys("jes", up={"x": [0.5, 2.0, 2.0]}, down=[1.5, 2.0, 10.0])
    one(jes, NormSys("jes", 1.1, 0.9), other=NormSys("jes", 1.2, 0.8))
    assert built["models"] == 0


def test_pyhf_decides_about_a_type_of_modifier_that_is_not_ours(built):
    @dataclasses.dataclass(frozen=True)
    class ShapeFactor(NormFactor):
        def specification(self, *_: Any) -> dict[str, Any]:
            return {"name": self.name, "type": "shapefactor", "data": None}

        def parameter(self) -> None:
            return None

    one(ShapeFactor("k"))
    assert built["models"] == 1
    with pytest.raises(InputError, match="Modifiers of one name do not fit together"):
        one(ShapeFactor("k"), other=NormSys("k", 1.1, 0.9))


def test_a_changed_workspace_that_contradicts_itself_is_an_input_error():
    spec = one(NormFactor("k"))
    modifier = {"name": "k", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    spec["channels"][0]["samples"][2]["modifiers"].append(modifier)
    with pytest.raises(InputError, match="pyhf cannot build a model"):
        HistFactory.from_workspace(spec)
