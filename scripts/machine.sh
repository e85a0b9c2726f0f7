#!/usr/bin/env bash
# Sees to what the operating system must bring: Python 3.11 or 3.12 with venv and its shared library (Flink's thread mode
# runs Python inside the JVM), a Java runtime, Maven and Redis; for the tests also a browser, a font for it, HAProxy and PostgreSQL.
#   scripts/machine.sh           installs what is missing where it may, else says what to install and exits 3
#   scripts/machine.sh --dev     sees to the browser, too
#   scripts/machine.sh --python  prints the Python to make .venv with
set -euo pipefail

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.12 python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "openbell: needs Python 3.11 or 3.12 (found: $(python3 --version 2>&1 || true));" \
        "install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2
    exit 3
fi
if [ "${1:-}" = --python ]; then
    echo "$python"
    exit 0
fi

has_shared_library() {
    "$python" - <<'PYTHON' 2>/dev/null
import ctypes, pathlib, sysconfig

name = sysconfig.get_config_var("INSTSONAME")
if not pathlib.Path(sysconfig.get_config_var("LIBDIR"), name).exists():
    ctypes.CDLL(name)
PYTHON
}

packages=()
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
has_shared_library || packages+=("libpython$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')")
command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
command -v mvn >/dev/null || packages+=(maven)
command -v redis-server >/dev/null || packages+=(redis-server)

has_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

has_font() {
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.[ot]tf' -print -quit 2>/dev/null)" ]
}

if [ "${1:-}" = --dev ]; then
    if ! has_browser >/dev/null; then
        if grep -qs '^ID=ubuntu' /etc/os-release; then # its chromium package is a snap, which a container cannot run
            echo "openbell: the tests need a browser: install google-chrome, or chromium as root: snap install chromium" >&2
            exit 3
        fi
        packages+=(chromium)
    fi
    has_font || packages+=(fonts-dejavu-core)
    [ -n "$(command -v haproxy || PATH=$PATH:/usr/sbin command -v haproxy)" ] || packages+=(haproxy)
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
fi
[ ${#packages[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; }; then
    echo "openbell: missing on this machine, and not allowed to install it: ${packages[*]}" >&2
    echo "openbell: install it as root, on Debian or Ubuntu: apt-get install ${packages[*]}" >&2
    exit 3
fi
echo "openbell: installing ${packages[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
