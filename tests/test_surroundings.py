"""Terminals that are not there, disks that are full, folders that are read-only, and Ctrl-C: nothing found is lost."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import hepcuts as hc
from hepcuts import plotting
from hepcuts import study as study_module
from hepcuts._core import files, progress
from hepcuts._core.errors import HepcutsWarning, InputError
from hepcuts.histfactory import HistFactory, discovery_toys
from hepcuts.scanning import stability
from hepcuts.study import overview, simulation

from .test_afterwards import (  # noqa: F401 (fixtures)
    CONFIG,
    FILES,
    config,
    empty_figures,
    failing,
    found,
    found_before,
    invoke,
    read,
    samples,
)

POSIX = pytest.mark.skipif(os.name != "posix", reason="closes descriptors in a shell")
FULL = OSError(errno.ENOSPC, "No space left on device")
READ_ONLY = OSError(errno.EROFS, "Read-only file system")


def shell(command, **more):
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=120, check=False, **more)


def interrupt(*_, **__):
    signal.raise_signal(signal.SIGINT)


# --- terminals


class Terminal(io.StringIO):
    def isatty(self):
        return True


def closed():
    stream = Terminal()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [lambda: None, closed, io.StringIO], ids=["none", "closed", "file"])
def test_progress_without_a_terminal(monkeypatch, stream):
    """A daemon has no stderr: every optimize ended with an AttributeError, and so would each of these."""
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(stability, "_SLOW", 0)
    assert not progress.shown()
    given = samples()
    cut = hc.Cut("x", ">", 0.5)
    assert hc.optimize(given, cut, objective="asimov", folds=0, anneal=(1.0,), holdout=None, replicas=0).success
    hc.scan(given, cut, metrics=("asimov",), replicas=3, folds=0).summary()
    discovery_toys(HistFactory.from_workspace(hc.workspace(hc.fill(given, cut))), num_toys=5)
    study_module.run(["exp10-exp100"], thresholds=range(20, 60, 20))
    simulation.simulation_size("exp10-exp100", sizes=[100], repetitions=1, seed=1)


def test_progress_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.steps([1, 2], "counting")) == [1, 2]
    with progress.progress("climbing") as bar:
        bar.update()
        bar.set_postfix_str("high")
    assert "counting" in terminal.getvalue()
    assert "climbing" in terminal.getvalue()


@POSIX
def test_commands_with_closed_stdout_and_stderr(config, tmp_path):  # noqa: F811
    written = {f"{variable}.{kind}" for variable in "xyz" for kind in ("csv", "png", "html")}
    done = shell(f"'{sys.executable}' -m hepcuts scan '{config}' -o '{tmp_path}/out' >&- 2>&-")
    assert done.returncode == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == written


@POSIX
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.slow
def test_a_stdout_that_is_full_does_not_end_a_scan(config, tmp_path):  # noqa: F811
    done = shell(f"'{sys.executable}' -m hepcuts scan '{config}' -o '{tmp_path}/out' >/dev/full")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 9


# --- disks


@pytest.mark.parametrize("error", [FULL, READ_ONLY], ids=["full", "read-only"])
@pytest.mark.parametrize("command", ["optimize", "scan", "study"])
def test_a_folder_is_tried_before_the_work(config, tmp_path, monkeypatch, command, error):  # noqa: F811
    for name in ("cli.configuration.load", "study.run"):
        monkeypatch.setattr(f"hepcuts.{name}", failing(AssertionError("worked")))
    monkeypatch.setattr(tempfile, "TemporaryFile", failing(error))
    result = invoke(command, *([] if command == "study" else [config]), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"out cannot be written to ({error.strerror})" in result.output
    assert "Traceback" not in result.output


def test_what_is_tried_leaves_nothing(tmp_path):
    files.try_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; expected a folder"):
        files.try_folder(tmp_path / "file" / "a")


@pytest.mark.usefixtures("found_before", "empty_figures")
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_result_that_cannot_be_written_is_printed(config, tmp_path, monkeypatch, error):  # noqa: F811
    monkeypatch.setattr(files, "write_text", failing(error))
    result = invoke("optimize", config, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "Optimal cuts" in result.stdout or "x >" in result.stdout
    assert "Traceback" not in result.output
    if error is FULL:
        assert "The result above could not be written" in result.stderr


@pytest.mark.usefixtures("found_before")
def test_a_disk_that_is_full_afterwards_costs_the_figures(config, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("hepcuts.plotting.saving.save", failing(FULL))
    result = invoke("optimize", "--no-compare", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    remarks = read(tmp_path / "out")["remarks"]
    assert f"the figure of the history: {FULL}" in remarks
    assert "Traceback" not in result.output


def test_a_log_or_checkpoint_is_tried_before_and_lost_with_a_warning(tmp_path, monkeypatch):
    options = {"objective": "asimov", "folds": 0, "anneal": (1.0,), "holdout": None, "replicas": 0}
    (tmp_path / "file").write_text("")
    for name in ("log", "checkpoint"):
        with pytest.raises(InputError, match="is a file"):
            hc.optimize(samples(), hc.Cut("x", ">", 0.5), **options, **{name: tmp_path / "file" / "a"})
    monkeypatch.setattr(files, "write_text", failing(FULL))
    with pytest.warns(HepcutsWarning) as caught:
        result = hc.optimize(
            samples(), hc.Cut("x", ">", 0.5), **options, log=tmp_path / "log", checkpoint=tmp_path / "checkpoint"
        )
    assert result.success
    said = {
        str(warning.message).partition(" could not")[0]
        for warning in caught
        if issubclass(warning.category, HepcutsWarning)
    }
    assert said == {"The log of cuts", "The checkpoint"}


# --- what a scan can and cannot do

MORE_CUTS = CONFIG.replace('variable = "x"\ndirection = ">"\nthreshold = 0.5', 'variable = "x"\ndirection = "auto"')
SLIDING = 'variable = "y"\ndirection = ">"\nalong = "x"\nknots = [0.0, 1.0]'


def test_a_scan_of_both_directions_and_without_a_sliding_cut(config, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("hepcuts.plotting.saving.save", lambda *_: None)
    config.write_text(MORE_CUTS.replace('variable = "y"\ndirection = ">"\nthreshold = -1.0', SLIDING))
    result = invoke("scan", config, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    tables = {path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".csv"}
    assert tables == {"x-above.csv", "x-below.csv", "z.csv"}
    assert "Warning: the cut on y along x is not scanned" in result.stderr


def test_a_scan_of_sliding_cuts_alone_is_refused_before_the_work(config, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("hepcuts.scanning.scan.scan", failing(AssertionError("worked")))
    text = CONFIG[: CONFIG.index("[[cut]]")] + f"[[cut]]\n{SLIDING}\n"
    config.write_text(text)
    result = invoke("scan", config, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "There is no cut to scan: the cut on y along x" in result.output


@pytest.mark.parametrize("cut", [hc.Cut("x", ">", bounds=(-0.5, 0.4)), hc.Window("x", bounds=(-0.5, 0.4))], ids=str)
def test_a_scan_keeps_to_the_bounds(cut):
    free = hc.scan(samples(), type(cut)("x", ">") if isinstance(cut, hc.Cut) else hc.Window("x"), metrics=("asimov",))
    bound = hc.scan(samples(), cut, metrics=("asimov",), replicas=0, folds=0)
    assert np.max(free.optimum("asimov").threshold) > 0.4
    assert np.all((bound.thresholds >= -0.5) & (bound.thresholds <= 0.4))


# --- Ctrl-C


@pytest.mark.parametrize(
    ("where", "status", "written"),
    [
        ((study_module, "run"), 1, set()),
        ((study_module, "run_grids"), 130, {"study.json", "study.txt"}),
        ((study_module, "write"), 130, {"study.json", "study.txt"}),
    ],
    ids=["scenarios", "grids", "report"],
)
def test_a_study_ends_when_it_is_interrupted(tmp_path, monkeypatch, where, status, written):
    monkeypatch.setattr(*where, interrupt)
    if where[1] == "write":
        monkeypatch.setattr(study_module, "run_grids", lambda *_, **__: None)
    result = invoke("study", "--scenario", "exp10-exp100", "-o", tmp_path / "out")
    assert result.exit_code == status
    assert {path.name for path in (tmp_path / "out").iterdir()} == written


@pytest.mark.parametrize("name", ["simulation_size", "few_events", "_phase", "_luminosity"])
def test_no_part_of_a_study_swallows_an_interrupt(monkeypatch, name):
    monkeypatch.setattr(overview, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        overview.run_grids(["exp10-exp100"], quick=True)


@pytest.mark.usefixtures("found_before")
@pytest.mark.parametrize("figure", ["history", "before_after"])
def test_a_figure_that_is_interrupted_keeps_the_result(config, tmp_path, monkeypatch, figure):  # noqa: F811
    monkeypatch.setattr(plotting, figure, interrupt)
    result = invoke("optimize", config, "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert {path.name for path in (tmp_path / "out").iterdir()} >= FILES
    assert "interrupted" in read(tmp_path / "out")["remarks"][0]


# --- processes

FORK = """
import os, warnings
import numpy as np, pyhf
import hepcuts as hc
model = pyhf.simplemodels.uncorrelated_background(signal=[10.0], bkg=[50.0], bkg_uncertainty=[7.0])
hc.HistFactory(model).logpdf([1.0, 1.0], [60.0, *model.config.auxdata])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    child = os.fork()
    if child == 0:
        os._exit(0)
os.waitpid(child, 0)
print(*(warning.message for warning in caught))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_after_use_is_warned_of():
    """By JAX, whose threads the child would wait for; the documentation says what to do."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120, check=True)
    assert "os.fork() was called" in done.stdout


@pytest.mark.slow
def test_json_of_a_closed_stdout_is_no_traceback(tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(hc.workspace(hc.fill(samples(), hc.Cut("x", ">", 0.5)))))
    done = shell(f"'{sys.executable}' -m hepcuts significance '{path}' >&- 2>&-")
    assert done.returncode == 0
