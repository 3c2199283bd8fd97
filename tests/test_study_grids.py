"""The grids of the study and its report: against brute force, against closed forms, and as a reader finds them."""

import base64
import html.parser
import json
import re

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from click.testing import CliRunner

from hepcuts import study
from hepcuts._core.errors import InputError
from hepcuts._core.pages import Bullets, Figure, Heading, Paragraph, TableBlock, to_html, to_markdown
from hepcuts._core.tables import SummaryTable
from hepcuts.cli.commands import main
from hepcuts.merit.theory import CutProblem
from hepcuts.samples.datasets import SCENARIOS, Distribution
from hepcuts.study import simulation

# ln(1 + r) = r / 2, solved by Lambert's function: with u = 1 + r it is -u/2 exp(-u/2) = -exp(-1/2)/2.
AGREEMENT = float(-1.0 - 2.0 * scipy.special.lambertw(-0.5 * np.exp(-0.5), -1).real)

BACKGROUNDS = {"normal": scipy.stats.norm(), "exponential": scipy.stats.expon()}


def asimov(s, b, sigma):
    """Median significance with an auxiliary Poisson count of (b / sigma)^2 (arXiv:1007.1727, eq. 97 for sigma = 0)."""
    if sigma is None:
        return np.sqrt(np.maximum(2.0 * ((s + b) * np.log1p(s / b) - s), 0.0))
    v = sigma**2
    first = (s + b) * np.log((s + b) * (b + v) / (b**2 + (s + b) * v))
    second = b**2 / v * np.log1p(v * s / (b * (b + v)))
    return np.sqrt(np.maximum(2.0 * (first - second), 0.0))


def brute_force(family, fraction, separation, events, uncertainty):
    """Significance and number of mistakes at many cuts, between which nothing is gained at this precision."""
    cuts = np.arange(-9.0, separation + 9.0, 5e-4)
    s = fraction * events * scipy.stats.norm.sf(cuts, separation)
    b = (1.0 - fraction) * events * BACKGROUNDS[family].sf(cuts)
    # Far out the formulas below lose all digits, and there is nothing to be found.
    kept = s > 1e-6 * b
    cuts, s, b = cuts[kept], s[kept], b[kept]
    z = asimov(s, b, uncertainty * b if uncertainty else None)
    mistakes = fraction * events - s + b
    return cuts, z, mistakes


POINTS = [
    (family, fraction, separation, events, uncertainty)
    for family in ("normal", "exponential")
    for fraction, separation in ((0.02, 2.5), (0.3, 1.5), (0.1, 4.0), (0.6, 3.0), (0.8, 0.75))
    for events, uncertainty in ((1e3, 0.0), (1e4, 0.1))
]


