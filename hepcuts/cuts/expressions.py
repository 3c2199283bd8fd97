"""Selections as text that other programs read, and in which they select the same events.

A cut says by which comparisons it keeps an event (`PrintedCut.clauses`); how these are written is the same for all
cuts (`hepcuts.cuts.languages`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from hepcuts._core.errors import InputError
from hepcuts._core.tables import SummaryTable

from .checks import shown
from .languages import LANGUAGES, Condition, Language

Clauses = tuple[tuple[Condition, ...], ...]
"""Alternatives, of each of which all comparisons have to hold."""


class PrintedCut:
    """What a cut says of itself as text; part of `AbstractCut`."""

    def clauses(self) -> Clauses | None:
        """By which comparisons it keeps an event without missing values; None if that cannot be said so."""
        return None


class PrintedSelection:
    """Selections as text; part of `Selection`.

    Attributes:
        cuts: the cuts.
    """

    cuts: Any

    def expression(
        self,
        language: str,
        *,
        missing: float | None = None,
        names: Mapping[str, str] = MappingProxyType({}),
        define: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        r"""The selection for another program, in which it selects the same events.

        Thresholds are written with all their digits. A variable that is a formula, and has no name in `names`, is
        written out, if there is anything for its functions in the language. (Where columns may have any name,
        ``pt/GeV`` is one, and ``pt / gev`` a formula.) A cut that slides, and formulas for pandas
        and awkward, are computed in the precision of their columns: give them 64 bits.

        Args:
            language: ``"numpy"`` (to be evaluated with the columns and ``np`` as names), ``"pandas"`` (for
                ``DataFrame.query``), ``"awkward"`` (of an array of records called ``events``, as in uproot and coffea,
                whose fields are the columns, none of them None, with ``ak`` and ``np`` for formulas), ``"root"`` (for
                ``TTree::Draw``, ``RDataFrame::Filter`` and any C++; what is computed from a list of each event for
                ``RDataFrame`` alone), or ``"latex"`` (for math mode).
            missing: the number that stands for a missing value, or None.
            names: what columns are called there, where it is something else.
            define: formulas of columns that there are none of there, as in ``[define]`` of a configuration.

        Raises:
            InputError: an unknown language, a threshold that is not set, a cut that does not say what it compares, or
                a column whose name means nothing, or something else, there.

        Example:
            >>> import hepcuts as hc
            >>> selection = hc.Window("mass", 105, 140) & hc.Cut("n", ">", 1.5, integer=True)
            >>> print(selection)
            105 < mass < 140 & n >= 2
            >>> selection.expression("root")
            '(mass > 105.0 && mass < 140.0) && (n >= 2.0)'
            >>> selection.expression("awkward", names={"mass": "events.Jet.mass"})
            "((events.Jet.mass > 105.0) & (events.Jet.mass < 140.0)) & (events['n'] >= 2.0)"
            >>> hc.Selection.parse("abs(eta) < 2.5").expression("numpy")
            '(np.abs(np.float64(eta)) < 2.5)'
            >>> hc.Selection([hc.Cut("r", ">", 2)]).expression("root", define={"r": "pt / m"})
            '((1.0 * (1.0 * pt) / (1.0 * m)) > 2.0)'
            >>> selection.expression("latex", names={"mass": "m"})
            'm > 105 \\wedge m < 140 \\wedge \\mathrm{n} \\geq 2'
        """
        if language not in LANGUAGES:
            raise InputError(f"There is no language {language!r}; choose one of {', '.join(LANGUAGES)}.")
        writer = LANGUAGES[language](names, define)
        return writer.all_of([_of_cut(cut, writer, missing) for cut in self.cuts])

    def table(self, *, units: Mapping[str, str] = MappingProxyType({})) -> SummaryTable:
        r"""The cuts as a table: one row for each threshold, as it is printed.

        The table has itself as text, Markdown, LaTeX, HTML and CSV. A cut that is more than comparisons with numbers
        (one that slides, an inverted one, one whose threshold is not set) is one row, all of it under ``threshold``.

        Args:
            units: of variables; without any there is no column for them.

        Raises:
            InputError: a unit of a variable that is not cut on.

        Example:
            >>> import hepcuts as hc
            >>> selection = hc.Window("m_T", 105, 140) & hc.Cut("n", ">", 1.5, integer=True)
            >>> selection.table(units={"m_T": "GeV"})
            variable  direction  threshold  unit
            m_T               >        105  GeV
            m_T               <        140  GeV
            n                >=          2
            >>> print(selection.table().latex())
            \begin{tabular}{lrr}
            variable & direction & threshold \\
            \hline
            m\_T & \textgreater{} & 105 \\
            m\_T & \textless{} & 140 \\
            n & \textgreater{}= & 2 \\
            \end{tabular}
        """
        unknown = sorted(set(units) - {cut.variable for cut in self.cuts})
        if unknown:
            raise InputError(f"There is no cut on {', '.join(unknown)}, whose unit is given.")
        rows = [
            [cut.variable, direction, threshold, *([units.get(cut.variable, "")] if units else [])]
            for cut in self.cuts
            for direction, threshold in _comparisons(cut)
        ]
        head = ["variable", "direction", "threshold", *(["unit"] if units else [])]
        return SummaryTable("", rows, head, align="lrrl"[: len(head)])


def _comparisons(cut: Any) -> list[tuple[str, str]]:
    """Directions and thresholds of a cut; none and its text if it is more than comparisons with numbers."""
    clauses = None if cut.inverted or None in cut.thresholds else cut.clauses()
    (clause,) = clauses if clauses is not None and len(clauses) == 1 else ((),)
    if not clause or not all(isinstance(one.value, float) and one.column == cut.variable for one in clause):
        return [("", str(cut))]
    return [(one.operator, shown(one.value)) for one in clause]


def _of_cut(cut: Any, writer: Language, missing: float | None) -> str:
    plain = cut.plain
    if any(threshold is None for threshold in plain.thresholds):
        raise InputError(f"The threshold of {cut} is not set; an expression needs all of them.")
    clauses = plain.clauses()
    if clauses is None:
        raise InputError(
            f"{type(plain).__name__} on {plain.variable!r} does not say what it compares: let its clauses() return it "
            "(hepcuts.cuts.languages.Condition), or use the mask of the selection."
        )
    if missing is not None:
        clauses = _with_missing(clauses, plain, missing)
    text = writer.any_of([writer.together([writer.comparison(c) for c in clause]) for clause in clauses])
    return writer.inverted(text) if cut.inverted else text


def _with_missing(clauses: Clauses, cut: Any, missing: float) -> Clauses:
    """The clauses where a column may hold the number that stands for a missing value (or NaN, if that is it)."""
    if np.isnan(missing):  # NaN passes no comparison, except that with !=
        if cut.missing == "pass":
            return (*clauses, *((Condition(column, "!=", None),) for column in cut.columns))
        numbers = tuple(Condition(column, "==", None) for column in cut.columns)
        return tuple((*c, *numbers) if any(one.operator == "!=" for one in c) else c for c in clauses)
    with np.errstate(over="ignore"):
        known = dict.fromkeys([float(missing), float(np.float32(missing))])
    known = {number: None for number in known if np.isfinite(number)}
    if cut.missing == "pass":
        return (*clauses, *((Condition(column, "==", n),) for column in cut.columns for n in known))
    there = tuple(Condition(column, "!=", n) for column in cut.columns for n in known)
    return tuple((*clause, *there) for clause in clauses)
