"""Transfers and Databricks steps come back from their definitions, whatever they hold, with their keys."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from definitions.conftest import again, key_of, shape
from mlsteps import (
    DatabricksCompute,
    DatabricksStep,
    DataPath,
    DataPathComputeBinding,
    Datastore,
    DataTransferStep,
    Pipeline,
    PipelineData,
    PipelineParameter,
    RunConfiguration,
    SqlDataReference,
)
from mlsteps.environment import DatabricksCluster, EggLibrary, JarLibrary, MavenLibrary, PyPiLibrary
from mlsteps.environment.databricks import RCranLibrary
from mlsteps.exceptions import MlstepsException
from steps.project import Project

words = st.text("abcXYZ-_ 1é", min_size=1, max_size=8).map(lambda text: f"w{text}")
own = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def transfers(draw: st.DrawFn, project: Project) -> Pipeline:
    store = Datastore(project.workspace, draw(st.sampled_from([None, "workspaceblobstore"])))
    sql = Datastore(project.workspace, "db")
    where = PipelineParameter("where", DataPath(store, "to", draw(st.sampled_from([None, "n"]))))
    made = PipelineData("made")
    first = DataTransferStep("first", store.path("x"), store.path("y"))
    source: Any = draw(
        st.sampled_from(
            [
                store.path("in", draw(st.sampled_from([None, "named"]))),
                made,
                made.as_input("m"),
                first.get_output().as_input("f"),
                (PipelineParameter("from", DataPath(store, "a")), DataPathComputeBinding("download")),
                SqlDataReference(sql, sql_query=draw(words)),
                SqlDataReference(sql, "q", sql_table="dbo.t"),
            ]
        )
    )
    destination: Any = draw(
        st.sampled_from(
            [
                store.path(draw(words)),
                (where, DataPathComputeBinding()),
                SqlDataReference(sql, sql_table="t"),
            ]
        )
    )
    options = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "mirror": st.booleans(),
                "overwrite": st.sampled_from(["replace", "keep", "refuse"]),
                "parallel": st.integers(1, 256),
                "max_bytes_per_second": st.floats(1, 1e12),
                "deferrable": st.sampled_from([None, True, False]),
                "file_format": st.sampled_from([None, "csv", "parquet"]),
                "sql_mode": st.sampled_from(["append", "create", "replace"]),
                "source_reference_type": st.sampled_from([None, "File", "directory"]),
                "destination_reference_type": st.sampled_from([None, "file", "DIRECTORY"]),
                "allow_reuse": st.booleans(),
                "retries": st.integers(0, 5),
            },
        )
    )
    copy = DataTransferStep("copy", source, destination, "adf", **options)
    return Pipeline(project.workspace, [project.step("maker", outputs=[made]), copy])


@given(st.data())
@own
def test_transfers_come_back(project: Project, data: st.DataObject) -> None:
    try:
        pipeline = data.draw(transfers(project))
    except MlstepsException:
        return  # what cannot be declared cannot be published
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    for mine, theirs in zip(made.graph.steps, pipeline.graph.steps, strict=True):
        if isinstance(theirs, DataTransferStep):
            assert isinstance(mine, DataTransferStep)
            assert mine.options == theirs.options
            assert (mine.source_kind, mine.target_kind) == (theirs.source_kind, theirs.target_kind)
            assert (mine.command(), mine.allow_reuse) == (theirs.command(), theirs.allow_reuse)
            assert repr(mine.destination) == repr(theirs.destination)


CLUSTERS = st.one_of(
    st.fixed_dictionaries({"existing_cluster_id": words, "permit_cluster_restart": st.booleans()}),
    st.fixed_dictionaries(
        {"num_workers": st.integers(0, 9)},
        optional={
            "spark_version": words,
            "node_type": words,
            "spark_env_variables": st.dictionaries(words, words, max_size=2),
            "spark_conf": st.dictionaries(words, words, max_size=2),
            "init_scripts": st.just(["/Shared/a.sh"]),
            "cluster_log_dbfs_path": st.just("dbfs:/logs"),
            "cluster_options": st.dictionaries(words, st.one_of(words, st.integers()), max_size=2),
        },
    ),
    st.just({"min_workers": 1, "max_workers": 3}),
    st.just({"serverless": True, "environment_version": "2"}),
)
LIBRARIES = st.fixed_dictionaries(
    {},
    optional={
        "pypi_libraries": st.lists(st.builds(PyPiLibrary, words, st.none() | words), max_size=2),
        "maven_libraries": st.lists(st.builds(MavenLibrary, words, words, st.just(["a:b"])), max_size=1),
        "rcran_libraries": st.lists(st.builds(RCranLibrary, words), max_size=1),
        "egg_libraries": st.lists(st.builds(EggLibrary, words), max_size=1),
    },
)


@st.composite
def databricks_steps(draw: st.DrawFn, project: Project) -> Pipeline:
    n, target = PipelineParameter("n", 3), DatabricksCompute("dbx", databricks_conn_id=draw(words))
    out = PipelineData("out")
    values = st.lists(st.sampled_from(["x", n, out, "$"]), max_size=4)
    code = draw(
        st.one_of(
            st.fixed_dictionaries(
                {
                    "notebook_path": st.just("/Shared/nb"),
                    "notebook_params": st.dictionaries(words, words | st.just(n), max_size=3),
                }
            ),
            st.fixed_dictionaries(
                {"python_script_path": st.just("dbfs:/s.py"), "python_script_params": values}
            ),
            st.fixed_dictionaries(
                {"main_class_name": words, "jar_params": values, "jar_libraries": st.just([JarLibrary("j")])}
            ),
            st.just(
                {
                    "python_script_name": project.script("s.py"),
                    "source_directory": project.source,
                    "source_files": ["s.py"],
                    "hash_paths": ["s.py"],
                }
            ),
        )
    )
    settings = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "run_name": words,
                "timeout_seconds": st.integers(1, 10**6),
                "cluster_counts": st.sampled_from([(), ["node_type"], ("spark_version", "node_type")]),
                "deferrable": st.booleans(),
                "version": words,
                "allow_reuse": st.booleans(),
                "strict": st.just(False),
            },
        )
    )
    cluster, libraries = draw(CLUSTERS), draw(LIBRARIES)
    if draw(st.booleans()):
        config = RunConfiguration()
        for name, value in libraries.items():
            setattr(config.environment.databricks, name, value)
        code.pop("jar_libraries", None)
        if "num_workers" in cluster and "cluster_options" not in cluster:
            config.environment.databricks.cluster = DatabricksCluster(**cluster)
            cluster = {}
        libraries = {"runconfig": config}
    step = DatabricksStep(
        "spark", outputs=[out], compute_target=target, **code, **settings, **cluster, **libraries
    )
    return Pipeline(project.workspace, [step])


@given(st.data())
@own
def test_databricks_steps_come_back_with_their_keys(project: Project, data: st.DataObject) -> None:
    try:
        pipeline = data.draw(databricks_steps(project))
    except MlstepsException:
        return  # what cannot be declared cannot be published
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    (mine,), (theirs,) = made.graph.steps, pipeline.graph.steps
    assert isinstance(mine, DatabricksStep)
    assert isinstance(theirs, DatabricksStep)
    assert mine.databricks_task == theirs.databricks_task
    assert mine.arguments == theirs.arguments
    assert repr(mine.compute_target) == repr(theirs.compute_target)
    exists = getattr(theirs.databricks_task.cluster, "existing_cluster_id", None)
    if theirs.takes_source and not exists:  # else the service is asked what the code or the cluster is
        assert key_of(made, "spark") == key_of(pipeline, "spark")


def test_keys_of_transfers(project: Project) -> None:
    store = Datastore(project.workspace)
    folder = project.workspace.config.datastores["workspaceblobstore"].folder / "in"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    where = PipelineParameter("where", DataPath(store, "out"))
    copy = DataTransferStep("copy", store.path("in"), (where, DataPathComputeBinding()), mirror=True)
    pipeline = Pipeline(project.workspace, [copy])
    assert key_of(again(pipeline), "copy") == key_of(pipeline, "copy")
    assert key_of(again(pipeline), "copy", where="workspaceblobstore/other") != key_of(pipeline, "copy")