class TestAgainstBruteForce:
    @pytest.mark.parametrize("point", POINTS, ids=str)
    def test_best_cut_and_ratio(self, point):
        family, fraction, separation, events, uncertainty = point
        diagram = study.phase_diagram(
            family,
            x=("signal_fraction", [fraction]),
            y=("separation", [separation]),
            fixed={"events": events, "relative_uncertainty": uncertainty},
        )
        cuts, z, mistakes = brute_force(*point)
        assert diagram.best_significance[0, 0] == pytest.approx(z.max(), rel=1e-6)
        best = diagram.best_cut[0, 0]
        if np.isfinite(best):
            assert best == pytest.approx(cuts[z.argmax()], abs=1e-3)
        found = diagram.comparisons["bce"]
        at = mistakes.argmin()
        if mistakes[at] > fraction * events * (1.0 - 1e-12):
            assert found.cut[0, 0] == np.inf
            assert found.ratio[0, 0] == 0.0
            return
        accepts_all = found.cut[0, 0] == -np.inf
        assert accepts_all == (at == 0)
        if not accepts_all:
            assert found.cut[0, 0] == pytest.approx(cuts[at], abs=1e-3)
        assert found.ratio[0, 0] == pytest.approx(z[at] / z.max(), abs=1e-3)

    def test_points_are_of_all_kinds(self):
        """The points above contain a finite cut, one that accepts nothing, and one that accepts everything."""
        kinds = set()
        for family, fraction, separation, events, uncertainty in POINTS:
            diagram = study.phase_diagram(
                family,
                x=("signal_fraction", [fraction]),
                y=("separation", [separation]),
                fixed={"events": events, "relative_uncertainty": uncertainty},
            )
            cut = diagram.comparisons["bce"].cut[0, 0]
            kinds.add(float(cut) if np.isinf(cut) else 0.0)
        assert kinds == {-np.inf, 0.0, np.inf}

    @pytest.mark.parametrize("uncertainty", [0.0, 0.1])
    @pytest.mark.parametrize("family", ["normal", "exponential"])
    def test_one_point_at_a_time(self, family, uncertainty):
        """`hepcuts.merit.theory` finds the same cuts from the condition of stationarity."""
        fractions, separations = [0.05, 0.2], [2.0, 4.0]
        diagram = study.phase_diagram(
            family,
            x=("signal_fraction", fractions),
            y=("separation", separations),
            fixed={"events": 2e4, "relative_uncertainty": uncertainty},
        )
        name, parameters = ("norm", (0.0, 1.0)) if family == "normal" else ("expon", (0.0, 1.0))
        for i, separation in enumerate(separations):
            for j, fraction in enumerate(fractions):
                problem = CutProblem(
                    Distribution("norm", (separation, 1.0), round(2e4 * fraction)),
                    Distribution(name, parameters, round(2e4 * (1 - fraction))),
                    relative_uncertainty=uncertainty,
                )
                best = problem.optimum("asimov_uncertainty")
                assert diagram.best_significance[i, j] == pytest.approx(best.value, rel=1e-12)
                assert diagram.best_cut[i, j] == pytest.approx(best.threshold, abs=2e-6)
                for loss, found in diagram.comparisons.items():
                    assert found.cut[i, j] == pytest.approx(problem.optimum(loss).threshold, abs=1e-9)
                    worth = problem.worth(loss, judge="asimov_uncertainty")
                    assert found.ratio[i, j] == pytest.approx(worth, abs=1e-9)


class TestWhereTheCutsAgree:
    def test_on_the_line_of_2_513(self):
        """With a known background the distance changes sign where S/B behind BCE's cut is 2.513."""
        fractions = np.linspace(0.02, 0.7, 401)
        separations = np.array([0.75, 1.25, 1.75])
        diagram = study.phase_diagram(
            "normal",
            x=("signal_fraction", fractions),
            y=("separation", separations),
            fixed={"events": 100.0, "relative_uncertainty": 0.0},
        )

        def behind(fraction, separation):
            cut = separation / 2 - np.log(fraction / (1 - fraction)) / separation
            ratio = fraction / (1 - fraction) * scipy.stats.norm.sf(cut, separation) / scipy.stats.norm.sf(cut)
            return ratio - AGREEMENT

        for separation, distance in zip(separations, diagram.comparisons["bce"].distance, strict=True):
            expected = scipy.optimize.brentq(behind, 0.01, 0.71, args=(separation,), xtol=1e-13)
            (crossing,) = np.flatnonzero(np.diff(np.sign(distance)))
            low, high = distance[crossing : crossing + 2]
            found = fractions[crossing] - low * (fractions[crossing + 1] - fractions[crossing]) / (high - low)
            # Linear between neighbors that are 0.0017 apart.
            assert found == pytest.approx(expected, abs=1e-5)

    def test_with_less_signal_bce_is_too_hard_with_more_too_loose(self):
        diagram = study.phase_diagram(
            "normal",
            x=("signal_fraction", np.linspace(0.001, 0.8, 60)),
            y=("separation", np.linspace(0.5, 4.0, 30)),
            fixed={"events": 100.0, "relative_uncertainty": 0.0},
        )
        found = diagram.comparisons["bce"]
        clear = np.abs(found.signal_over_background - AGREEMENT) > 1e-4
        assert clear.sum() > 1500
        np.testing.assert_array_equal(
            np.sign(found.distance[clear]), np.sign(AGREEMENT - found.signal_over_background[clear])
        )

    def test_an_uncertain_background_moves_the_line(self):
        at = {"signal_fraction": 0.3, "separation": 1.5}
        diagram = study.phase_diagram(
            "normal", x=("events", [1e3, 1e6]), y=("relative_uncertainty", [0.0, 0.2]), fixed=at
        )
        best = diagram.best_cut
        assert best[0, 0] == pytest.approx(best[0, 1], abs=1e-5)
        assert best[0, 0] < best[1, 0] < best[1, 1]

    def test_luminosity_and_uncertainty_matter_only_together(self):
        grid = {"x": ("signal_fraction", [0.01, 0.1, 0.4]), "y": ("separation", [1.0, 3.0])}
        one = study.phase_diagram("exponential", **grid, fixed={"events": 1e3, "relative_uncertainty": 0.2})
        other = study.phase_diagram("exponential", **grid, fixed={"events": 1.6e4, "relative_uncertainty": 0.05})
        np.testing.assert_allclose(other.best_significance, 4.0 * one.best_significance, rtol=1e-12)
        for loss, found in one.comparisons.items():
            np.testing.assert_allclose(other.comparisons[loss].ratio, found.ratio, rtol=1e-10)


