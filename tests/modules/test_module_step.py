"""Steps that run modules: what they are declared with, what they run, and what is reused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from mlsteps import (
    InputPortDef,
    Module,
    ModuleStep,
    OutputFileDatasetConfig,
    OutputPortDef,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
    Workspace,
)
from mlsteps.exceptions import StepDefinitionError, UserErrorException
from mlsteps.runs import PipelineRun
from modules.conftest import SCALE, scaling
from steps.project import Project, edges

MAKE = """
    import sys
    from pathlib import Path
    Path(sys.argv[1]).write_text("21")
"""


def making(project: Project) -> tuple[PipelineData, PythonScriptStep]:
    number = PipelineData("number")
    return number, project.step("make", MAKE, outputs=[number], arguments=[number])


def result(project: Project, run: PipelineRun, step: str = "scale", port: str = "scaled") -> str:
    (found,) = run.find_step_run(step)
    return project.output(found.record, port).read_text()


def submitted(project: Project, step: ModuleStep, name: str = "exp", **values: Any) -> PipelineRun:
    run = Pipeline(project.workspace, [step]).submit(name, values)
    assert run.get_status() == "Finished", [one.record.error for one in run.get_steps()]
    return run


def states(run: PipelineRun) -> dict[str, str]:
    return {step.name: step.record.state for step in run.get_steps()}


# Running


def test_a_module_runs_with_the_code_that_it_was_published_with(project: Project, airflow_db: Path) -> None:
    scaling(project)
    (project.root / "shared" / "scale.py").write_text("raise SystemExit(1)")
    number, _ = making(project)
    factor = PipelineParameter("factor", 3.0)
    step = ModuleStep(
        "scale",
        inputs_map={"raw": number},
        outputs_map={"scaled": PipelineData("mine")},
        params={"by": factor},
    )
    run = submitted(project, step, factor=0.5)
    assert result(project, run) == "10.5 m"
    (found,) = run.find_step_run("scale")
    assert found.record.source["module"] == "scale"
    assert found.record.source["version"] == "1"
    assert found.record.step_type == "ModuleStep"
    assert "directory" not in found.record.source


def test_every_way_of_naming_a_version_finds_it(project: Project) -> None:
    first = scaling(project)
    module = first.module()
    scaling(project, module=module)
    given: list[tuple[str, dict[str, Any]]] = [
        ("1", {"module": module, "version": "1"}),
        ("1", {"module_version": first}),
        ("1", {"module_version": first.module_version_id}),
        ("2", {"module": module}),
        ("2", {"module": "scale", "version": 2}),
        ("2", {"module": module.id, "name": "x"}),
    ]
    for version, one in given:
        step: Any = ModuleStep(**one, inputs_map={"raw": PipelineData("d")})
        assert step.prepared(project.workspace).content.version == version, one
        assert step.name == one.get("name", step.name)
        assert step.content is None


def test_another_step_reads_what_a_module_makes(project: Project, airflow_db: Path) -> None:
    scaling(project)
    number, _ = making(project)
    once, twice = PipelineData("once"), OutputFileDatasetConfig("twice")
    first = ModuleStep("scale", "1", name="first", inputs_map={"raw": number}, outputs_map={"scaled": once})
    second = ModuleStep(
        "scale",
        name="second",
        inputs_map={"raw": once},
        outputs_map={"scaled": twice},
        arguments=["{{ 1 + 1 }}", once, twice],
        params={"unit": "km"},
    )
    module = Module.get(project.workspace, name="scale")
    text = """
        import sys
        from pathlib import Path
        Path(sys.argv[3], "x").write_text(Path(sys.argv[2]).read_text() + sys.argv[1])
    """
    scaling(project, text, module=module, version="2")
    show = project.step("show", "import sys; print(sys.argv)", arguments=[twice.as_input("t")])
    run = Pipeline(project.workspace, [show, second, first]).submit("exp")
    assert states(run) == dict.fromkeys(("make", "first", "second", "show"), "ran"), [
        one.record.error for one in run.get_steps()
    ]
    (found,) = run.find_step_run("second")
    assert (project.output(found.record, "scaled") / "x").read_text() == "42.0 m2"


def test_an_optional_input_may_be_left_out(project: Project, airflow_db: Path) -> None:
    scaling(project, inputs=[InputPortDef("raw", is_optional=True)], arguments=None)
    raw, out = InputPortDef("raw"), OutputPortDef("scaled")
    module = Module.get(project.workspace, name="scale")
    scaling(project, module=module, inputs=[InputPortDef("raw", is_optional=True)], arguments=[raw, out, 5])
    assert result(project, submitted(project, ModuleStep("scale"))) == "5.0 m"


def test_a_module_says_how_bare_data_reaches_it(project: Project) -> None:
    scaling(project, inputs=[InputPortDef("raw", default_datastore_mode="download")])
    number, _ = making(project)
    modes = {}
    for name, given in (("bare", number), ("said", number.as_mount("x"))):
        step = ModuleStep("scale", inputs_map={"raw": given}, name=name)
        modes[name] = step.prepared(project.workspace).input_ports[0].mode
    assert modes == {"bare": "download", "said": "mount"}


def test_the_run_configuration_is_the_steps_else_the_versions(project: Project) -> None:
    config, other = RunConfiguration(), RunConfiguration()
    config.environment_variables = {"A": "module"}
    scaling(project, runconfig=config)
    step = ModuleStep("scale", inputs_map={"raw": PipelineData("d")})
    assert step.run_configuration is None
    assert step.prepared(project.workspace).run_configuration.environment_variables == {"A": "module"}
    step = ModuleStep("scale", inputs_map={"raw": PipelineData("d")}, runconfig=other)
    assert step.prepared(project.workspace).run_configuration is other


def test_a_dag_file_asks_nobody(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a workspace that could answer, and without a module of that name."""

    def asked(self: Workspace) -> None:
        raise AssertionError("a store was asked for")

    number, _ = making(project)
    monkeypatch.setattr(Workspace, "record_store", asked)
    step = ModuleStep("nowhere", inputs_map={"raw": number}, outputs_map={"out": PipelineData("made")})
    dag = Pipeline(project.workspace, [step]).to_dag("d")
    assert edges(dag) == {("reuse", "make"), ("make", "nowhere")}


