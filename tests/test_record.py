"""What an optimization writes: ``result.json`` by its schema, tables, the report; and what reads it back."""

import dataclasses
import hashlib
import html.parser
import json
import re

import awkward as ak
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts.cli.commands import main
from hepcuts.cli.origin import origin_of
from hepcuts.cuts.records import as_record, from_record
from hepcuts.optimization.record.cautions import cautions, constrained
from hepcuts.optimization.record.reading import StoredResult
from hepcuts.optimization.record.schema import ResultRecord, SystematicRecord, json_schema
from tests.foreign_objects import AbsoluteWindow

CONFIG = """
# a <b>comment</b>
[[sample]]
name = "signal"
file = "signal.csv"
weight = "w"
signal = true

[[sample]]
name = "<i>top</i>"
file = ["top_*.csv"]
weight = "w"

  [[sample.systematic]]
  type = "normsys"
  name = "xsec"
  up = 1.3
  down = 0.8

[[cut]]
variable = "x"
direction = "auto"

[[cut]]
variable = "mass"
direction = "window"

[[cut]]
variable = "n"
direction = ">="

[optimize]
seed = 3
folds = 0
anneal = [1.0]
replicas = 20
objective = "asimov"
"""
SIZE = 400


def columns(rng, name):
    shift = 1.5 * (name == "signal")
    mass = rng.normal(125.0, 8.0, SIZE) if shift else rng.uniform(60.0, 200.0, SIZE)
    return {"x": rng.normal(shift, 1.0, SIZE), "mass": mass, "n": rng.poisson(1.0 + shift, SIZE)}


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A small configuration, run once as a user runs it: its folder and what was printed."""
    folder = tmp_path_factory.mktemp("job")
    rng = np.random.default_rng(11)
    for name, weight in (("signal", 0.05), ("top_1", 0.5), ("top_2", 0.5)):
        pd.DataFrame(columns(rng, name) | {"w": np.full(SIZE, weight)}).to_csv(folder / f"{name}.csv", index=False)
    (folder / "config.toml").write_text(CONFIG)
    return folder, run("optimize", folder / "config.toml", "-o", folder / "out", "--set", "optimize.min_background=5")


@pytest.fixture(scope="module")
def written(job):
    return json.loads((job[0] / "out" / "result.json").read_text(), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def found():
    """A result in Python, found without a search of its own: one stage, one cut."""
    samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
    return hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov", folds=0, anneal=(1.0,), replicas=0)


def run(*arguments, status=0):
    done = CliRunner().invoke(main, [str(one) for one in arguments])
    assert done.exit_code == status, done.output
    return done.output


def held_out(folder):
    """The events that are quoted, as the search split them."""
    from hepcuts.cli.configuration import load
    from hepcuts.evaluation.resampling import hold_out

    return hold_out(load(folder / "config.toml").samples, 0.5, seed=3)[1]


class TestTheFile:
    def test_it_keeps_to_its_schema(self, written):
        Draft202012Validator.check_schema(json_schema())
        Draft202012Validator(json_schema()).validate(written)
        assert written["schema_version"] == 1
        assert written["remarks"] == []

    def test_every_key_has_a_meaning(self):
        for entry in (json_schema(), *json_schema()["$defs"].values()):
            assert all(field.get("description") for field in entry["properties"].values())

    def test_the_command_prints_the_schema(self):
        assert json.loads(run("optimize", "--schema")) == json_schema()

    def test_yields_are_those_of_the_held_out_events(self, job, written):
        rows = {row["sample"]: row for row in written["yields"]}
        cuts = hc.read_result(job[0] / "out/result.json").selection
        for sample in held_out(job[0]):
            row, passed = rows[sample.name], cuts.mask(sample.columns)
            weights = sample.weights[passed]
            assert row["before"] == pytest.approx(sample.weights.sum(), rel=1e-12)
            assert row["after"] == pytest.approx(weights.sum(), rel=1e-12)
            assert row["after_uncertainty"] == pytest.approx(np.sqrt(np.sum(weights**2)), rel=1e-12)
            assert (row["events"], row["events_before"]) == (passed.sum(), len(sample))
            # Equal weights: a binomial proportion.
            share = passed.mean()
            assert row["efficiency"] == pytest.approx(share, rel=1e-12)
            spread = np.sqrt(share * (1.0 - share) / len(sample))
            assert row["efficiency_uncertainty"] == pytest.approx(spread, rel=1e-9)

    def test_significance_says_of_which_events_it_is(self, job, written):
        assert written["quoted_on"] == "held-out"
        of = {(f["name"], f["events"], f["cuts"]): f for f in written["figures_of_merit"]}
        quoted = of["significance", "held-out", "hard"]
        assert quoted["value"] == written["significance"]
        assert quoted["uncertainty"] == written["significance_uncertainty"] > 0
        assert of["significance", "training", "hard"]["uncertainty"] is None
        assert ("asimov", "training", "soft") in of
        cuts = hc.read_result(job[0] / "out/result.json").selection
        test = hc.discovery_test(hc.HistFactory.from_workspace(hc.workspace(hc.fill(held_out(job[0]), cuts))))
        assert written["significance"] == pytest.approx(test.significance, rel=1e-9)

    def test_what_was_pruned_is_listed_and_gone(self, job, tmp_path):
        trigger = '  [[sample.systematic]]\n  type = "normsys"\n  name = "trigger"\n  up = 1.002\n  down = 0.998\n\n'
        samples, _, rest = CONFIG.partition('[[cut]]\nvariable = "x"')
        cut, settings = '[[cut]]\nvariable = "x"\ndirection = ">"\n\n', rest[rest.index("[optimize]") :]
        (job[0] / "pruned.toml").write_text(f"prune = 0.005\n{samples}{trigger}{cut}{settings}")
        told = run("optimize", job[0] / "pruned.toml", "--no-compare", "-o", tmp_path, "--set", "optimize.replicas=0")
        assert "pruned                 trigger of <i>top</i> in signal_region: at most 0.002" in told
        written = json.loads((tmp_path / "result.json").read_text())
        Draft202012Validator(json_schema()).validate(written)
        (row,) = written["pruned"]
        assert (row["channel"], row["sample"], row["name"]) == ("signal_region", "<i>top</i>", "trigger")
        assert row["effect"] == pytest.approx(0.002)
        assert [one["name"] for one in written["systematics"] if one["background_up"]] == ["xsec"]
        assert '"trigger"' not in (tmp_path / "workspace.json").read_text()
        assert pd.read_csv(tmp_path / "tables" / "pruned.csv")["name"].tolist() == ["trigger"]
        assert "Systematics that were left out" in Page((tmp_path / "report.html").read_text()).words
        # It is quoted without it, as if there were none, and so is the last step of the cutflow.
        cuts, (signal, top) = hc.read_result(tmp_path / "result.json").selection, held_out(job[0])
        z = float(hc.discovery_significance(hc.HistFactory.from_workspace(hc.workspace(hc.fill([signal, top], cuts)))))
        assert written["significance"] == pytest.approx(z, rel=1e-9)
        assert written["pyhf"]["significance"] == pytest.approx(z, rel=1e-3)
        assert written["cutflow"][-1]["significance"] == pytest.approx(z, rel=1e-9)

    def test_nothing_is_pruned_where_nothing_is_small(self, found):
        again = found.pruned(0.005)
        assert again.quoted.dropped == again.training.dropped == ()
        assert again.significance == pytest.approx(found.significance, rel=1e-12)
        names = [[one["name"] for one in part.workspace["measurements"]] for part in (again.training, again.held_out)]
        assert names == [
            [one["name"] for one in part.workspace["measurements"]] for part in (found.training, found.held_out)
        ]
        with pytest.raises(InputError, match="pruned below 1"):
            found.pruned(1)

    def test_where_it_comes_from(self, job, written):
        folder, _ = job
        files = {entry["path"]: entry for entry in written["inputs"]}
        assert set(files) == {str(folder / f"{name}.csv") for name in ("signal", "top_1", "top_2")}
        for path, entry in files.items():
            content = (folder / path).read_bytes()
            assert (entry["size"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert written["configuration"]["text"] == CONFIG
        assert written["configuration"]["settings"] == {"optimize.min_background": 5}
        assert written["options"]["min_background"] == written["min_background"] == 5.0
        assert written["options"]["replicas"] == 20
        assert written["versions"]["numpy"] == np.__version__
        assert {"hepcuts", "python", "jax", "pyhf", "hist"} <= set(written["versions"])
        assert written["seed"] == 3

    def test_cutflow_and_n_minus_one(self, job, written):
        cuts, events = hc.read_result(job[0] / "out/result.json").selection, held_out(job[0])
        flow = hc.cutflow(events, cuts)
        assert [row["expected"] for row in written["cutflow"]] == pytest.approx(flow.yields.ravel().tolist())
        assert written["cutflow"][-1]["significance"] == pytest.approx(written["significance"], rel=1e-9)
        for number, row in enumerate(written["drop_one"]):
            others = [cut for n, cut in enumerate(cuts.cuts) if n != number]
            z = hc.discovery_significance(
                hc.HistFactory.from_workspace(hc.workspace(hc.fill(events, hc.Selection(others))))
            )
            assert row["significance"] == pytest.approx(float(z), rel=1e-6)
            assert row["loss"] == pytest.approx(written["significance"] - float(z), abs=1e-6)

    def test_systematics_tell_what_they_do(self, written):
        (row,) = (row for row in written["systematics"] if row["name"] == "xsec")
        assert (row["background_up"], row["background_down"]) == pytest.approx((0.3, -0.2), abs=1e-12)
        assert row["mu_up"] < 0 < row["mu_down"]
        assert row["known"] > 0
        assert row["constraint"] <= 1.0 + 1e-9

    def test_other_cuts_for_comparison(self, written):
        kinds = [row["kind"] for row in written["comparison"]]
        assert kinds == ["no cut", "fewer cuts", "fewer cuts", "fewer cuts", "BCE"]
        assert written["comparison"][0]["significance"] < written["significance"]

    def test_expressions_keep_the_same_events(self, job, written):
        frame = pd.concat(pd.read_csv(job[0] / f"{name}.csv") for name in ("signal", "top_1", "top_2"))
        mask = hc.read_result(job[0] / "out/result.json").selection.mask(frame)
        assert 0 < mask.sum() < len(frame)
        texts, events = written["expressions"], ak.Array({name: frame[name].to_numpy() for name in frame})
        columns = {name: frame[name].to_numpy() for name in frame}
        np.testing.assert_array_equal(eval(texts["numpy"], {"np": np}, columns), mask)  # noqa: S307
        np.testing.assert_array_equal(eval(texts["awkward"], {"events": events}), mask)  # noqa: S307
        np.testing.assert_array_equal(frame.eval(texts["pandas"]), mask)
        assert (job[0] / "out/cuts.txt").read_text().splitlines() == [f"{k}: {v}" for k, v in texts.items()]

    def test_tables_in_three_forms(self, job, written):
        tables = job[0] / "out" / "tables"
        names = {"yields", "cutflow", "drop_one", "systematics", "sensitivity"}
        forms = {f"{name}.{ending}" for name in (*names, "cuts") for ending in ("csv", "md", "tex")}
        assert {path.name for path in tables.iterdir()} == forms
        assert (tables / "cuts.csv").read_text().startswith("variable,direction,threshold\nx,")
        for name in names:
            frame = pd.read_csv(tables / f"{name}.csv")
            assert list(frame.columns) == list(written[name][0])
            assert len(frame) == len(written[name])
            assert r"\begin{tabular}" in (tables / f"{name}.tex").read_text()
        assert r"\<i\>top" in (tables / "cutflow.md").read_text()
        assert "Cutflow" in job[1]
        assert "with all cuts" in job[1]


class TestReadingBack:
    def test_the_same_cuts(self, job):
        """Directions that were found, and whole numbers, are in the file: no configuration is asked."""
        stored = hc.read_result(job[0] / "out/result.json")
        assert stored.record.selection == str(stored.selection)
        assert re.search(r"n >= \d", str(stored.selection)) or stored.record.given_up

    def test_evaluate_takes_them_from_a_configuration_whose_directions_are_to_be_found(self, job, written, tmp_path):
        folder, _ = job
        run("evaluate", folder / "config.toml", "--cuts", folder / "out/result.json", "-o", tmp_path)
        evaluation = json.loads((tmp_path / "evaluation.json").read_text())
        assert evaluation["cuts"] == [cut["text"] for cut in written["cuts"]]
        assert evaluation["yields"][0]["efficiency"] == pytest.approx(written["yields"][0]["efficiency"], abs=0.1)

    def test_the_file_of_the_start_is_an_input(self, job):
        start = job[0] / "out/result.json"
        *_, last = origin_of(job[0] / "config.toml", {}, start=start)["inputs"]
        assert (last.path, last.sha256) == (str(start), hashlib.sha256(start.read_bytes()).hexdigest())

    def test_addresses_and_folders_are_told_without_being_fetched(self, tmp_path):
        for name in ("b.parquet", "a.parquet"):
            (tmp_path / "set").mkdir(exist_ok=True)
            (tmp_path / "set" / name).write_bytes(name.encode())
        text = CONFIG.replace('"signal.csv"', '"root://server//signal.root:events"').replace('["top_*.csv"]', '"set"')
        (tmp_path / "config.toml").write_text(text)
        address, folder = origin_of(tmp_path / "config.toml", {})["inputs"]
        assert (address.path, address.size, address.sha256) == ("root://server//signal.root", None, None)
        assert (folder.path, folder.size) == (str(tmp_path / "set"), 18)
        assert folder.sha256 == hashlib.sha256(b"a.parquetb.parquet").hexdigest()

    def test_a_search_starts_there(self, job, monkeypatch, tmp_path):
        seen = []

        def looked_at(samples, selection, **options):
            seen.append(selection)
            raise InputError("enough")

        monkeypatch.setattr("hepcuts.optimization.optimize.optimize", looked_at)
        start = job[0] / "out/result.json"
        told = run("optimize", job[0] / "config.toml", "--start-from", start, "-o", tmp_path, status=1)
        assert "enough" in told
        stored = hc.read_result(start).selection
        there = {cut.variable: cut for cut in stored.cuts}
        assert [cut.thresholds for cut in seen[0].cuts] == [
            there[cut.variable].thresholds if cut.variable in there else cut.thresholds for cut in seen[0].cuts
        ]
        assert seen[0].cuts[0].direction == there["x"].direction

    def test_what_was_given_up_starts_as_the_configuration_says(self, found):
        record = ResultRecord.model_validate(found.to_dict())
        stored = StoredResult(record, hc.Cut("mass", "<", 140.0) & hc.Cut("x", "<", 3.0))
        asked = hc.Window("mass", 150.0, 160.0) & hc.Cut("y", ">", 2.0) & hc.Cut("x", "auto", 1.0)
        assert str(stored.start(asked)) == "? < mass < 140 & y > 2 & x < 3"
        # Nor does a cut in the other direction start there.
        assert str(stored.start(hc.Selection([hc.Cut("x", ">", 1.0)]))) == "x > 1"

    @pytest.mark.parametrize(
        "cut",
        [
            hc.Cut("n", ">", 1.5, integer=True, bounds=(0, 9)),
            hc.Window("m", 1.0, 1 / 3 + 1, missing="pass", width=0.5),
            hc.SlidingCut("iso", "<", along="pt", knots=(20, 100), thresholds=(0.1, 0.3)),
            ~hc.Cut("x", "<", -1e-7),
            AbsoluteWindow(low=0.5, high=1.0),
        ],
        ids=["whole", "window", "sliding", "inverted", "foreign"],
    )
    def test_every_kind_of_cut(self, cut):
        again = from_record(json.loads(json.dumps(as_record(cut))))
        assert again == cut
        assert repr(again) == repr(cut)

    def test_what_is_no_result_is_refused(self, job, written, tmp_path):
        path = tmp_path / "result.json"

        def refused(document, match):
            path.write_text(document if isinstance(document, str) else json.dumps(document))
            with pytest.raises(InputError, match=match):
                hc.read_result(path)

        with pytest.raises(InputError, match="No such file"):
            hc.read_result(tmp_path / "nothing.json")
        refused("{", "is no result of hepcuts optimize in version 1 of its schema; the whole file: Invalid JSON")
        refused(written | {"schema_version": 2}, "schema_version: Input should be 1")
        refused({k: v for k, v in written.items() if k != "cuts"}, "cuts: Field required")
        first, *others = written["cuts"]
        refused(written | {"cuts": [first | {"thresholds": [1.0]}, *others]}, "its text or thresholds say otherwise")
        refused(written | {"cuts": [first | {"kind": "Slice"}, *others]}, "There is no kind of cut 'Slice'")
        refused(written | {"cuts": [first | {"arguments": None}, *others]}, "that a file cannot keep")
        without_x = CONFIG.replace('[[cut]]\nvariable = "x"\ndirection = "auto"\n', "")
        (job[0] / "other.toml").write_text(without_x)
        told = run("evaluate", job[0] / "other.toml", "--cuts", job[0] / "out/result.json", "-o", tmp_path, status=1)
        assert "cuts on x, which the configuration does not" in told


class TestPython:
    def test_a_result_writes_itself(self, found, tmp_path):
        stored = hc.read_result(found.save(tmp_path / "result.json"))
        known = ResultRecord.model_validate(found.to_dict())
        assert known.cutflow is None
        assert stored.record.model_copy(update=dict.fromkeys(PARTS)) == known
        assert stored.record.cutflow[-1].significance == pytest.approx(found.significance)
        assert stored.record.options["selection"] == "x > 15"
        assert stored.record.significance_uncertainty is None

    def test_a_result_reports(self, found, tmp_path):
        page = found.report(tmp_path / "report.html", title="Tops & <bottoms>").read_text()
        assert "<title>Tops &amp; &lt;bottoms&gt;</title>" in page
        assert page.count('<img src="data:image/png;base64,') == 2  # before and after, and the history
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


PARTS = ("cutflow", "drop_one", "systematics", "sensitivity")


CAUTIONS = {
    "not converged": ({"success": False, "message": "too many steps"}, "did not converge: too many steps"),
    "events that chose": ({"held_out": None}, "of the events that chose the cuts"),
    "given up": ({"given_up": ("y",)}, "Given up, as no event would be rejected: y"),
    "guard": ({"min_background": 1.0}, "The cuts stop where the simulation does"),
    "few events": ({"min_background": 2.0}, "fewer than the"),
}
"""What is changed in a result, with `min_background` over the effective events, and what is said then."""


class TestCautions:
    def test_nothing_where_there_is_nothing(self, found):
        assert cautions(dataclasses.replace(found, hidden=())) == []

    @pytest.mark.parametrize(("change", "words"), CAUTIONS.values(), ids=CAUTIONS)
    def test_each_is_told(self, found, change, words):
        if "min_background" in change:
            least = min(found.training.effective_background, found.quoted.effective_background)
            change = {"min_background": change["min_background"] * least}
        changed = dataclasses.replace(found, **change)
        (sentence,) = (one for one in cautions(changed) if words in one)
        assert sentence.endswith(".")

    def test_pyhf_that_does_not_confirm_and_what_vanished(self, found):
        quoted = dataclasses.replace(
            found.held_out, verdict=None, message="no fit.", vanished=("no event of top is left",), effective_signal=3.0
        )
        told = " ".join(cautions(dataclasses.replace(found, held_out=quoted)))
        assert "pyhf does not confirm the significance: no fit." in told
        assert "No event of top is left." in told
        assert "Only 3.0 effective simulated signal events" in told

    def test_constrained_systematics(self):
        row = {"background_up": 0.1, "background_down": -0.1, "mu_up": 0.1, "mu_down": 0.1, "known": 0.1}
        rows = [SystematicRecord(name=name, constraint=c, **row) for name, c in (("jes", 0.4), ("xsec", 0.95))]
        assert constrained(rows) == ["The fit constrains jes to 40% of its uncertainty: is the model as good as that?"]


class Page(html.parser.HTMLParser):
    """Tags, attributes and words of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href", "srcset", "action"}]
        self.open.append(tag)

    def handle_data(self, data):
        if data.strip() and self.open[-1] != "style":
            self.words.append(" ".join(data.split()))

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag)]


