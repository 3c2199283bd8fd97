"""What commands say beside their results, how they end, and what shells complete."""

import logging
import shutil
import subprocess
import sys

import click.testing
import numpy as np
import pytest

from hepcuts.cli.commands import main

CONFIG = """
preselection = "x > 0.1"

[[sample]]
name = "signal"
file = "events.csv"
signal = true

[[sample]]
name = "background"
file = "events.csv"
scale = 2.0

  [[sample.systematic]]
  type = "normsys"
  name = "xsec"
  up = 0.1
  down = 0.9

[[cut]]
variable = "x"
direction = ">"
threshold = 0.5
"""
pytestmark = pytest.mark.filterwarnings("default::hepcuts._core.errors.HepcutsWarning")
WARNING = "Warning: NormSys 'xsec': up = 0.1"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("verbosity")
    np.savetxt(path / "events.csv", np.random.default_rng(1).uniform(size=(300, 1)), header="x", comments="")
    (path / "config.toml").write_text(CONFIG)
    return path / "config.toml"


def run(*arguments):
    return click.testing.CliRunner().invoke(main, [str(one) for one in arguments])


def test_usually_warnings_are_shown_and_nothing_else(config):
    found = run("cutflow", config)
    assert WARNING in found.stderr
    assert "events.csv:" not in found.stderr


@pytest.mark.parametrize("arguments", [("-q", "cutflow"), ("cutflow", "-q"), ("cutflow", "--quiet")], ids=str)
def test_quiet(config, arguments):
    found = run(*arguments, config)
    assert found.stderr == ""
    assert found.stdout == run("cutflow", config).stdout
    wrong = run("-q", "cutflow", config, "--set", "cut.1.direction=5")
    assert (wrong.exit_code, "direction came as 5" in wrong.stderr) == (1, True)


@pytest.mark.parametrize("arguments", [("-v", "cutflow"), ("cutflow", "-v"), ("cutflow", "-vv")], ids=str)
def test_verbose_says_what_is_read(config, arguments):
    found = run(*arguments, config)
    x = np.loadtxt(config.parent / "events.csv", skiprows=1)
    assert "events.csv: 300 events, columns x" in found.stderr
    assert f"{np.sum(x > 0.1)} of 300 events pass (x > 0.1), each weight times 2" in found.stderr
    assert found.stdout == run("cutflow", config).stdout


def test_a_command_leaves_the_loggers_as_they_were(config):
    logger = logging.getLogger("hepcuts")
    before = logger.level, list(logger.handlers)
    run("-v", "cutflow", "-q", config)
    assert (logger.level, logger.handlers) == before


def test_the_library_says_the_same_to_loggers_of_ones_own(config, caplog):
    with caplog.at_level(logging.INFO, logger="hepcuts.samples"):
        run("cutflow", config)
    assert any("300 events" in message for message in caplog.messages)


def test_exit_statuses(config, tmp_path):
    assert run("check", config).exit_code == 0
    assert run("cutflow", config, "--set", "sample.1.file=none.csv").exit_code == 1
    assert run("cutflow").exit_code == 2
    assert run("cutflow", config, "--no-such-option").exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_what_the_shell_reads(shell, tmp_path):
    found = run("completion", shell)
    assert "_HEPCUTS_COMPLETE" in found.output or "_MAIN_COMPLETE" in found.output
    if program := shutil.which(shell):
        (tmp_path / "completion").write_text(found.output)
        subprocess.run([program, "-n", str(tmp_path / "completion")], check=True)


def test_the_shell_is_told_commands_and_options():
    words = {"_HEPCUTS_COMPLETE": "zsh_complete", "COMP_WORDS": "hepcuts evaluate --", "COMP_CWORD": "2"}
    code = "from hepcuts.cli.commands import main; main(prog_name='hepcuts')"
    found = subprocess.run([sys.executable, "-c", code], env=words, capture_output=True, text=True, check=False)
    assert {"--cuts", "--unblind", "--quiet"} <= set(found.stdout.split())
