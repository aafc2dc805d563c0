"""Cluster: the few requests to a cluster's API that a job needs, with errors for people."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.kubernetes.kubernetes_compute import KubernetesCompute

T = TypeVar("T")

# A cluster's API server may be gone for a while, as when it is upgraded; pods go on meanwhile.
_PAUSES = (0.5, 1, 2, 4, 8, 15, 15, 30, 30)
# Whoever waits for a pod has time; giving up is to end it.
_PATIENT = (*_PAUSES, *[30] * 18)
_PASSING = (429, 500, 502, 503, 504)
_LOG_TIMEOUTS = (10, 120)


@contextmanager
def connected(target: KubernetesCompute) -> Iterator[Cluster]:
    """The cluster of a compute target.

    :raises ComputeTargetException: the provider is missing, or its connection opens no cluster.
    """
    try:
        from mlsteps.compute.kubernetes.pod_spec import operator_for

        operator = operator_for(target, name="unused")
    except ImportError:
        raise ComputeTargetException(
            f"Compute target {target.name!r} needs Airflow's Kubernetes provider: "
            f"pip install 'airflow-provider-mlsteps[kubernetes]'"
        ) from None
    where = f"Compute target {target.name!r}, connection {target.kubernetes_conn_id!r}"
    try:
        api = operator.hook.core_v1_client
        namespace = target.namespace or operator.hook.get_namespace() or "default"
    except Exception as error:  # a kubeconfig has many ways of being wrong
        raise ComputeTargetException(
            f"{where}: it opens no cluster: {type(error).__name__}: {error} Give the connection a "
            f"kubeconfig, or in_cluster where Airflow runs in the cluster; without either it is the cluster "
            f"that kubectl finds (KUBECONFIG)."
        ) from None
    try:
        yield Cluster(api, namespace, where)
    finally:
        with contextlib.suppress(Exception):
            api.api_client.close()


class Cluster:
    """Pods in one namespace.

    :param api: The client's ``CoreV1Api``.
    :param where: For errors.
    """

    def __init__(self, api: Any, namespace: str, where: str) -> None:
        self._api = api
        self.namespace = namespace
        self._where = where

    @property
    def address(self) -> str:
        """Of its API server."""
        return str(self._api.api_client.configuration.host)

    def check(self) -> None:
        """Ask it for something, once.

        :raises ComputeTargetException: it does not answer, or does not let in; the text says which.
        """
        self._call("list pods", lambda: self._api.list_namespaced_pod(self.namespace, limit=1), pauses=())

    def create(self, pod: Any) -> Any:
        """Create a pod; the one of this name that is there already is taken for it."""
        name = pod.metadata.name

        def create() -> Any:
            from kubernetes.client.exceptions import ApiException

            try:
                return self._api.create_namespaced_pod(self.namespace, pod)
            except ApiException as error:
                if error.status == 409:  # the answer to an earlier attempt may have been lost
                    return self._api.read_namespaced_pod(name, self.namespace)
                raise

        return self._call(f"create the pod {name!r}", create)

    def read(self, name: str) -> Any | None:
        """A pod; None if it is not there."""
        from kubernetes.client.exceptions import ApiException

        def read() -> Any | None:
            try:
                return self._api.read_namespaced_pod(name, self.namespace)
            except ApiException as error:
                if error.status == 404:
                    return None
                raise

        return self._call(f"read the pod {name!r}", read, _PATIENT)

    def labelled(self, label: str, value: str) -> list[Any]:
        """Pods by a label."""
        selector = f"{label}={value}"
        found: list[Any] = self._call(
            "list pods",
            lambda: self._api.list_namespaced_pod(self.namespace, label_selector=selector).items,
        )
        return found

    def delete(self, name: str) -> None:
        """Delete a pod, whose containers are asked to end first; that it is not there is no error."""
        self._call(f"delete the pod {name!r}", lambda: self._delete(name))

    def try_to_delete(self, name: str) -> None:
        """The same by one request, where there is no time for more; the pod has a deadline of its own."""
        with contextlib.suppress(Exception):
            self._delete(name)

    def forget(self, name: str) -> None:
        """Delete a pod without waiting for its node, which is lost; that it cannot be is no error."""
        with contextlib.suppress(Exception):
            self._delete(name, grace_period_seconds=0)

    def _delete(self, name: str, **options: Any) -> None:
        from kubernetes.client.exceptions import ApiException

        try:
            self._api.delete_namespaced_pod(name, self.namespace, **options)
        except ApiException as error:
            if error.status != 404:
                raise

    def warnings(self, name: str) -> list[str]:
        """What the cluster complained about, the last one last; empty where that may not be read."""
        with contextlib.suppress(Exception):
            events = self._api.list_namespaced_event(
                self.namespace, field_selector=f"involvedObject.name={name}"
            ).items
            return [f"{event.reason}: {event.message}" for event in events if event.type == "Warning"]
        return []

    def log(self, name: str, container: str, since: int | None) -> Iterator[bytes]:
        """What a container prints, each line with its time in front, until it ends or the connection does.

        :param since: Only of the last so many seconds.
        """
        answer = self._api.read_namespaced_pod_log(
            name,
            self.namespace,
            container=container,
            follow=True,
            timestamps=True,
            since_seconds=since,
            _preload_content=False,
            _request_timeout=_LOG_TIMEOUTS,
        )
        try:
            yield from answer.stream(1 << 16)
        finally:
            answer.release_conn()

    def _call(self, doing: str, call: Callable[[], T], pauses: Sequence[float] = _PAUSES) -> T:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        for pause in (*pauses, None):
            try:
                return call()
            except ApiException as error:
                if pause is None or error.status not in _PASSING:
                    raise self._explained(doing, error) from None
            except HTTPError as error:
                if pause is None:
                    raise ComputeTargetException(
                        f"{self._where}: cannot {doing}: the cluster's API server does not answer: {error}"
                    ) from None
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, doing: str, error: Any) -> ComputeTargetException:
        told = error.reason
        with contextlib.suppress(Exception):
            told = json.loads(error.body)["message"]
        advice = ""
        if error.status == 401:
            advice = " Its token or certificate has expired, or is another cluster's."
        elif error.status == 403 and "exceeded quota" in str(told):
            advice = " Ask for less (cpus, memory, gpus), or have the namespace's quota raised."
        elif error.status == 403 and "serviceaccount" in str(told) and "not found" in str(told):
            advice = " service_account names one of the pods' namespace."
        elif error.status == 403:
            advice = " Give its user the rights that the page on Kubernetes lists."
        elif error.status == 404:
            advice = f" Is there a namespace {self.namespace!r}?"
        return ComputeTargetException(f"{self._where}: cannot {doing}: {told}.{advice}")
