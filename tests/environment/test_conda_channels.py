"""Which channels are looked in: the specification's, and those of conda's settings on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps.environment.conda_channels import ChannelAccess, channel_access
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.exceptions import EnvironmentBuildError


class Machine:
    """A home folder with conda's settings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.variables = {"HOME": str(root)}

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def access(self, *channels: str) -> ChannelAccess:
        secrets = UrlSecrets()
        return channel_access([secrets.hide_channel(item) for item in channels], secrets, self.variables)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_names_and_urls_stay_as_they_are(machine: Machine) -> None:
    channels = ("conda-forge", "bioconda/label/main", "https://host/team", "file:///some/folder", "/a/folder")
    assert machine.access(*channels).urls == channels
    assert machine.access("team", "other", "team").urls == ("team", "other")


def test_where_nobody_names_one_it_is_the_communitys(machine: Machine) -> None:
    assert machine.access().urls == ("conda-forge",)


def test_the_machines_channels_come_after_the_specifications(machine: Machine) -> None:
    machine.write(".condarc", "channels: [https://host/mine, nodefaults]")
    machine.write(".conda/.condarc", "channels: [far]\nchannel_priority: strict")
    machine.variables["CONDA_CHANNELS"] = "near, nearer"
    access = machine.access("own")
    assert access.urls == ("own", "near", "nearer", "https://host/mine", "far")
    assert access.strict is True
    assert machine.access("own", "nodefaults").urls == ("own",)


def test_settings_say_what_names_stand_for(machine: Machine) -> None:
    machine.variables["MAMBA_ROOT_PREFIX"] = str(machine.root / "mamba")
    machine.write("mamba/.condarc", "channel_alias: https://mirror/conda/\nchannel_priority: disabled")
    machine.write(
        "settings.yml",
        "custom_channels: {team: https://host}\n"
        "custom_multichannels: {both: [team, public]}\n"
        "default_channels: [https://host/main]\n",
    )
    machine.variables["CONDARC"] = str(machine.root / "settings.yml")
    access = machine.access("both", "team/label/dev", "defaults")
    assert access.urls == (
        "https://host/team",
        "https://mirror/conda/public",
        "https://host/team/label/dev",
        "https://host/main",
    )
    assert access.strict is False


def test_the_defaults_are_found_by_name_where_nothing_is_set(machine: Machine) -> None:
    assert machine.access("defaults", "nodefaults").urls == ("main", "r")


def test_the_machines_credentials_are_used_for_a_channel_that_is_named_without(machine: Machine) -> None:
    machine.variables["WORD"] = "hunter2word"
    machine.write(".condarc", 'channels: ["https://me:${WORD}@host/team/", https://host/t/tk-1234/other]')
    access = machine.access("https://host/other", "https://host/team", "nodefaults")
    assert access.urls == ("https://host/t/tk-1234/other", "https://me:hunter2word@host/team/")
    assert access.shown == ("https://host/other", "https://host/team/")
    assert access.secrets.reveal_below("https://host/team/noarch/a.conda") == (
        "https://me:hunter2word@host/team/noarch/a.conda"
    )
    assert access.secrets.reveal_below("https://host/team2/a.conda") == "https://host/team2/a.conda"
    masked = access.secrets.mask("no /t/tk-1234/ and hunter2word at https://host/t/zz-99/x")
    assert masked == "no /t/***/ and *** at https://host/t/***/x"
    assert "hunter2word" not in repr(access) and "tk-1234" not in repr(access)


def test_settings_that_cannot_be_read_are_named(machine: Machine) -> None:
    machine.write(".condarc", "channels: [https://me:hunter2word@host/team")
    with pytest.raises(EnvironmentBuildError, match=r"settings in '.*\.condarc' cannot be read") as caught:
        machine.access("own")
    assert "hunter2word" not in str(caught.value)
