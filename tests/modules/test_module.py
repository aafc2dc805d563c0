"""Modules and their versions in the workspace's registry."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Thread
from typing import Any

import pytest

from mlsteps import (
    InputPortDef,
    Module,
    ModuleVersion,
    OutputPortDef,
    ParamDef,
    PipelineData,
    RunConfiguration,
)
from mlsteps.cleaning import Rules, Stores, clean
from mlsteps.data import InputPortBinding, OutputPortBinding
from mlsteps.exceptions import MlstepsException, UserErrorException, WorkspaceException
from modules.conftest import scaling
from steps.project import Project


def test_a_module_is_found_by_name_and_by_id(project: Project) -> None:
    made = Module.create(project.workspace, "scale", "Multiplies")
    for found in (
        Module.get(project.workspace, name="scale"),
        Module.get(project.workspace, made.id),
    ):
        assert (found.id, found.name, found.description) == (made.id, "scale", "Multiplies")
        assert (found.status, found.default_version, found.module_version_list()) == ("Active", None, [])
    with pytest.raises(WorkspaceException, match="no module 'scales'; it has scale"):
        Module.get(project.workspace, name="scales")
    with pytest.raises(UserErrorException, match="a module called 'scale' already"):
        Module.create(project.workspace, "scale", "again")
    with pytest.raises(UserErrorException, match="give module_id or name"):
        Module.get(project.workspace)
    with pytest.raises(WorkspaceException, match="has no version that is enabled"):
        made.get_default()


def test_a_name_is_given_to_one_only_and_can_be_given_back(project: Project) -> None:
    one, two = (Module.create(project.workspace, name, "") for name in ("one", "two"))
    with pytest.raises(UserErrorException, match="called 'two' already"):
        one.set_name("two")
    two.set_name("three")
    one.set_name("two")
    assert Module.get(project.workspace, name="two").id == one.id
    assert Module.get(project.workspace, name="three").id == two.id
    with pytest.raises(WorkspaceException):
        Module.get(project.workspace, name="one")


def test_a_version_says_what_was_published(project: Project) -> None:
    config = RunConfiguration()
    config.environment_variables = {"MODE": "fast"}
    made = scaling(project, version="1.0", category="numbers", runconfig=config)
    found = ModuleVersion.get(project.workspace, made.module_version_id)
    assert (found.version, found.description, found.category) == ("1.0", "first", "numbers")
    assert (found.status, found.module_name, found.module().id) == ("Active", "scale", made.module_id)
    assert found.interface.inputs == (InputPortDef("raw"),)
    assert found.interface.outputs == (OutputPortDef("scaled"),)
    assert {one.name: one.default_value for one in found.interface.parameters} == {"unit": "m", "by": 2.0}
    assert found.runconfig is not None
    assert found.runconfig.environment_variables == {"MODE": "fast"}
    with pytest.raises(WorkspaceException, match="no version 'x.1' of a module"):
        ModuleVersion.get(project.workspace, "x.1")


def test_versions_count_up_unless_they_are_named(project: Project) -> None:
    module = Module.create(project.workspace, "scale", "")
    made = [scaling(project, module=module, version=v).version for v in (None, None, "7", "x", None)]
    assert made == ["1", "2", "7", "x", "8"]
    assert [one.version for one in Module.get_versions(project.workspace, "scale")] == made
    with pytest.raises(UserErrorException, match="'version': there is a version '7'"):
        scaling(project, module=module, version="7")


def test_two_who_publish_at_once_both_have_a_version(project: Project) -> None:
    project.script("scale.py")
    module = Module.create(project.workspace, "scale", "")
    made: list[str] = []

    def publish() -> None:
        version = module.publish_python_script("scale.py", "", [], [], source_directory=str(project.source))
        made.append(version.version)

    threads = [Thread(target=publish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [str(number) for number in range(1, 7)]


def test_the_version_that_is_meant_is_the_default_else_the_highest_that_is_enabled(project: Project) -> None:
    module = Module.create(project.workspace, "scale", "")
    versions = {v: scaling(project, module=module, version=v) for v in ("1.9", "1.10", "draft")}
    assert module.resolve().version == "1.10"
    versions["1.10"].disable()
    assert module.resolve().version == "1.9"
    assert module.resolve("1.10").status == "Disabled"
    assert module.resolve("2").version == "1.9"
    module.set_default_version("draft")
    assert (module.resolve().version, module.get_default().version) == ("draft", "draft")
    scaling(project, module=module, version="3", is_default=True)
    assert Module.get(project.workspace, name="scale").get_default_version() == "3"
    with pytest.raises(UserErrorException, match=r"no version '9'; it has 1.10, 1.9, 3, draft"):
        module.set_default_version("9")


def test_status_and_description_change_and_nothing_else(project: Project) -> None:
    version = scaling(project)
    module = version.module()
    for thing, again in (
        (version, lambda: ModuleVersion.get(project.workspace, version.module_version_id)),
        (module, lambda: Module.get(project.workspace, name="scale")),
    ):
        for change, status in (("deprecate", "Deprecated"), ("disable", "Disabled"), ("enable", "Active")):
            getattr(thing, change)()
            assert (thing.status, again().status) == (status, status)  # type: ignore[attr-defined]
        thing.set_description("other words")  # type: ignore[attr-defined]
        assert again().description == "other words"  # type: ignore[no-untyped-call]
    assert ModuleVersion.get(project.workspace, version.module_version_id).interface == version.interface


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"inputs": [InputPortDef("a")] * 2},
            "'inputs': two inputs or outputs are called 'a'",
        ),
        ({"inputs": ["a"]}, "'inputs': expected InputPortDefs, got 'a'"),
        ({"outputs": [1]}, "'outputs': expected OutputPortDefs, got 1"),
        ({"arguments": [InputPortDef("other")]}, "'arguments': 'other' is no input of the module"),
        ({"arguments": [object]}, "'arguments': .* is no text, number, PipelineParameter"),
        ({"source_directory": "/nowhere"}, "'source_directory': "),
        ({"runconfig": "fast"}, "'runconfig': expected a RunConfiguration"),
        ({"params": {"a": []}}, "ParamDef 'a': the default is a text"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_published(project: Project, given: Any, told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        scaling(project, **given)
    assert Module.get(project.workspace, name="scale").module_version_list() == []
    assert project.workspace.record_store().list_names("mlsteps/snapshots") == []


def test_a_script_has_to_be_there_and_inside(project: Project) -> None:
    module = Module.create(project.workspace, "m", "")
    for script, told in (
        ("no.py", "script not found"),
        ("../a.py", "inside of the source"),
        ("", ""),
    ):
        with pytest.raises(UserErrorException, match=f"'script_name': .*{told}"):
            module.publish_python_script(script, "", [], [], source_directory=str(project.source))


def test_a_secret_is_not_published(project: Project) -> None:
    config = RunConfiguration()
    config.environment_variables = {"API_KEY": "hush"}
    with pytest.raises(UserErrorException, match="'runconfig': 'API_KEY' of .* looks like a secret") as error:
        scaling(project, runconfig=config)
    assert "hush" not in str(error.value)


def test_bindings_and_data_declare_ports_too(project: Project) -> None:
    data = PipelineData("made", output_mode="upload", output_path_on_compute="x", is_directory=True)
    raw, out = InputPortBinding("raw", PipelineData("d"), "download"), OutputPortBinding("out")
    version = scaling(project, inputs=[raw], outputs=[data, out], arguments=[raw, data, out, 3])
    interface = version.interface
    assert [(one.name, one.default_datastore_mode) for one in interface.inputs] == [("raw", "download")]
    assert [(one.name, one.default_datastore_mode, one.is_directory) for one in interface.outputs] == [
        ("made", "upload", True),
        ("out", "mount", False),
    ]
    expected = [{"input": "raw"}, {"output": "made"}, {"output": "out"}, "3"]
    assert version.record.content["arguments"] == expected


def test_publish_finds_its_script(project: Project) -> None:
    project.script("scale.py")
    module = Module.create(project.workspace, "m", "")
    config = RunConfiguration(script="scale.py")
    folder, script = project.source, project.source / "scale.py"
    given: list[dict[str, Any]] = [
        {"content_path": folder, "runconfig": config},
        {"content_path": folder, "param_defs": [ParamDef("Script", "scale.py", is_metadata_param=True)]},
        {"content_path": script},
    ]
    for one in given:
        version = module.publish("", "escloud", [], [], **one)
        assert version.record.content["script_name"] == "scale.py"
    with pytest.raises(UserErrorException, match="Use publish_python_script"):
        module.publish("", "escloud", [], [], content_path=folder)
    for other in (module.publish_adla_script, module.publish_azure_batch):
        with pytest.raises(UserErrorException, match="Publish a Python script"):
            other()


def test_clearing_up_leaves_the_code_of_modules(project: Project) -> None:
    version = scaling(project)
    rules = Rules(timedelta(0), 0, datetime.now(timezone.utc) + timedelta(days=9))
    clean(Stores.of(project.workspace), rules)
    (archive,) = project.workspace.record_store().list_names("mlsteps/snapshots")
    assert version.record.content["code"]["snapshot"].endswith(archive.removesuffix(".zip"))


def test_a_version_of_a_newer_mlsteps_says_so(project: Project) -> None:
    version = scaling(project)
    version.record.content["kind"] = "Spark"  # type: ignore[index]
    with pytest.raises(MlstepsException, match="is of a kind unknown here; upgrade mlsteps"):
        _ = version.interface