class TestLimits:
    def test_rare_signal_is_not_accepted_at_all(self):
        grid = {"x": ("signal_fraction", [1e-9, 1e-6, 1e-3]), "y": ("separation", [0.5])}
        fixed = {"events": 1e6, "relative_uncertainty": 0.0}
        normal = study.phase_diagram("normal", **grid, fixed=fixed).comparisons["bce"]
        assert np.all(normal.cut[0] > 10.0)
        assert np.all(normal.ratio[0] < 1e-6)
        assert np.all(np.diff(normal.cut[0]) < 0)
        np.testing.assert_allclose(normal.cut[0], 0.25 - np.log([1e-9, 1e-6, 1e-3]) / 0.5, rtol=1e-3)
        exponential = study.phase_diagram("exponential", **grid, fixed=fixed).comparisons["bce"]
        assert np.all(exponential.cut == np.inf)
        assert np.all(exponential.ratio == 0.0)
        assert np.all(exponential.distance == np.inf)
        assert np.all(exponential.signal_efficiency == 0.0)

    def test_balanced_cut_is_halfway_whatever_the_fraction(self):
        diagram = study.phase_diagram(
            "normal",
            x=("signal_fraction", [1e-4, 0.1, 0.9]),
            y=("separation", [1.0, 3.0]),
            fixed={"events": 100.0, "relative_uncertainty": 0.0},
        )
        np.testing.assert_allclose(diagram.comparisons["bce_balanced"].cut, [[0.5] * 3, [1.5] * 3])

    def test_where_all_is_accepted_by_both_there_is_no_distance(self):
        diagram = study.phase_diagram(
            "exponential",
            x=("signal_fraction", [0.85]),
            y=("separation", [0.5]),
            fixed={"events": 100.0, "relative_uncertainty": 0.0},
        )
        assert diagram.best_cut[0, 0] == -np.inf
        found = diagram.comparisons["bce"]
        assert (found.cut[0, 0], found.distance[0, 0], found.ratio[0, 0]) == (-np.inf, 0.0, 1.0)

    def test_data_frame_has_a_row_for_each_point(self):
        diagram = study.phase_diagram(
            "normal",
            x=("events", [10.0, 100.0, 1000.0]),
            y=("separation", [1.0, 2.0]),
            fixed={"signal_fraction": 0.1, "relative_uncertainty": 0.1},
        )
        table = diagram.to_dataframe()
        row = table[(table.events == 100.0) & (table.separation == 2.0)].iloc[0]
        assert len(table) == 6
        assert row.best_cut == diagram.best_cut[1, 1]
        assert row.bce_ratio == diagram.comparisons["bce"].ratio[1, 1]
        assert row.signal_fraction == 0.1


