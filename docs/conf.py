"""Settings of Sphinx; make docs calls it. Works without a network."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

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
python_maximum_signature_line_length = 90

copybutton_prompt_text = "$ "  # and of such a block only the lines that are typed
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = f"mlsteps {release}"
html_copy_source = False


def _signature_of_steps(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, annotation: str | None
) -> tuple[str, None] | None:
    """A metaclass takes the call of a step's class; what it takes is what the constructor declares."""
    if what != "class" or signature != "(*args, **kwargs)" or obj.__init__ is object.__init__:
        return None
    declared = inspect.signature(obj.__init__)
    parameters = [p.replace(annotation=p.empty) for p in list(declared.parameters.values())[1:]]
    return str(declared.replace(parameters=parameters, return_annotation=declared.empty)), None


def _plain_properties(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from taking what stands before a property's first colon for its type."""
    if what == "property":
        lines.insert(0, "")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _signature_of_steps)
    app.connect("autodoc-process-docstring", _plain_properties, priority=400)  # before napoleon
