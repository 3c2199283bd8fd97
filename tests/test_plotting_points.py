"""The figure of a patch set: what is drawn are the points and their significances."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hepcuts import plotting
from hepcuts._core.errors import InputError
from hepcuts.histfactory import SignalPoint, SignalPoints


def grid(number, *, labels=("m1", "m2"), failing=()):
    """Points whose significances fall with the mass."""
    made = []
    for n in range(number):
        values = (100.0 * n, 50.0 * n)[: len(labels)]
        if n in failing:
            made.append(SignalPoint(f"p{n}", values, error="no fit"))
            continue
        z = 6.0 / (1.0 + n)
        expected = SimpleNamespace(significance=z, bands={k: max(0.0, z + k) for k in range(-2, 3)})
        made.append(
            SignalPoint(f"p{n}", values, {"expected": expected, "observed": SimpleNamespace(significance=0.5 * z)})
        )
    return SignalPoints(labels, tuple(made))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_points_of_two_masses_lie_in_their_plane():
    drawn = plotting.points(grid(5, failing={3}))
    for ax, discs, factor in zip(drawn.axes, drawn.maps, (1.0, 0.5), strict=True):
        np.testing.assert_allclose(discs.get_offsets()[:, 0], [0.0, 100.0, 200.0, 400.0])
        expected = factor * 6.0 / np.array([1.0, 2.0, 3.0, 5.0])
        np.testing.assert_allclose(discs.get_array(), expected)
        assert [text.get_text() for text in ax.texts] == [f"{z:.1f}" for z in expected]
        assert discs.get_clim() == (0.0, 6.0)
    assert [ax.get_xlabel() for ax in drawn.axes] == ["m1", "m1"]


def test_many_points_have_no_numbers():
    assert not plotting.points(grid(60)).axes[0].texts


@pytest.mark.parametrize("labels", [("mass",), ("m1", "m2", "m3"), ()])
def test_other_points_are_rows(labels):
    result = grid(4, labels=labels[:2], failing={1})
    result = SignalPoints(labels, tuple(SignalPoint(p.name, tuple(labels), p.tests, p.error) for p in result.points))
    drawn = plotting.points(result)
    line, _, (bars,) = drawn.expected.lines
    np.testing.assert_allclose(line.get_xdata(), [6.0, 2.0, 1.5])
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[5.0, 7.0], [1.0, 3.0], [0.5, 2.5]])
    np.testing.assert_allclose(drawn.observed.get_xdata(), [3.0, 1.0, 0.75])
    assert [tick.get_text() for tick in drawn.axes[0].get_yticklabels()] == ["p0", "p2", "p3"]


def test_wrong_arguments():
    with pytest.raises(InputError, match=r"Got a str; expected signal points"):
        plotting.points("x")
    with pytest.raises(InputError, match="Got 1 axes"):
        plotting.points(grid(3), axes=plt.gca())
