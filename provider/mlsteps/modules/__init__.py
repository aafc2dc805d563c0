"""Modules: scripts that are published with their code, for the pipelines of a workspace to share."""

from mlsteps.modules.module import Module
from mlsteps.modules.module_version import ModuleInterface, ModuleVersion, ModuleVersionDescriptor

__all__ = ["Module", "ModuleInterface", "ModuleVersion", "ModuleVersionDescriptor"]
