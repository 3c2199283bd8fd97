"""Reading a ``result.json`` back."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from hepcuts._core.errors import HepcutsError, InputError
from hepcuts.cuts import AbstractCut, Cut, Selection, Window
from hepcuts.cuts.records import from_record

if TYPE_CHECKING:
    from .schema import CutRecord, ResultRecord


@dataclasses.dataclass(frozen=True)
class StoredResult:
    """A result that was read from a file.

    Attributes:
        record: all of the file.
        selection: the cuts, at their thresholds; with them an optimization may start, and anything be filled.
    """

    record: "ResultRecord"
    selection: Selection

    def start(self, selection: Selection) -> Selection:
        """A selection whose thresholds are those of the file, where it has them.

        Cuts of other variables, and thresholds that were given up, stay as they are.
        """
        there = {cut.variable: cut for cut in self.selection.cuts}
        return Selection(
            [_started(cut, there[cut.variable]) if cut.variable in there else cut for cut in selection.cuts]
        )


def read_result(path: str | Path) -> StoredResult:
    """Read a ``result.json`` of ``hepcuts optimize``, or of `OptimizationResult.save`.

    Raises:
        InputError: it is none, of another version of the schema, or its cuts contradict their own text.

    Example:
        >>> import tempfile, hepcuts as hc
        >>> samples = hc.datasets.scenario("exp10-gauss30x1", seed=1)
        >>> result = hc.optimize(samples, hc.Cut("x", ">", 15.0), objective="asimov", replicas=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = hc.read_result(result.save(f"{folder}/result.json"))
        >>> found.selection == result.selection, found.record.significance == result.significance
        (True, True)
    """
    from pydantic import ValidationError  # noqa: PLC0415 (what a file is checked with is loaded when one is read)

    from .schema import VERSION, ResultRecord  # noqa: PLC0415

    try:
        record = ResultRecord.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise InputError(
            f"{path}: is no result of hepcuts optimize in version {VERSION} of its schema; {where}: {first['msg']}."
        ) from error
    try:
        return StoredResult(record, Selection([_cut(one) for one in record.cuts]))
    except HepcutsError as error:
        raise InputError(f"{path}: {error}") from error


def _cut(record: "CutRecord") -> AbstractCut:
    from .making import cut_record  # noqa: PLC0415

    if record.arguments is None:
        raise InputError(f"the cut {record.text} is of a kind ({record.kind}) that a file cannot keep.")
    cut = from_record({"kind": record.kind, "arguments": record.arguments})
    if cut_record(cut) != record:
        raise InputError(
            f"the arguments of the cut on {record.variable} make {cut}, but its text or thresholds say otherwise; to "
            "change a cut change the configuration and its threshold there."
        )
    return cut


def _started(cut: AbstractCut, found: AbstractCut) -> AbstractCut:
    """A cut at the thresholds of another on the same variable, if they are on the same sides."""
    if found is cut:
        return cut
    if isinstance(cut, Window) and isinstance(found, Cut):  # the other side of the window was given up
        above = found.signs == (1,)
        return dataclasses.replace(cut, low=found.threshold if above else None, high=None if above else found.threshold)
    if isinstance(cut, Cut) and cut.direction == "auto" and isinstance(found, Cut):
        cut = dataclasses.replace(cut, direction=found.direction)
    return cut.at([t for t in found.thresholds if t is not None]) if cut.signs == found.signs else cut
