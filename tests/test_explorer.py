"""The page of a scan: its numbers are those of the result, and a real browser shows and moves them."""

import dataclasses
import importlib
import itertools
import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import hepcuts as hc
from hepcuts import explorer
from hepcuts._core.errors import InputError
from hepcuts.merit.registry import FIGURES
from hepcuts.plotting import _style
from hepcuts.plotting.explorer.labels import plain, tree
from hepcuts.plotting.explorer.payload import payload
from hepcuts.plotting.explorer.shown import PageCurve, of_cut, of_windows
from hepcuts.plotting.explorer.spectra import bin_edges

OFF = -999.0
NASTY = "<b>bold</b> & </script><img src=x onerror='window.harmed=1'> \"→\""
COLUMNS = ("signal", "background", "sigma_background", "effective_background")
FRACTIONS = ("signal_efficiency", "background_efficiency", "purity")


def make_samples(size=400, seed=3):
    """A signal and three backgrounds with weights, a systematic and missing values; the signal ends above them."""
    rng = np.random.default_rng(seed)

    def one(name, center, weight, **options):
        x = rng.normal(center, 10.0, size)
        x[rng.uniform(size=size) < 0.05] = OFF
        return hc.Sample(name, {"x": x}, weights=weight * rng.uniform(0.5, 1.5, size), missing=OFF, **options)

    return (
        one(NASTY, 60.0, 0.1, signal=True),
        one("ttbar", 30.0, 0.6, modifiers=[hc.NormSys("ttbar_xsec", 1.1, 0.9)]),
        one("W+jets", 35.0, 0.3),
        one("</script><!--", 40.0, 0.2),
    )


@pytest.fixture(scope="module")
def samples():
    return make_samples()


@pytest.fixture(scope="module")
def result(samples):
    """Its last thresholds leave no background: most metrics have no value there."""
    metrics = ("bce", "s_over_sqrt_b", "asimov", "punzi", "profile")
    return hc.scan(samples, hc.Cut("x", ">"), metrics=metrics, thresholds=np.linspace(5.0, 85.0, 161), replicas=20)


@pytest.fixture(scope="module")
def below(samples):
    """The other direction; missing values pass."""
    cut = hc.Cut("x", "<", missing="pass")
    return hc.scan(samples, cut, metrics=("bce", "asimov"), thresholds=np.linspace(5.0, 85.0, 41), replicas=0, folds=0)


@pytest.fixture(scope="module")
def window(samples):
    """All pairs of 31 edges."""
    edges = np.linspace(10.0, 85.0, 31)
    options = {"metrics": ("bce", "asimov"), "thresholds": edges, "replicas": 10, "folds": 0}
    return hc.scan(samples, hc.Window("x"), **options)


@pytest.fixture(scope="module")
def large():
    """Every threshold that makes a difference: 150 000."""
    samples = hc.datasets.scenario("exp10-gauss50x10", seed=1)
    return hc.scan(samples, hc.Cut("x", ">"), metrics=("bce", "s_over_sqrt_b", "asimov", "profile"), replicas=4)


