"""Likelihoods as HEPData publishes them: compressed, in archives, with patch sets; and HistFactory's XML."""

import copy
import gzip
import json
import tarfile
import zipfile

import jsonpatch
import numpy as np
import pyhf
import pytest
from click.testing import CliRunner

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts._core.texts import listed
from hepcuts.cli.commands import main
from hepcuts.histfactory import HistFactory, discovery_test, documents, patchsets, points

from .conftest import SHARED
from .models import MU, channel, histosys, mod, normsys, sample
from .test_specification import workspace

BACKGROUND = workspace(
    channel("c", sample("b", [50.0, 60.0], normsys("a", 1.1, 0.9), mod("staterror", "stat", [2.0, 3.0]))),
    channel("d", sample("b", [500.0], normsys("a", 1.2, 0.9), mod("normfactor", "free"))),
    poi="mu",
)
BACKGROUND["measurements"][0]["config"]["parameters"] = [{"name": "free", "bounds": [[0.0, 5.0]]}]


def signal(mass):
    """The signal of a mass, and a parameter's bounds with it: patches may touch the measurements, too."""
    added = sample("s", [10.0 / mass, 20.0 / mass], MU)
    return [
        {"op": "add", "path": "/channels/0/samples/-", "value": added},
        {
            "op": "add",
            "path": "/measurements/0/config/parameters/-",
            "value": {"name": "mu", "bounds": [[0.0, 100.0 * mass]]},
        },
        {"op": "replace", "path": "/measurements/0/config/parameters/0/bounds", "value": [[0.0, 7.0]]},
    ]


def patch_set(background=BACKGROUND, masses=(1, 2, 4), **metadata):
    return {
        "metadata": {
            "description": "signals",
            "digests": {"sha256": pyhf.utils.digest(background)},
            "labels": ["mass"],
            "references": {"hepdata": "ins1234567"},
        }
        | metadata,
        "patches": [{"metadata": {"name": f"m{m}", "values": [m]}, "patch": signal(m)} for m in masses],
        "version": "1.0.0",
    }


def same(likelihood, document):
    """Whether a likelihood is the one of a document, by pyhf's own model of it."""
    model = pyhf.Workspace(document).model()
    data = pyhf.Workspace(document).data(model)
    pars = np.array(model.config.suggested_init()) * 1.01
    assert likelihood.model.config.par_names == model.config.par_names
    assert likelihood.model.config.suggested_bounds() == model.config.suggested_bounds()
    np.testing.assert_array_equal(likelihood.observed_data, data)
    assert float(likelihood.logpdf(pars, data)) == pytest.approx(float(model.logpdf(pars, data)[0]), rel=1e-12)
    return True


@pytest.fixture
def folder(tmp_path):
    """A workspace and its patch set, in all forms in which they are downloaded."""
    (tmp_path / "BkgOnly.json").write_text(json.dumps(BACKGROUND))
    (tmp_path / "patchset.json").write_text(json.dumps(patch_set()))
    (tmp_path / "BkgOnly.json.gz").write_bytes(gzip.compress((tmp_path / "BkgOnly.json").read_bytes()))
    with tarfile.open(tmp_path / "one.tar.gz", "w:gz") as archive:
        for name in ("BkgOnly.json", "patchset.json"):
            archive.add(tmp_path / name, f"./likelihoods/{name}")
            archive.add(tmp_path / "BkgOnly.json.gz", f"./likelihoods/._{name}")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(tmp_path / "one.tar.gz", "record/one.tar.gz")
        for name in ("BkgOnly.json.gz", "patchset.json"):
            archive.write(tmp_path / name, f"record/RegionB/{name}")
        archive.writestr("record/README.md", "read me")
    return tmp_path


PATCHED = jsonpatch.apply_patch(BACKGROUND, signal(2))
FORMS = {
    "plain": ("BkgOnly.json", ["patchset.json"]),
    "gzip": ("BkgOnly.json.gz", ["patchset.json"]),
    "archive": ("one.tar.gz", []),
    "folder of an archive": ("two.zip/record/RegionB", []),
    "file of an archive": ("two.zip/record/RegionB/BkgOnly.json.gz", []),
    "archive of an archive": ("two.zip/record/one.tar.gz", []),
    "folder of that": ("two.zip/record/one.tar.gz/likelihoods", []),
    "patches of an archive": ("BkgOnly.json", ["two.zip/record/RegionB"]),
    "patch set of an archive": ("BkgOnly.json", ["one.tar.gz/likelihoods/patchset.json"]),
}


