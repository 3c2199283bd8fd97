"""What a configuration file says is read as it is meant, or refused with the place and the key."""

import warnings

import numpy as np
import pytest

import hepcuts as hc
from hepcuts._core.errors import HepcutsWarning, InputError
from hepcuts.cli.configuration import load

SAMPLES = """
[[sample]]
name = "signal"
file = "events.csv"
signal = true

[[sample]]
name = "background"
file = "events.csv"
weight = "w"
"""
CUT = """
[[cut]]
variable = "x"
direction = ">"
threshold = 0.5
"""


@pytest.fixture
def read(tmp_path):
    columns = np.array([[0.2, 1.0, 1.0, 1.1, 0.9], [0.8, 2.0, 1.0, 1.0, 1.0], [1.4, 3.0, 0.5, 0.9, 1.1]])
    np.savetxt(tmp_path / "events.csv", columns, delimiter=",", header="x,y,w,v_0,v_1", comments="")
    (tmp_path / "text.csv").write_text("x,w\n1,1\nabc,1\n")
    (tmp_path / "gap.csv").write_text("x,w\n1,1\n,1\n")
    np.savetxt(tmp_path / "more.csv", columns[:2], delimiter=",", header="x,y,w,v_0,v_1", comments="")

    def of(text):
        (tmp_path / "config.toml").write_text(text)
        return load(tmp_path / "config.toml")

    of.path = tmp_path / "config.toml"
    return of


def sample(line):
    return f"{SAMPLES}{line}\n{CUT}"


def systematic(line):
    return f"{SAMPLES}\n  [[sample.systematic]]\n  {line}\n{CUT}"


def cut(lines):
    return f'{SAMPLES}\n[[cut]]\nvariable = "x"\n{lines}\n'


def table(name, line):
    return f"{SAMPLES}{CUT}\n[{name}]\n{line}\n"