def data_of(page):
    """What a page holds, found as a browser finds it: up to the first end of a script element."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script', page, re.DOTALL)[1])


def rows_of(result, data):
    """Positions in the result of the rows of a page."""
    edges = np.asarray(result.thresholds).reshape(len(result.thresholds), -1)
    position = {tuple(row): i for i, row in enumerate(edges.tolist())}
    return [position[row] for row in zip(*data["thresholds"], strict=True)]


@pytest.mark.parametrize("name", ["result", "below", "window", "large"])
@pytest.mark.slow("large")
def test_every_number_of_the_page_is_one_of_the_result(name, request):
    result = request.getfixturevalue(name)
    data = data_of(explorer.page(result))
    at = rows_of(result, data)
    assert data["num_thresholds"] == len(result.thresholds)
    for column in COLUMNS:
        assert data["columns"][column] == getattr(result.table, column)[at].tolist()
    for column in FRACTIONS:
        expected = [value if np.isfinite(value) else None for value in getattr(result, column)[at].tolist()]
        assert data["columns"][column] == expected
    assert [metric["name"] for metric in data["metrics"]] == [*result.metrics]
    for metric in data["metrics"]:
        values = result.values[metric["name"]][at]
        assert metric["values"] == [value if np.isfinite(value) else None for value in values.tolist()]
        nowhere = {str(row) for row in np.flatnonzero(~np.isfinite(values))}
        assert set(metric["why"]) == nowhere
        for row in nowhere:
            reason = data["reasons"][metric["why"][row]]
            assert reason["text"] == result.reason(metric["name"], at[int(row)])
            assert reason["evaluated"] == result.evaluated[metric["name"]][at[int(row)]]


def test_there_are_reasons_to_be_tested(result, large):
    """Of a metric without a value, and of one that was not evaluated."""
    reasons = [reason for r in (result, large) for reason in payload(r)["reasons"]]
    assert {reason["evaluated"] for reason in reasons} == {True, False}


@pytest.mark.parametrize("name", ["result", "window", "large"])
def test_the_optima_and_the_ends_of_their_ranges_are_shown(name, request):
    result = request.getfixturevalue(name)
    data = payload(result)
    shown = set(zip(*data["thresholds"], strict=True))
    edges = {edge for row in shown for edge in row}
    for metric in data["metrics"]:
        found = result.optimum(metric["name"])
        assert tuple(np.atleast_1d(found.threshold)) in shown
        assert edges.issuperset(np.ravel(found.plateau))
        assert edges.issuperset(np.ravel(found.statistical_plateau))
        optimum = metric["optimum"]
        assert optimum["thresholds"] == np.atleast_1d(found.threshold).tolist()
        assert optimum["value"] == found.value
        assert optimum["plateau"] == np.reshape(found.plateau, (-1, 2)).tolist()
        assert optimum["interval"] == np.reshape(found.interval, (-1, 2)).tolist()
        assert (optimum["uncertainty"], optimum["message"]) == (found.uncertainty, found.message)


def test_where_no_optimum_may_lie_is_told_for_each_metric():
    """Simulated events of each background that matters, of the signal, and expected ones of an asymptotic limit."""
    rng = np.random.default_rng(4)
    samples = [
        hc.Sample("s", {"x": rng.normal(3.0, 1.0, 200)}, weights=np.full(200, 0.01), signal=True),
        hc.Sample("light", {"x": rng.exponential(1.0, 20_000)}, weights=np.full(20_000, 0.05)),
        hc.Sample("heavy", {"x": rng.exponential(0.7, 400)}, weights=np.full(400, 50.0)),
    ]
    points = np.linspace(0.0, 7.0, 71)
    metrics = ("bce", "asimov", "upper_limit")
    result = hc.scan(samples, hc.Cut("x", ">"), metrics=metrics, thresholds=points, replicas=0, folds=0)
    signal, light, heavy = ([int((s.columns["x"] > t).sum()) for t in points] for s in samples)
    signal, light, heavy = map(np.array, (signal, light, heavy))
    total = 0.05 * light + 50.0 * heavy
    enough = (signal >= 10) & (light >= 10) & ((heavy >= 10) | (50.0 * (heavy + 1) < 0.1 * total))
    assert 10 < enough.sum() < 60
    expected = {"bce": np.ones(71, dtype=bool), "asimov": enough, "upper_limit": enough & (total >= 5.0)}
    for metric in payload(result)["metrics"]:
        assert [c == "1" for c in metric["allowed"]] == expected[metric["name"]].tolist()
        np.testing.assert_array_equal(result.allowed(metric["name"]), expected[metric["name"]])


def test_many_thresholds_are_shown_in_part(large):
    page = explorer.page(large)
    data = data_of(page)
    assert len(large.thresholds) == 150_000
    assert 1000 <= len(data["thresholds"][0]) <= 3000
    assert len(page.encode()) < 1_000_000
    at = np.array(rows_of(large, data))
    assert (at[0], at[-1]) == (0, len(large.thresholds) - 1)
    # Evenly by rank: no gap is larger than the 999th part, up to rounding.
    assert np.diff(at).max() <= np.ceil(149_999 / 999)


def test_many_windows_are_shown_so_that_either_edge_can_move(samples):
    options = {"metrics": ("bce", "asimov"), "replicas": 0, "folds": 0}
    all_pairs = hc.scan(samples, hc.Window("x"), thresholds=np.linspace(0.0, 90.0, 200), **options)
    refined = hc.scan(hc.datasets.tutorial(seed=1), hc.Window("x"), **options)
    for result in (all_pairs, refined):
        page = explorer.page(result)
        assert len(page.encode()) < 1_000_000
        shown = np.array(data_of(page)["thresholds"])
        assert 1000 < shown.shape[1] < 4000
        for name in result.metrics:
            low, high = result.optimum(name).threshold
            # Either edge has somewhere to go from the optimum.
            assert np.count_nonzero(shown[0] == low) > 5
            assert np.count_nonzero(shown[1] == high) > 5


def test_no_maximum_of_windows_is_left_out():
    # Two narrow maxima that a grid of fewer edges passes by, one of each figure of merit.
    low, high = np.triu_indices(150, k=1)
    windows = np.stack([low, high], axis=1).astype(float)
    first = -np.hypot(low - 40.0, high - 91.0) + 50.0 * ((low == 40) & (high == 91))
    second = -np.hypot(low - 7.0, high - 131.0)
    second[(low == 77) & (high == 103)] = 9.0
    curves = [first, second, np.full(len(windows), np.nan)]
    found = of_windows(windows, windows[[np.argmax(first), np.argmax(second)]], np.zeros((0, 2)), 3200, curves)
    assert len(found) < 3600
    shown = np.zeros(len(windows), dtype=bool)
    shown[found] = True
    parts = [np.unique(np.round(np.linspace(0, 149, number))) for number in range(2, 150)]
    grid = [part for part in parts if shown[np.isin(low, part) & np.isin(high, part)].all()][-1]
    assert len(grid) >= 30
    for held in (low, high):
        for edge in set(grid) & set(held.tolist()):
            here = np.flatnonzero(held == edge)
            for curve in curves[:2]:
                # The best along this line is among what is shown of it.
                assert np.max(curve[here]) == np.max(curve[here[shown[here]]])


def test_around_an_optimum_all_windows_of_the_refinement_are_shown():
    """Of a grid of 100 edges, and eleven finer ones around an optimum at (31.3, 62.6)."""
    grid = np.arange(100.0)
    fine = [31.0 + 0.1 * np.arange(1, 6), 62.0 + 0.1 * np.arange(1, 10)]
    low, high = (np.concatenate([part, more.ravel()]) for part, more in zip(
        (grid[i] for i in np.triu_indices(100, k=1)), np.meshgrid(*fine), strict=True
    ))  # fmt: skip
    windows = np.stack([low, high], axis=1)
    best, end = windows[len(grid) * 99 // 2 + 5 * 4 + 2], [7.0, 9.0]
    found = windows[of_windows(windows, best[None], np.array([end]), most=500)]
    assert len(found) < 700
    as_set = set(map(tuple, found.tolist()))
    assert {(best[0], value) for value in fine[1].tolist()} <= as_set
    assert {(value, best[1]) for value in fine[0].tolist()} <= as_set
    assert tuple(end) in as_set
    assert (fine[0][0], fine[1][0]) not in as_set
    # What is shown of the grid are all pairs of some of its edges.
    part = sorted({edge for window in found.tolist() for edge in window} & set(grid.tolist()) - set(end))
    assert {(a, b) for a in part for b in part if a < b} <= as_set


def test_of_few_all_are_shown():
    points = np.sort(np.random.default_rng(1).normal(size=50))
    assert of_cut(points, np.array([]), 50).tolist() == [*range(50)]
    low, high = np.triu_indices(10, k=1)
    windows = np.stack([low, high], axis=1).astype(float)
    assert of_windows(windows, windows[:1], np.array([]), 45).tolist() == [*range(45)]


def test_a_number_between_thresholds_stands_for_its_neighbors():
    found = of_cut(np.arange(1000.0), np.array([300.5, 700.0, -5.0, 2000.0]), 10)
    assert {300, 301, 700, 0, 999} <= set(found)
    assert not {299, 302, 699, 701} & set(found)


@pytest.mark.parametrize("name", ["result", "below", "large"])
def test_histograms_count_every_event_once(name, request):
    """Against sums over events, bin by bin."""
    result = request.getfixturevalue(name)
    spectra = payload(result)["spectra"]
    edges = spectra["edges"]
    assert 60 <= len(edges) - 1 <= 100
    assert (edges[0], edges[-1]) == (result.thresholds[0], result.thresholds[-1])
    variance = np.zeros(len(edges) - 1)
    for sample, drawn in zip(result.samples, spectra["samples"], strict=True):
        x, w = sample.columns["x"], sample.weights
        there = x != OFF
        assert (drawn["name"], drawn["signal"], drawn["total"]) == (sample.name, sample.signal, sample.total)
        for i, (low, high) in enumerate(itertools.pairwise(edges)):
            last = i == len(edges) - 2
            inside = there & (x >= low) & ((x <= high) if last else (x < high))
            assert drawn["values"][i] == pytest.approx(w[inside].sum(), abs=1e-9)
            variance[i] += 0.0 if sample.signal else np.sum(w[inside] ** 2)
        assert drawn["below"] == pytest.approx(w[there & (x < edges[0])].sum(), abs=1e-9)
        assert drawn["above"] == pytest.approx(w[there & (x > edges[-1])].sum(), abs=1e-9)
        assert drawn["missing"] == pytest.approx(w[~there].sum(), abs=1e-9)
        parts = sum(drawn["values"]) + drawn["below"] + drawn["above"] + drawn["missing"]
        assert parts == pytest.approx(sample.total, rel=1e-12)
    np.testing.assert_allclose(spectra["uncertainty"], np.sqrt(variance), atol=1e-9)


def test_bins_of_whole_numbers_hold_equally_many_of_them():
    for first, last in [(0, 7), (3, 400), (-20, 99)]:
        edges = bin_edges(np.array([first + 0.5, last - 0.5]), [np.arange(first, last + 1.0)])
        inside = np.arange(np.ceil(edges[0]), np.floor(edges[-1]) + 1)
        counts = np.histogram(inside, edges)[0]
        assert counts.min() == counts.max() >= 1
        assert len(counts) <= 100
        assert edges[0] <= first + 0.5
        assert edges[-1] >= last - 0.5


def test_a_single_threshold_has_the_range_of_the_events():
    assert bin_edges(np.array([3.0]), [np.array([1.5, 9.0])])[[0, -1]].tolist() == [1.5, 9.0]
    assert np.all(np.diff(bin_edges(np.array([3.1]), [np.array([3.1])])) > 0)


def test_names_cannot_end_the_data_or_become_markup(result):
    page = explorer.page(result, title=NASTY)
    assert data_of(page)["spectra"]["samples"][0]["name"] == NASTY
    assert page.count("</script") == 2
    assert page.count("<script") == 2
    assert "<b>" not in page
    assert "<img" not in page
    assert page.count("<!--") == 0


def test_what_looks_like_a_placeholder_is_left_alone(result):
    assert "<title>{{data}} $1 \\1</title>" in explorer.page(result, title="{{data}} $1 \\1")


def test_the_page_names_no_address(result):
    """No address to load anything from; the one there is names the language of figures."""
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", explorer.page(result)))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_write_returns_the_path_of_the_page(result, tmp_path):
    path = explorer.write(result, str(tmp_path / "new" / "scan.html"), title="A & B")
    assert isinstance(path, Path)
    assert path.read_text(encoding="utf-8") == explorer.page(result, title="A & B")
    assert [p.name for p in path.parent.iterdir()] == ["scan.html"]
    assert result.explorer(tmp_path / "method.html", title="A & B").read_text(encoding="utf-8") == path.read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("wrong", [None, 3.0, {"thresholds": [1.0]}])
def test_only_scans_are_shown(wrong, tmp_path):
    with pytest.raises(InputError, match=f"Got a {type(wrong).__name__}; expected the result of hepcuts.scan"):
        explorer.write(wrong, tmp_path / "scan.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("label", "text", "pieces"),
    [
        ("log loss", "log loss", ["log loss"]),
        (r"$S/\sqrt{S+B}$", "S/√(S+B)", [["i", ["S"]], "/", ["sqrt", [["i", ["S"]], "+", ["i", ["B"]]]]]),
        (r"$\mathrm{Bi}_2^{-1}$ x", "Bi_2^-1 x", ["Bi", ["sub", ["2"]], ["sup", ["-", "1"]], " x"]),
        (r"$\sigma$ and $B$", "\N{GREEK SMALL LETTER SIGMA} and B", None),
        ("costs 5$", "costs 5$", ["costs 5$"]),
        (r"$\frac{1}{2}$", r"$\frac{1}{2}$", [r"$\frac{1}{2}$"]),
        (r"$\sqrt{B$", r"$\sqrt{B$", [r"$\sqrt{B$"]),
        (r"$B}$", r"$B}$", [r"$B}$"]),
        (r"$B_$", r"$B_$", [r"$B_$"]),
        ("", "", []),
    ],
)
def test_labels_are_read_or_left_as_they_are(label, text, pieces):
    assert plain(label) == text
    assert pieces is None or tree(label) == pieces


@pytest.mark.parametrize("metric", FIGURES.values(), ids=lambda metric: metric.name)
def test_labels_of_all_metrics_are_read(metric):
    assert not set("\\${}") & set(plain(metric.label))


def test_colors_are_those_of_the_figures():
    script = (Path(explorer.__file__).parent / "figure.js").read_text(encoding="utf-8")
    for name in ("BACKGROUNDS", "SIGNALS", "CURVES"):
        found = json.loads(re.search(rf"const {name} = (\[.*?\]);", script)[1])
        assert tuple(found) == getattr(_style, name)


# --- In a real browser ---

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OPTIONS += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        missing = "no Chromium or Chrome on the path; on Debian: apt-get install chromium"
        if os.environ.get("HEPCUTS_REQUIRE_BROWSER"):
            pytest.fail(f"HEPCUTS_REQUIRE_BROWSER is set, but there is {missing}")
        pytest.skip(missing)
    api = importlib.import_module("playwright.sync_api")
    # Chromium's sandbox does not work for the superuser.
    options = OPTIONS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=options)
        yield running
        running.close()


@pytest.fixture
def show(browser, tmp_path):
    """Opens results; in the end nothing may have been reported, and nothing but the page have been asked for."""
    opened, reported, requests = [], [], []

    def open_page(result, **options):
        path = explorer.write(result, tmp_path / f"{len(opened)}.html")
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options))
        page = context.new_page()
        page.on("console", lambda message: reported.append(message.text))
        page.on("pageerror", lambda error: reported.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        opened.append((context, path.as_uri()))
        return Shown(page, result)

    yield open_page
    for context, _ in opened:
        context.close()
    assert reported == []
    assert [url for url in requests if not url.startswith("data:")] == [url for _, url in opened]


class Shown:
    """A page as a reader sees it: axes are read by their labels."""

    def __init__(self, page, result):
        self.page, self.result = page, result
        self.edges = np.asarray(result.thresholds).reshape(len(result.thresholds), -1)

    def number(self, selector):
        """The whole number behind a text, after checking that the text is it to five digits."""
        element = self.page.locator(f"{selector} >> data").first
        exact, text = float(element.get_attribute("value")), element.inner_text().replace("\u2212", "-")
        shown = float(text.removesuffix(" %")) / (100.0 if text.endswith("%") else 1.0)
        # Fractions are shown in percent with two digits after the point.
        slack = 5.001e-5 if text.endswith("%") else 5.001e-5 * abs(exact)
        assert shown == pytest.approx(exact, rel=0, abs=slack)
        return exact

    def thresholds(self):
        return tuple(float(grip.get_attribute("aria-valuenow")) for grip in self.page.locator(".grip").all())

    def position(self):
        """Where in the result the page is."""
        return int(np.flatnonzero((self.edges == self.thresholds()).all(axis=1))[0])

    def ticks(self, along):
        """Numbers and pixels of the labeled ticks: of x, or of y in the upper panel."""
        found = self.page.eval_on_selector_all(
            "#drawing svg text:not([class])",
            "all => all.map(t => [t.textContent, ...['x', 'y', 'text-anchor'].map(name => t.getAttribute(name))])",
        )
        frame = self.page.locator("#drawing .frame").first
        bottom = float(frame.get_attribute("y")) + float(frame.get_attribute("height"))
        if along == "x":
            return np.array([(as_number(text), float(x)) for text, x, _, anchor in found if anchor == "middle"]).T
        # Letters are centered at a tick when their baseline is this much below it.
        middle = [(as_number(text), float(y) - 4.5) for text, _, y, anchor in found if anchor == "end"]
        return np.array([(number, y) for number, y in middle if y <= bottom + 1]).T

    def pixel(self, value):
        """Where on the screen a value of the variable is, by the labels of the axis."""
        numbers, at = self.ticks("x")
        slope, start = np.polyfit(numbers, at, 1)
        return self.page.locator("#drawing svg").bounding_box()["x"] + start + slope * value

    def drag(self, edge, value):
        box = self.page.locator(".grip").nth(edge).bounding_box()
        mouse = self.page.mouse
        mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        mouse.down()
        mouse.move(self.pixel(value), box["y"] + 40, steps=7)
        mouse.up()

    def check_numbers(self):
        """All numbers beside the figure, against the result."""
        result, at = self.result, self.position()
        for column in COLUMNS:
            assert self.number(f"#yields [data-column={column}]") == getattr(result.table, column)[at]
        for column in FRACTIONS:
            expected = getattr(result, column)[at]
            if np.isfinite(expected):
                assert self.number(f"#yields [data-column={column}]") == expected
        for name, metric in result.metrics.items():
            row = f"#metrics tr[data-metric={name}]"
            value, best = result.values[name][at], result.optimum(name).value
            if np.isfinite(value):
                assert self.number(f"{row} >> td >> nth=0") == value
                share = value / best if metric.sign > 0 else best / value
                assert self.number(f"{row} >> .share") == pytest.approx(share, rel=1e-15)
            else:
                assert self.page.locator(f"{row} .why").inner_text() == f"no value: {result.reason(name, at)}"
        # The line of code selects what the page says, counted event by event.
        cut = eval(self.page.locator("#code").inner_text(), {"hepcuts": hc})  # noqa: S307 (that is what is tested)
        for signal, column in ((True, "signal"), (False, "background")):
            counted = sum(
                s.weights[cut.mask(s.columns["x"], missing=s.missing)].sum()
                for s in result.samples
                if s.signal == signal
            )
            assert self.number(f"#yields [data-column={column}]") == pytest.approx(counted, rel=1e-12, abs=1e-12)
        shown = self.page.locator("#cut output").inner_text()
        for threshold in self.thresholds():
            assert any(float(n) == pytest.approx(threshold, rel=1e-5) for n in re.findall(r"-?[\d.]+", shown))


def as_number(label):
    """A label of an axis: a number, or a power of ten in superscripts."""
    found = re.fullmatch("10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", label)
    if found:
        return 10.0 ** float(found[1].replace("⁻", "-") + "".join(str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(c)) for c in found[2]))
    return float(label.replace("\u2212", "-"))


def test_the_page_opens_at_the_optimum_of_the_last_metric(show, result):
    shown = show(result)
    assert shown.thresholds() == (result.optimum("profile").threshold,)
    shown.check_numbers()
    assert shown.page.locator("#scope").inner_text() == "All 161 thresholds of the scan."


@pytest.mark.parametrize("value", [11.3, 42.6, 61.9])
def test_the_cut_is_dragged_to_the_threshold_nearest_to_the_pointer(show, result, value):
    shown = show(result)
    shown.drag(0, value)
    assert shown.thresholds()[0] == result.thresholds[np.argmin(np.abs(result.thresholds - value))]
    shown.check_numbers()


def test_the_cut_comes_to_where_the_figure_is_clicked_and_stays_within_the_scan(show, result):
    shown = show(result)
    panels = [frame.bounding_box() for frame in shown.page.locator("#drawing .frame").all()]
    for panel, value in zip(panels, (21.2, 50.8), strict=True):
        shown.page.mouse.click(shown.pixel(value), panel["y"] + 50)
        assert shown.thresholds()[0] == pytest.approx(value, abs=0.25)
    for value, expected in ((-400.0, 5.0), (400.0, 85.0)):
        shown.drag(0, value)
        assert shown.thresholds()[0] == expected


def test_the_lines_are_where_the_axis_says(show, result):
    shown = show(result)
    shown.drag(0, 30.0)
    line = shown.page.locator("#drawing .cut").bounding_box()
    assert line["x"] + line["width"] / 2 == pytest.approx(shown.pixel(shown.thresholds()[0]), abs=1.0)
    grip = shown.page.locator(".grip").bounding_box()
    assert grip["x"] + grip["width"] / 2 == pytest.approx(shown.pixel(shown.thresholds()[0]), abs=1.0)


def test_keys_move_by_one_threshold_by_pages_and_to_the_ends(show, result):
    shown = show(result)
    shown.page.locator(".grip").focus()
    start = shown.position()
    for key, expected in [
        ("ArrowRight", start + 1),
        ("ArrowUp", start + 2),
        ("ArrowLeft", start + 1),
        ("ArrowDown", start),
        ("PageUp", start + 8),
        ("PageDown", start),
        ("End", 160),
        ("ArrowRight", 160),
        ("Home", 0),
        ("ArrowLeft", 0),
    ]:
        shown.page.keyboard.press(key)
        assert shown.position() == expected, key
    shown.check_numbers()


def test_the_handle_tells_what_it_is(show, result):
    shown = show(result)
    grip = shown.page.get_by_role("slider", name="Threshold of x")
    assert float(grip.get_attribute("aria-valuemin")) == 5.0
    assert float(grip.get_attribute("aria-valuemax")) == 85.0
    assert grip.get_attribute("aria-valuetext").startswith("x > ")


def test_buttons_go_to_the_optima(show, result):
    shown = show(result)
    for name in result.metrics:
        shown.page.locator(f"#metrics tr[data-metric={name}] button").click()
        found = result.optimum(name)
        assert shown.thresholds() == (found.threshold,)
        assert shown.number(f"#metrics tr[data-metric={name}] .share") == 1.0
        shown.check_numbers()
        band = shown.page.locator("#drawing .plateau").bounding_box()
        ends = (shown.pixel(found.plateau[0]), shown.pixel(found.plateau[1]))
        assert band["x"] == pytest.approx(ends[0], abs=1.0)
        assert band["x"] + band["width"] == pytest.approx(max(ends[1], ends[0] + 1.5), abs=1.0)
    assert shown.page.get_by_role("button", name="Go to the optimum of S/√B", exact=True).count() == 1


def test_without_a_value_there_is_a_reason(show, result):
    shown = show(result)
    shown.page.locator(".grip").press("End")
    assert np.isnan(result.values["asimov"][-1])
    why = shown.page.locator("#metrics tr[data-metric=asimov] .why")
    assert why.is_visible()
    assert why.inner_text() == f"no value: {result.reason('asimov', len(result.thresholds) - 1)}"
    assert not shown.page.locator("#metrics tr[data-metric=asimov] .share").is_visible()
    shown.check_numbers()
    shown.page.locator(".grip").press("Home")
    assert not why.is_visible()


def heights_of(shown, selector):
    """Heights of a drawn histogram, read off the labels of the y axis."""
    numbers, at = shown.ticks("y")
    log = shown.page.locator("#log").is_checked()
    slope, start = np.polyfit(at, np.log10(numbers) if log else numbers, 1)
    d = shown.page.locator(selector).first.get_attribute("d")
    y = np.array([float(pair.split(",")[1]) for pair in re.findall(r"[-\d.e]+,[-\d.e]+", d)])
    read = start + slope * y
    # The first and the last point are on the axis; a bin has two corners.
    return (10.0**read if log else read)[1:-1:2]


def test_the_histogram_is_drawn_as_it_is_on_either_scale(show, result):
    shown = show(result)
    signal = result.samples[0]
    edges = np.linspace(5.0, 85.0, 81)
    expected = np.histogram(signal.columns["x"], edges, weights=signal.weights)[0]
    largest = sum(np.histogram(s.columns["x"], edges, weights=s.weights)[0] for s in result.samples[1:]).max()
    if shown.page.locator("#log").is_checked():
        shown.page.locator("#log").click()
    np.testing.assert_allclose(heights_of(shown, "#drawing .signal"), expected, atol=2e-3 * largest)
    shown.page.locator("#log").click()
    drawn = heights_of(shown, "#drawing .signal")
    there = expected > 0
    np.testing.assert_allclose(drawn[there], expected[there], rtol=0.02)
    # What is zero is at the bottom, where a logarithmic axis ends.
    assert np.all(drawn[~there] <= drawn[there].min())
    shown.check_numbers()


def test_a_signal_too_small_to_be_seen_is_shown_on_a_logarithmic_axis(show, samples):
    small = [hc.Sample("small", samples[0].columns, weights=samples[0].weights * 1e-3, missing=OFF, signal=True)]
    options = {"thresholds": [20.0, 40.0, 60.0], "replicas": 0, "folds": 0, "metrics": ("bce",)}
    assert show(hc.scan([*small, *samples[1:]], hc.Cut("x", ">"), **options)).page.locator("#log").is_checked()
    large = [hc.Sample("large", samples[0].columns, weights=samples[0].weights * 10, missing=OFF, signal=True)]
    assert not show(hc.scan([*large, *samples[1:]], hc.Cut("x", ">"), **options)).page.locator("#log").is_checked()


def test_curves_are_drawn_as_they_are_and_can_be_hidden(show, result):
    shown = show(result)
    curves = shown.page.locator("#drawing .curve[data-metric=bce]:not(.few)")
    d = curves.get_attribute("d")
    drawn = np.array([[float(n) for n in pair.split(",")] for pair in re.findall(r"[\d.]+,[\d.]+", d)])
    values = result.values["bce"]
    frame = shown.page.locator("#drawing .frame").nth(1)
    bottom = float(frame.get_attribute("y")) + float(frame.get_attribute("height"))
    one = float(re.search(r",([\d.]+)H", shown.page.locator("#drawing .one").get_attribute("d"))[1])
    np.testing.assert_allclose((bottom - drawn[:, 1]) / (bottom - one), values.min() / values, atol=2e-4)
    shown.page.get_by_role("checkbox", name="Show log loss (BCE)").uncheck()
    assert curves.count() == 0
    assert shown.page.locator("#drawing .curve[data-metric=asimov]").count() == 2
    shown.page.get_by_role("checkbox", name="Show log loss (BCE)").check()
    assert curves.count() == 1


def test_names_are_shown_as_they_are_written(show, result):
    shown = show(result)
    assert shown.page.locator("#samples li").all_inner_texts() == [
        NASTY,
        *(sample.name for sample in reversed(result.samples[1:])),
        "stat. uncertainty",
    ]
    assert shown.page.locator("b, img").count() == 0
    assert shown.page.evaluate("window.harmed") is None


def test_the_page_may_load_nothing(browser, result, tmp_path):
    """Not even what needs no network, and no script that was not in the page when it was written."""
    page = browser.new_page()
    page.goto(explorer.write(result, tmp_path / "scan.html").as_uri())
    assert page.evaluate("fetch('data:text/plain,loaded').then(() => 'loaded', () => 'refused')") == "refused"
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = 1";
          document.body.append(script);
        }"""
    )
    assert page.evaluate("window.ran") is None
    page.close()


