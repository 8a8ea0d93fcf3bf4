# shellcheck shell=bash
# Makes the project's own environment, .venv, and puts it on the path. Sourced by demo.sh and test.sh:
#   source tools/environment.sh base   what SpikeMM needs
#   source tools/environment.sh dev    the test tools and linters as well
# A second call is quick: nothing is installed while pyproject.toml, the folder and the Python stay the same.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
KIND=$1

stop() {
    echo "spikemm: $*" >&2
    exit 2
}

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    stop "no Python from 3.11 on was found (python3 is $(python3 --version 2>&1 || true)); install one, then start again"
}

make_venv() {
    echo "making .venv with $("$PYTHON" --version) …"
    if ! "$PYTHON" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        stop "$PYTHON cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"
    fi
}

install_packages() {
    local pip=(.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check)
    # The plain torch for Linux brings gigabytes of CUDA along. Without an NVIDIA card this one release is asked for first:
    # an index of CPU builds that pip is configured for then serves it, and the later line finds it in place.
    if ! nvidia-smi >/dev/null 2>&1; then
        echo "installing torch (the largest part) …"
        "${pip[@]}" "torch==2.13.0" 2>/dev/null || echo "torch 2.13.0 is not to be had here; taking what fits pyproject.toml"
    fi
    echo "installing SpikeMM ($KIND) …"
    local project=.
    [ "$KIND" = base ] || project=".[$KIND]"
    "${pip[@]}" --editable "$project" || stop "the installation failed; pip's own words are above"
}

# What the installation depends on: if it is as in the stamp, there is nothing to do.
fingerprint() {
    .venv/bin/python - "$ROOT" <<'PYTHON'
import hashlib, pathlib, sys
print(hashlib.sha256(pathlib.Path("pyproject.toml").read_bytes() + f"{sys.version}{sys.argv[1]}".encode()).hexdigest())
PYTHON
}

[ -x .venv/bin/python ] || { PYTHON=$(find_python); make_venv; }
STAMP=.venv/installed-$KIND
if [ "$(fingerprint)" != "$(cat "$STAMP" .venv/installed-dev 2>/dev/null | head -n 1)" ]; then
    install_packages
    fingerprint >"$STAMP"
fi
export PATH="$ROOT/.venv/bin:$PATH"
