#!/usr/bin/env bash
# Runs the complete matrix of hosts, stores and scenarios, with the hosts on Node.js, and builds the templates of
# workflows. Installs Node.js if it can.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Whether there is a Node.js of version 20 or newer, with npm.
has_node() {
    command -v npm >/dev/null && [ "$(node -p 'parseInt(process.versions.node) >= 20' 2>/dev/null)" = true ]
}

if ! has_node && ! command -v node >/dev/null; then
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    if command -v apt-get >/dev/null && "${sudo[@]}" true 2>/dev/null; then
        "${sudo[@]}" apt-get update -q
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm
    fi
fi
if ! has_node; then
    echo "The hosts in JavaScript need Node.js 20 or newer with npm: https://nodejs.org/en/download" >&2
    exit 1
fi
cargo test --release --workspace --test matrix -- --include-ignored "$@"
# The templates of workflows in Rust, JavaScript and Python, built by their own instructions.
cargo test --release --workspace --test languages -- --include-ignored --test-threads 1