def test_smaller_values_pass_below_the_cut(show, below):
    shown = show(below)
    shown.drag(0, 33.3)
    assert shown.page.locator("#cut output").inner_text() == "x < 33"
    shown.check_numbers()
    accepted = shown.page.locator("#drawing .accepted").bounding_box()
    frame = shown.page.locator("#drawing .frame").first.bounding_box()
    assert accepted["x"] == pytest.approx(frame["x"], abs=1.0)
    assert accepted["x"] + accepted["width"] == pytest.approx(shown.pixel(33.0), abs=1.0)
    assert "missing='pass'" in shown.page.locator("#code").inner_text().replace('"', "'")
    assert shown.page.locator("#absent").inner_text() == "Events without a value pass the cut."


def test_a_window_has_two_handles_that_move_apart(show, window):
    shown = show(window)
    low, high = window.optimum("asimov").threshold
    assert shown.thresholds() == (low, high)
    edges = np.unique(window.thresholds)
    shown.drag(0, 31.0)
    assert shown.thresholds() == (edges[np.argmin(np.abs(edges - 31.0))], high)
    shown.check_numbers()
    shown.drag(1, 71.7)
    assert shown.thresholds() == (30.0, 72.5)
    shown.check_numbers()
    accepted = shown.page.locator("#drawing .accepted").bounding_box()
    assert accepted["x"] == pytest.approx(shown.pixel(30.0), abs=1.0)
    assert accepted["x"] + accepted["width"] == pytest.approx(shown.pixel(72.5), abs=1.0)
    # The low edge stays below the high one.
    shown.drag(0, 84.0)
    assert shown.thresholds() == (70.0, 72.5)
    shown.page.get_by_role("slider", name="High edge of x").press("End")
    assert shown.thresholds() == (70.0, 85.0)
    shown.page.get_by_role("slider", name="Low edge of x").press("ArrowLeft")
    assert shown.thresholds() == (67.5, 85.0)
    shown.check_numbers()
    shown.page.locator("#metrics tr[data-metric=bce] button").click()
    assert shown.thresholds() == window.optimum("bce").threshold


