"""Translates one conda package into what pip calls it; the environments here are made by pip's means.

The choice for a package that is in no table: it is taken to have the same name on the package index. That is
true of nearly all Python packages on conda; where it is not, the build fails with the installer's own words.
A package that cannot be a Python package (compilers, CUDA, system libraries, R) is left out with a note,
because wheels bring those libraries themselves and a pipeline that lists them mostly works without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlsteps.environment.redaction import redact
from mlsteps.exceptions import UserErrorException

_RENAMED = {
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "lightgbm-cpu": "lightgbm",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-lightgbm": "lightgbm",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "pyqt": "pyqt5",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "python-kubernetes": "kubernetes",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ruamel-yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-eigen": "tensorflow",
    "tensorflow-mkl": "tensorflow",
}

_CONDA_ONLY = frozenset(
    """
    anaconda arrow-cpp binutils blas bzip2 c-ares c-compiler ca-certificates clang compilers conda
    conda-build cpuonly cuda cuda-nvcc cuda-runtime cuda-toolkit cudatoolkit cudatoolkit-dev cudnn curl
    cxx-compiler expat ffmpeg fontconfig fortran-compiler freetype gcc geos gettext gfortran git giflib
    glib gmp graphviz grpc-cpp gsl gstreamer gxx hdf5 icu intel-openmp jpeg krb5 lame lcms2
    ld-impl-linux-64 libblas libcblas libcurl libedit libev libffi libgcc libgcc-ng libgfortran
    libgfortran-ng libgomp libiconv liblapack libnghttp2 libopenblas libpng libprotobuf libsndfile
    libsodium libssh2 libstdcxx-ng libtiff libuuid libuv libwebp libxcb libxml2 libxslt llvm-openmp lz4-c
    m4 make mkl mkl-service mpi mpich nccl ncurses nettle nodejs nomkl openblas openh264 openjdk openmpi
    openssl pcre perl pkg-config proj pytorch-cuda pytorch-mutex qt readline rust snappy sqlite swig
    sysroot-linux-64 tk ucx unixodbc unzip wget xz yaml zeromq zip zlib zstd
    """.split()  # noqa: SIM905  (a list of a hundred quoted words is no easier to read)
)
_CONDA_ONLY_PATTERN = re.compile(r"_|r-|(?:gcc|gxx|gfortran|binutils)[_-]")

_MATCH_SPEC = re.compile(
    r"""^(?:[^:\s]+::)?                       # channel
        (?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*)
        \s*(?P<rest>.*)$""",
    re.VERBOSE,
)
_VERSION_KEY = re.compile(r"version\s*=\s*['\"]?([^'\"\]]+)['\"]?")
_ONE_VERSION = re.compile(r"^\d[\w.!+*-]*$")


@dataclass(frozen=True)
class CondaPackage:
    """A conda match specification in parts: ``numpy=1.21=py38_0`` -> numpy, ``==1.21``, py38_0."""

    name: str
    specifier: str
    build: str = ""

    @property
    def is_python_package(self) -> bool:
        """Whether pip can have it. In a full export the build string tells: Python's name the version."""
        if self.name in _RENAMED:
            return True
        if self.name in _CONDA_ONLY or _CONDA_ONLY_PATTERN.match(self.name):
            return False
        return not self.build or re.search(r"(?:^|_)py|^\*", self.build) is not None

    @property
    def requirement(self) -> str:
        """The pip requirement for it."""
        return pip_name(self.name) + self.specifier

    @property
    def pip_name(self) -> str:
        """What the package index calls it, in its canonical spelling."""
        return re.sub(r"[-_.]+", "-", pip_name(self.name)).lower()


def pip_name(name: str) -> str:
    """Return what the package index calls the conda package ``name``."""
    return _RENAMED.get(name, name)


def conda_name(text: str) -> str:
    """Return the name in a conda package specification, with dashes; empty when there is none."""
    match = _MATCH_SPEC.match(text.strip())
    if match is None:
        return ""
    name = match["name"].lower()
    # a leading underscore is what marks conda's own bookkeeping packages
    return name if name.startswith("_") else re.sub(r"[-_.]+", "-", name)


def parse_conda_package(text: str) -> CondaPackage:
    """Return the parts of a conda package specification.

    As conda reads them: ``=1.2`` is any 1.2, ``==1.2`` and ``=1.2=build`` are that version, ``>=1.2,<2`` is a
    range.

    Raises:
        UserErrorException: it is no such specification, or has alternatives (``1.2|1.3``), which pip cannot
            express.
    """
    match = _MATCH_SPEC.match(text.partition("#")[0].strip())
    if match is None:
        raise UserErrorException(
            f"Conda package {redact(text)!r} is not of the form name, name=1.2 or name>=1.2,<2."
        )
    version, build = _version_and_build(match["rest"].strip())
    if "|" in version:
        raise UserErrorException(
            f"Conda package {redact(text)!r}: pip cannot express alternatives (|). Write a range, or pin one "
            "version."
        )
    return CondaPackage(conda_name(text), _pip_specifier(version, exact=bool(build)), build)


def _version_and_build(rest: str) -> tuple[str, str]:
    if rest.startswith("["):
        key = _VERSION_KEY.search(rest)
        return (key[1].strip() if key else ""), ""
    rest = rest.partition("[")[0].strip()
    by_space = re.match(r"^(\d\S*)\s+(\S+)$", rest)
    if by_space:  # "numpy 1.21 py38_0"
        return by_space[1], by_space[2]
    by_equals = re.match(r"^=(\d[^=,\s]*)=([^=,\s]+)$", rest)
    if by_equals:  # "numpy=1.21=py38_0"
        return by_equals[1], by_equals[2]
    bare = _ONE_VERSION.match(rest)  # "numpy 1.21" is exact for conda
    return (f"=={rest}" if bare else re.sub(r"\s+", "", rest)), ""


def _pip_specifier(version: str, exact: bool) -> str:
    if version in ("", "*", "=*", "==*"):
        return ""
    return ",".join(_pip_clause(clause, exact) for clause in version.split(",") if clause)


def _pip_clause(clause: str, exact: bool) -> str:
    match = re.match(r"^(===|==|=|!=|~=|>=|<=|>|<)?(.*)$", clause)
    operator, version = (match[1] or "=", match[2]) if match else ("=", clause)
    if version.endswith("*"):
        prefix = version.rstrip("*").rstrip(".")
        return (
            f"{operator}{prefix}" if operator in (">=", ">", "<", "<=") else f"{_fuzzy(operator)}{prefix}.*"
        )
    if operator == "=":
        return f"=={version}" if exact else f"=={version}.*"
    return f"{operator}{version}"


def _fuzzy(operator: str) -> str:
    return "!=" if operator == "!=" else "=="
