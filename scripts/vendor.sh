#!/usr/bin/env bash
# Fetches the scripts that the pages load into gateway/static/vendor/, each an exact release whose archive must have the hash below.
# The files are committed, so this runs only to move to other versions: edit the table, run it, commit what it changed.
# A file of a megabyte or more is kept, and sent to browsers, compressed.
set -euo pipefail

# package | version | licence | minified file in the archive | sha512 of the archive
table='
htmx.org|2.0.11|0BSD|dist/htmx.min.js|Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==
htmx-ext-ws|2.0.4|0BSD|dist/ws.min.js|LnOpFRL/2hInhdKl/9N0OJsb4GYQ5/teUdTHNZYY9ytYdxYEqjfLEe0MWgF3ODjfwGJRb4E95igAbU66te48ZA==
idiomorph|0.8.0|0BSD|dist/idiomorph-ext.min.js|R47JBL+6jHDQvcnbppIUtXXcxi5h6+wuCEEZXnRhUltsgzPFKzThL5PuHppP9ypJuy+7WawcY1TsSBD/iQbMhw==
lightweight-charts|5.2.1|Apache-2.0|dist/lightweight-charts.standalone.production.js|IVwoK1RLFiLPubaKIjNbtjWLnpPMqiABSrTay6whmNa8L1+19292VtHJ+BWyPUuLCwF0tcQlhEWd1CLB2a1nsQ==
swagger-ui-dist|5.35.0|Apache-2.0|swagger-ui-bundle.js|U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==
swagger-ui-dist|5.35.0|Apache-2.0|swagger-ui.css|U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==
'
target=$(cd "$(dirname "$0")/../gateway/static/vendor" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

while IFS='|' read -r name version licence script sha512; do
    [ -n "$name" ] || continue
    archive=$(cd "$work" && npm pack --silent "$name@$version" 2>/dev/null) ||
        { echo "vendor: npm does not have $name@$version" >&2; exit 1; }
    got=$(openssl dgst -sha512 -binary "$work/$archive" | base64 -w 0)
    if [ "$got" != "$sha512" ]; then
        echo "vendor: $archive has the hash sha512-$got, not the one pinned here" >&2
        exit 1
    fi
    tar -xzf "$work/$archive" -C "$work"
    file=${script##*/}
    cp "$work/package/$script" "$target/$file"
    if [ "$(stat -c %s "$target/$file")" -ge 1000000 ]; then
        gzip -9nf "$target/$file"
        file=$file.gz
    fi
    cp "$work/package/LICENSE" "$target/$name.LICENSE"
    [ ! -f "$work/package/NOTICE" ] || cp "$work/package/NOTICE" "$target/$name.NOTICE"
    echo "$name $version $licence $file $(sha256sum "$target/$file" | cut -d ' ' -f 1)"
    rm -rf "$work/package"
done <<<"$table" >"$work/VERSIONS"

# The archive leaves out the NOTICE that the licence asks to pass on.
cat >"$target/lightweight-charts.NOTICE" <<'NOTICE'
TradingView Lightweight Charts™
Copyright (c) 2026 TradingView, Inc. https://www.tradingview.com/
NOTICE
cp "$work/VERSIONS" "$target/VERSIONS"
cat "$target/VERSIONS"