def test_curves_of_a_window_run_along_the_edge_that_moves(show, window):
    shown = show(window)
    low, high = window.optimum("asimov").threshold
    for edge, fixed in ((0, high), (1, low)):
        shown.page.locator(".grip").nth(edge).focus()
        on = window.thresholds[:, 1 - edge] == fixed
        x = np.array([shown.pixel(value) for value in window.thresholds[on, edge]])
        d = shown.page.locator("#drawing .curve[data-metric=bce]:not(.few)").get_attribute("d")
        drawn = np.array([[float(n) for n in pair.split(",")] for pair in re.findall(r"[\d.]+,[\d.]+", d)])
        left = shown.page.locator("#drawing svg").bounding_box()["x"]
        np.testing.assert_allclose(drawn[:, 0] + left, x, atol=1.0)
        best = window.optimum("bce").value
        heights = drawn[:, 1].max() - drawn[:, 1]
        expected = best / window.values["bce"][on]
        np.testing.assert_allclose(heights / heights.max(), (expected - expected.min()) / np.ptp(expected), atol=2e-3)


def test_a_refined_window_moves_far_from_its_optimum_and_back(show):
    """The scan is finer around its optima: further away the held edge is that of the grid, and is shown there."""
    result = hc.scan(hc.datasets.tutorial(seed=1), hc.Window("x"), metrics=("bce", "asimov"), replicas=0, folds=0)
    shown = show(result)
    low, high = result.optimum("asimov").threshold
    box = shown.page.locator(".grip").nth(1).bounding_box()
    mouse, y = shown.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] / 2, y)
    mouse.down()
    mouse.move(shown.pixel(10.0), y, steps=5)
    away = shown.thresholds()
    assert away[1] == pytest.approx(10.0, abs=1.5)
    assert away[0] == pytest.approx(low, abs=0.5)
    shown.check_numbers()
    mouse.move(shown.pixel(high), y, steps=5)
    mouse.up()
    # A pixel is wider than the distance between values here.
    assert shown.thresholds() == pytest.approx((low, high), abs=0.1)
    shown.check_numbers()


