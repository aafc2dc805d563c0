"""Settings of Sphinx; make docs calls it. Works without a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_provider = Path(__file__).parent.parent / "provider"
sys.path.insert(0, str(_provider))  # the docstrings of this checkout, whatever is installed

_init = _provider / "mlsteps" / "__init__.py"
_version = re.search(r'^__version__ = "(.+)"$', _init.read_text(encoding="utf-8"), re.MULTILINE)
assert _version, f"no __version__ in {_init}"

project = "mlsteps"
author = "the mlsteps authors"
release = version = _version.group(1)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "snippets"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Some docstrings have reST fields, some Google's sections.
napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures show them as they are written
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": False}
# Airflow wraps the constructors of operators.
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 90

copybutton_prompt_text = "$ "  # and of such a block only the lines that are typed
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = f"mlsteps {release}"
html_copy_source = False
