"""Tables of results: the same cells in every form, and nothing is evaluated to show one."""

import dataclasses
import functools
import html
import html.parser
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.tables import SummaryTable, Tabular, data_frame, in_latex, in_markdown
from hepcuts.evaluation.bootstrap import bootstrap
from hepcuts.evaluation.presentation import drop_one
from hepcuts.histfactory.fit import fit
from hepcuts.histfactory.limits import upper_limit

NASTY = "<b>m_T & 50% $x$ | {#1} ~ ^ \\ `*[]`"
HEAD = ("cut", NASTY, "")
ROWS = (("x", "28.1 +- 0.2", NASTY), (NASTY, "5", ""))
EVALUATING = (
    "templates/filling",
    "templates/cumulative",
    "templates/sorted_events",
    "templates/soft_",
    "histfactory/solver",
    "histfactory/minimization",
    "merit/counting",
    "merit/likelihood",
    "merit/functions",
    "merit/truth",
    "merit/soft_loss",
    "evaluation/replicas",
    "scanning/stability",
    "optimization/soft",
)
"""Where anything that takes time is evaluated."""
FLAGS = {"is_significance"}
"""What a figure of merit says of itself there."""


class Cells(html.parser.HTMLParser):
    """The text of all cells of a page, row by row, and all tags."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.tags, self.caption = [], set(), ""
        self._into = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        self._into = tag

    def handle_endtag(self, tag):  # noqa: ARG002
        self._into = None

    def handle_data(self, data):
        if self._into in {"td", "th"}:
            self.rows[-1][-1] += data
        if self._into == "caption":
            self.caption += data


class TestForms:
    def test_text(self):
        table = SummaryTable("Title", [("a", "1", "x"), ("long", "12", "")], ("name", "n", ""), ["foot"], "lrl")
        assert table.text() == "Title\n  name   n\n  a      1  x\n  long  12\n  foot"
        assert repr(table) == str(table) == table.text()

    def test_pairs_have_no_head(self):
        assert SummaryTable("T", [("a", "1"), ("bcd", "23")]).text() == "T\n  a    1\n  bcd  23"

    def test_without_a_title_nothing_is_indented(self):
        assert SummaryTable("", [("a", "1")], ("x", "y")).text() == "x  y\na  1"

    def test_without_rows(self):
        for table in (SummaryTable("T", []), SummaryTable("T", [], ("a", "b"))):
            for form in (table.text, table.html, table.markdown, table.latex):
                assert "T" in form()

    def test_html_escapes_everything(self):
        page = SummaryTable(NASTY, ROWS, HEAD, [NASTY]).html()
        found = Cells(page)
        assert found.rows == [list(HEAD), *map(list, ROWS)]
        assert found.caption == NASTY
        assert found.tags == {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}

    def test_markdown_has_one_line_for_each_row(self):
        lines = SummaryTable(NASTY, ROWS, HEAD).markdown().splitlines()
        assert len(lines) == 6
        for line in (lines[0], *lines[2:4]):
            assert len(re.findall(r"(?<!\\)\|", line)) == 4
        assert lines[1] == "| --- | ---: | ---: |"
        assert re.sub(r"\\(.)", r"\1", in_markdown(NASTY)) == NASTY

    def test_latex_escapes(self):
        text = in_latex(NASTY)
        assert text == (
            r"\textless{}b\textgreater{}m\_T \& 50\% \$x\$ \textbar{} \{\#1\} \textasciitilde{} \textasciicircum{} "
            r"\textbackslash{} `*[]`"
        )
        lines = SummaryTable("T", ROWS, HEAD).latex().splitlines()
        assert lines[:2] == ["% T", r"\begin{tabular}{lrr}"]
        assert lines[3:5] == [r"\hline", rf"x & 28.1 $\pm$ 0.2 & {text} \\"]
        # An ampersand parts cells, unless it is escaped.
        assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in (lines[2], *lines[4:6]))

    def test_data_frame(self):
        frame = data_frame({"a": [1, 2], "b": np.array([0.5, np.nan])}, index=("x", "y"), name="n")
        assert (list(frame.columns), list(frame.index), frame.index.name) == (["a", "b"], ["x", "y"], "n")
        assert np.isnan(data_frame([{"a": 1.0}, {"b": 2.0}])["a"][1])

    def test_pandas_is_loaded_when_a_frame_is_made(self):
        code = """
