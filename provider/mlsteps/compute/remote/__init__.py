"""Scripts on another machine, by SSH."""

from mlsteps.compute.remote.remote_compute import RemoteCompute

__all__ = ["RemoteCompute"]
