"""How Sphinx builds this documentation: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import os
from typing import Any

# Figures need no screen.
os.environ["MPLBACKEND"] = "Agg"

from sphinx.util.docutils import SphinxDirective
from sphinx_gallery.sorting import ExplicitOrder

from hepcuts import __version__
from hepcuts.cli.key_tables import configuration_keys, result_keys

project = "hepcuts"
author = "The hepcuts developers"
copyright = author  # noqa: A001 (Sphinx's name)
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "gallery", "auto_gallery/**.ipynb", "auto_gallery/**.py"]
# In docstrings `name` is a name of the package wherever there is one.
default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 100

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
autosummary_generate = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_custom_sections = [("Warns", "params_style"), ("Reference", "notes_style")]

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"

copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": ExplicitOrder(
        [
            "plot_notebook_question.py",
            "plot_ordering_is_not_enough.py",
            "plot_tutorial.py",
            "plot_shape_and_systematics.py",
            "plot_learned_discriminant.py",
            "plot_working_points.py",
            "plot_prices.py",
        ]
    ),
    "matplotlib_animations": False,
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "min_reported_time": 10_000,
    "write_computation_times": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
}

html_theme = "furo"
html_title = f"hepcuts {release}"
html_static_path = ["_static"]
html_css_files = ["hepcuts.css"]
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2a6bb0", "color-brand-content": "#2a6bb0"},
    "dark_css_variables": {"color-brand-primary": "#7db8f0", "color-brand-content": "#7db8f0"},
}


class ConfigurationKeys(SphinxDirective):
    """A table for each table of a configuration file, from the schema that reads it."""

    keys = staticmethod(configuration_keys)
    columns = (0, 1, 2, 3)
    widths = "16 24 14 46"

    def run(self) -> list[Any]:
        """The tables."""
        lines = []
        for entry, rows in self.keys().items():
            lines += [f"**{entry}**", "", ".. list-table::", "   :header-rows: 1", f"   :widths: {self.widths}", ""]
            for cells in (("key", "type", "if left out", "meaning"), *rows):
                row = [cells[column] for column in self.columns]
                lines += [f"   {'* -' if n == 0 else '  -'} {cell}" for n, cell in enumerate(row)]
            lines.append("")
        return self.parse_text_to_nodes("\n".join(lines))


class ResultKeys(ConfigurationKeys):
    """A table for each table of a ``result.json``, from the schema that writes it; all keys are there."""

    keys = staticmethod(result_keys)
    columns = (0, 1, 3)
    widths = "22 22 56"


def setup(app: Any) -> None:
    """Keep napoleon from reading "type: description" in the sentence that describes a property or an alias."""

    def hide(_app: Any, what: str, *rest: Any) -> None:
        lines = rest[-1]
        if what in {"property", "data"} and lines:
            lines[0] = lines[0].replace(":", "\0")

    def show(*arguments: Any) -> None:
        lines = arguments[-1]
        lines[:] = [line.replace("\0", ":") for line in lines]

    app.add_directive("configuration-keys", ConfigurationKeys)
    app.add_directive("result-keys", ResultKeys)
    app.connect("autodoc-process-docstring", hide, priority=400)
    app.connect("autodoc-process-docstring", show, priority=600)