import sys
from hepcuts._core import tables
tables.SummaryTable("", [("a", "b")]).html()
assert "pandas" not in sys.modules
tables.data_frame({"a": [1]})
assert "pandas" in sys.modules
"""
        subprocess.run([sys.executable, "-c", code], check=True)


class Evaluations:
    """Counts calls of functions that evaluate something."""

    def __init__(self):
        self.found = []

    def __enter__(self):
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def _called(self, frame, event, _):
        if event == "call":
            name = Path(frame.f_code.co_filename).as_posix().rpartition("/hepcuts/")[2]
            if name.startswith(EVALUATING) and frame.f_code.co_name not in FLAGS:
                self.found.append(f"{name}: {frame.f_code.co_name}")


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    columns = [{"x": rng.normal(c, 1.0, 600), "y<z": rng.normal(c, 1.5, 600)} for c in (1.5, 0.0)]
    background = hc.Sample("b", columns[1], weights=np.full(600, 0.5), modifiers=[hc.NormSys("rate", 1.1, 0.9)])
    return [hc.Sample("<b>s</b>", columns[0], weights=np.full(600, 0.05), signal=True), background]


@pytest.fixture(scope="module")
def optimized(samples):
    return hc.optimize(
        samples, hc.Cut("x", ">") & hc.Cut("y<z", ">"), objective="asimov", anneal=(1.0,), folds=0, holdout=None
    )


@pytest.fixture(scope="module")
def likelihood(samples):
    return hc.HistFactory.from_workspace(hc.workspace(hc.fill(samples, hc.Cut("x", ">", 1.0))))


RESULTS = {
    "scan": lambda samples, _o, _l: hc.scan(samples, hc.Cut("y<z", ">"), thresholds=np.linspace(-1, 2, 7)),
    "window": lambda samples, _o, _l: hc.scan(samples, hc.Window("x"), metrics=["asimov"], thresholds=[0.0, 1.0, 2.0]),
    "optimization": lambda _s, optimized, _l: dataclasses.replace(optimized),
    "sensitivity": lambda _s, optimized, _l: optimized.sensitivity,
    "bootstrap": lambda samples, _o, _l: bootstrap(samples, hc.Cut("y<z", ">", 1.0), replicas=5),
    "drop_one": lambda samples, optimized, _l: drop_one(samples, optimized.selection, replicas=5),
    "working_points": lambda samples, _o, _l: hc.working_points(samples, hc.Cut("y<z", ">"), efficiencies=[0.5, 0.8]),
    "bins": lambda samples, _o, _l: hc.bin_edges(samples, "y<z", num_bins=2, folds=2, holdout=None),
    "categories": lambda samples, _o, _l: hc.categorize(
        samples, ["x", "y<z"], num_bins=2, folds=0, fine_bins=10, holdout=None
    ),
    "training": lambda samples, _o, _l: hc.train(
        samples,
        hc.Cut("d", ">"),
        hc.discriminant.linear("d", ["x", "y<z"]),
        objective="bce",
        anneal=(1.0,),
        folds=0,
        seed=3,
        holdout=None,
    ),
    "fit": lambda _s, _o, likelihood: fit(likelihood, likelihood.observed_data),
    "nuisance": lambda _s, _o, likelihood: fit(likelihood, likelihood.observed_data).nuisance_parameters,
    "test": lambda _s, _o, likelihood: hc.discovery_test(likelihood),
    "limit": lambda _s, _o, likelihood: upper_limit(likelihood),
}


@pytest.fixture(scope="module")
def made(samples, optimized, likelihood):
    """Each result by its name, made once."""
    return functools.cache(lambda name: RESULTS[name](samples, optimized, likelihood))


@pytest.fixture(params=RESULTS, scope="module")
def result(request, made):
    return made(request.param)


@pytest.mark.slow("training")
def test_an_echo_evaluates_nothing(result):
    assert isinstance(result, Tabular)
    known = set(vars(result))
    with Evaluations() as evaluations:
        repr(result)
        result._repr_html_()
    assert evaluations.found == []
    assert set(vars(result)) == known


def test_evaluations_are_seen(samples):
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=["asimov"], thresholds=[0.0, 1.0, 2.0])
    with Evaluations() as evaluations:
        scan.summary()
    assert any("stability" in call for call in evaluations.found)


def test_every_form_has_the_same_cells(result):
    table = result.overview()
    lines = [*([table.head] if table.head else []), *table.rows]
    assert Cells(result._repr_html_()).rows == [list(line) for line in lines]
    for line in lines:
        assert all(cell in repr(result) for cell in line)
        assert " & ".join(map(in_latex, line)) in table.latex()
        assert " | ".join(map(in_markdown, line)) in table.markdown()


def test_a_summary_says_at_least_as_much(result):
    assert len(result.summary().rows) >= len(result.overview().rows)
    assert result.summary().title == result.overview().title


def test_an_echo_says_how_to_get_the_rest(samples, optimized):
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=["asimov"], thresholds=[0.0, 1.0, 2.0], replicas=7, folds=0)
    assert repr(scan).endswith("\n  uncertainties and held-out values, from 7 replicas: summary()")
    assert "+-" not in repr(scan)
    assert "+-" in scan.summary().text()
    bare = hc.scan(samples, hc.Cut("x", ">"), metrics=["asimov"], thresholds=[0.0, 1.0], replicas=0, folds=0)
    assert "summary()" not in repr(bare)
    assert repr(optimized).endswith("summary()")
    assert "threshold x" in dict(optimized.summary().rows)


def test_an_echo_does_not_depend_on_what_was_asked_before(samples):
    scan = hc.scan(samples, hc.Cut("x", ">"), metrics=["asimov"], thresholds=[0.0, 1.0, 2.0], replicas=5)
    before = repr(scan)
    assert scan.stability is scan.stability
    scan.optimum("asimov", min_background=1.0)
    assert repr(scan) == before


FRAMES = {
    "sensitivity": ["threshold", "plateau_low", "plateau_high", "statistical_plateau_low", "statistical_plateau_high",
                    "curvature", "given_up"],
    "bootstrap": ["profile", "significance"],
    "bins": ["num_bins", "value", "held_out_value", "held_out_uncertainty", "significance", "held_out_significance"],
    "categories": ["x:low", "x:high", "y<z:low", "y<z:high", "signal", "background", "effective_background"],
    "training": ["stage", "training", "validation"],
    "nuisance": ["prior", "prior_uncertainties", "values", "uncertainties", "pull", "constraint"],
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_columns_of_data_frames(name, made):
    assert list(made(name).to_dataframe().columns) == FRAMES[name]