def test_a_metric_without_any_value_has_a_reason_and_no_button(show):
    signal = hc.Sample("s", {"x": [1.0, 2.0, 3.0]}, signal=True)
    background = hc.Sample("b", {"x": [1.0, 2.0, 3.0]}, weights=[1.0, -3.0, 1.0])
    options = {"metrics": ("asimov", "bce"), "thresholds": [0.5, 1.5], "replicas": 0, "folds": 0}
    result = hc.scan([signal, background], hc.Cut("x", ">"), **options)
    shown = show(result)
    row = shown.page.locator("#metrics tr[data-metric=asimov]")
    reason = result.reason("asimov", shown.position())
    assert row.locator(".why").inner_text() == f"no value: {reason}"
    assert row.locator("button").count() == 0
    assert row.locator("input").is_disabled()


def test_a_page_of_150_000_thresholds_opens_and_drags(show, large, record_property):
    begin = time.perf_counter()
    shown = show(large)
    record_property("seconds to write and open", time.perf_counter() - begin)
    assert "of 150000 thresholds" in shown.page.locator("#scope").inner_text()
    # The time between moves of the mouse, as the page's own clock has it.
    times = shown.page.evaluate(
        """() => new Promise((done) => {
          const grip = document.querySelector(".grip");
          const place = document.querySelector("#drawing svg").getBoundingClientRect();
          const send = (type, x) => grip.dispatchEvent(new PointerEvent(type, {
            bubbles: true, button: 0, pointerId: 1, clientX: place.left + x, clientY: place.top + 100,
          }));
          document.getElementById("drawing").setPointerCapture = () => {};
          send("pointerdown", 100);
          const start = performance.now();
          for (let i = 0; i < 500; i += 1) send("pointermove", 100 + i);
          document.body.offsetHeight;
          const spent = performance.now() - start;
          send("pointerup", 599);
          done(spent / 500);
        })"""
    )
    record_property("milliseconds for each move", times)
    shown.check_numbers()
    shown.drag(0, 38.0)
    assert shown.thresholds()[0] == pytest.approx(38.0, abs=0.3)
    shown.check_numbers()


