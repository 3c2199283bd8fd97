"""What is written for other programs, read back: by readers of the test's own, and by those programs where they are."""

import copy
import json
import re
import subprocess
import sys
import warnings

import numpy as np
import pyhf
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings

import hepcuts as hc
from hepcuts._core.errors import InputError, UnsupportedModelError
from hepcuts.cli.commands import main
from hepcuts.cli.exporting import NAMES
from hepcuts.histfactory.exporting import FORMATS
from tests.exported import Card, Hs3
from tests.random_workspaces import examples

LUMI = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.03], "inits": [1.0], "bounds": [[0.5, 1.5]]}


def modifier(name, kind, data=None):
    return {"name": name, "type": kind, "data": data}


def specification(single_bins="staterror", rate=(1.12, 0.9)):
    """Two channels with modifiers of all types but ``shapefactor``."""

    def simulation(sample, data):
        # As hepcuts does: signals apart from backgrounds, or each sample for itself.
        name = {"staterror": f"sim_{sample == 'signal'}", "shapesys": f"sim_{sample}"}[single_bins]
        return modifier(name, single_bins, data)

    signal = [
        modifier("mu", "normfactor"),
        modifier("rate", "normsys", {"hi": rate[0], "lo": rate[1]}),
        modifier("lumi", "lumi"),
        simulation("signal", [1.0, 1.5]),
    ]
    main_background = [
        modifier("shape", "histosys", {"hi_data": [55.0, 31.0], "lo_data": [46.0, 29.5]}),
        modifier("second", "histosys", {"hi_data": [51.0, 33.0], "lo_data": [50.0, 28.0]}),
        simulation("main", [5.0, 3.0]),
    ]
    other = [modifier("norm", "normfactor"), simulation("other", [2.0, 1.0])]
    control = [modifier("norm", "normfactor"), modifier("rate", "normsys", {"hi": rate[0], "lo": rate[1]})]
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {"name": "signal", "data": [10.0, 15.0], "modifiers": signal},
                    {"name": "main", "data": [50.0, 30.0], "modifiers": main_background},
                    {"name": "other", "data": [20.0, 10.0], "modifiers": other},
                ],
            },
            {"name": "CR", "samples": [{"name": "other", "data": [200.0], "modifiers": control}]},
        ],
        "observations": [{"name": "SR", "data": [88.0, 57.0]}, {"name": "CR", "data": [207.0]}],
        "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": [LUMI]}}],
        "version": "1.0.0",
    }


def two_staterrors():
    """One ``staterror`` in two channels, and a free factor of each bin."""
    spec = specification("shapesys")
    for channel, data in zip(spec["channels"], ([2.0, 1.0], [6.0]), strict=True):
        channel["samples"][-1]["modifiers"][-1] = modifier("shared", "staterror", data)
    spec["channels"][1]["samples"][0]["modifiers"].append(modifier("free", "shapefactor"))
    return spec


def built(spec):
    workspace = pyhf.Workspace(spec)
    model = workspace.model()
    return model, workspace.data(model)


def points(model, number=4, scale=1.0):
    """Parameters within bounds, the nominal ones first, by the names in HS3 documents."""
    rng = np.random.default_rng(5)
    init = np.array(model.config.suggested_init())
    low, high = np.array(model.config.suggested_bounds()).T
    fixed = np.array(model.config.suggested_fixed())
    for step in (0.0, *[0.5] * (number - 2), 1.6):
        yield np.where(
            fixed, init, np.clip(init + scale * step * rng.normal(size=init.size), low + 0.2, np.minimum(high, 5))
        )


def names(model):
    return [re.sub(r"\[(\d+)\]$", r"_\1", name) for name in model.config.par_names]


def hs3_cases():
    spec = specification()
    yield pytest.param(spec, id="staterror")
    yield pytest.param(specification("shapesys"), id="shapesys")
    yield pytest.param(two_staterrors(), id="staterror of two channels")
    empty = specification("shapesys")
    empty["channels"][0]["samples"][2]["data"] = [20.0, 0.0]
    empty["channels"][0]["samples"][2]["modifiers"][-1]["data"] = [2.0, 0.0]
    yield pytest.param(empty, id="bin without events")


