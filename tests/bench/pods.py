"""What a job in a pod costs beside a bare pod of the same image with the same script, on the same cluster.

The cluster is the tests' double, whose pods are real containers; or a real one, where ``BENCH_KUBECONFIG``
names a kubeconfig, ``BENCH_IMAGE`` an image with Python that its nodes have, and ``BENCH_POD_TEMPLATE``, if
need be, a manifest to start from. Azurite is then at ``BENCH_HOST``, an address of this machine that pods
reach.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.budgets import Line, Tell
from bench.processes import interleaved, median, median_of
from compute.jobs import Bench
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import KubernetesCompute
from mlsteps.exceptions import MlstepsException
from servers.azurite import blob_store
from servers.debian import ServerMissing
from servers.docker_engine import DockerEngine, load_image, running_engine
from servers.docker_image import IMAGE
from servers.kubernetes_double import kubernetes_double

ADDED_LIMIT = 1.5

_SCRIPT = "print('on')"
_CONNECTION = "AIRFLOW_CONN_KUBERNETES_DEFAULT"


@dataclass(frozen=True)
class _Cluster:
    kind: str
    connection: dict[str, Any]
    image: str
    template: str | None = None


def pods(folder: Path, repetitions: int, tell: Tell) -> list[Line]:
    """A job of :class:`KubernetesCompute` that a worker stays with, until its pod is deleted."""
    try:
        with (
            _cluster() as cluster,
            Azurite(folder / "azurite", os.environ.get("BENCH_HOST", "127.0.0.1")) as on,
        ):
            before = os.environ.get(_CONNECTION)
            os.environ[_CONNECTION] = json.dumps({"conn_type": "kubernetes", "extra": cluster.connection})
            try:
                return [_added(folder / "pods", repetitions, tell, cluster, on)]
            finally:
                os.environ.pop(_CONNECTION)
                if before is not None:
                    os.environ[_CONNECTION] = before
    except (ServerMissing, MlstepsException) as missing:
        return [Line("a job in a pod", f"not measured: {missing}", 0, "s")]


@contextmanager
def _cluster() -> Iterator[_Cluster]:
    real = os.environ.get("BENCH_KUBECONFIG")
    if real:
        template = os.environ.get("BENCH_POD_TEMPLATE")
        yield _Cluster("a real cluster", {"kube_config_path": real}, os.environ["BENCH_IMAGE"], template)
        return
    with running_engine() as (url, own):
        load_image(url)
        with kubernetes_double(DockerEngine(url, IMAGE, own)) as double:
            yield _Cluster("a double of a cluster", {"kube_config": json.dumps(double.kube_config)}, IMAGE)


def _added(folder: Path, repetitions: int, tell: Tell, cluster: _Cluster, azurite: Azurite) -> Line:
    from mlsteps.compute.kubernetes.cluster import connected
    from mlsteps.compute.kubernetes.pod_spec import operator_for

    target = KubernetesCompute(
        base_image=cluster.image, pod_template=cluster.template, namespace="default", deferrable=False
    )
    bench = Bench(folder, target)
    store = blob_store(azurite)

    def plain() -> dict[str, Any]:
        start = time.perf_counter()
        with connected(target) as found:
            name, command = f"plain-{uuid4().hex[:12]}", ["python3", "-c", _SCRIPT]
            operator = operator_for(target, name=name, image=cluster.image, command=command)
            found.create(operator.build_pod_request_obj())
            while (pod := found.read(name)).status.phase not in ("Succeeded", "Failed"):
                time.sleep(0.1)
            if pod.status.phase == "Failed":
                raise RuntimeError(f"The bare pod failed: {pod.status}")
            found.delete(name)
        return {"seconds": time.perf_counter() - start}

    def ours() -> dict[str, Any]:
        bench.lines.clear()
        job = bench.job(_SCRIPT, id=f"job.{uuid4().hex}")
        output = replace(bench.writes("none", f"made/{uuid4()}", create_directory=True), store=store)
        start = time.perf_counter()
        outcome = target.run(replace(job, outputs=(output,)), bench.watcher)
        seconds = time.perf_counter() - start
        if outcome.error is not None or ("stdout", "on") not in bench.lines:
            raise RuntimeError(f"{outcome.error} {bench.lines}")
        return {"seconds": seconds}

    found = interleaved(repetitions, {"bare pod": plain, "KubernetesCompute": ours}, tell)
    pairs = zip(found["bare pod"], found["KubernetesCompute"], strict=True)
    sides = {name: median_of(results, "seconds") for name, results in found.items()}
    return Line(
        f"a job in a pod, on {cluster.kind}",
        f"bare pod {sides['bare pod']:.2f} s, KubernetesCompute {sides['KubernetesCompute']:.2f} s",
        median([ours["seconds"] - plain["seconds"] for plain, ours in pairs]),
        "s",
        ADDED_LIMIT,
        sides,
    )