@pytest.mark.parametrize(("background", "patches"), FORMS.values(), ids=FORMS)
def test_a_point_of_a_patch_set(folder, background, patches):
    likelihood = HistFactory.from_workspace(
        folder / background, patches=[str(folder / patch) for patch in patches], point="m2"
    )
    assert same(likelihood, PATCHED)
    assert likelihood.structure.upper[likelihood.poi] == 200.0
    assert likelihood.structure.upper[likelihood.parameter_names.index("free")] == 7.0


def test_a_name_says_nothing_of_the_compression(folder):
    """Browsers unpack what they download, and keep its name, or the other way round."""
    (folder / "BkgOnly.json").write_bytes((folder / "BkgOnly.json.gz").read_bytes())
    likelihood = HistFactory.from_workspace(folder / "BkgOnly.json", patches=[pyhf.PatchSet(patch_set())], point="m2")
    assert same(likelihood, PATCHED)


def test_patches_are_applied_in_order():
    more = [{"op": "replace", "path": "/channels/0/samples/1/data/0", "value": 77.0}]
    expected = copy.deepcopy(PATCHED)
    expected["channels"][0]["samples"][1]["data"][0] = 77.0
    assert same(HistFactory.from_workspace(BACKGROUND, patches=[patch_set(), more], point="m2"), expected)
    with pytest.raises(InputError, match="Patch 1 cannot be applied to the workspace"):
        HistFactory.from_workspace(BACKGROUND, patches=[more, patch_set()], point="m2")


def test_the_digest_is_that_of_the_workspace_as_it_came():
    """A correction of the background that goes first does not make it another workspace."""
    corrected = [{"op": "replace", "path": "/channels/1/samples/0/data/0", "value": 510.0}]
    likelihood = HistFactory.from_workspace(BACKGROUND, patches=[corrected, patch_set()], point="m2")
    assert likelihood.templates.nominal.max() == 510.0


def test_a_patch_set_of_another_workspace():
    other = copy.deepcopy(BACKGROUND)
    other["channels"][0]["samples"][0]["data"][0] = 51.0
    with pytest.raises(InputError, match=r"Patch 1 was made for another workspace: its sha256 is .*--no-verify"):
        HistFactory.from_workspace(other, patches=[patch_set()], point="m2")
    likelihood = HistFactory.from_workspace(other, patches=[patch_set()], point="m2", verify_digest=False)
    assert same(likelihood, jsonpatch.apply_patch(other, signal(2)))


MISTAKES = {
    "no point named": ([patch_set(masses=range(1, 40))], None, r"of its patches, m1, m2, m3, m4, m5 and 34 more: say"),
    "unknown point": ([patch_set()], "m3", r"has no point 'm3'; it has m1, m2, m4\."),
    "part of a name": ([patch_set(masses=(1, 2, 12, 30))], "2", r"has no point '2'; it has m2, m12\."),
    "no patch set": ([signal(1)], "m2", r"The point 'm2' is one of a patch set, and there is none"),
    "two points of a name": ([patch_set(masses=(1, 1))], "m1", r"Patch 1 is not a valid patch set"),
    "unknown digest": ([patch_set(digests={"sha257": "1"})], "m1", r"Patch 1 "),
    "no signal": (
        [],
        None,
        r"'mu' acts on no sample.*background-only.*--patch patchset\.json --point NAME.*are free",
    ),
}