class TestHs3:
    @pytest.mark.parametrize("spec", [*hs3_cases()])
    def test_equals_pyhf(self, spec, tmp_path):
        """By the standard's formulas, for any parameters, up to one constant."""
        (path,) = hc.export.hs3(spec, tmp_path / "hs3.json")
        read, (model, data) = Hs3(path), built(spec)
        ours = [read.logpdf(zip(names(model), p, strict=True)) for p in points(model)]
        theirs = [float(model.logpdf(p, data)[0]) for p in points(model)]
        assert np.diff(ours) == pytest.approx(np.diff(theirs), abs=1e-9)
        assert read.init == pytest.approx(dict(zip(names(model), model.config.suggested_init(), strict=True)))

    def test_random_workspaces(self, tmp_path):
        """Equal to pyhf, or refused by name."""
        equal, refused = [], []

        @settings(
            max_examples=20,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(examples())
        def check(example):
            try:
                (path,) = hc.export.hs3(example.workspace, tmp_path / "hs3.json")
            except UnsupportedModelError as error:
                refused.append(str(error))
                return
            read, (model, data) = Hs3(path), built(example.workspace)
            chosen = [*points(model, 3)]
            ours = [read.logpdf(zip(names(model), p, strict=True)) for p in chosen]
            theirs = [float(model.logpdf(p, data)[0]) for p in chosen]
            # Two sums of large terms: their rounding, and no more.
            assert np.diff(ours) == pytest.approx(np.diff(theirs), rel=1e-8, abs=1e-11 * max(map(abs, theirs)))
            equal.append(example)

        check()
        assert len(equal) > 10
        assert all("auxdata or sigmas" in message for message in refused)

    def test_pyhs3_agrees(self, tmp_path):
        pyhs3 = pytest.importorskip("pyhs3", reason="reads HS3; in hepcuts[interchange]")
        import pytensor
        from pytensor.graph.traversal import explicit_graph_inputs

        for number, case in enumerate(hs3_cases()):
            (spec,) = case.values
            (path,) = hc.export.hs3(spec, tmp_path / f"{number}.json")
            workspace = pyhs3.Workspace.load(path)
            found = workspace.model(workspace.analyses[0])
            inputs = list(explicit_graph_inputs([found.log_prob]))
            function = pytensor.function(inputs, found.log_prob, mode="FAST_COMPILE")
            model, data = built(spec)
            values = [dict(zip(names(model), p, strict=True)) for p in points(model)]
            ours = [np.ravel(function(*[np.reshape(v[i.name], (1,) * i.ndim) for i in inputs]))[0] for v in values]
            theirs = [float(model.logpdf(p, data)[0]) for p in points(model)]
            assert np.diff(ours) == pytest.approx(np.diff(theirs), abs=1e-7)

    def test_root_agrees(self, own_workspace, tmp_path):
        """In a process of its own: ROOT has global state."""
        pytest.importorskip("ROOT", reason="reads HS3; in hepcuts[interchange]")
        # With a thousand effective events farther away the density is zero in 64 bits.
        cases = [(own_workspace, 0.02), *((case.values[0], 1.0) for case in hs3_cases())]
        for number, (spec, scale) in enumerate(cases):
            (path,) = hc.export.hs3(spec, tmp_path / f"{number}.json")
            model, data = built(spec)
            chosen = [*points(model, scale=scale)]
            values = json.dumps([dict(zip(names(model), map(float, p), strict=True)) for p in chosen])
            command = [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                IN_ROOT,
                str(path),
                spec["measurements"][0]["name"],
                values,
            ]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs = [float(model.logpdf(p, data)[0]) for p in chosen]
            # ROOT reads the numbers of constraints with six digits.
            assert np.diff(json.loads(printed.splitlines()[-1])) == pytest.approx(np.diff(theirs), rel=2e-6)

    def test_fixed_parameters_are_constants(self, tmp_path):
        spec = specification()
        spec["measurements"][0]["config"]["parameters"].append({"name": "norm", "fixed": True, "inits": [1.1]})
        (path,) = hc.export.hs3(spec, tmp_path / "hs3.json")
        values = {p["name"]: p for p in json.loads(path.read_text())["parameter_points"][0]["parameters"]}
        assert values["norm"] == {"name": "norm", "value": 1.1, "const": True}
        assert not values["mu"]["const"]

    def test_without_a_parameter_of_interest(self, tmp_path):
        spec = specification()
        spec["measurements"][0]["config"]["poi"] = ""
        (path,) = hc.export.hs3(spec, tmp_path / "hs3.json")
        assert json.loads(path.read_text())["analyses"][0]["parameters_of_interest"] == []
        with pytest.raises(UnsupportedModelError, match="is no normfactor"):
            hc.export.combine(spec, tmp_path / "card.txt")

    def test_two_parameters_of_one_name_are_refused(self, tmp_path):
        spec = specification()
        spec["channels"][0]["samples"][2]["modifiers"][0]["name"] = "sim_False_0"
        spec["channels"][1]["samples"][0]["modifiers"][0]["name"] = "sim_False_0"
        with pytest.raises(UnsupportedModelError, match="'sim_False_0', and another one"):
            hc.export.hs3(spec, tmp_path / "hs3.json")


IN_ROOT = """
import json, math, sys
import ROOT
ROOT.RooMsgService.instance().setGlobalKillBelow(ROOT.RooFit.ERROR)
path, name, values = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
workspace = ROOT.RooWorkspace("workspace")
assert ROOT.RooJSONFactoryWSTool(workspace).importJSON(path)
config = workspace.obj(name)
pdf, constraints = config.GetPdf(), list(config.GetExternalConstraints())
several = pdf.InheritsFrom("RooSimultaneous")
data = [one.GetName() for one in workspace.allData() if one.GetName().startswith("observed_")]
likelihoods, seen = [], {}
for channel in (name.removeprefix("observed_") for name in data):
    whole = pdf.getPdf(channel) if several else pdf
    for part in whole.pdfList() if whole.InheritsFrom("RooProdPdf") else [whole]:
        if part.InheritsFrom("RooRealSumPdf"):
            likelihoods.append(part.createNLL(workspace.data("observed_" + channel), Extended=True))
        else:
            seen[part.GetName()] = part
found = []
for one in values:
    for key, value in one.items():
        if workspace.var(key):
            workspace.var(key).setVal(value)
    terms = [-likelihood.getVal() for likelihood in likelihoods]
    found.append(sum(terms) + sum(math.log(part.getVal()) for part in [*seen.values(), *constraints]))
print(json.dumps(found))
"""


def combine_cases():
    for single_bins in ("staterror", "shapesys"):
        for rate in ((1.12, 1 / 1.12), (1.25, 0.9)):
            yield pytest.param(single_bins, rate, id=f"{single_bins} {rate[0]}/{rate[1]:.2f}")


class TestCombine:
    @pytest.mark.parametrize(("single_bins", "rate"), [*combine_cases()])
    def test_yields_are_pyhfs(self, single_bins, rate, tmp_path):
        """Where both interpolate alike: templates everywhere, factors from one standard deviation on, and at none."""
        spec = specification(single_bins, rate)
        card = Card(hc.export.combine(spec, tmp_path / "card.txt")[0])
        model, _ = built(spec)
        values = {"mu": 1.3, "lumi": 0.97, "norm": 1.2, "shape": 0.4, "second": -1.7}
        for alpha in (-2.0, -1.0, 0.0, 1.0, 1.5):
            named = {**dict(zip(model.config.par_names, model.config.suggested_init(), strict=True)), **values}
            theirs = model.expected_data([(named | {"rate": alpha})[n] for n in model.config.par_names])
            p = values | {"rate": alpha, "r": values["mu"]}
            ours = [
                sum(card._norm(cell, p) * card._shape(cell, p) for cell in card.cells if cell[0] == channel)
                for channel in model.config.channels
            ]
            assert np.concatenate(ours) == pytest.approx(theirs[:3], rel=1e-12)

    @pytest.mark.parametrize(
        ("single_bins", "rate", "one_sample", "tolerance"),
        [
            pytest.param("shapesys", (1.12, 1 / 1.12), False, 1e-4, id="equal"),
            pytest.param("staterror", (1.12, 1 / 1.12), True, 1e-4, id="equal, staterror of one background"),
            # Measured: 0.029. Combine adds the uncertainties of samples again for each value of their parameters.
            pytest.param("staterror", (1.12, 1 / 1.12), False, 0.05, id="staterror of two backgrounds"),
            # Measured: 0.014. Between the sides of an asymmetric factor the two interpolate differently.
            pytest.param("shapesys", (1.25, 0.9), False, 0.03, id="asymmetric factor"),
        ],
    )
    def test_fits_agree(self, single_bins, rate, one_sample, tolerance, tmp_path):
        """Signal strength and discovery statistic by a fit to what was read back, and by pyhf's."""
        spec = specification(single_bins, rate)
        if one_sample:
            _, main_background, other = spec["channels"][0]["samples"]
            other["modifiers"].pop()
            main_background["modifiers"] = main_background["modifiers"][-1:]
        card = Card(hc.export.combine(spec, tmp_path / "card.txt")[0])
        model, data = built(spec)
        best, at_best = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
        background = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)[1]
        (ours, mu), (without, _) = card.fit(), card.fit(r=0.0)
        assert mu == pytest.approx(best[model.config.poi_index], rel=5e-3)
        assert without - ours == pytest.approx(float(background - at_best), rel=tolerance)

    def test_the_kind_of_finite_simulation(self, tmp_path):
        """Thresholds: one Gaussian for each bin, Poissons of all processes, or only the way of varying templates."""
        found = {}
        for kind in ("staterror", "shapesys"):
            card = Card(hc.export.combine(specification(kind), tmp_path / f"{kind}.txt")[0])
            assert card.bins["CR"] == [""]
            found[kind] = card.bins["SR"]
        assert found == {"staterror": ["gauss", "gauss"], "shapesys": [[100, 100, 100], [100, 100, 100]]}

    def test_rate_and_template_of_one_name(self, tmp_path):
        """One line; the factor is in the template where both act, and a factor elsewhere."""
        spec = specification()
        spec["channels"][0]["samples"][1]["modifiers"].append(modifier("shape", "normsys", {"hi": 1.1, "lo": 0.95}))
        spec["channels"][1]["samples"][0]["modifiers"].append(modifier("shape", "normsys", {"hi": 1.2, "lo": 0.9}))
        path, _ = hc.export.combine(spec, tmp_path / "card.txt")
        card = Card(path)
        assert "shape   shape?" in path.read_text()
        (_, down, up) = card.shapes["SR", "main"][-1]
        assert (down, up) == (pytest.approx([0.95 * 46, 0.95 * 29.5]), pytest.approx([1.1 * 55, 1.1 * 31]))
        assert card.norms["CR", "other"][-1] == ("shape", 0.9, 1.2)

    def test_names_and_constants(self, tmp_path):
        spec = json.loads(json.dumps(specification()).replace('"SR"', '"2 jets"').replace('"norm"', '"k (other)"'))
        spec["measurements"][0]["config"]["parameters"].append({"name": "k (other)", "fixed": True})
        card = Card(hc.export.combine(spec, tmp_path / "card.txt")[0])
        assert set(card.observed) == {"_2_jets", "CR"}
        assert card.frozen == {"k__other_"}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda spec: spec["channels"][0]["samples"][0]["modifiers"].append(modifier("free", "shapefactor")),
                "free factor",
            ),
            (lambda spec: spec["channels"][0]["samples"][2]["data"].__setitem__(1, -0.5), r"expects -0\.5 events"),
            (
                lambda spec: spec["channels"][0]["samples"][1]["modifiers"][0]["data"]["lo_data"].__setitem__(0, -1.0),
                "under 'shape'",
            ),
            (
                lambda spec: spec["channels"][0]["samples"][1]["modifiers"].append(
                    modifier("more", "shapesys", [1.0, 1.0])
                ),
                "one of several uncertainties",
            ),
            (
                lambda spec: spec["channels"][0]["samples"][2]["modifiers"].__setitem__(
                    1, modifier("more", "shapesys", [1.0, 1.0])
                ),
                "stands beside one of another type",
            ),
            (
                lambda spec: spec["measurements"][0]["config"]["parameters"].append(
                    {"name": "sim_True", "fixed": True}
                ),
                "is fixed by the measurement",
            ),
            (
                lambda spec: spec["measurements"][0]["config"]["parameters"].append(
                    {"name": "shape", "auxdata": [0.3]}
                ),
                "auxdata or sigmas",
            ),
            (
                lambda spec: spec["channels"][1]["samples"].append({"name": "signal", "data": [1.0], "modifiers": []}),
                "signal in all channels or in none",
            ),
            (lambda spec: spec["channels"][0]["samples"][1].__setitem__("name", "data_obs"), "something else"),
            (
                lambda spec: (
                    spec["channels"][0]["samples"][1]["modifiers"][1].__setitem__("name", "sha pe")
                    or spec["channels"][0]["samples"][1]["modifiers"][0].__setitem__("name", "sha_pe")
                ),
                "would both be 'sha_pe'",
            ),
        ],
    )
    def test_what_it_cannot_express_is_refused_by_name(self, change, message, tmp_path):
        spec = specification()
        change(spec)
        with pytest.raises(UnsupportedModelError, match=message):
            hc.export.combine(spec, tmp_path / "card.txt")
        assert list(tmp_path.iterdir()) == []