SECOND = r"\[\[sample\]\] 2 \(background\)"
NORMSYS = 'type = "normsys"\n  up = 1.1\n  down = 0.9\n'
MISTAKES = {
    # Each of these was read as something else, without a word.
    "quoted staterror": (
        sample('staterror = "no"'),
        r"\[\[sample\]\] 2 \(background\): staterror came as 'no'; expected true or false",
    ),
    "quoted false": (sample('staterror = "false"'), r"staterror came as 'false'; expected .*\"gaussian\""),
    "number for a flag": (sample("signal = 0"), r"2 \(background\): signal came as 0; expected true or false"),
    "quoted signal": (sample('signal = "false"'), r"signal came as 'false'; expected true or false"),
    "flag for a number": (sample("scale = true"), r"scale came as True; expected a number"),
    "normsys without a name": (
        systematic(NORMSYS),
        SECOND + ", systematic 1: 'name' is missing",
    ),
    "normfactor without a name": (systematic('type = "normfactor"'), r"'name' is missing"),
    "typo": (
        systematic('type = "normfactor"\n  name = "k"\n  bound = [0.0, 2.0]'),
        r"unknown key 'bound'; do you mean 'bounds'\? Known are bounds",
    ),
    "key of another type": (
        systematic(NORMSYS + '  name = "a"\n  bounds = [0.0, 2.0]'),
        r"unknown key 'bounds'; Known are down, name, type, up",
    ),
    "quoted fixed": (
        systematic('type = "normfactor"\n  name = "k"\n  fixed = "no"'),
        r"fixed came as 'no'; expected true",
    ),
    "direction and low": (cut('direction = ">"\nlow = 0.5'), r"\[\[cut\]\] 1 \(x\): low contradicts direction = '>'"),
    "threshold and low": (cut("threshold = 1.0\nlow = 0.5"), r"threshold contradicts a window"),
    "threshold of a sliding cut": (
        cut('direction = ">"\nalong = "y"\nknots = [0.0, 1.0]\nthreshold = 0.5'),
        r"\[\[cut\]\] 1 \(x\): threshold contradicts direction = '>'",
    ),
    "knots alone": (cut('direction = ">"\nknots = [0.0, 1.0]'), r"along, knots and direction belong together"),
    "no direction": (cut("threshold = 0.5"), r"\[\[cut\]\] 1 \(x\): has no direction; expected direction = '>' or '<'"),
    "values of a threshold": (cut('direction = ">"\nvalues = [2]'), r"values contradicts direction = '>'"),
    "no values": (cut('direction = "=="'), r"direction = '==' needs values, as in values = \[2, 3\]"),
    "fraction among values": (
        cut('direction = "=="\nvalues = [1.5]'),
        r"values.* came as 1\.5; expected a whole number",
    ),
    "neither": (cut(""), r"has no direction.*direction = 'window'"),
    "unknown direction": (cut('direction = "above"'), r"direction came as 'above'; expected \">\", \"<\", \">=\""),
    # And these ended in a traceback.
    "comma": (sample('scale = "2,5"'), r"scale came as '2,5'; expected a number, without quotes"),
    "weight": (SAMPLES.replace('"w"', "0.015") + CUT, r"weight came as 0\.015; expected text in quotes"),
    "one bound": (cut('direction = ">"\nbounds = 5'), r"bounds came as 5; expected a list, \[\.\.\.\]"),
    "quoted holdout": (
        table("optimize", 'holdout = "0.5"'),
        r"\[optimize\]: holdout came as '0\.5'",
    ),
    "broken seed": (table("optimize", "seed = 1.5"), r"seed came as 1\.5; expected a whole number"),
    "flag for folds": (table("scan", "folds = true"), r"\[scan\]: folds came as True; expected a whole number"),
    "one metric": (table("scan", 'metrics = "bce"'), r"metrics came as 'bce'; expected a list"),
    "one systematic": (
        f'{SAMPLES}\n  [sample.systematic]\n  type = "lumi"\n{CUT}',
        r"systematic is one table or value; write \[\[systematic",
    ),
    "two settings": (f"{SAMPLES}{CUT}[[optimize]]\nseed = 1\n", r"optimize came as .*; expected a table"),
    "one cut": (f'{SAMPLES}[cut]\nvariable = "x"\n', r"write \[\[cut\]\], with two brackets"),
    "column of a variation": (
        systematic('type = "histosys"\n  name = "e"\n  up = {columns = {x = 1}}\n  down = "mirror"'),
        r"systematic 1 \(e\), up, columns: x came as 1; expected text",
    ),
    "not text at all": ("\x00", r"cannot be read as TOML"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_refused(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


def test_all_mistakes_are_told_at_once(read):
    text = SAMPLES.replace("signal = true", 'signal = "yes"\nwieght = "w"') + CUT.replace('">"', '"above"')
    with pytest.raises(InputError) as told:
        read(text + '[optimize]\nseed = "1"\n')
    lines = str(told.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(str(read.path) + ": ") for line in lines)
    assert "[[sample]] 1 (signal): unknown key 'wieght'; do you mean 'weight'?" in lines[1]


MISTAKES_BELOW = {
    "no file": (SAMPLES.replace('"events.csv"', '"none.csv"') + CUT, r"1 \(signal\): .*none\.csv: there is no file"),
    "no column": (
        SAMPLES.replace('"w"', '"gw"') + CUT,
        SECOND + r": .*events\.csv: has no column gw; it has v_0, v_1, w, x, y",
    ),
    "formula": (SAMPLES + CUT.replace('"x"', '"sqrt(x"'), r"The formula 'sqrt\(x' cannot be read"),
    "preselection": ('preselection = "y & 4"\n' + SAMPLES + CUT, r"'y' is no condition"),
    "direction": (SAMPLES + CUT.replace('">"', '">="'), r"\[\[cut\]\] 1 \(x\): .*>= 0\.5 is no comparison of whole"),
    "no luminosity": (sample("cross_section = 1.0"), r"'background' has a cross_section, and the file no luminosity"),
    "no events": (
        'preselection = "x > 7"\n' + SAMPLES + CUT,
        r"1 \(signal\): .*events\.csv: none of the 3 events passes",
    ),
    "text": (
        SAMPLES.replace('"events.csv"', '"text.csv"') + CUT,
        r"1 \(signal\): .*text\.csv: The column 'x' is no number but text \(first 'abc', in row 1 counted from 0\)",
    ),
    "a gap": (
        SAMPLES.replace('"events.csv"', '"gap.csv"') + CUT,
        r"gap\.csv: .*column 'x': 1 of 2 rows are NaN .*\(first at row 1\).*in a configuration missing = nan",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES_BELOW.values(), ids=MISTAKES_BELOW)
def test_mistakes_that_events_show_name_the_place(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


def test_settings_take_the_place_of_what_the_file_says(read):
    read(SAMPLES + CUT)
    given = load(read.path, settings={"optimize.seed": 3, "sample.background.scale": 2.0, "cut.1.threshold": 0.7})
    assert given.optimize == {"seed": 3}
    assert given.samples[1].total == pytest.approx(5.0)
    assert given.selection.cuts[0].threshold == 0.7
    for wrong in ("sample.nothing.scale", "optimize.sead"):
        with pytest.raises(InputError, match=r"nothing|unknown key 'sead'; do you mean 'seed'"):
            load(read.path, settings={wrong: 1})


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "config.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="cannot be read as TOML"):
        load(tmp_path / "config.toml")


MEANT = {
    "staterror": (sample('staterror = "gaussian"'), lambda c: c.samples[1].staterror == "gaussian"),
    "no staterror": (sample("staterror = false"), lambda c: c.samples[1].staterror is False),
    "window": (cut('direction = "window"'), lambda c: c.selection.cuts == (hc.Window("x"),)),
    "one edge": (cut("low = 0.5"), lambda c: c.selection.cuts == (hc.Window("x", 0.5),)),
    "window with edges": (
        cut('direction = "window"\nlow = 0.5\nhigh = 2.0'),
        lambda c: c.selection.cuts == (hc.Window("x", 0.5, 2.0),),
    ),
    "auto": (cut('direction = "auto"'), lambda c: c.selection.cuts == (hc.Cut("x", "auto"),)),
    "lumi": (systematic('type = "lumi"\n  relative = 0.02'), lambda c: c.samples[1].modifiers == (hc.Lumi(0.02),)),
    "normfactor": (
        systematic('type = "normfactor"\n  name = "k"\n  bounds = [0, 5]\n  init = 2\n  fixed = true'),
        lambda c: c.samples[1].modifiers == (hc.NormFactor("k", bounds=(0.0, 5.0), init=2.0, fixed=True),),
    ),
    "shapesys": (
        systematic('type = "shapesys"\n  name = "k"\n  relative = [0.1]'),
        lambda c: c.samples[1].modifiers == (hc.ShapeSys("k", 0.1),),
    ),
    "missing": (sample("missing = nan"), lambda c: np.isnan(c.samples[1].missing)),
    "several files": (
        SAMPLES.replace('"events.csv"', '["events.csv", "more.csv"]', 1) + CUT,
        lambda c: len(c.samples[0]) == 5 and len(c.samples[1]) == 3,
    ),
    "wildcard": (SAMPLES.replace('"events.csv"', '"[em]*.csv"', 1) + CUT, lambda c: len(c.samples[0]) == 5),
    "formulas": (
        'preselection = "y > 1.5"\n[define]\nr = "x / y"\n'
        + SAMPLES.replace('"w"', '"2 * w"')
        + CUT.replace('"x"', '"log(r)"'),
        lambda c: (
            list(c.samples[1].columns) == ["log(r)"]
            and c.samples[1].weights.tolist() == [2.0, 1.0]
            and c.samples[1].column("log(r)").tolist() == np.log([0.8 / 2.0, 1.4 / 3.0]).tolist()
        ),
    ),
    "normalization": (
        "luminosity = 10.0\n" + sample("cross_section = 0.3\nk_factor = 2.0"),
        lambda c: c.samples[1].total == pytest.approx(6000.0),
    ),
    "sum of weights": (
        "luminosity = 10.0\n" + sample('cross_section = 0.3\nsum_of_weights = "y"'),
        lambda c: c.samples[1].total == pytest.approx(3000.0 / 6.0 * 2.5),
    ),
    "weights": (
        systematic('type = "weights"\n  name = "pdf"\n  weight = "w * v_*"'),
        lambda c: [m.name for m in c.samples[1].modifiers] == ["pdf_v_0", "pdf_v_1"],
    ),
    "shift": (
        systematic('type = "histosys"\n  name = "e"\n  up = {columns = {x = "x * 1.1"}}\n  down = {scale = 0.5}'),
        lambda c: (
            c.samples[1].modifiers[0].up.columns["x"].tolist()
            == [*(np.array([0.2, 0.8, 1.4]) * 1.1).tolist(), 0.2, 0.8, 1.4]
            and len(c.samples[1]) == 6
            and c.samples[1].total == pytest.approx(2.5)
        ),
    ),
    "whole numbers": (SAMPLES + CUT.replace('">"', '">="').replace("0.5", "2"), lambda c: str(c.selection) == "x >= 2"),
    "sets": (
        SAMPLES + CUT + '[[cut]]\nvariable = "y"\ndirection = "!="\nvalues = [2, 5]\nmissing = "pass"\n',
        lambda c: c.selection.cuts[1] == hc.OneOf("y", {2, 5}, excluded=True, missing="pass"),
    ),
    "axis": (
        SAMPLES + CUT + '[axis]\nvariable = "y"\nedges = [0.0, 2.0, 4.0]\n',
        lambda c: c.optimize["axis"].name == "y" and "y" in c.samples[0].columns and c.scan["axis"].size == 2,
    ),
    # TOML has no None.
    "no holdout": (table("optimize", "holdout = 0"), lambda c: c.optimize == {"holdout": 0}),
}


@pytest.mark.parametrize(("text", "is_meant"), MEANT.values(), ids=MEANT)
def test_what_is_written_is_what_is_meant(read, text, is_meant):
    assert is_meant(read(text))


def test_nothing_held_out_is_none_held_out(read):
    given = read(table("optimize", 'holdout = 0\nfolds = 0\nanneal = [1.0]\nobjective = "s_over_sqrt_b"'))
    result = hc.optimize(given.samples, given.selection, replicas=0, **(given.optimize | {"min_background": 0}))
    assert result.held_out is None


@pytest.mark.parametrize(("up", "down"), [(0.1, 0.9), (0.1, 0.1), (0.9, 0.2)])
def test_a_fraction_in_place_of_a_factor_is_warned_of(read, up, down):
    with pytest.warns(HepcutsWarning, match=r"up = .* are factors on the yield"):
        read(systematic(f'type = "normsys"\n  name = "a"\n  up = {up}\n  down = {down}'))


@pytest.mark.parametrize(("up", "down"), [(1.1, 0.9), (2.0, 0.4), (0.4, 1.5), (0.95, 0.9), (1.0, 0.8)])
def test_factors_are_not_warned_of(up, down):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hc.NormSys("a", up, down)