FIXED = {"events": 100.0, "relative_uncertainty": 0.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "gauss"}, "no family of densities 'gauss'; choose one of normal, exponential"),
        ({"x": ("fraction", [0.1])}, "expected each of signal_fraction, separation, events"),
        ({"x": ("separation", [1.0])}, "once"),
        ({"x": ("signal_fraction", [0.1, 1.0])}, "between 0 and 1"),
        ({"x": ("signal_fraction", 0.1)}, "expected a sequence of numbers"),
        ({"y": ("separation", [])}, "expected a sequence of numbers"),
        ({"y": ("separation", [0.0])}, "separation is .*positive"),
        ({"fixed": FIXED | {"events": np.inf}}, "events is inf; expected finite"),
        ({"fixed": FIXED | {"events": [1.0, 2.0]}}, "expected one number"),
        ({"fixed": FIXED | {"relative_uncertainty": -0.1}}, "zero or positive"),
        ({"fixed": {"events": 100.0}}, "expected each of"),
    ],
    ids=[
        "family",
        "unknown",
        "twice",
        "fraction",
        "scalar",
        "empty",
        "zero",
        "infinite",
        "list",
        "negative",
        "missing",
    ],
)
def test_mistakes_in_a_grid_are_explained(changes, message):
    given = {"family": "normal", "x": ("signal_fraction", [0.1]), "y": ("separation", [1.0]), "fixed": FIXED} | changes
    family = given.pop("family")
    with pytest.raises(InputError, match=message):
        study.phase_diagram(family, **given)


@pytest.fixture(scope="module")
def sized():
    return study.simulation_size("exp10-gauss50x10", sizes=[100, 2000], repetitions=4, seed=3)


