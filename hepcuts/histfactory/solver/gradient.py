"""Gradients of the deviance: with respect to templates and data at fixed parameters, and to the parameters alone.

By the envelope theorem the former is the gradient of a fit's minimum, and so of q0, at no further fit. Written out in
NumPy, as the expansion is, so that a first gradient needs no compilation; `hepcuts.histfactory.density` differentiates
the same automatically, and the tests compare.
"""

from typing import Any

import numpy as np

from hepcuts._core.blas import one_blas_thread

from .deviance import slope_and_inverse
from .expansion import Likelihood, Values
from .rates import TINY, Expectation, Lanes, Rates, combined
from .segments import GroupedRows


def gradient(likelihood: Likelihood, parameters: Values, asimov_at: Values | None = None) -> tuple[Lanes, Values]:
    """Derivatives of the deviance at fixed parameters.

    Args:
        likelihood: of a batch.
        parameters: shape (parameter, lane).
        asimov_at: if the data are the expectation at these parameters, shape (parameter, lane), and follow the
            templates; None if the data are given.

    Returns:
        Derivatives with respect to the templates, as tables of shape (row, lane), and to the data, shape (data, lane).
    """
    layout = likelihood.layout
    lanes = parameters.shape[1]
    with one_blas_thread(layout.unknowns), np.errstate(all="ignore"):
        main = likelihood.rates(parameters).main
        pulls = (likelihood.normal_data - parameters[layout.normal.parameter]) / likelihood.sigma
        at = parameters[layout.poisson.parameter]
        expected = at * likelihood.factor
        by_factor = slope_and_inverse(likelihood.poisson_data, expected)[0] * at
        by_data = np.zeros((len(likelihood.data), lanes))
        by_data[: layout.bins] = _by_count(likelihood.counts, main)
        auxiliary = by_data[layout.bins :]
        auxiliary[layout.normal.data] = 2.0 * pulls / likelihood.sigma
        auxiliary[layout.poisson.data] = _by_count(likelihood.poisson_data, expected)

        tables = _empty(likelihood, lanes)
        _through_rates(likelihood, parameters, slope_and_inverse(likelihood.counts, main)[0], tables)
        if asimov_at is not None:
            _through_rates(likelihood, asimov_at, by_data[: layout.bins], tables)
            by_factor = by_factor + auxiliary[layout.poisson.data] * asimov_at[layout.poisson.parameter]
        _through_constraints(likelihood, -2.0 * pulls**2 / likelihood.sigma, by_factor, tables)
    return tables, by_data


def _empty(likelihood: Likelihood, lanes: int) -> Lanes:
    return Lanes(*(np.zeros((rows, lanes)) for rows in likelihood.table_rows))


def _by_count(counts: Values, rates: Values) -> Any:
    """Derivative of the Poisson deviance with respect to the observed count; zero for none (its limit is infinite)."""
    some = (counts > 0) & (rates > 0)
    n, rate = np.where(some, counts, 1.0), np.where(some, rates, 1.0)
    x = (rate - n) / n
    return np.where(some, -2.0 * np.where(np.abs(x) < 0.5, np.log1p(x), np.log(rate / n)), 0.0)


def _through_rates(likelihood: Likelihood, parameters: Values, slope: Values, tables: Lanes) -> None:
    """Add what comes through the expected events, of which the derivative is `slope`, shape (bin, lane)."""
    layout = likelihood.layout
    _, cells, product, clipped, shifts, _ = likelihood.rates(parameters)
    weight = np.tile(slope, (layout.samples, 1)) * ~clipped
    by_additive = weight * product
    follow: Any = 1.0
    if shifts is not None:
        up, down = shifts[0].up, shifts[0].down
        here = layout.shifts.touches * by_additive
        by_up, by_down = here * up[:, None], here * down[:, None]
        np.add(tables.histosys_up, by_up.reshape(tables.histosys_up.shape), out=tables.histosys_up)
        np.subtract(tables.histosys_down, by_down.reshape(tables.histosys_down.shape), out=tables.histosys_down)
        follow = 1.0 + combined(down - up, layout.shifts.touches.astype(np.float64))
    np.add(tables.nominal, by_additive * follow, out=tables.nominal)
    if len(layout.scalings.table):
        down, up = likelihood.scale.by_variations(parameters[layout.scalings.parameter])
        of_entry = layout.scalings.cells_of_block.sum(weight * cells)[layout.scalings.of_block.targets]
        tables.normsys_up[layout.scalings.table] += of_entry * up
        tables.normsys_down[layout.scalings.table] += of_entry * down


def _through_constraints(likelihood: Likelihood, by_sigma: Values, by_factor: Values, tables: Lanes) -> None:
    """Add what comes through widths and rate factors that follow the templates."""
    layout = likelihood.layout
    cells = len(likelihood.nominal)
    entry, to = layout.staterror_entry, layout.staterror.targets
    if len(entry):
        total, sigma = likelihood.staterror_total[to], likelihood.sigma[to]
        # sigma = sqrt(sum of squares) / total; where either is zero it is fixed.
        share = np.where(np.isfinite(total), likelihood.staterror / (sigma * total**2), 0.0)
        tables.staterror[entry] += by_sigma[to] * share
        np.add.at(tables.nominal, entry % cells, -by_sigma[to] * sigma / total)
    entry, to = layout.shapesys_entry, layout.shapesys.targets
    if len(entry):
        total, tau = likelihood.shapesys_total[to], likelihood.factor[to]
        usable = np.isfinite(total)
        uncertainty = np.where(usable, likelihood.shapesys[to], np.inf)
        tables.shapesys[entry] += -2.0 * by_factor[to] * tau / uncertainty
        np.add.at(tables.nominal, entry % cells, 2.0 * by_factor[to] * tau / total)


def by_parameters(likelihood: Expectation, parameters: Values, rates: Rates, by_cell: Values) -> Values:
    """Derivatives with respect to all parameters of what depends on the expected events, shape (parameter, lane).

    Much less work than an expansion, which has all pairs of parameters.

    Args:
        likelihood: whose templates the lanes share.
        parameters: shape (parameter, lane); fewer lanes than `by_cell` may be one for all.
        rates: of `likelihood` at `parameters`; clipped cells are not thought of.
        by_cell: derivatives with respect to the expected events of each cell, shape (cell, lane).
    """
    layout = likelihood.layout
    lanes = by_cell.shape[1]
    found = np.zeros((layout.parameters, lanes))
    weighted = by_cell * rates.cells
    if len(layout.multipliers.parameter):
        for layer in layout.multipliers.parameter:
            found += GroupedRows(layer, layout.parameters + 1).sum(weighted)[:-1]
        found /= np.where(parameters == 0, TINY, parameters)
    if len(layout.scalings.table):
        of_entry = layout.scalings.cells_of_block.sum(weighted)[layout.scalings.of_block.targets]
        found += GroupedRows(layout.scalings.parameter, layout.parameters).sum(rates.scales.slope * of_entry)
    if rates.shifts is not None:
        slope, through = rates.shifts[1], by_cell * rates.product
        up, down = (side[:, :, 0] @ through for side in (likelihood.up, likelihood.down))
        found += GroupedRows(layout.shifts.parameter, layout.parameters).sum(slope.up * up + slope.down * down)
    return found
