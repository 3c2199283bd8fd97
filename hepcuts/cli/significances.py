"""What ``hepcuts significance`` does: of one workspace, or of all points of a patch set."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hepcuts._core import files
from hepcuts._core.errors import FitError
from hepcuts._core.numbers import as_json as in_json
from hepcuts._core.numbers import write_json
from hepcuts._core.tables import SummaryTable
from hepcuts._core.version import __version__
from hepcuts.histfactory import (
    HistFactory,
    SignalPoints,
    SignificanceResult,
    discovery_tests,
    discovery_toys,
    patchsets,
    tested_points,
)
from hepcuts.histfactory.points import shown

from .afterwards import Afterwards, result_of, say


def listed_points(workspace: Path, patches: Sequence[Path], *, as_json: bool) -> str:
    """The points of a patch set with their values, as a table or as JSON."""
    found = patchsets.patch_set(workspace, patches)
    points = patchsets.point_values(found)
    if as_json:
        return in_json([{"name": name, "values": list(values)} for name, values in points])
    rows = [[name, *map(shown, values)] for name, values in points]
    return SummaryTable("", rows, ("point", *found.labels)).text()


def quote_one(workspace: Path, options: Mapping[str, Any], *, num_toys: int | None, pulls: bool, as_json: bool) -> None:
    """Test a workspace and print what was found.

    Args:
        workspace: its path.
        options: of `hepcuts.HistFactory.from_workspace`.
        num_toys: number of toys that check the p-value of the data; None for none.
        pulls: whether to print those of the nuisance parameters.
        as_json: whether to print JSON.
    """
    likelihood = HistFactory.from_workspace(workspace, **options)
    tests = discovery_tests(likelihood)
    observed = list(tests)[-1]
    rows: dict[str, Any] = {kind: _row(test) | _pulls(test) for kind, test in tests.items()}
    if not as_json:
        for test in tests.values():
            say(repr(test))
    afterwards = Afterwards()
    with contextlib.ExitStack() as last:
        if as_json:
            # Also if the toys are interrupted.
            last.callback(lambda: say(in_json(rows)))
        if num_toys is not None:
            with afterwards.step("the toys"):
                at = tests[observed].background_only
                toys = discovery_toys(likelihood, parameters=at, num_toys=num_toys).p_value(tests[observed].q0)
                rows[observed]["p0_toys"] = dict(zip(("value", "low", "high"), toys, strict=True))
                if not as_json:
                    say("  p-value of {} toys: {:.4g} (68 % interval {:.4g} to {:.4g})".format(num_toys, *toys))
    if pulls and not as_json:
        say(f"\nUnconditional fit to the {tests[observed].dataset} data")
        say(repr(tests[observed].unconditional_fit.nuisance_parameters))


def quote_all(
    workspace: Path, patches: Sequence[Path], output: Path, options: Mapping[str, Any], *, as_json: bool
) -> None:
    """Test all points of a patch set; print a table and write ``points.json``, ``points.csv`` and ``points.png``.

    The numbers of the points that are done are written after each of them, so that an interrupt, or a point that takes
    the machine down, leaves them.

    Args:
        workspace: its path.
        patches: their paths.
        output: folder to write to.
        options: of `hepcuts.HistFactory.from_workspace`.
        as_json: whether to print JSON and no table.

    Raises:
        FitError: no point could be tested.
        InputError: there is no patch set, or the folder cannot be written to.
    """
    files.try_folder(output)
    found, afterwards = SignalPoints((), ()), Afterwards()
    with result_of(lambda: found.summary().text(), output):
        for found in tested_points(workspace, patches, **options):
            write_json(_document(found, workspace), output / "points.json")
    say(in_json(_document(found, workspace)) if as_json else found.summary().text())
    if len(found.failed) == len(found.points):
        raise FitError(f"None of the {len(found.points)} points could be tested: {found.points[0].error}")
    for point in found.failed:
        afterwards.remark(f"{point.name}: {point.error}")
    with afterwards.step("the table"), files.atomic_path(output / "points.csv") as temporary:
        found.to_dataframe().to_csv(temporary)
    with afterwards.step("the figure"):
        from hepcuts import plotting  # noqa: PLC0415 (only now is it needed)
        from hepcuts.plotting.saving import save  # noqa: PLC0415

        save(plotting.points(found), output / "points.png")
    if not as_json:
        say(f"Wrote to {output}")


def _document(found: SignalPoints, workspace: Path) -> dict[str, Any]:
    """What ``points.json`` holds."""
    points = [
        {"name": point.name, "values": list(point.values), "error": point.error or None}
        | {kind: _row(test) for kind, test in point.tests.items()}
        for point in found.points
    ]
    return {"hepcuts": __version__, "workspace": str(workspace), "labels": list(found.labels), "points": points}


def _row(test: SignificanceResult) -> dict[str, Any]:
    fields = ("dataset", "significance", "p0", "q0", "mu_hat", "mu_uncertainty", "success", "message")
    row = {field: getattr(test, field) for field in fields}
    fits = {"unconditional": test.unconditional_fit, "background_only": test.background_only_fit}
    row |= {"searched": test.searched, "competing": test.competing, "ambiguous": test.ambiguous}
    row["at_bound"] = {kind: list(fit.at_bound) for kind, fit in fits.items()}
    row["bands"] = {str(n): z for n, z in test.bands.items()}
    return row


def _pulls(test: SignificanceResult) -> dict[str, Any]:
    found = test.unconditional_fit.nuisance_parameters
    columns = {
        "value": found.values,
        "uncertainty": found.uncertainties,
        "pull": found.pulls,
        "constraint": found.constraints,
    }
    rows = {name: {key: float(column[i]) for key, column in columns.items()} for i, name in enumerate(found.names)}
    return {"nuisance_parameters": rows}