class TestSimulationSize:
    def test_the_judge_is_the_truth(self, sized):
        """Worth is recomputed from the densities with scipy alone; its best is found by brute force."""
        truth = SCENARIOS["exp10-gauss50x10"]
        cuts = np.linspace(0.0, 80.0, 160_001)

        def true(c):
            s = truth.signal.size * scipy.stats.norm(50.0, 10.0).sf(c)
            return s, truth.background.size * scipy.stats.expon(0.0, 10.0).sf(c)

        z = asimov(*true(cuts), None)
        assert sized.best_cut == pytest.approx(cuts[z.argmax()], abs=1e-3)
        np.testing.assert_allclose(sized.worth, asimov(*true(sized.cuts), None) / z.max(), rtol=1e-7)
        for i, size in enumerate(sized.sizes):

            def limited(c, size=size):
                s, b = true(c)
                return asimov(s, b, np.sqrt(b * truth.background.size / size))

            expected = limited(sized.cuts[:, i]) / limited(cuts).max()
            np.testing.assert_allclose(sized.worth_with_simulation[:, i], expected, rtol=1e-6)

    def test_worth_is_at_most_all(self, sized):
        assert np.all(sized.worth <= 1.0)
        assert np.all(sized.worth_with_simulation <= 1.0)

    def test_more_simulation_chooses_better_and_claims_less(self, sized):
        names = [(rule.metric, rule.min_background) for rule in sized.rules]
        at = names.index(("asimov", 0.0))
        worth = simulation.interval(sized.worth)[1, at]
        assert worth[1] > worth[0]
        optimism = sized.optimism()
        assert np.all(np.isnan(optimism[names.index(("bce", 0.0))]))
        assert np.abs(np.median(optimism[at, 1]) - 1) < 0.2

    def test_the_guard_forbids_cuts_with_few_events_behind_them(self, sized):
        names = [(rule.metric, rule.min_background) for rule in sized.rules]
        free, guarded = (sized.cuts[names.index(("asimov", n))] for n in (0.0, 10.0))
        assert np.all(guarded <= free)
        assert np.any(guarded < free)

    def test_the_seed_decides(self, sized):
        again = study.simulation_size("exp10-gauss50x10", sizes=[100, 2000], repetitions=4, seed=3)
        np.testing.assert_array_equal(again.cuts, sized.cuts)
        other = study.simulation_size("exp10-gauss50x10", sizes=[100, 2000], repetitions=4, seed=4)
        assert np.any(other.cuts != sized.cuts)

    def test_some_rules(self):
        rule = study.Rule("bce_balanced", 0.0, "balanced")
        found = study.simulation_size("exp10-exp100", sizes=[50], repetitions=2, seed=1, rules=[rule])
        assert found.cuts.shape == (1, 1, 2)

    def test_interval_leaves_out_what_is_not_there(self):
        values = np.array([[[1.0, 2.0, np.nan], [np.nan, np.nan, np.nan]]])
        found = simulation.interval(values)
        np.testing.assert_allclose(found[:, 0, 0], [1.16, 1.5, 1.84])
        assert np.all(np.isnan(found[:, 0, 1]))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"name": "nonsense"}, "no scenario 'nonsense'"),
            ({"sizes": [0]}, "positive whole numbers"),
            ({"sizes": []}, "positive whole numbers"),
            ({"sizes": [10.5]}, "positive whole numbers"),
            ({"sizes": 10}, "positive whole numbers"),
            ({"repetitions": 0}, "repetitions is 0; expected a whole number"),
        ],
        ids=["name", "zero", "empty", "fraction", "scalar", "repetitions"],
    )
    def test_mistakes_are_explained(self, changes, message):
        given = {"name": "exp10-exp100", "sizes": [10], "repetitions": 1, "seed": 1} | changes
        with pytest.raises(InputError, match=message):
            study.simulation_size(given.pop("name"), **given)


