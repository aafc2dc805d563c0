"""Makes the virtual environment that the Makefile works in; called by make, with any Python 3 on the machine.

    python3 .ci/bootstrap.py run                   .venv with the provider and what the demo needs
    python3 .ci/bootstrap.py dev                   the same, plus everything that make test needs
    python3 .ci/bootstrap.py test --airflow 3.1    .venv-3.1 with an older Airflow and the test tools

Every version comes from .ci/constraints/airflow-<minor>.txt; which package index answers is the machine's own
business (pip's and uv's configuration). A stamp in the environment says what was installed from, and is
written last: when it still fits there is nothing to do, and an interrupted install is taken up again.
Standard library only, and nothing here needs more than Python 3.7, so that an old Python is told so in words.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST, NEWEST = (3, 10), (3, 13)
DEFAULT_AIRFLOW = "3.3"

# level -> (extras of the provider, dependency group or None)
LEVELS = {
    "run": ("demo", None),
    "test": ("demo", "test"),
    "dev": ("databricks,demo,docker,kubernetes,mlflow", "dev"),
}
# A level that was installed serves these as well.
COVERS = {"run": ["run"], "test": ["run", "test"], "dev": ["run", "test", "dev"]}

WINDOWS = os.name == "nt"


class BootstrapError(Exception):
    """Something on this machine is missing; the text says what, and the command that mends it."""


def main():
    parser = argparse.ArgumentParser(description="Make the virtual environment that the Makefile works in.")
    parser.add_argument("level", choices=sorted(LEVELS), help="what has to be in it")
    parser.add_argument("--airflow", default=DEFAULT_AIRFLOW, help="minor version: 3.1, 3.2 or 3.3 (default)")
    parser.add_argument(
        "--python", default=None, help="the Python to use (default: a suitable one is looked for)"
    )
    options = parser.parse_args()
    try:
        ensure(options.level, options.airflow, options.python)
    except BootstrapError as error:
        sys.stderr.write(f"bootstrap: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nbootstrap: interrupted; the next call goes on from here\n")
        return 130
    return 0


def ensure(level, airflow, python):
    """Bring the environment of ``airflow`` to ``level``; do nothing if it is there already."""
    constraints = os.path.join(ROOT, ".ci", "constraints", f"airflow-{airflow}.txt")
    if not os.path.exists(constraints):
        known = sorted(
            name[len("airflow-") : -len(".txt")] for name in os.listdir(os.path.dirname(constraints))
        )
        raise BootstrapError(f"no constraints for Airflow {airflow}; there are {', '.join(known)}")
    venv = os.path.join(ROOT, ".venv" if airflow == DEFAULT_AIRFLOW else ".venv-" + airflow)
    if has_stamp(venv, level, fingerprint(venv, constraints)) and (python is None or usable(venv, python)):
        return

    started = time.time()
    if not usable(venv, python):
        make_venv(venv, find_python(python))
    # No stamp stands while packages change: whatever stops us from here on leaves work to be done, not a lie.
    for name in LEVELS:
        remove_file(stamp_path(venv, name))
    install(venv, level, constraints)
    write_stamp(venv, level, fingerprint(venv, constraints))
    say(f"{os.path.relpath(venv, ROOT)} is ready ({time.time() - started:.0f} s)")


# ---- stamps ---------------------------------------------------------------------------------------


def fingerprint(venv, constraints):
    """Hash of all that decides what is in the environment; None if there is no environment."""
    try:
        with open(os.path.join(venv, "pyvenv.cfg"), "rb") as handle:
            config = handle.read()
    except OSError:
        return None
    # Follows the link to the interpreter: one that was uninstalled or replaced makes the environment void.
    if not os.path.exists(venv_python(venv)):
        return None
    sha = hashlib.sha256()
    for part in (ROOT.encode(), config):
        sha.update(part + b"\0")
    for path in (os.path.join(ROOT, "pyproject.toml"), constraints, os.path.abspath(__file__)):
        with open(path, "rb") as handle:
            sha.update(hashlib.sha256(handle.read()).digest())
    return sha.hexdigest()


def stamp_path(venv, level):
    return os.path.join(venv, ".stamp-" + level)


def has_stamp(venv, level, expected):
    if expected is None:
        return False
    for name, covered in COVERS.items():
        if level in covered:
            try:
                with open(stamp_path(venv, name), encoding="utf-8") as handle:
                    if handle.read() == expected:
                        return True
            except OSError:
                pass
    return False


def write_stamp(venv, level, value):
    path = stamp_path(venv, level)
    with open(path + ".new", "w", encoding="utf-8") as handle:
        handle.write(value)
    os.replace(path + ".new", path)


# ---- interpreters and environments ----------------------------------------------------------------


def find_python(wanted):
    """Path of a Python that can run the provider: the wanted one, this one, or the newest to be found."""
    if wanted:
        version = version_of(wanted)
        if version is None:
            raise BootstrapError(f"{wanted} is not a Python that can be started")
        if not OLDEST <= version <= NEWEST:
            raise BootstrapError(
                f"{wanted} is Python {dotted(version)}; {dotted(OLDEST)} to {dotted(NEWEST)} is needed"
            )
        return wanted
    # Not the interpreter of some active environment, but the one that it was made from.
    own = getattr(sys, "_base_executable", None) or sys.executable
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return own
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        for candidate in candidates(f"3.{minor}"):
            if version_of(candidate) == (3, minor):
                return candidate
    raise BootstrapError(
        f"Python {dotted(OLDEST)} to {dotted(NEWEST)} is needed and none was found"
        f" (this is {dotted(sys.version_info[:2])}).\n"
        "Install one (Debian, Ubuntu: apt-get install python3 python3-venv; uv: uv python install 3.12),\n"
        "or name it: make PYTHON=/path/to/python3.12 ..."
    )


def candidates(version):
    on_path = shutil.which("python" + version)
    if on_path:
        yield on_path
    versions = os.path.join(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions")
    if os.path.isdir(versions):
        for name in sorted(os.listdir(versions), reverse=True):
            if name.startswith(version + "."):
                yield os.path.join(versions, name, "bin", "python" + version)
    uv = shutil.which("uv")
    if uv:
        found = output([uv, "python", "find", "--no-project", "--system", version])
        if found:
            yield found


def version_of(python):
    """(major, minor) of an interpreter; None if it does not start."""
    text = output([python, "-c", "import sys; print('%d %d' % sys.version_info[:2])"])
    if not text:
        return None
    major, minor = text.split()
    return int(major), int(minor)


def venv_python(venv):
    return os.path.join(venv, "Scripts", "python.exe") if WINDOWS else os.path.join(venv, "bin", "python")


def usable(venv, wanted):
    """Whether there is a whole environment of a suitable Python; one made halfway is not."""
    if not os.path.exists(os.path.join(venv, ".stamp-venv")):
        return False
    version = version_of(venv_python(venv))
    if version is None or not OLDEST <= version <= NEWEST:
        return False
    return wanted is None or version == version_of(wanted)


def make_venv(venv, python):
    if os.path.isdir(venv) and os.listdir(venv):
        if not os.path.exists(os.path.join(venv, "pyvenv.cfg")):
            name = os.path.relpath(venv, ROOT)
            raise BootstrapError(f"{name} is in the way and is not a virtual environment; move it away")
        shutil.rmtree(venv)
    say(f"making {os.path.relpath(venv, ROOT)} with Python {dotted(version_of(python))} ({python})")
    uv = shutil.which("uv")
    ways = [[python, "-m", "venv", venv], [python, "-m", "virtualenv", venv]]
    if uv:
        # Without pip in it: uv installs from outside, and "python -m venv" takes seconds to put pip there.
        ways.insert(0, [uv, "venv", "--quiet", "--no-project", "--python", python, venv])
    problems = []
    for way in ways:
        result = subprocess.run(way, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode == 0 and version_of(venv_python(venv)):
            write_stamp(venv, "venv", "")
            return
        problems.append(" ".join(way) + "\n" + indent(result.stdout))
        shutil.rmtree(venv, ignore_errors=True)
    raise BootstrapError(
        "no virtual environment could be made. On Debian and Ubuntu:\n"
        "    apt-get install python3-venv\n"
        "or install uv (https://docs.astral.sh/uv/). What was tried:\n" + "\n".join(problems)
    )


# ---- installers -----------------------------------------------------------------------------------


def install(venv, level, constraints):
    """Install the checkout (editable) at ``level``: with uv if it can be had, else or after that with pip."""
    extras, group = LEVELS[level]
    say(f"installing Airflow and what {level!r} needs (one to three minutes the first time)")
    project = ["--constraint", constraints, "--editable", f"{ROOT}[{extras}]"]
    if group:
        project += ["--group", os.path.join(ROOT, "pyproject.toml") + ":" + group]
    environ = installer_environment(venv)
    uv = find_uv(venv, constraints, environ)
    if uv:
        command = [uv, "pip", "install", "--python", venv_python(venv), *project]
        if not sys.stderr.isatty():
            command.insert(1, "--quiet")
        if subprocess.run(command, env=environ, cwd=ROOT).returncode == 0:
            return
        say("uv could not install it; trying pip, which reads its own configuration")
    pip = find_pip(venv)
    # Dependency groups came with pip 25.1.
    run_or_fail([*pip, "install", "--quiet", "--upgrade", "pip>=25.1"], "pip could not be brought up to date")
    run_or_fail(
        [*pip, "install", "--progress-bar", "off", "--quiet", *project],
        "the packages could not be installed; the lines above say why. Is a package index within reach?",
    )


def find_uv(venv, constraints, environ):
    """Path of a uv that starts: the user's own, or one from the index; None if neither can be had."""
    beside = os.path.join(os.path.dirname(venv_python(venv)), "uv.exe" if WINDOWS else "uv")
    for candidate in (shutil.which("uv"), beside):
        if candidate and output([candidate, "--version"]):
            return candidate
    say("fetching uv, which installs several times faster than pip")
    command = [*find_pip(venv), "install", "--quiet", "--constraint", constraints, "uv"]
    if subprocess.run(command, env=environ, cwd=ROOT).returncode == 0 and output([beside, "--version"]):
        return beside
    say("uv cannot be had here; going on with pip")
    return None