@pytest.fixture(scope="module")
def shown(job):
    return Page((job[0] / "out" / "report.html").read_text())


class TestReport:
    def test_the_first_screen_answers(self, shown, written):
        first = shown.words[: shown.words.index("Yields")]
        for words in ("Gained over no cut", "Gained over the cuts of BCE", "Gained over the best single cut"):
            assert words in first
        value = next(word for word in first if "±" in word)
        assert float(value.partition(" ")[0]) == pytest.approx(written["significance"], rel=1e-2)
        assert any("held-out events" in word for word in first)
        assert " ".join(cut["text"] for cut in written["cuts"]) in first
        assert all(sentence in first for sentence in written["careful"])
        best = max((row for row in written["comparison"] if row["kind"] == "fewer cuts"), key=lambda r: r["training"])
        assert f"Z = {best['significance']:.3f}: {best['cuts']}" in first
        assert f"\N{MULTIPLICATION SIGN} {written['significance'] / best['significance']:.3g}" in first

    def test_then_everything_else(self, shown, written):
        order = ("Cutflow", "Without each cut", "Systematics", "Figures", "Where it comes from")
        places = [len(shown.words) - shown.words[::-1].index(title) for title in order]
        assert places == sorted(places)
        for entry in written["inputs"]:
            assert entry["sha256"] in shown.words
        assert shown.tags.count("img") == 3 + 3 + 1

    def test_nothing_is_loaded_and_text_is_text(self, shown):
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in shown.links)
        assert not {"script", "i", "b", "iframe", "link"} & set(shown.tags)
        assert "<i>top</i>" in shown.words
