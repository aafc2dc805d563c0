"""What a compute target shall be, before it has a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps.exceptions import ComputeTargetException

# What SDK v1 would have handed to Azure. Here credentials are a connection's.
_SECRETS = ("password", "token", "secret", "key")


class ComputeConfiguration:
    """The settings of a compute target; made by ``provisioning_configuration`` and ``attach_configuration``.

    :param settings: ``type`` and the settings of that kind, as ``workspace.yaml`` has them; what is None is
        left out.
    :raises ComputeTargetException: a setting is a secret. The text holds its name only.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = {key: value for key, value in settings.items() if value is not None}
        refuse_secrets(self.settings, "the configuration of a compute target")

    def __repr__(self) -> str:
        return f"ComputeConfiguration({self.settings!r})"

    def __getattr__(self, name: str) -> Any:
        # SDK v1's configurations have their settings as attributes.
        try:
            return self.__dict__["settings"][name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}") from None


def refuse_secrets(settings: Mapping[str, Any], where: str) -> None:
    """Refuse settings that look like credentials, which no record may hold.

    :raises ComputeTargetException: naming the setting, without its value.
    """
    for key, value in settings.items():
        if isinstance(value, Mapping) and key != "tags":
            refuse_secrets(value, where)
        elif str(key).lower().endswith(_SECRETS) and value:
            raise ComputeTargetException(
                f"{where}: {key!r} is a secret, and is kept nowhere here. "
                f"Put it into an Airflow connection, and name that as conn_id."
            )