def find_pip(venv):
    """Command line of the environment's own pip, put there if it has none."""
    python = venv_python(venv)
    if not output([python, "-m", "pip", "--version"]):
        uv = shutil.which("uv")
        ensured = subprocess.run(
            [python, "-m", "ensurepip"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if ensured.returncode and not (
            uv and output([uv, "pip", "install", "--python", python, "pip"]) is not None
        ):
            raise BootstrapError(f"there is no pip in {venv}; on Debian: apt-get install python3-venv")
    return [python, "-m", "pip", "--disable-pip-version-check"]


# pip's setting -> uv's variable. uv reads nothing of pip's; the user's choice of index has to hold.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
# uv's older names of the same settings: whoever sets one of them has decided.
UV_SYNONYMS = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def installer_environment(venv):
    """Environment variables for the installer: the caller's, with pip's settings said in uv's words."""
    environ = dict(os.environ)
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"):
        environ.pop(name, None)
    settings = dict(pip_files(venv))
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            settings[name[len("PIP_") :].lower().replace("_", "-")] = value
    for setting, variable in PIP_TO_UV.items():
        value = settings.get(setting, "").strip()
        if value and variable not in os.environ and UV_SYNONYMS.get(variable, variable) not in os.environ:
            environ[variable] = (
                ",".join(value.split()) if variable == "UV_FIND_LINKS" else " ".join(value.split())
            )
            if variable == "UV_INDEX":
                # To pip all indexes are equal; uv would look no further than the first that knows a name.
                environ.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environ


def pip_files(venv):
    """Settings in pip's configuration files, as pip reads them; none if uv has a configuration of its own."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    if any(os.path.exists(os.path.join(folder, "uv", "uv.toml")) for folder in (home, "/etc")):
        return
    for python in (venv_python(venv), sys.executable):
        text = output([python, "-m", "pip", "--disable-pip-version-check", "config", "list"])
        if text is None:
            continue
        # The most specific section comes last, so that it wins.
        for section in ("global.", "install."):
            for line in text.splitlines():
                name, _, value = line.partition("=")
                if name.startswith(section):
                    yield name[len(section) :], value.strip("'\"").replace("\\n", " ")
        return


# ---- small things ---------------------------------------------------------------------------------


def output(command):
    """What a command prints; None if it cannot be started or fails."""
    try:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.decode("utf-8", "replace").strip() if result.returncode == 0 else None


def run_or_fail(command, problem):
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise BootstrapError(problem)


def remove_file(path):
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def indent(text):
    return "\n".join("    " + line for line in text.strip().splitlines())


def dotted(version):
    return ".".join(str(part) for part in version)


def say(text):
    sys.stderr.write(f"bootstrap: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