def test_a_finger_moves_the_cut_and_scrolls_the_page(show, result):
    shown = show(result, viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    page = shown.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    frame = page.locator("#drawing .frame").first.bounding_box()
    page.touchscreen.tap(shown.pixel(20.0), frame["y"] + 60)
    assert shown.thresholds()[0] == pytest.approx(20.0, abs=0.6)
    swipe(page, [(shown.pixel(60.0), frame["y"] + 180 - 10 * step) for step in range(15)])
    assert page.evaluate("window.scrollY") > 60
    assert shown.thresholds()[0] == pytest.approx(20.0, abs=0.6)
    page.evaluate("window.scrollTo(0, 0)")
    swipe(page, [(shown.pixel(value), frame["y"] + 60) for value in (20.0, 25.0, 35.0, 47.0)])
    assert shown.thresholds()[0] == pytest.approx(47.0, abs=0.6)
    assert page.evaluate("window.scrollY") == 0
    shown.check_numbers()


def swipe(page, way):
    """A finger that touches the screen, goes its way, and leaves."""
    wire = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(way):
        kind = "touchMove" if number else "touchStart"
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        # One picture of the screen later.
        page.evaluate("() => new Promise(requestAnimationFrame)")
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def luminance(color):
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    channels = np.array([float(n) for n in re.findall(r"[\d.]+", color)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(show, result, scheme):
    """A contrast of 7, the guidelines' highest level, for the numbers, and of 4.5 for small print."""
    page = show(result, color_scheme=scheme).page
    style = "(selector, name) => getComputedStyle(document.querySelector(selector))[name]"
    read = lambda selector, name: page.evaluate(f"([s, n]) => ({style})(s, n)", [selector, name])  # noqa: E731
    ground = luminance(read("body", "backgroundColor"))
    assert (ground < 0.05) == (scheme == "dark")
    for selector, least in (("#cut output", 7.0), (".note", 4.5), ("#drawing svg text", 7.0)):
        text = luminance(read(selector, "fill" if "svg" in selector else "color"))
        assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= least


def test_it_prints_on_white_without_what_is_to_be_pressed(show, result):
    page = show(result, color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".grip").is_visible()
    assert not page.locator("#log").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_the_figure_follows_the_width_of_the_window(show, result):
    shown = show(result)
    for width in (700, 1100):
        shown.page.set_viewport_size({"width": width, "height": 800})
        # The page's policy forbids the evaluation of text by which Playwright waits for more than a moment.
        for _ in range(100):
            if shown.page.evaluate("document.querySelector('#drawing svg').viewBox.baseVal.width == "
                                   "document.querySelector('#drawing').clientWidth"):  # fmt: skip
                break
            shown.page.wait_for_timeout(50)
        else:
            pytest.fail("the figure does not follow the width of the window")
        shown.drag(0, 44.0)
        assert shown.thresholds()[0] == pytest.approx(44.0, abs=0.25)


def test_what_was_evaluated_is_shown():
    """Thinned by rank a page kept 56 of 445 evaluated points, and a second maximum disappeared."""
    size = 50_000
    points = np.sort(np.random.default_rng(2).normal(size=size))
    sparse = np.zeros(size, dtype=bool)
    sparse[np.random.default_rng(3).choice(size, 445, replace=False)] = True
    dense = np.sin(40 * points)
    dense[12_345] = 5.0  # as narrow as a threshold
    dense[30_000:30_100] = np.nan
    curves = [PageCurve(np.where(sparse, 1.0, np.nan), sparse), PageCurve(dense, np.ones(size, dtype=bool))]
    found = of_cut(points, np.array([]), 3000, curves)
    assert len(found) <= 3000
    shown = np.isin(np.arange(size), found)
    assert shown[sparse].all()
    # Between two that are not neighbors there is one that was not evaluated, so that a gap is seen as such.
    at = np.flatnonzero(sparse)
    for left, right in itertools.pairwise(at):
        assert right == left + 1 or shown[left + 1 : right].any()
    assert shown[12_345]
    assert shown[30_000:30_100].any()
    # Of a 125th of the axis the lowest and the highest point are there.
    pixel = np.minimum((125 * (points - points[0]) / np.ptp(points)).astype(int), 124)
    for number in range(125):
        part = pixel == number
        if np.any(part & np.isfinite(dense)):
            assert np.nanmax(dense[part]) == np.nanmax(dense[part & shown])
            assert np.nanmin(dense[part]) == np.nanmin(dense[part & shown])


def test_of_a_scan_all_evaluated_points_are_on_the_page(samples):
    result = hc.scan(samples, hc.Cut("x", ">"), metrics=("asimov", "profile"), replicas=0, folds=0)
    many = dataclasses.replace(result) if len(result.thresholds) > 3000 else None
    data = data_of(explorer.page(result))
    shown = rows_of(result, data)
    if many is not None:
        assert set(np.flatnonzero(result.evaluated["profile"])) <= set(shown)
    else:
        assert len(shown) == len(result.thresholds)
