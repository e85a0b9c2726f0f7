#!/usr/bin/env bash
# Makes the pictures of the pages in docs/images from the stack that is up; where none is, it starts one in a home of its own, and is rid of both.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

if ! openbell status >/dev/null 2>&1; then
    OPENBELL_HOME=$(mktemp -d)
    export OPENBELL_HOME
    trap 'openbell down --wipe; rm -rf "$OPENBELL_HOME"' EXIT
fi
openbell up
openbell replay --as-fast-as-possible
url=$(openbell status --json | python -c 'import json, sys; print(json.load(sys.stdin)["page_url"])')
python scripts/screenshots.py "$url" docs/images
