#!/usr/bin/env bash
# Everything a fresh machine needs: system packages where they are missing, .venv, pinned dependencies.
# Usage: packaging/setup.sh [extra ...]
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=$(grep -v '^#' packaging/system-packages.txt)
python=$(command -v python3.11 || command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import ensurepip' 2>/dev/null; then
    wanted="$wanted python3 python3-venv"
fi
if command -v dpkg-query >/dev/null; then
    missing=""
    for package in $wanted; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        as_root=""
        [ "$(id -u)" = 0 ] || as_root="sudo"
        if [ -n "$as_root" ] && ! command -v sudo >/dev/null; then
            echo "These system packages are missing; install them as root:$missing" >&2
            exit 1
        fi
        echo "Installing system packages:$missing"
        $as_root apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
        python=$(command -v python3.11 || command -v python3)
    fi
else
    echo "No dpkg here: see packaging/system-packages.txt for the libraries that are needed." >&2
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
extras=$(IFS=,; echo "${*:-}")
# Locking against two makes at once; the stamp says what was installed from what.
exec 9>.venv/.lock
flock 9 2>/dev/null || true
state=$(cat pyproject.toml setup.py engines/blocks/*/*.cpp packaging/requirements.lock packaging/setup.sh | sha256sum | cut -d' ' -f1)
have=" $(grep "^$state " .venv/.installed 2>/dev/null | cut -d' ' -f2- | tr ',\n' '  ' || true) "
for extra in base $(echo "$extras" | tr ',' ' '); do
    if [[ "$have" != *" $extra "* ]]; then
        echo "Installing the pinned dependencies (${extras:-base}) ..."
        .venv/bin/python -m pip install -q --disable-pip-version-check \
            -c packaging/requirements.lock -e ".${extras:+[$extras]}" 2> >(grep -vE 'is ignored: it is neither a file' >&2)
        echo "$state base,$extras" >> .venv/.installed
        break
    fi
done
