"""References to data that exists: names, modes and paths, without looking anything up."""

from __future__ import annotations

import pytest

from mlsteps import DataPath, DataPathComputeBinding, DataReference, Datastore, Workspace
from mlsteps.exceptions import UserErrorException


@pytest.fixture
def raw(workspace: Workspace) -> Datastore:
    return Datastore(workspace, "raw")  # which the workspace does not have


def test_it_is_called_like_its_datastore_and_path_each_time(raw: Datastore, datastore: Datastore) -> None:
    assert DataReference(raw).name == "raw"
    assert DataReference(raw, path_on_datastore="/").name == "raw"
    assert DataReference(raw, path_on_datastore="in/put-1.csv").name == "raw_in_put_1_csv"
    assert DataReference(datastore, path_on_datastore="x").name == "default_x"
    assert DataReference(raw, "mine", "x").data_reference_name == "mine"
    with pytest.raises(UserErrorException, match="'a-b'"):
        DataReference(raw, "a-b")


def test_its_path_is_clean_and_inside(raw: Datastore) -> None:
    assert DataReference(raw, path_on_datastore="/a//b\\c/").path_on_datastore == "a/b/c"
    with pytest.raises(UserErrorException, match="path_on_datastore"):
        DataReference(raw, path_on_datastore="a/../..")


def test_modes(raw: Datastore) -> None:
    reference = DataReference(raw, "r", "x")
    assert reference.mode == "mount"
    copy = reference.as_download("/tmp/x", overwrite=True)
    assert (copy.mode, copy.path_on_compute, copy.overwrite) == ("download", "/tmp/x", True)
    assert (copy.name, copy.path_on_datastore, copy.datastore) == ("r", "x", raw)
    assert copy.as_mount().path_on_compute is None
    assert reference.as_upload().mode == "upload"
    assert reference.mode == "mount"
    with pytest.raises(UserErrorException, match="'stream' is not one of mount, download, upload"):
        DataReference(raw, mode="stream")


def test_a_path_below_is_mounted_and_has_its_own_name(raw: Datastore) -> None:
    below = raw.path("a").as_download("/x").path("b/c")
    assert (below.path_on_datastore, below.mode, below.path_on_compute) == ("a/b/c", "mount", None)
    assert below.name == "raw_a_b_c"
    assert raw.path("a").path("b", "named").name == "named"
    assert raw.path("a").path().path_on_datastore == "a"


def test_a_whole_datastore(raw: Datastore) -> None:
    assert raw.as_mount().mode == "mount"
    assert raw.as_download("/x").path_on_compute == "/x"
    assert raw.as_upload().mode == "upload"


def test_its_token(raw: Datastore) -> None:
    assert str(raw.path("x", "in")) == raw.path("x", "in").serialize() == "$AZUREML_DATAREFERENCE_in"


def test_a_data_path_becomes_a_reference(raw: Datastore) -> None:
    binding = DataPathComputeBinding("download", "/x", True)
    path = DataPath(raw, "a/b", "in")
    for reference in (
        path.create_data_reference(datapath_compute_binding=binding),
        binding.create_data_reference(datapath=path),
        DataReference.create(datapath=path, datapath_compute_binding=binding),
    ):
        assert (reference.name, reference.path_on_datastore, reference.mode) == ("in", "a/b", "download")
        assert (reference.path_on_compute, reference.overwrite) == ("/x", True)
    assert path.create_data_reference("other").name == "other"
    assert path.create_data_reference().mode == "mount"
    assert DataPath(raw, "a/b").create_data_reference().name == "raw_a_b"
    assert DataPath.create_from_data_reference(reference) == path
    assert DataPathComputeBinding.create_from_data_reference(reference) == binding


def test_a_data_path_without_a_datastore_refers_to_nothing(raw: Datastore) -> None:
    with pytest.raises(UserErrorException, match="'a' has no datastore"):
        DataPath(path_on_datastore="a").create_data_reference()
    with pytest.raises(UserErrorException, match="needs a datapath"):
        DataPathComputeBinding().create_data_reference("x")
    with pytest.raises(UserErrorException, match="needs a datapath"):
        DataReference.create("x")


def test_data_paths_are_compared_by_place(raw: Datastore) -> None:
    assert DataPath(raw, "a/b") == DataPath(raw, "/a//b", name="other")
    assert len({DataPath(raw, "a"), DataPath(raw, "a"), DataPath(raw, "b"), DataPath(None, "a")}) == 3
    assert str(DataPath(raw, "a")) == "raw/a"
    assert DataPath(None, "a").datastore_name == ""


def test_bindings_are_values_and_take_two_modes() -> None:
    assert DataPathComputeBinding() == DataPathComputeBinding("mount")
    assert len({DataPathComputeBinding(), DataPathComputeBinding("download"), DataPathComputeBinding()}) == 2
    with pytest.raises(UserErrorException, match="'upload' is not mount or download"):
        DataPathComputeBinding("upload")
