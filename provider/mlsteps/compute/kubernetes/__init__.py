"""Scripts in pods of a Kubernetes cluster."""

from mlsteps.compute.kubernetes.kubernetes_compute import KubernetesCompute

__all__ = ["KubernetesCompute"]
