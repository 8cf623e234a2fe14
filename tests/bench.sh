#!/usr/bin/env bash
# Measures an interaction with tickets and with alternatives: one row for each goal, a grid of stores, histories and
# callers, and a chart; then each operation alone.
# `tests/bench.sh PART` runs one part: memory, redis, show, grid or functions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1:-}" != functions ]; then
    cargo bench --package ticket-tests --bench interaction -- "$@"
fi
if [ $# -eq 0 ] || [ "$1" = functions ]; then
    cargo bench --package ticket-tests --bench functions
fi
