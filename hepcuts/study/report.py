"""The report: figures, tables and JSON in a folder, with a page that explains them, in Markdown and in HTML."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hepcuts._core import files
from hepcuts._core.errors import InputError
from hepcuts._core.pages import AbstractBlock, Figure, to_html, to_markdown
from hepcuts.plotting.saving import save

from . import figures, founding, texts
from .overview import Grids, grids_to_json
from .scenarios import Case, drawings, summary, to_json
from .sentences import sentences


def write(cases: Sequence[Case], folder: str | Path, *, seed: int, grids: Grids | None = None) -> list[Path]:
    """Write the report and return the paths of its files.

    These are ``figures/`` (each as PNG and PDF), ``tables/`` (CSV), ``study.json``, ``study.txt``, ``report.md`` and
    ``report.html``; the last needs no other file and no network. Each file is whole or not there; the numbers come
    before the figures.

    Args:
        cases: from `run`.
        folder: where to write.
        seed: seed of the cases, and of the grids.
        grids: from `run_grids`, or None for a report on the cases alone.

    Raises:
        InputError: `folder` is a file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(*(path.name for path in write((), folder, seed=1)))
        study.txt study.json report.md report.html
    """
    folder = Path(folder)
    numbers = write_numbers(cases, folder, seed=seed, grids=grids)
    written: list[Path] = []
    blocks: list[AbstractBlock] = [*texts.opening(cases, grids)]
    for part in (() if grids is None else _founding(grids), _scenarios(cases), () if grids is None else _grids(grids)):
        for item in part:
            if isinstance(item, AbstractBlock):
                blocks.append(item)
            else:
                name, drawing, caption = item
                written += _save(drawing, folder / "figures" / name)
                blocks.append(Figure(f"figures/{name}.png", caption))
    blocks += texts.closing(seed, grids)
    pages = {"report.md": to_markdown(blocks), "report.html": to_html(blocks, folder)}
    written += numbers
    return written + [files.write_text(folder / name, text) for name, text in pages.items()]


def write_numbers(cases: Sequence[Case], folder: str | Path, *, seed: int, grids: Grids | None = None) -> list[Path]:
    """Write the numbers of the report, before anything is drawn; arguments and exception are those of `write`.

    Returns:
        Paths of ``tables/``, ``study.txt`` and ``study.json``.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; expected a folder to write to.")
    tables = [] if grids is None else _tables(grids, folder / "tables")
    document = to_json(cases, seed=seed) | ({} if grids is None else grids_to_json(grids))
    texts_by_name = {
        "study.txt": summary(cases) + "\n",
        "study.json": json.dumps(document, indent=1, allow_nan=False) + "\n",
    }
    return tables + [files.write_text(folder / name, text) for name, text in texts_by_name.items()]


_Item = AbstractBlock | tuple[str, Any, str]
"""A block, or a drawing that becomes one: name, drawing, caption."""


def _founding(grids: Grids) -> Iterator[_Item]:
    yield from texts.about_theorem()
    yield "price-of-decisions", founding.price_drawing(), sentences("caption of prices", scenario=founding.EXAMPLE)
    yield from texts.about_few(grids.few)
    yield "few-events", founding.few_drawing(grids.few), sentences("caption of few")


def _scenarios(cases: Sequence[Case]) -> Iterator[_Item]:
    if cases:
        yield from texts.about_scenarios()
    for case in cases:
        yield from texts.of_scenario(case)
        for kind, drawing in drawings(case).items():
            yield f"{case.name}-{kind}", drawing, sentences(f"caption of {kind}")


def _grids(grids: Grids) -> Iterator[_Item]:
    yield from texts.about_phases(grids)
    for name, drawing in figures.phase_drawings(grids).items():
        yield name, drawing, texts.phase_caption(name)
    yield from texts.about_luminosities(grids)
    yield "luminosity-and-uncertainty", figures.luminosity_drawing(grids), sentences("caption of luminosities")
    if grids.simulations:
        yield from texts.about_simulations(grids)
    for found in grids.simulations:
        yield from texts.of_simulation(found)
        for kind, drawing in figures.simulation_drawings(found).items():
            yield f"simulation-{found.scenario}-{kind}", drawing, sentences(f"caption of {kind}")


def _save(drawing: Any, stem: Path) -> list[Path]:
    """The figure as PNG and as PDF, closed."""
    raster = save(drawing, stem.with_name(stem.name + ".png"), dpi=110)
    figure = drawing.figure.canvas.figure
    # The layout was found for the first file, and finding it takes longer than drawing.
    figure.set_layout_engine("none")
    document = stem.with_name(stem.name + ".pdf")
    with files.atomic_path(document) as temporary:
        # Without a date: the same study writes the same files.
        figure.savefig(temporary, metadata={"CreationDate": None})
    return [raster, document]


def _tables(grids: Grids, folder: Path) -> list[Path]:
    """All points of the diagrams, one file for each family and kind of grid."""
    tables: dict[str, list[Any]] = {}
    for kind, diagrams in (("phase", grids.phases), ("luminosity", grids.luminosities)):
        for diagram in diagrams:
            tables.setdefault(f"{kind}-{diagram.family.name}.csv", []).append(diagram.to_dataframe())
    written = []
    for name, frames in tables.items():
        with files.atomic_path(folder / name) as temporary:
            for number, frame in enumerate(frames):
                frame.to_csv(
                    temporary, index=False, float_format="%.7g", mode="a" if number else "w", header=not number
                )
        written.append(folder / name)
    return written
