"""The figure of what a wrong decision costs: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hepcuts import plotting
from hepcuts._core.errors import InputError
from hepcuts.merit.price import PriceOfDecisions


def given(**changes):
    values = {"signal": [1.0, 6.0, 9.0, 4.0], "background": [90.0, 40.0, 12.0, 0.0], "background_weight": 0.25}
    return PriceOfDecisions(np.arange(5.0), **(values | changes), threshold=2.0)


def test_bars_are_the_prices_of_both_sides():
    price = given(half=3.0)
    drawn = plotting.price(price)
    accepting, rejecting = drawn.accepting.get_data().values, drawn.rejecting.get_data().values
    np.testing.assert_allclose(accepting + rejecting, price.price)
    # s > kappa b, that is p > p*, from the third bin on.
    np.testing.assert_array_equal(rejecting > 0, [False, False, True, True])
    np.testing.assert_array_equal(drawn.signal.get_data().values, price.signal)
    np.testing.assert_array_equal(drawn.background.get_data().values, price.background)
    assert (drawn.threshold.get_xdata()[0], drawn.half.get_xdata()[0]) == (2.0, 3.0)
    assert drawn.axes[1].get_xlabel() == "x"
    plt.close(drawn.figure)


def test_without_a_cut_of_bce_there_is_no_line():
    drawn = plotting.price(given())
    assert drawn.half is None
    plt.close(drawn.figure)


def test_into_ones_own_axes():
    figure, axes = plt.subplots(2)
    drawn = plotting.price(given(), ax=axes)
    assert drawn.axes == tuple(axes)
    plt.close(figure)


def test_what_cannot_be_drawn():
    with pytest.raises(InputError, match="expected a price of decisions"):
        plotting.price("x")
    with pytest.raises(InputError, match="2 matplotlib axes"):
        plotting.price(given(), ax=plt.figure().add_subplot())
    plt.close("all")


@pytest.mark.mpl_image_compare(
    remove_text=True, style="default", tolerance=10, savefig_kwargs={"dpi": 60}, baseline_dir="baseline"
)
def test_image_price():
    figure = plotting.price(given(half=3.0)).figure
    for ax in figure.axes:
        ax.get_legend().remove()
    return figure
