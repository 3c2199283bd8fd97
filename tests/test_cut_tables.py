"""Cuts as tables, and histograms in files."""

import csv
import io
import json
import warnings

import hist
import pytest

import hepcuts as hc
from hepcuts._core.errors import InputError
from hepcuts._core.histograms import write_histogram
from hepcuts._core.tables import SummaryTable


class TestTable:
    def test_each_threshold_as_it_is_printed(self):
        selection = hc.Selection.parse("pt > 30.25 & 90 < mass < 160 & njet >= 4 & abs(eta) < 2.4")
        assert list(selection.table().rows) == [
            ["pt", ">", "30.25"],
            ["mass", ">", "90"],
            ["mass", "<", "160"],
            ["njet", ">=", "4"],
            ["abs(eta)", "<", "2.4"],
        ]

    def test_rows_of_comparisons_read_back(self):
        """The table says the same as the selection's text."""
        selection = hc.Selection.parse("0.1 < x < 0.30000000000000004 & n <= 3")
        again = hc.Selection.parse(" & ".join(" ".join(row) for row in selection.table().rows[:1]))
        assert again.cuts[0].threshold == selection.cuts[0].low
        assert float(selection.table().rows[1][2]) == selection.cuts[0].high

    @pytest.mark.parametrize(
        ("cut", "text"),
        [
            (hc.Cut("x", ">"), "x > ?"),
            (hc.Cut("x", "auto"), "x ? ?"),
            (hc.Window("x", 1.0, None), "1 < x < ?"),
            (~hc.Cut("x", ">", 1.0), "not (x > 1)"),
            (
                hc.SlidingCut("x", "<", along="pt", knots=(20, 100), thresholds=(0.1, 0.3)),
                "x < (0.1, 0.3) at pt = (20, 100)",
            ),
        ],
        ids=["open", "both directions", "half open", "inverted", "sliding"],
    )
    def test_what_is_more_than_comparisons_is_one_row(self, cut, text):
        assert list(hc.Selection([cut]).table().rows) == [["x", "", text]]

    def test_units(self):
        table = (hc.Window("m", 105, 140) & hc.Cut("n", ">", 2)).table(units={"m": "GeV/c^2"})
        assert [row[-1] for row in table.rows] == ["GeV/c^2", "GeV/c^2", ""]
        assert r"GeV/c\textasciicircum{}2 \\" in table.latex()
        with pytest.raises(InputError, match="no cut on pt"):
            hc.Selection([hc.Cut("n", ">", 2)]).table(units={"pt": "GeV"})

    def test_all_forms_escape(self):
        table = hc.Selection([hc.Cut("a_b|c", "<", 2)]).table()
        assert r"| a\_b\|c | \< | 2 |" in table.markdown()
        assert r"a\_b\textbar{}c & \textless{} & 2 \\" in table.latex()
        assert "&lt;" in table.html()


def test_csv_reads_back():
    rows = [("a,b", 'say "x"', ""), ("two\nlines", "5", "-")]
    table = SummaryTable("title", rows, ("one", "two", "three"), ["foot"])
    assert [tuple(row) for row in csv.reader(io.StringIO(table.csv()))] == [("one", "two", "three"), *rows]


class TestHistograms:
    def test_templates_read_back(self, tmp_path):
        templates = hc.fill(hc.datasets.scenario("exp10-gauss30x1", seed=1), hc.Cut("x", ">", 20.0))
        if not hasattr(templates.to_hist(), "_to_uhi_"):
            pytest.skip("the installed hist cannot serialize")
        path = templates.save(tmp_path / "templates.json")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="sample is a protected keyword")
            again = hist.Hist(json.loads(path.read_text()))
        assert again == templates.to_hist()
        assert again.axes.name == ("sample", "variation", "count")

    def test_too_old_libraries_are_named(self, tmp_path):
        with pytest.raises(InputError, match=r"hist 2\.9 with boost-histogram 1\.6 and uhi 0\.5"):
            write_histogram(object(), tmp_path / "h.json")
        assert list(tmp_path.iterdir()) == []