@pytest.mark.parametrize(("patches", "point", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_with_patch_sets(patches, point, message):
    with pytest.raises(InputError, match=message):
        HistFactory.from_workspace(BACKGROUND, patches=patches, point=point)


def test_archives_without_one_answer(folder):
    with pytest.raises(InputError, match=r"has 2 workspaces.*RegionB/BkgOnly\.json\.gz.*such as .*two"):
        HistFactory.from_workspace(folder / "two.zip", point="m2")
    with pytest.raises(InputError, match="has no JSON files"):
        HistFactory.from_workspace(folder / "two.zip" / "nowhere")
    with pytest.raises(InputError, match=r"there is no file .*three\.zip"):
        HistFactory.from_workspace(folder / "three.zip")
    with pytest.raises(InputError, match="There is no patch set; expected one"):
        patchsets.patch_set(BACKGROUND)
    (folder / "broken.tar.gz").write_bytes((folder / "one.tar.gz").read_bytes()[:-200])
    with pytest.raises(InputError, match=r"broken\.tar\.gz cannot be read"):
        HistFactory.from_workspace(folder / "broken.tar.gz", point="m2")


def test_documents_are_not_searched_for_an_archive():
    assert documents.archive_of(BACKGROUND) is None
    assert documents.archive_of("no-such-file.tar.gz") is None


def test_xml_and_root_files(tmp_path, monkeypatch):
    """pyhf's own writer and reader: the likelihood is the one that was written."""
    pytest.importorskip("uproot")
    from pyhf import writexml

    document = workspace(
        channel("c", sample("s", [10.0, 20.0], MU), sample("b", [50.0, 60.0], normsys("a", 1.1, 0.9))),
        channel("d", sample("b", [500.0], histosys("shape", [550.0], [470.0]))),
        parameters=[{"name": "mu", "bounds": [[0.0, 10.0]], "inits": [1.0]}],
    )
    # What the format always has.
    lumi = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.1], "bounds": [[0.5, 1.5]], "inits": [1.0], "fixed": True}
    document["measurements"][0]["config"]["parameters"].append(lumi)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "data").mkdir()
    written = writexml.writexml(document, "config", "data", "model")
    (tmp_path / "model.xml").write_bytes(written)
    expected = HistFactory.from_workspace(document)
    monkeypatch.chdir("/")
    found = HistFactory.from_workspace(tmp_path / "model.xml")
    assert found.samples == expected.samples
    z, written = (float(hc.discovery_significance(likelihood)) for likelihood in (found, expected))
    assert z == pytest.approx(written, rel=1e-9)
    moved = next((tmp_path / "config").glob("*.xml"))
    moved.rename(tmp_path / "elsewhere.xml")
    with pytest.raises(InputError, match=r"its inputs, .* are in none of"):
        HistFactory.from_workspace(tmp_path / "model.xml")


def test_lists_are_short():
    assert listed(["a", "b", "c"], 2) == "a, b, c"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert listed([]) == ""


@pytest.mark.slow
def test_every_point_of_a_published_grid(request):
    """HEPData ins1755298: the likelihood of each point equals that of pyhf's own patch set."""
    folder = SHARED / "likelihoods"
    if not folder.is_dir():
        pytest.skip("the published likelihoods are not here (HEPData record ins1755298)")
    background = json.loads((folder / "ewk_1Lbb_background_only.json").read_text())
    found = pyhf.PatchSet(json.loads((folder / "ewk_1Lbb_patchset.json").read_text()))
    found.verify(background)
    some = [patch.name for patch in found][:: 1 if request.config.getoption("--runslow") else 5]
    for name in some:
        likelihood = HistFactory.from_workspace(background, patches=[found], point=name, validate=False)
        workspace = pyhf.Workspace(found.apply(background, name), validate=False)
        model = workspace.model(validate=False)
        data = workspace.data(model)
        pars = model.config.suggested_init()
        assert float(likelihood.logpdf(pars, data)) == pytest.approx(float(model.logpdf(pars, data)[0]), rel=1e-12)


# --- the command ----------------------------------------------------------------------------------------------------


def run(*arguments, status=0):
    result = CliRunner().invoke(main, ["significance", *map(str, arguments)])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def test_points_are_listed(folder):
    for background in ("one.tar.gz", "two.zip/record/RegionB"):
        assert run(folder / background, "--list-points").output.split() == [
            "point",
            "mass",
            "m1",
            "1",
            "m2",
            "2",
            "m4",
            "4",
        ]
    document = json.loads(
        run(folder / "BkgOnly.json", "--patch", folder / "patchset.json", "--list-points", "--json").output
    )
    assert document == [{"name": f"m{m}", "values": [m]} for m in (1, 2, 4)]


def test_one_point(folder):
    document = json.loads(run(folder / "one.tar.gz", "--point", "m2", "--json").output)
    expected = discovery_test(HistFactory.from_workspace(PATCHED))
    assert document["expected"]["significance"] == pytest.approx(expected.significance, rel=1e-12)
    assert "has no point 'm3'; it has m1, m2, m4" in run(folder / "one.tar.gz", "--point", "m3", status=1).output
    assert "--patch patchset.json --point NAME" in run(folder / "BkgOnly.json", status=1).output


def test_all_points(folder):
    output = folder / "out"
    printed = run(folder / "one.tar.gz", "--all-points", "-o", output).output
    document = json.loads((output / "points.json").read_text())
    assert document["labels"] == ["mass"]
    table = (output / "points.csv").read_text().splitlines()
    assert table[0] == "point,mass,expected,expected_postfit,observed,mu_hat,mu_uncertainty,error"
    for row, mass, line in zip(document["points"], (1, 2, 4), table[1:], strict=True):
        likelihood = HistFactory.from_workspace(jsonpatch.apply_patch(BACKGROUND, signal(mass)))
        observed = discovery_test(likelihood, likelihood.observed_data)
        assert row["name"] == f"m{mass}"
        assert row["error"] is None
        assert row["observed"]["mu_hat"] == pytest.approx(observed.mu_hat, abs=1e-6)
        assert row["expected"]["significance"] == pytest.approx(discovery_test(likelihood).significance, rel=1e-12)
        assert f"{row['expected']['significance']:.3f}" in printed
        assert line.startswith(f"m{mass},{mass},")
    assert (output / "points.png").stat().st_size > 1000
    assert sorted(path.name for path in output.iterdir()) == ["points.csv", "points.json", "points.png"]