class TestCabinetry:
    def test_the_entries(self, tmp_path):
        import yaml

        path, _ = hc.export.cabinetry(specification(), tmp_path / "config.yml")
        found = yaml.safe_load(path.read_text())
        assert found["General"]["POI"] == "mu"
        assert [one["Name"] for one in found["Regions"]] == ["SR", "CR"]
        assert [one["Name"] for one in found["Samples"]] == ["signal", "main", "other", "Data"]
        assert [(s["Name"], s["Type"]) for s in found["Systematics"]] == [
            ("rate", "Normalization"),
            ("rate (2)", "Normalization"),
            ("shape", "NormPlusShape"),
            ("second", "NormPlusShape"),
            ("lumi", "Normalization"),
        ]
        assert found["NormFactors"][1] == {
            "Name": "norm",
            "Samples": ["other"],
            "Regions": ["SR", "CR"],
            "Nominal": 1.0,
            "Bounds": [0.0, 10.0],
        }

    def test_cabinetry_builds_the_workspace_again(self, tmp_path):
        """Templates and data, and the expectation at one standard deviation of everything."""
        cabinetry = pytest.importorskip("cabinetry", reason="reads the configuration; in hepcuts[interchange]")
        spec = specification()
        config = cabinetry.configuration.load(hc.export.cabinetry(spec, tmp_path / "config.yml")[0])
        config["General"]["HistogramFolder"] = str(tmp_path / "histograms")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cabinetry.templates.collect(config)
            again = cabinetry.workspace.build(config)
        assert {c["name"]: {s["name"]: s["data"] for s in c["samples"]} for c in again["channels"]} == {
            c["name"]: {s["name"]: s["data"] for s in c["samples"]} for c in spec["channels"]
        }
        assert again["observations"] == spec["observations"]
        (mine, _), (theirs, _) = built(spec), built(again)
        for alpha in (-1.0, 0.0, 1.0):
            expected = []
            for model, lumi in ((mine, 1 + 0.03 * alpha), (theirs, alpha)):
                values = dict.fromkeys(("rate", "shape", "second"), alpha) | {"mu": 1.3, "norm": 0.8, "lumi": lumi}
                named = dict(zip(model.config.par_names, model.config.suggested_init(), strict=True)) | values
                expected.append(model.expected_data([named[name] for name in model.config.par_names])[:3])
            # Two templates of one sample are added here, and each factor multiplied there.
            assert expected[0] == pytest.approx(expected[1], rel=0 if alpha == 0 else 5e-3, abs=1e-9)

    def test_constants_are_named_once(self, tmp_path):
        """A parameter that changes a rate here and a template there is one parameter."""
        import yaml

        spec = specification()
        spec["channels"][0]["samples"][0]["modifiers"].append(modifier("shape", "normsys", {"hi": 1.1, "lo": 0.95}))
        spec["measurements"][0]["config"]["parameters"].append({"name": "shape", "fixed": True, "inits": [0.5]})
        path, _ = hc.export.cabinetry(spec, tmp_path / "config.yml")
        found = yaml.safe_load(path.read_text())
        assert found["General"]["Fixed"] == [{"Name": "shape", "Value": 0.5}]
        assert [s["Name"] for s in found["Systematics"] if "shape" in s["Name"]] == ["shape", "shape (2)"]

    def test_a_factor_on_some_samples_of_some_channels_is_refused(self, tmp_path):
        spec = specification()
        spec["channels"][1]["samples"][0]["modifiers"].pop(0)
        spec["channels"][1]["samples"].append(
            {"name": "main", "data": [5.0], "modifiers": [modifier("norm", "normfactor")]}
        )
        with pytest.raises(UnsupportedModelError, match="'main' in channel 'SR'"):
            hc.export.cabinetry(spec, tmp_path / "config.yml")


