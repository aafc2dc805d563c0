"""A script that is published as a module."""

from __future__ import annotations

import textwrap
from typing import Any

from mlsteps import InputPortDef, Module, ModuleVersion, OutputPortDef, PipelineParameter
from steps.project import Project

SCALE = """
    import os, sys
    from pathlib import Path
    raw, out, by = sys.argv[1:]
    number = float(Path(raw).read_text().split()[0]) if raw else 1.0
    Path(out).write_text(f"{number * float(by)} {os.environ['AML_PARAMETER_unit']}")
"""


def scaling(project: Project, text: str = SCALE, module: Module | None = None, **given: Any) -> ModuleVersion:
    """A version of a module that multiplies."""
    folder = project.root / "shared"
    folder.mkdir(exist_ok=True)
    (folder / "scale.py").write_text(textwrap.dedent(text))
    module = module or Module.create(project.workspace, "scale", "Multiplies")
    raw, scaled = InputPortDef("raw"), OutputPortDef("scaled")
    return module.publish_python_script(
        "scale.py",
        "first",
        **{
            "inputs": [raw],
            "outputs": [scaled],
            "params": {"unit": "m"},
            "source_directory": str(folder),
            "arguments": [raw, scaled, PipelineParameter("by", 2.0)],
            **given,
        },
    )