# Which version


def test_the_default_version_is_that_of_the_time_of_the_run(project: Project, airflow_db: Path) -> None:
    module = scaling(project).module()
    number, _ = making(project)
    pipeline = Pipeline(project.workspace, [ModuleStep("scale", inputs_map={"raw": number})])
    dag = pipeline.to_dag("twice")
    first = project.run(dag)
    scaling(project, SCALE.replace("* float", "+ float"), module=module, is_default=True)
    second = project.run(dag)
    found = [project.output(project.record(run, "scale"), "scaled").read_text() for run in (first, second)]
    assert found == ["42.0 m", "23.0 m"]
    assert project.record(second, "scale").reason == "re-run: scale.py changed"


def test_what_is_deprecated_runs_with_a_warning_that_names_another(
    project: Project, airflow_db: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    version = scaling(project)
    module = version.module()
    scaling(project, module=module)
    version.deprecate()
    number, _ = making(project)
    step = ModuleStep("scale", "1", inputs_map={"raw": number})
    assert result(project, submitted(project, step)) == "42.0 m"
    told = "".join(capsys.readouterr()) + caplog.text
    assert "version '1' of module 'scale' is deprecated, use version '2'." in told
    module.set_description("Use module 'scale2'.")
    module.deprecate()
    caplog.clear()
    ModuleStep(module, inputs_map={"raw": number}).prepared(project.workspace)
    told = "".join(capsys.readouterr()) + caplog.text
    assert "module 'scale' is deprecated: Use module 'scale2'." in told
    assert "version" not in told


def test_what_is_disabled_is_refused_before_anything_runs(project: Project, airflow_db: Path) -> None:
    version = scaling(project)
    scaling(project, module=version.module())
    number, _ = making(project)
    version.disable()
    for given in ({"module": "scale", "version": "1"}, {"module_version": version}):
        step = ModuleStep(**given, inputs_map={"raw": number})  # type: ignore[arg-type]
        with pytest.raises(StepDefinitionError, match="is disabled. Use version '2', or enable"):
            step.prepared(project.workspace)
    Module.get(project.workspace, name="scale").disable()
    run = Pipeline(project.workspace, [ModuleStep("scale", inputs_map={"raw": number})]).submit("exp")
    assert states(run) == {"make": "ran", "scale": "failed"}
    (failed,) = run.find_step_run("scale")
    assert "'module': module 'scale' is disabled" in str(failed.record.error)


def test_a_version_that_there_is_not_is_no_other_one(project: Project) -> None:
    scaling(project)
    for given, told in (
        ({"module": "other"}, "'module': the workspace has no module 'other'; it has scale"),
        ({"module": "scale", "version": "9"}, "'version': module 'scale' has no version '9'; it has 1"),
        ({"module_version": "x.1"}, "'module_version': the workspace has no version 'x.1'"),
    ):
        with pytest.raises(StepDefinitionError, match=told):
            ModuleStep(**given).prepared(project.workspace)  # type: ignore[arg-type]


def test_a_module_of_another_workspace_is_refused(project: Project, tmp_path: Path) -> None:
    other = Workspace(folder=tmp_path / "other")
    version = scaling(project)
    with pytest.raises(StepDefinitionError, match="is a module of .*, and the step works in"):
        ModuleStep(version.module()).prepared(other)


def test_where_no_default_was_chosen_the_highest_enabled_number_runs(project: Project) -> None:
    module = Module.create(project.workspace, "scale", "")
    made = {v: scaling(project, module=module, version=v) for v in ("draft", "1.9", "1.10", "2 b")}
    step: Any = ModuleStep("scale", inputs_map={"raw": PipelineData("d")})
    found = []
    for version in ("1.10", "1.9", "2 b", "draft"):
        found.append(step.prepared(project.workspace).content.version)
        made[version].disable()
    assert found == ["1.10", "1.9", "2 b", "draft"]  # of those without a number the newest
    with pytest.raises(StepDefinitionError, match="has no enabled version; it has 1.10, 1.9, 2 b, draft"):
        step.prepared(project.workspace)


# Wrong declarations


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "either 'module' or 'module_version'"),
        ({"module": "a", "module_version": "b"}, "either 'module' or 'module_version'"),
        ({"module_version": "b", "version": "1"}, "'version': it is that of a module"),
        ({"module": 7}, "'module': expected a Module or its name"),
        ({"module": "a", "inputs_map": ["x"]}, "'inputs_map': expected a dict"),
        ({"module": "a", "inputs_map": {"x": 7}}, "'inputs': int 7 cannot be an input"),
        ({"module": "a", "outputs_map": {"x": "y"}}, "'outputs': str 'y' cannot be an output"),
        (
            {"module": "a", "inputs_map": {"x": PipelineData("a")}, "outputs_map": {"x": PipelineData("b")}},
            "'outputs_map': 'x' is in inputs_map, too",
        ),
        (
            {"module": "a", "arguments": [OutputFileDatasetConfig("o")]},
            "'arguments': 'o' is not in outputs_map",
        ),
    ],
)
def test_a_mistake_is_an_error_where_it_stands(project: Project, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        ModuleStep(**given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"inputs_map": {"rw": PipelineData("d")}}, "'inputs_map': version '1' .* no input 'rw'; it has raw"),
        ({}, "'inputs_map': version '1' of module 'scale' reads 'raw'"),
        (
            {"inputs_map": {"raw": PipelineData("d")}, "params": {"buy": 1}},
            "'params': .* no parameter 'buy'; it has unit, by",
        ),
        (
            {"inputs_map": {"raw": PipelineData("d")}, "outputs_map": {"sc": PipelineData("e")}},
            "'outputs_map': .* no output 'sc'; it has scaled",
        ),
    ],
)
def test_ports_are_checked_against_the_version(project: Project, given: dict[str, Any], told: str) -> None:
    version = scaling(project)
    with pytest.raises(StepDefinitionError, match=told):
        ModuleStep("scale", **given).prepared(project.workspace)
    with pytest.raises(StepDefinitionError, match=told):  # where it is known already
        ModuleStep(module_version=version, **given)


