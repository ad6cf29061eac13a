#!/bin/sh
# Runs a small part of the Rust tests under valgrind: every fixture, in every way, through the core.
# Arguments replace the tests that run, for example: test/tools/valgrind.sh --test gzip every_form
set -eu
cd "$(dirname "$0")/../../native"
command -v valgrind >/dev/null || { echo "valgrind is not installed; install it (apt-get install valgrind) and run this again" >&2; exit 2; }
[ $# -gt 0 ] || set -- --test fixtures
# Tests run one at a time, since valgrind has one processor. What is still reachable at the end is memory that lives as long as the process.
exec cargo test --locked --config 'target."cfg(unix)".runner = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"]' "$@" -- --test-threads=1
