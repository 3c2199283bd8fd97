"""What is loaded when: heavy libraries wait until something of them is used. Each story in a fresh process."""

import subprocess
import sys

import pytest

DRAWING = {"matplotlib", "mplhep"}
PYHF = {"pyhf", "jsonschema"}
FRAMES = {"pandas", "uproot", "awkward"}
ARRAYS = {"numpy", "scipy", "jax", "jaxtyping", "equinox", "hist", "boost_histogram"}
TERMINAL = {"click", "tqdm"}

BEGIN = """
import sys

def not_loaded(*names):
    found = set(names) & set(sys.modules)
    assert not found, f"loaded: {found}"
"""
COMMAND = """
from hepcuts.cli.commands import main
try:
    main({arguments}, prog_name="hepcuts")
except SystemExit as end:
    assert end.code == {code}
"""
SAMPLES = """
import hepcuts as hc
signal = hc.Sample("s", {"x": [1.0, 2.0, 3.0, 4.0]}, signal=True)
background = hc.Sample("b", {"x": [1.0, 1.5, 2.5, 3.5]}, modifiers=[hc.NormSys("norm", 1.1, 0.9)])
"""
# Steps of one process, each with what may not be loaded after it.
STORIES = {
    "names": [
        ("import hepcuts as hc", ARRAYS | DRAWING | PYHF | FRAMES | TERMINAL),
        ("[getattr(hc, name) for name in hc.__all__]", DRAWING | PYHF | FRAMES | TERMINAL | {"scipy.stats", "optax"}),
        (
            SAMPLES + "result = hc.scan([signal, background], hc.Cut('x', '>'), metrics=('bce', 'asimov'))",
            DRAWING | PYHF | FRAMES | {"scipy.stats"},
        ),
        ("assert isinstance(result.to_dataframe(), sys.modules['pandas'].DataFrame)", DRAWING | PYHF),
        ("hc.workspace(hc.fill([signal, background], hc.Cut('x', '>', 1.2))); assert 'pyhf' in sys.modules", DRAWING),
    ],
    "fill": [
        (SAMPLES, DRAWING | PYHF | FRAMES | TERMINAL | {"scipy", "hist"}),
        ("hc.fill([signal, background], hc.Cut('x', '>', 1.2))", DRAWING | PYHF | FRAMES | TERMINAL | {"scipy"}),
    ],
    "command line": [
        (COMMAND.format(arguments=arguments, code=code), ARRAYS | DRAWING | PYHF | FRAMES | {"tqdm"})
        for arguments, code in (
            (["--help"], 0),
            (["--version"], 0),
            (["optimize", "--help"], 0),
            (["scan", "not-there.toml"], 2),
        )
    ],
}


@pytest.fixture(scope="module")
def of_hist() -> set[str]:
    """What hist loads itself; old versions try pandas."""
    code = "import sys, hist\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_heavy_libraries_are_not_loaded_before_they_are_used(story, of_hist):
    # What hist loads may be there once hist is.
    parts = ((step, heavy, heavy - of_hist) for step, heavy in story)
    code = BEGIN + "".join(
        f"\n{step}\nnot_loaded(*({sorted(alone)} if 'hist' in sys.modules else {sorted(heavy)}))"
        for step, heavy, alone in parts
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