def test_a_parameter_without_a_default_needs_a_value(project: Project) -> None:
    scaling(project, params={"unit": None})
    given = {"raw": PipelineData("d")}
    with pytest.raises(StepDefinitionError, match="'params': .* has no default for 'unit'"):
        ModuleStep("scale", inputs_map=given).prepared(project.workspace)
    step = ModuleStep("scale", inputs_map=given, params={"unit": "s"}).prepared(project.workspace)
    assert step.script_params == {"unit": "s", "by": "2.0"}


# Reuse


def test_two_pipelines_reuse_each_others_results_whatever_the_version_is_called(
    project: Project, airflow_db: Path
) -> None:
    version = scaling(project)
    scaling(project, module=version.module(), version="same")
    number, _ = making(project)
    steps = [
        ModuleStep("scale", "1", inputs_map={"raw": number}),
        ModuleStep("scale", "same", inputs_map={"raw": number}),
        ModuleStep("scale", "1", inputs_map={"raw": number}, name="other"),
        ModuleStep("scale", "1", inputs_map={"raw": number}, params={"by": 3}, name="scale"),
    ]
    found = [states(submitted(project, step, f"exp{n}")) for n, step in enumerate(steps)]
    assert found[0] == {"make": "ran", "scale": "ran"}
    assert found[1] == {"make": "reused", "scale": "reused"}
    assert found[2] == {"make": "reused", "other": "reused"}
    assert found[3] == {"make": "reused", "scale": "ran"}