class Reader(html.parser.HTMLParser):
    """Collects what a browser would fetch, what is said, and checks that all elements are closed."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.targets, self.anchors, self.words = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.sources += [given["src"]] if "src" in given else []
        self.targets += [given["href"]] if "href" in given else []
        self.anchors |= {given["id"]} if "id" in given else set()
        assert tag != "img" or given["alt"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder that ``hepcuts study --quick`` writes of one scenario."""
    folder = tmp_path_factory.mktemp("study")
    arguments = ["study", "--quick", "--scenario", "gauss40x10-gauss50x10", "--seed", "2", "-o", str(folder / "out")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert f"read {folder / 'out' / 'report.html'}" in result.output
    return folder / "out"


@pytest.mark.slow
class TestReport:
    def test_page_stands_alone(self, report):
        page = (report / "report.html").read_text(encoding="utf-8")
        reader = read(page)
        assert len(reader.sources) == 2 + 2 + 8 + 1 + 3
        for source in reader.sources:
            head, data = source.split(",", 1)
            assert head == "data:image/png;base64"
            assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
        assert all(target.startswith("#") and target[1:] in reader.anchors for target in reader.targets)
        assert not re.search(r"https?://|@import|url\(|<script|<link", page)
        assert "prefers-color-scheme: dark" in page

    def test_page_says_what_was_judged_by_what(self, report):
        words = " ".join(read((report / "report.html").read_text(encoding="utf-8")).words)
        assert "No, if the score is cut at 1/2; but only the threshold is wrong." in words
        assert "From densities, no events" in words
        assert "chosen and judged on the same events" in words
        assert "Chosen on events, judged by densities" in words
        assert "accepting nothing" in words
        assert "2.513" in words

    def test_markdown_says_the_same_and_its_figures_are_there(self, report):
        text = (report / "report.md").read_text(encoding="utf-8")
        linked = re.findall(r"!\[[^\]]*\]\(<([^>]+)>\)", text)
        assert len(linked) == 16
        for path in linked:
            assert (report / path).read_bytes().startswith(b"\x89PNG")
            assert (report / path).with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        rows = [line for line in text.splitlines() if line.startswith("| normal, ")]
        assert len(rows) == 12
        plain = re.sub(r"[\\\s]", "", text)
        said = read((report / "report.html").read_text(encoding="utf-8")).words
        assert len(said) > 100
        assert [words for words in said if re.sub(r"\s", "", words) not in plain] == []

    def test_tables_hold_all_points(self, report):
        phases = pd.read_csv(report / "tables" / "phase-normal.csv")
        assert len(phases) == 6 * 17 * 14
        assert set(zip(phases.events, phases.relative_uncertainty, strict=True)) == {
            (n, u) for n in (1e3, 1e5) for u in (0.0, 0.05, 0.2)
        }
        row = phases.iloc[len(phases) // 3]
        again = study.phase_diagram(
            "normal",
            x=("signal_fraction", [row.signal_fraction]),
            y=("separation", [row.separation]),
            fixed={"events": row.events, "relative_uncertainty": row.relative_uncertainty},
        )
        assert row.bce_ratio == pytest.approx(again.comparisons["bce"].ratio[0, 0], rel=1e-5)
        exponential = pd.read_csv(report / "tables" / "phase-exponential.csv")
        assert np.isinf(exponential.bce_cut).any()
        assert {path.name for path in (report / "tables").iterdir()} == {
            f"{kind}-{family}.csv" for kind in ("phase", "luminosity") for family in ("normal", "exponential")
        }

    def test_json_is_strict_and_agrees_with_the_tables(self, report):
        document = json.loads((report / "study.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
        assert document["seed"] == 2
        diagram = document["phase_diagrams"][0]
        phases = pd.read_csv(report / "tables" / "phase-normal.csv")
        mine = phases[(phases.events == 1e3) & (phases.relative_uncertainty == 0.0)]
        assert diagram["losses"]["bce"]["good"] == pytest.approx(np.mean(mine.bce_ratio >= 0.95), abs=1e-12)
        assert diagram["losses"]["bce"]["too_hard"] == pytest.approx(np.mean(mine.bce_distance > 0), abs=1e-12)
        (found,) = document["simulation_size"]
        assert found["scenario"] == "gauss40x10-gauss50x10"
        assert found["sizes"] == [100, 1000, 10000]
        for rule in found["rules"]:
            cuts = np.array(rule["cut"], dtype=float)
            np.testing.assert_allclose(rule["cut_interval"], np.quantile(cuts, [0.16, 0.5, 0.84], axis=-1))
        assert found["rules"][0]["optimism"] == [[None] * 5] * 3

    def test_all_files_are_whole(self, report):
        assert not list(report.rglob(".*"))


class TestPages:
    def test_text_means_itself(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"\x89PNG")
        nasty = '<b>&"*_|`[x](y)#'
        blocks = [
            Heading(nasty, 1),
            Heading(nasty),
            Paragraph(nasty),
            Bullets((nasty,)),
            TableBlock(SummaryTable(nasty, [(nasty, nasty)], (nasty, nasty))),
            Figure("a.png", nasty),
        ]
        reader = read(to_html(blocks, tmp_path))
        # The page's title, its heading, a heading and the link to it, paragraph, item, cells and captions.
        assert reader.words.count(nasty) == 1 + 1 + 2 + 1 + 1 + 5 + 1
        text = to_markdown(blocks)
        assert r"\<b\>&" in text
        assert not re.search(r"(?<!\\)[<*_`]", text.replace("](<a.png>)", ""))
        table = [line for line in text.splitlines() if line.startswith("| ")]
        assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [3, 3, 3]
