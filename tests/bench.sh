#!/usr/bin/env bash
# Measures an interaction with tickets and with alternatives: one row for each goal, a table of contenders with their
# guarantees, a grid of stores, histories and callers, and a chart; then each operation alone.
# `tests/bench.sh PART` runs one part: memory, workflows, hostile, redis, contenders, show, grid or functions.
# `tests/bench.sh install` installs the stores of others, which the part `contenders` measures if they are installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Installs Python packages, each set in an environment of its own: they need different versions of redis-py.
install_python() {
    local folder=target/bench/$1
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}

if [ "${1:-}" = install ]; then
    install_python openai-agents 'openai-agents[redis]==0.24.0' 'redis[hiredis]==8.1.0'
    install_python google-adk google-adk-community==0.5.0 google-adk==2.13.0 'redis[hiredis]==5.3.1'
    if command -v npm >/dev/null; then
        npm install --prefix target/bench/connect-redis --no-audit --no-fund --loglevel error \
            connect-redis@9.0.0 express-session@1.19.0 redis@6.3.1
    else
        echo "connect-redis is not installed: npm is missing (apt-get install nodejs npm)" >&2
    fi
    exit
fi

# As `tests/run` builds: a package by itself gets other features of Wasmtime, which would be compiled once more.
bench() { cargo test --release --workspace --bench "$1" -- "${@:2}"; }

if [ "${1:-}" != functions ]; then
    bench interaction "$@"
fi
if [ $# -eq 0 ] || [ "$1" = functions ]; then
    bench functions --bench
fi
