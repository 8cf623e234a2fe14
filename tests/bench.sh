#!/usr/bin/env bash
# Measures an interaction against other ways to do the same, side by side: one row for each goal, and a chart.
# `tests/bench.sh redis` does that part alone; there are memory, redis, show and grid (all sizes, and the chart).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo bench --package ticket-tests --bench interaction -- "$@"