@pytest.fixture(scope="module")
def own_workspace():
    """As `hepcuts.workspace` makes it by default."""
    samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
    return hc.workspace(hc.fill(samples, hc.Cut("x", ">", 20.0)))


class TestCommand:
    def test_all_formats(self, own_workspace, tmp_path):
        source = tmp_path / "workspace.json"
        source.write_text(json.dumps(own_workspace))
        assert tuple(FORMATS) == NAMES
        for target in NAMES:
            output = tmp_path / "new" / target
            found = CliRunner().invoke(main, ["export", str(source), str(output), "--to", target])
            assert found.exit_code == 0, found.output
            assert f"Wrote {output}" in found.output
            assert output.exists()
            assert (target != "hs3") == output.with_suffix(".root").exists()

    def test_a_discovery_statistic_read_back(self, own_workspace, tmp_path):
        """From events to a card: significances agree."""
        card = Card(hc.export.combine(own_workspace, tmp_path / "card.txt")[0])
        q0 = card.fit(r=0.0)[0] - card.fit()[0]
        assert np.sqrt(q0) == pytest.approx(
            hc.discovery_significance(hc.HistFactory.from_workspace(own_workspace)), rel=1e-3
        )

    def test_mistakes_are_messages(self, tmp_path):
        runner, source = CliRunner(), tmp_path / "workspace.json"
        missing = runner.invoke(main, ["export", str(source), str(tmp_path / "o"), "--to", "hs3"])
        assert (missing.exit_code, "there is no file" in missing.output) == (1, True)
        source.write_text(json.dumps(two_staterrors()))
        refused = runner.invoke(main, ["export", str(source), str(tmp_path / "o"), "--to", "combine"])
        assert (refused.exit_code, refused.output[:6]) == (1, "Error:")
        assert "'shared' (staterror) of sample 'other' in channel 'SR'" in refused.output or "free" in refused.output
        assert runner.invoke(main, ["export", str(source), "o", "--to", "excel"]).exit_code == 2

    def test_a_workspace_that_is_not_valid(self, tmp_path):
        spec = copy.deepcopy(specification())
        del spec["observations"]
        with pytest.raises(InputError, match="observations"):
            hc.export.hs3(spec, tmp_path / "hs3.json")
