"""Scripts in containers of a Docker engine."""

from mlsteps.compute.docker.docker_compute import DockerCompute

__all__ = ["DockerCompute"]
