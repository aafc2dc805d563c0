#!/usr/bin/env bash
# Writes .ci/constraints/airflow-*.txt anew: every package that the provider, its extras and the development tools need,
# pinned for Python 3.10 to 3.13. Needs uv. Which index answers is the machine's own configuration, and no file says so.
#
#   .ci/update_constraints.sh          keep the pins that still fit, add what is new
#   .ci/update_constraints.sh --upgrade    newest versions of everything
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH="$PWD/.venv/bin:$PATH"
command -v uv >/dev/null || { echo "update_constraints: uv was not found; run 'make venv' first" >&2; exit 1; }

# Airflow minor, newest release of it, and what has to be held back for it.
compile() {
    local minor=$1 release=$2
    shift 2
    local target=".ci/constraints/airflow-$minor.txt" work
    work=$(mktemp -d)
    printf '%s\n' "apache-airflow==$release" "$@" >"$work/pins.txt"
    [ -f "$target" ] && cp "$target" "$work/out.txt"
    uv pip compile pyproject.toml --extra all --group dev --group spark --constraint "$work/pins.txt" \
        --universal --python-version 3.10 --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
        --quiet "${UPGRADE[@]}" --output-file "$work/out.txt"
    # The project itself comes from the checkout. A local version (1.0+cpu) is some machine's own wheel.
    grep -v '^airflow-provider-mlsteps' "$work/out.txt" >"$work/clean.txt"
    if grep -nE '://|^-|^[^;]*[+@]' "$work/clean.txt"; then
        echo "update_constraints: the lines above hold an address, an option or a local version" >&2
        exit 1
    fi
    cp "$work/clean.txt" "$target"
    rm -r "$work"
    echo "$target: $(wc -l <"$target") lines, apache-airflow $release"
}

UPGRADE=()
if [ "${1:-}" = --upgrade ]; then UPGRADE=(--upgrade); fi

mkdir -p .ci/constraints
compile 3.3 3.3.2
compile 3.2 3.2.2 'fastapi<0.137' 'svcs<26'
compile 3.1 3.1.8
