"""The environment variables a script gets: a short list of harmless ones, and what was declared for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

# What programs need to find themselves, their locale, temporary space, certificates and devices. A list of
# what is let through and not of what is kept out, so that a secret nobody thought of stays where it is.
_PASSED = {
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "TZ", "TERM", "TMPDIR", "TEMP", "TMP",
    "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY",
    "LC_NUMERIC", "LC_TIME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "JAVA_HOME", "SPARK_HOME", "SYSTEMROOT", "COMSPEC", "PATHEXT",
}  # fmt: skip
_NEVER_PREFIXES = ("AIRFLOW", "_AIRFLOW")


def script_environment(pass_environment: Sequence[str] = ()) -> dict[str, str]:
    """The part of this process's environment that a script may see.

    :param pass_environment: Further variables to let through by name. Airflow's own are never let through.
    """
    wanted = _PASSED | set(pass_environment)
    return {
        name: value
        for name, value in os.environ.items()
        if name in wanted and not name.startswith(_NEVER_PREFIXES)
    }


def check_variables(variables: Mapping[str, str], what: str) -> None:
    """Refuse variables that would bring Airflow's settings into a script.

    :raises UserErrorException: naming the variable.
    """
    from mlsteps.exceptions import UserErrorException

    for name in variables:
        if name.startswith(_NEVER_PREFIXES):
            raise UserErrorException(
                f"{what}: the variable {name!r} is Airflow's own and is not given to scripts."
            )
