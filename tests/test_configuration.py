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
    columns = np.array([[0.2, 1.0, 1.0], [0.8, 2.0, 1.0], [1.4, 3.0, 0.5]])
    np.savetxt(tmp_path / "events.csv", columns, delimiter=",", header="x,y,w", comments="")

    def of(text):
        (tmp_path / "config.toml").write_text(text)
        return load(tmp_path / "config.toml")

    return of


def sample(line):
    return f"{SAMPLES}{line}\n{CUT}"


def systematic(line):
    return f"{SAMPLES}\n  [[sample.systematic]]\n  {line}\n{CUT}"


def cut(lines):
    return f'{SAMPLES}\n[[cut]]\nvariable = "x"\n{lines}\n'


def table(name, line):
    return f"{SAMPLES}{CUT}\n[{name}]\n{line}\n"


NORMSYS = 'type = "normsys"\n  up = 1.1\n  down = 0.9\n'
MISTAKES = {
    # Each of these was read as something else, without a word.
    "quoted staterror": (
        sample('staterror = "no"'),
        r"sample 2: staterror is 'no'; expected true or false",
    ),
    "quoted false": (sample('staterror = "false"'), r"staterror is 'false'; expected .*\"gaussian\""),
    "number for a flag": (sample("signal = 0"), r"sample 2: signal is 0; expected true or false"),
    "quoted signal": (sample('signal = "false"'), r"signal is 'false'; expected true or false"),
    "flag for a number": (sample("scale = true"), r"scale is True; expected a finite number"),
    "normsys without a name": (systematic(NORMSYS), r"sample 2, systematic 1, normsys: 'name' is missing"),
    "normfactor without a name": (systematic('type = "normfactor"'), r"normfactor: 'name' is missing"),
    "typo": (systematic('type = "normfactor"\n  name = "k"\n  bound = [0.0, 2.0]'), r"unknown bound; known are bounds"),
    "key of another type": (systematic(NORMSYS + '  name = "a"\n  bounds = [0.0, 2.0]'), r"normsys: unknown bounds"),
    "quoted fixed": (systematic('type = "normfactor"\n  name = "k"\n  fixed = "no"'), r"fixed is 'no'; expected true"),
    "direction and low": (cut('direction = ">"\nlow = 0.5'), r"cut 1: low contradicts direction = '>'"),
    "threshold and low": (cut("threshold = 1.0\nlow = 0.5"), r"threshold contradicts a window"),
    "threshold of a sliding cut": (
        cut('direction = ">"\nalong = "y"\nknots = [0.0, 1.0]\nthreshold = 0.5'),
        r"cut 1: threshold contradicts direction = '>'",
    ),
    "knots alone": (cut('direction = ">"\nknots = [0.0, 1.0]'), r"'along' is missing"),
    "no direction": (cut("threshold = 0.5"), r"cut 1: has no direction; expected direction = '>' or '<'"),
    "neither": (cut(""), r"has no direction.*direction = 'window'"),
    "unknown direction": (cut('direction = "above"'), r"direction is 'above'; expected \">\" or \"<\""),
    # And these ended in a traceback.
    "comma": (sample('scale = "2,5"'), r"scale is '2,5'; expected a finite number, without quotes"),
    "weight": (SAMPLES.replace('"w"', "0.015") + CUT, r"weight is 0\.015; expected text in quotes"),
    "files": (SAMPLES.replace('"events.csv"', '["events.csv"]') + CUT, r"file is \['events\.csv'\]; expected text"),
    "one bound": (cut('direction = ">"\nbounds = 5'), r"bounds is 5; expected a list \[\.\.\.\] of 2"),
    "quoted holdout": (table("optimize", 'holdout = "0.5"'), r"\[optimize\]: holdout is '0\.5'; expected a finite"),
    "broken seed": (table("optimize", "seed = 1.5"), r"seed is 1\.5; expected a whole number"),
    "flag for folds": (table("scan", "folds = true"), r"\[scan\]: folds is True; expected a whole number"),
    "one metric": (table("scan", 'metrics = "bce"'), r"metrics is 'bce'; expected a list"),
    "one systematic": (f'{SAMPLES}\n  [sample.systematic]\n  type = "lumi"\n{CUT}', r"sample 2: systematic is"),
    "two settings": (f"{SAMPLES}{CUT}[[optimize]]\nseed = 1\n", r"optimize is .*; expected a table"),
    "one cut": (f'{SAMPLES}[cut]\nvariable = "x"\n', r"write \[\[cut\]\], with two brackets"),
    "column of a variation": (
        systematic('type = "histosys"\n  name = "e"\n  up = {columns = {x = 1}}\n  down = "mirror"'),
        r"histosys, up, columns: x is 1; expected text",
    ),
    "not text at all": ("\x00", r"cannot be read as TOML"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_refused(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


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
