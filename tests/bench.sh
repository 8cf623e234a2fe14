#!/usr/bin/env bash
# Measures an interaction against other ways to do the same, side by side: one row for each goal, the grid of all stores,
# histories and callers, and a chart; then each operation by itself.
# `tests/bench.sh redis` does that part alone; there are memory, redis, show, grid and functions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1:-}" != functions ]; then
    cargo bench --package ticket-tests --bench interaction -- "$@"
fi
if [ $# -eq 0 ] || [ "$1" = functions ]; then
    cargo bench --package ticket-tests --bench functions
fi
