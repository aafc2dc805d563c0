"""The image names of SDK v1, and which of them ask for a container at all."""

from __future__ import annotations

import re

DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04"
MPI_CPU_IMAGE = DEFAULT_CPU_IMAGE
MPI_GPU_IMAGE = DEFAULT_GPU_IMAGE

_BASE_IMAGE = re.compile(r"mcr\.microsoft\.com/azureml/(?:openmpi|intelmpi|mpi|base|minimal)[^/]*$")


def is_plain_base_image(image: str) -> bool:
    """Return whether ``image`` is one of Azure ML's empty base images.

    They hold an operating system, MPI and conda, and stood in SDK v1 wherever nothing else was asked for
    (public code sets ``docker.base_image = DEFAULT_CPU_IMAGE``). So here they mean "no particular image".
    """
    return _BASE_IMAGE.match(image) is not None