def test_a_point_that_fails_does_not_take_the_others(folder):
    """A patch that does not fit, and a signal of which nothing is expected."""
    broken = patch_set()
    broken["patches"][0]["patch"] = [{"op": "replace", "path": "/channels/7/name", "value": "x"}]
    broken["patches"][2]["patch"] = [
        {"op": "add", "path": "/channels/0/samples/-", "value": sample("s", [-100.0, 1.0], MU)},
        {"op": "replace", "path": "/channels/0/samples/0/data/0", "value": -1.0},
    ]
    (folder / "patchset.json").write_text(json.dumps(broken))
    result = run(folder / "BkgOnly.json", "--patch", folder / "patchset.json", "--all-points", "-o", folder / "out")
    assert "m1: Patch 1 cannot be applied" in result.output
    assert "failed" in result.output
    rows = json.loads((folder / "out" / "points.json").read_text())["points"]
    assert [bool(row["error"]) for row in rows] == [True, False, True]
    assert "observed" not in rows[0]
    assert "channel 'c', bin 0 (-1 events) is negative" in rows[2]["error"]
    assert (folder / "out" / "points.png").exists()
    for patch in broken["patches"]:
        patch["patch"] = broken["patches"][0]["patch"]
    (folder / "patchset.json").write_text(json.dumps(broken))
    result = run(
        folder / "BkgOnly.json", "--patch", folder / "patchset.json", "--all-points", "-o", folder / "out", status=1
    )
    assert "None of the 3 points could be tested" in result.output


def test_points_that_are_done_are_kept(folder, monkeypatch):
    """Ctrl-C in the third: two are in the file, and printed."""
    usual, called = points.discovery_tests, []

    def interrupted(likelihood):
        called.append(likelihood)
        if len(called) == 3:
            raise KeyboardInterrupt
        return usual(likelihood)

    monkeypatch.setattr(points, "discovery_tests", interrupted)
    result = CliRunner().invoke(
        main, ["significance", str(folder / "one.tar.gz"), "--all-points", "-o", str(folder / "out")]
    )
    assert result.exit_code != 0
    rows = json.loads((folder / "out" / "points.json").read_text())["points"]
    assert [row["name"] for row in rows] == ["m1", "m2"]
    assert "Discovery tests of 2 signals" in result.output
    assert not (folder / "out" / "points.png").exists()


@pytest.mark.filterwarnings("ignore::hepcuts._core.errors.BoundWarning")
def test_options_of_the_command(folder, tmp_path):
    path = tmp_path / "negative.json"
    spec = workspace(
        channel(
            "c",
            sample("s", [5.0, 4.0], MU),
            sample("b", [30.0, -0.5]),
            sample("t", [1.0, 0.1], mod("normfactor", "k")),
        ),
        observations=[{"name": "c", "data": [35.0, 1.0]}],
    )
    path.write_text(json.dumps(spec))
    assert "'c', bin 1 (-0.4 events) is negative" in run(path, status=1).output
    for option, names in (("--clip-bin", {"clip_bin_data": 0.5}), ("--clip-sample", {"clip_sample_data": 0.5})):
        for more, poi in (((), None), (("--poi", "k"), "k")):
            found = json.loads(run(path, option, "0.5", *more, "--json").output)["observed"]
            likelihood = HistFactory.from_workspace(spec, poi=poi, **names)
            expected = discovery_test(likelihood, likelihood.observed_data)
            assert found["q0"] == pytest.approx(expected.q0, abs=1e-9)
    altered = copy.deepcopy(BACKGROUND)
    altered["observations"][0]["data"][0] = 70.0
    (folder / "BkgOnly.json").write_text(json.dumps(altered))
    given = (folder / "BkgOnly.json", "--patch", folder / "patchset.json", "--point", "m1")
    assert "made for another workspace" in run(*given, status=1).output
    assert "Discovery test, observed data" in run(*given, "--no-verify").output
    assert "exclude each other" in run(*given, "--all-points", status=2).output
    assert "of one signal" in run(*given[:3], "--all-points", "--pulls", status=2).output
    assert "there is no file" in run(folder / "nothing.json", status=1).output
