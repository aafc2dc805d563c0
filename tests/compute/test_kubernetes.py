"""KubernetesCompute against a double of a cluster whose pods are real containers, and Azurite."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from compute.jobs import ok, wait_for
from compute.pods import UNTIL_STOP, Make, Pods, cluster, pods, run_beside, stop, with_stop
from mlsteps.compute import (
    JobSuspended,
    KubernetesCompute,
    StepJob,
    create_compute_target,
)
from mlsteps.compute.resources import Resources
from mlsteps.environment import CondaDependencies, Environment, plan_environment
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.digest import digest_bytes
from servers.azurite import azurite
from servers.docker_engine import DockerEngine
from servers.faults import Fault, FaultyProxy

__all__ = ["azurite", "cluster", "pods", "stop"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


COPY = """
import os, sys
source, target = sys.argv[1:]
open(target, "w").write(open(source + "/a.txt").read().upper())
os.makedirs("outputs", exist_ok=True)
open("outputs/kept.txt", "w").write("kept")
from mlsteps.run import Run
Run.get_context().log("rows", 3)
print("secret" if "sig=" in str(os.environ) else "clean", os.getcwd(), flush=True)
print("complaint", file=sys.stderr)
"""


def copy(pods: Pods) -> StepJob:
    return pods.job(
        COPY,
        "$in_source",
        "$out_target",
        inputs=(pods.reads("source"),),
        outputs=(pods.writes("target", "made/target"),),
    )


def test_a_job_runs_in_a_pod_that_is_gone_afterwards(pods: Make) -> None:
    one = pods()
    outcome = ok(one.target.run(copy(one), one.bench.watcher))
    assert one.store.read("made/target") == b"ABC"
    assert outcome.manifests["target"].files[0].digest == digest_bytes(b"ABC")
    assert [event["value"] for event in outcome.events if event["event"] == "metric"] == [3]
    assert one.bench.kept["files/outputs/kept.txt"] == b"kept"
    assert one.bench.kept["stderr.log"] == b"complaint\n"
    assert {"clean /mlsteps/work", "complaint"} <= set(one.printed.splitlines())
    assert outcome.environment["image"] == one.target.base_image
    assert set(one.bench.watcher.phases) >= {"environment", "stage", "script", "publish"}


def test_nobody_waits_for_a_pod_and_the_next_call_finds_it(pods: Make) -> None:
    one = pods(deferrable=True)
    job = copy(one)
    with pytest.raises(JobSuspended) as suspended:
        one.target.run(job, one.bench.watcher)
    [pod] = one.cluster.pod_names()
    assert suspended.value.trigger.endswith("PodTrigger")
    settings = json.loads(json.dumps(suspended.value.settings))
    assert (settings["pod_name"], settings["pod_namespace"]) == (pod, "ns")
    # Neither a key nor a signature is kept with the trigger.
    assert settings["connection_extras"] is None and "sig=" not in json.dumps(settings)
    assert "token-of" not in json.dumps(settings)
    ok(one.target.run(job, one.bench.watcher))
    assert len(one.cluster.created) == 1
    assert one.store.read("made/target") == b"ABC"
    assert "clean /mlsteps/work" in one.printed


def test_only_the_launcher_and_signed_addresses_get_into_a_pod(pods: Make) -> None:
    one = pods(cpus=1, memory="200m")
    ok(one.target.run(copy(one), one.bench.watcher))
    [pod] = one.cluster.created
    [container] = pod["spec"]["containers"]
    assert [variable["name"] for variable in container["env"]] == ["MLSTEPS_JOB", "MLSTEPS_LAUNCHER"]
    assert all("/mlsteps-job-" in variable["value"] for variable in container["env"])
    key = one.store.account.client.credential.account_key
    assert key not in json.dumps(pod)
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["restartPolicy"] == "Never"
    assert container["securityContext"] == {"allowPrivilegeEscalation": False}
    assert container["resources"]["limits"] == {"cpu": "1000m", "memory": str(200 * 2**20)}
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert pod["spec"]["activeDeadlineSeconds"] == 24 * 3600
    labels = pod["metadata"]["labels"]
    assert (labels["dag_id"], labels["task_id"], labels["try_number"]) == ("dag", "Task_1", "1")
    assert pod["metadata"]["name"].startswith("task-1-")


def test_settings_become_the_pods(pods: Make) -> None:
    one = pods(
        node_selector={"disk": "ssd"},
        tolerations=[{"key": "gpu", "operator": "Exists", "tolerationSeconds": 5}],
        image_pull_secrets=["registry"],
        service_account="trainer",
        shm_size="64m",
        pod_template={
            "metadata": {"annotations": {"team": "x"}},
            "spec": {"containers": [{"name": "base"}], "schedulerName": "own"},
        },
    )
    with pytest.raises(ComputeTargetException, match="trainer.*service_account names one of"):
        one.run("")
    one.cluster.service_accounts.add("trainer")
    one.cluster.node.labels["disk"] = "ssd"
    one.cluster.node.taints.append({"key": "gpu", "effect": "NoSchedule"})
    size = "import os; facts = os.statvfs('/dev/shm'); print(facts.f_blocks * facts.f_frsize >> 20)"
    ok(one.run(size, resources=Resources(memory=300 * 2**20)))
    assert "64" in one.printed.splitlines()
    [pod] = one.cluster.created
    spec = pod["spec"]
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 5}]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("trainer", True)
    assert (spec["schedulerName"], pod["metadata"]["annotations"]["team"]) == ("own", "x")
    assert spec["containers"][0]["resources"]["limits"] == {"memory": str(300 * 2**20)}


def test_a_volume_claim_is_a_folder_of_the_worker(pods: Make, tmp_path: Path) -> None:
    lake = tmp_path / "store"
    one = pods(volumes={str(lake): {"claim": "lake", "mount": "/lake"}}, max_hours=1)
    one.cluster.node.claims["lake"] = str(lake)
    one.bench.put("data/a.txt", "abc")
    job = one.job(
        "import sys; print(sys.argv[1:]); open(sys.argv[2], 'w').write(open(sys.argv[1] + '/a.txt').read())",
        "$in_source",
        "$out_target",
        inputs=(one.bench.reads("source", "data"), one.reads("blob")),
        outputs=(one.bench.writes("target", "made/x"),),
    )
    ok(one.target.run(job, one.bench.watcher))
    assert "['/lake/data', '/lake/made/x']" in one.printed
    assert one.bench.store.read("made/x") == b"abc"


def test_a_script_that_fails_is_told_like_anywhere(pods: Make) -> None:
    one = pods()
    outcome = one.run("import sys; print('why', file=sys.stderr); sys.exit(3)")
    assert (outcome.exit_code, outcome.error) == (3, "The script ended with exit code 3.")
    assert outcome.stderr_tail == ("why",)


def test_too_much_memory_is_told_with_the_limit(pods: Make) -> None:
    outcome = pods(memory="60m").run("bytearray(400_000_000)")
    assert (
        outcome.error is not None and "more memory than its limit of 62.9 MB. Raise memory" in outcome.error
    )


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_image_that_nobody_has_is_named(pods: Make, deferrable: bool) -> None:
    one = pods(base_image="example.invalid/none:1", deferrable=deferrable)
    job = one.job("")
    if deferrable:
        with pytest.raises(JobSuspended):
            one.target.run(job, one.bench.watcher)
    error = one.target.run(job, one.bench.watcher).error
    assert error is not None and error.startswith("The image 'example.invalid/none:1' cannot be pulled: ")
    assert "not found" in error and "image_pull_secrets" in error


def test_a_pod_that_no_node_takes_is_explained(pods: Make) -> None:
    error = pods(cpus=64, startup_minutes=0.02).run("").error
    assert error is not None and "Insufficient cpu" in error and "Ask for less" in error


def test_a_volume_claim_that_is_not_there_is_named(pods: Make) -> None:
    error = pods(volumes={"/lake": {"claim": "lake"}}, startup_minutes=0.02).run("").error
    assert error is not None and '"lake" not found' in error and "volumes names claims" in error


def test_an_eviction_is_told(pods: Make) -> None:
    one = pods()
    thread = run_beside(one, "print('up', flush=True); import time; time.sleep(60)")
    wait_for(lambda: "up" in one.printed)
    one.cluster.evict(one.cluster.pod_names()[0])
    [outcome] = thread()
    assert outcome.error.startswith("The cluster evicted the pod: The node was low on resource: memory.")


def test_a_pod_that_somebody_deletes_is_told(pods: Make) -> None:
    one = pods()
    thread = run_beside(one, "print('up', flush=True); import time; time.sleep(60)")
    wait_for(lambda: "up" in one.printed)
    one.cluster.delete_pod("ns", one.cluster.pod_names()[0], 0)
    [outcome] = thread()
    assert outcome.error is not None and outcome.error.startswith("The pod was ended from outside")


def test_a_stop_ends_the_script_within_airflows_five_seconds(pods: Make) -> None:
    one = pods()
    script = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('asked', flush=True), sys.exit(5)))
print('up', flush=True)
time.sleep(60)
"""
    thread = run_beside(one, script)
    wait_for(lambda: "up" in one.printed)
    begin = time.monotonic()
    one.bench.watcher.stop()
    [outcome] = thread()
    assert time.monotonic() - begin < 5
    assert outcome.error == "The script was stopped because its task was."


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_stop_before_there_is_a_pod_leaves_none(pods: Make, deferrable: bool) -> None:
    one = pods(deferrable=deferrable)
    one.bench.watcher.stop()
    assert one.run("").error == "The script was stopped because its task was."
    assert one.cluster.created == []


