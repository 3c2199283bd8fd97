"""A way through the stages of widths: from the optimum of one to that of the next."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hepcuts._core.errors import OptimizationError
from hepcuts._core.types import FloatArray
from hepcuts.merit.rows import Rows
from hepcuts.optimization.soft.compilation import as_yields
from hepcuts.optimization.soft.evaluators import Evaluation
from hepcuts.optimization.soft.search import Search
from hepcuts.templates.templates import Templates

from .history import History, Row, packed, unpacked
from .solvers import Ending


class Walk:
    """One way through the stages of widths.

    Args:
        search: with the events.
        start: thresholds in the coordinates, shape (threshold,).
        report: called at every step.
    """

    def __init__(self, search: Search, start: FloatArray, report: Callable[[], object] = lambda: None) -> None:
        self.search, self.position = search, start
        self.rows: list[Row] = []
        self.num_stages = 0
        self.ending = Ending(start, False, "not started", 0)
        self._endings: dict[int, Ending] = {}
        self._report = report

    def advance(self, factor: float, *, start: FloatArray | None = None, search: Search | None = None) -> Ending:
        """Go to the optimum at widths of `factor` times the search's own.

        Args:
            factor: in units of the search's own widths.
            start: thresholds in the coordinates, or None to go on from where it is.
            search: in place of the walk's own.
        """
        widths = self.search.space.widths * factor
        if start is not None:
            self.position = start
        elif self.num_stages:
            self.position = self._revived()
        self.ending = self._endings[self.num_stages] = self._go(search or self.search, widths)
        self.num_stages += 1
        return self.ending

    def repeat(self, factor: float, start: FloatArray, *, search: Search | None = None) -> Ending:
        """Go through the last stage again, from another start, or with another search (of the same space)."""
        self.num_stages -= 1
        return self.advance(factor, start=start, search=search)

    def back_to(self, stage: int) -> None:
        """Forget all stages after one, and where it ended be again."""
        self.rows = [row for row in self.rows if row.stage <= stage]
        self.ending = self._endings[stage]
        self.num_stages, self.position = stage + 1, self.ending.position

    def end_of(self, stage: int) -> FloatArray:
        """Where a stage ended, in the coordinates, shape (threshold,)."""
        return self._endings[stage].position

    @property
    def state(self) -> dict[str, Any]:
        """All that `restore` needs, of numbers and lists."""
        endings = [packed(self._endings[stage]) for stage in range(self.num_stages)]
        return {"rows": [packed(row) for row in self.rows], "endings": endings}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where a walk of the same search was."""
        self.rows = [Row(**unpacked(row)) for row in state["rows"]]
        endings = [Ending(**unpacked(ending)) for ending in state["endings"]]
        self._endings = dict(enumerate(endings))
        self.num_stages = len(endings)
        if endings:
            self.back_to(len(endings) - 1)

    def _go(self, search: Search, widths: FloatArray) -> Ending:
        """To the optimum, with no more events than thresholds can reach from where they are."""
        for _ in range(search.tuning.anneal.most_moves):
            low, high = search.box(self.position, widths)
            ending = self._minimize(search.reached(self.position, widths), (low, high), widths)
            self.position = ending.position
            # At a wall of the box that is none of the search there is further to go.
            at_wall = (ending.position <= low) & (low > search.space.lower)
            at_wall |= (ending.position >= high) & (high < search.space.upper)
            if not np.any(at_wall & (search.space.group >= 0)):
                break
        return ending

    def _revived(self) -> FloatArray:
        """The position, with thresholds that had been given up back where they lose a little of the signal.

        A wide step that loses signal even where all of it is above the threshold is best given up; a narrower one
        may not be, and would not feel any event from where it was left.
        """
        space, signs = self.search.space, np.array(self.search.space.selection.signs)
        loose = space.at_efficiency(self.search.tuning.anneal.revived_efficiency)
        loose = np.where(signs > 0, np.maximum(self.position, loose), np.minimum(self.position, loose))
        # Where signal and background are alike, nothing is gained and nothing is lost.
        return np.where(space.group >= 0, space.together(loose), self.position)

    def _minimize(self, search: Search, box: tuple[FloatArray, FloatArray], widths: FloatArray) -> Ending:
        sign, remembered = search.problem.objective.sign, dict[bytes, Evaluation]()
        _require_finite(search, self.position, widths)
        origin = self.position

        def function(moved: FloatArray) -> tuple[float, FloatArray]:
            position = search.space.expand(moved, origin)
            found = search.evaluate(position, widths)
            remembered[moved.tobytes()] = found
            if not np.isfinite(found.guarded) or not np.all(np.isfinite(found.gradient)):
                # Far below all others where there is no value, to turn a line search back.
                return 1e6, np.zeros_like(moved)
            return -sign * found.guarded, -sign * search.space.reduce(found.gradient, np.sum)

        def report(moved: FloatArray, f: float, g: FloatArray) -> None:  # noqa: ARG001
            self._report()
            found = remembered[moved.tobytes()]
            position = search.space.expand(moved, origin)
            self.rows.append(Row(self.num_stages, found.plain, position, found.gradient, widths))

        limits = search.space.reduce(box[0], np.max), search.space.reduce(box[1], np.min)
        start = np.clip(search.space.reduce(self.position), *limits)
        ending = search.problem.solver.minimize(function, start, limits, report)
        if search.space.expand(ending.position, origin).tobytes() != self.rows[-1].position.tobytes():
            if ending.position.tobytes() not in remembered:
                function(ending.position)
            report(ending.position, 0.0, ending.position)
        return dataclasses.replace(ending, position=search.space.expand(ending.position, origin))

    def history(self) -> History:
        """All steps so far."""
        space = self.search.space
        scores, gradients, widths = (
            np.array([getattr(row, name) for row in self.rows]) for name in ("position", "gradient", "widths")
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.array([space.slopes(score) for score in scores])
            gradients = np.where(slopes > 0, gradients / slopes, 0.0)
        thresholds = np.array([space.thresholds(score) for score in scores])
        return History.of(self.rows, space.names, thresholds, gradients=gradients, widths=widths, scores=scores)


def _require_finite(search: Search, scores: FloatArray, widths: FloatArray) -> None:
    found = search.evaluate(scores, widths)
    if not np.isfinite(found.guarded) or not np.all(np.isfinite(found.gradient)):
        structure = search.regions[0].structure
        none = np.zeros(len(structure.components))
        hard = Templates(structure, as_yields(search.hard_sums(scores)[0], structure), none)
        why = search.problem.objective.reason(Rows.of_templates(hard, (0.0, 0.0)), 0)
        thresholds = search.space.thresholds(scores)
        at = ", ".join(f"{n} = {t:.6g}" for n, t in zip(search.space.names, thresholds, strict=True))
        raise OptimizationError(
            f"The objective {search.problem.objective.name!r} has no finite value or gradient at {at} (value "
            f"{found.plain}; after hard cuts: {why}). Start from looser cuts, where signal and background both pass."
        )