def test_other_code_is_a_change(project: Project, airflow_db: Path) -> None:
    version = scaling(project)
    number, _ = making(project)
    step = ModuleStep("scale", inputs_map={"raw": number})
    submitted(project, step)
    scaling(project, SCALE.replace("* float", "+ float"), module=version.module())
    run = submitted(project, step)
    assert states(run) == {"make": "reused", "scale": "ran"}
    (found,) = run.find_step_run("scale")
    assert "scale.py changed" in found.record.reason


# Published pipelines


def test_a_published_pipeline_keeps_its_version(project: Project, airflow_db: Path) -> None:
    config = RunConfiguration()
    config.environment_variables = {"AML_PARAMETER_unit": "cm"}
    version = scaling(project, runconfig=config)
    number, _ = making(project)
    pipeline = Pipeline(
        project.workspace, [ModuleStep(version.module(), inputs_map={"raw": number}, params={"by": "4"})]
    )
    published = pipeline.publish("frozen")
    scaling(project, "raise SystemExit(1)", module=version.module(), is_default=True)
    version.disable()
    project.workspace.record_store().delete("mlsteps/registry/module-versions")
    run = published.submit(project.workspace, "exp")
    assert run.get_status() == "Finished", [one.record.error for one in run.get_steps()]
    assert result(project, run).startswith("84.0 ")
    (step,) = [one for one in published.get_graph().steps if one.name == "scale"]
    assert step.content.version == "1"  # type: ignore[attr-defined]
    again = run.publish_pipeline("again", "", "1")
    assert again.graph_id == published.graph_id


def test_what_cannot_be_resolved_cannot_be_published(project: Project) -> None:
    with pytest.raises(StepDefinitionError, match="Step 'none', argument 'module': the workspace has no"):
        Pipeline(project.workspace, [ModuleStep("none")]).publish("p")


def test_a_module_is_mapped_over_a_list(project: Project, airflow_db: Path) -> None:
    scaling(project)
    number, _ = making(project)
    given = {"inputs_map": {"raw": number}, "outputs_map": {"scaled": PipelineData("out")}}
    with DAG("mapped", schedule=None) as dag:
        project.step("make", MAKE, outputs=[number], arguments=[number])
        ModuleStep.partial(module="scale", name="scale", **given).expand(
            script_params=[{"by": "2"}, {"by": "3"}]
        )
    assert edges(dag) == {("make", "scale")}
    run = project.run(dag)
    found = [project.output(project.record(run, "scale", n), "scaled").read_text() for n in (0, 1)]
    assert found == ["42.0 m", "63.0 m"]


def test_templates_are_those_of_the_dag_file_and_never_the_modules(
    project: Project, airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_FACTOR", "5")
    text = "import sys; from pathlib import Path; Path(sys.argv[1]).write_text(sys.argv[2])"
    scaled = OutputPortDef("scaled")
    scaling(project, text, inputs=[], outputs=[scaled], arguments=[scaled, "{{ var.value.factor }}"])
    own = ModuleStep("scale", name="own", arguments=["{{ var.value.factor }}"])
    dag = Pipeline(project.workspace, [ModuleStep("scale"), own]).to_dag("templates")
    for _ in range(2):  # what a step was prepared to be says nothing of who has written its arguments
        run = project.run(dag, regenerate_outputs="all")
        found = project.output(project.record(run, "scale"), "scaled").read_text()
        assert found == "{{ var.value.factor }}"
        assert project.record(run, "own").command[-1] == "5"
    published = Pipeline(project.workspace, [own]).publish("p")
    assert published.submit(project.workspace, "exp").get_status() == "Failed"


def test_a_try_goes_on_as_the_version_that_it_began_as(project: Project) -> None:
    """Its job goes on meanwhile, without a worker, whatever becomes of the version."""
    version = scaling(project)
    step: Any = ModuleStep("scale", inputs_map={"raw": PipelineData("d")})
    began = step.prepared(project.workspace)
    scaling(project, module=version.module(), version="2")
    version.disable()
    step.go_on_as(began.source_notes)
    assert step.prepared(project.workspace).content == began.content
    step.go_on_as({})
    assert step.prepared(project.workspace).content.version == "2"
