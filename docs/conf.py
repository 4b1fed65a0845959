"""How Sphinx builds the documentation: MyST pages, the furo theme, the API from docstrings."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "Stathouse"
author = "The Stathouse authors"
project_copyright = "The Stathouse authors"
version = release = _PROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_type_aliases = {"Tags": "stathouse.model.Tags", "FieldValue": "stathouse.model.FieldValue"}
autoclass_content = "both"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "Stathouse"
# Nothing is fetched from elsewhere when the pages are read.
html_theme_options = {"source_edit_link": "", "footer_icons": []}