def test_what_the_script_logs_is_told_while_it_runs(pods: Make, stop: Path) -> None:
    one = with_stop(pods, stop)
    script = "from mlsteps.run import Run; Run.get_context().log('x', 1)\n" + UNTIL_STOP
    thread = run_beside(one, script)
    assert wait_for(lambda: one.bench.events)[0]["name"] == "x"
    assert one.cluster.pod_names()
    stop.touch()
    ok(thread()[0])


@pytest.mark.parametrize("fault", ["reset before", "reset after", "swallowed", "busy", "truncated"])
def test_a_fault_at_any_request_to_the_cluster_does_no_harm(
    pods: Make, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    one = pods()
    seen: set[str] = set()

    def first_time(number: int, line: str) -> Fault | None:
        kind = line.partition("?")[0].replace(" HTTP/1.1", "")
        new = kind not in seen
        seen.add(kind)
        return fault if new else None

    with FaultyProxy(one.cluster.url, first_time) as proxy:
        text = proxy.through(json.dumps(one.cluster.kube_config))
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": text}}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
        ok(one.run("import time\nfor n in range(20): print(n, flush=True); time.sleep(.01)"))
        assert len(proxy.injected) >= 4
    assert [line for line in one.printed.splitlines() if line.isdigit()] == [str(n) for n in range(20)]
    assert len(one.cluster.created) == 1


def test_an_earlier_try_whose_worker_is_gone_is_ended(pods: Make) -> None:
    one = pods(deferrable=True)
    with pytest.raises(JobSuspended):
        one.target.run(one.job("import time; time.sleep(60)", id="a.1", step="a"), one.bench.watcher)
    [earlier] = one.cluster.pod_names()
    with pytest.raises(JobSuspended):
        one.target.run(job := one.job("", id="a.2", step="a"), one.bench.watcher)
    wait_for(lambda: earlier not in one.cluster.pod_names())
    ok(one.target.run(job, one.bench.watcher))


def test_an_image_without_python_is_told(pods: Make) -> None:
    error = pods(python="python2.4").run("").error
    assert error is not None and "python on the compute target" in error, error


def test_who_may_not_make_pods_is_told_so(pods: Make) -> None:
    one = pods()
    one.cluster.forbidden.add(("create", "pods"))
    with pytest.raises(
        ComputeTargetException, match="'k8s'.*cannot create the pod.*forbidden.*Give its user"
    ):
        one.run("")


def test_an_environment_that_names_an_image_gets_it_and_packages_need_a_repository(
    pods: Make, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    one = pods(base_image=None)
    environment = Environment.from_docker_image("x", docker_engine.image)
    ok(one.run("print('hi')", run_configuration=environment))
    locks = one.job("").locks
    assert locks is not None
    identity = one.target.environment_identity(plan_environment(environment), locks, tmp_path)
    assert identity == {"kind": "container image", "image": docker_engine.image}
    packages = CondaDependencies.create(pip_packages=["pandas"])
    with pytest.raises(ComputeTargetException, match="push_to"):
        one.run("", run_configuration=packages)
    elsewhere = pods(push_to="registry.invalid/made", docker_engine_conn_id="no_such_engine")
    with pytest.raises(ComputeTargetException, match="'k8s', connection 'no_such_engine': .*looked up"):
        elsewhere.run("", run_configuration=packages)
    with pytest.raises(ComputeTargetException, match="base_image"):
        one.run("")


def test_without_a_storage_account_it_is_said_what_is_needed(pods: Make) -> None:
    one = pods()
    with pytest.raises(ComputeTargetException, match="'k8s'.*Azure Blob"):
        one.target.run(one.bench.job(""), one.bench.watcher)


def test_settings_describe_it_and_wrong_ones_are_named() -> None:
    settings = {
        "namespace": "ns",
        "cpus": 2,
        "volumes": {"/lake": {"claim": "c"}},
        "node_selector": {"a": "b"},
    }
    target = KubernetesCompute("k8s", **settings)  # type: ignore[arg-type]
    assert target.describe() == {"type": "kubernetes", "name": "k8s", **settings}
    assert create_compute_target("k8s", target.describe()).describe() == target.describe()
    for wrong in (
        {"cpus": 0},
        {"gpus": "all"},
        {"max_hours": 1000},
        {"startup_minutes": 0},
        {"volumes": {"relative": {"claim": "c"}}},
        {"volumes": ["/lake"]},
        {"tolerations": {"key": "gpu"}},
        {"node_selector": {"a": 1}},
        {"image_pull_policy": "sometimes"},
        {"image_pull_secrets": "one"},
        {"deferrable": "yes"},
        {"pod_template": 3},
        {"python": ""},
        {"docker_engine_conn_id": "engine", "docker_url": "unix:///d.sock"},
    ):
        with pytest.raises(ComputeTargetException, match=f"'k8s'.*{next(iter(wrong))}"):
            KubernetesCompute("k8s", **wrong)  # type: ignore[arg-type]
