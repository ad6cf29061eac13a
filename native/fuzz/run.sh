#!/bin/sh
# Fuzzes one target with libFuzzer and the address sanitizer, guided by coverage: native/fuzz/run.sh TARGET SECONDS
# Needs a nightly compiler and a C++ compiler; what it finds lies in native/fuzz/artifacts. `cargo fuzz run TARGET` does the same.
# Where there is no nightly compiler, `cargo test --test fuzz` mutates without guidance.
set -eu
cd "$(dirname "$0")"
target=${1:?one of: records split limits resume inflate copy}
seconds=${2:-60}
host=$(rustc -vV | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address --cfg fuzzing"
RUSTFLAGS="$flags" cargo +nightly build --release --target "$host" --bin "$target"
mkdir -p "corpus/$target" artifacts
if [ "$target" = copy ]; then
  for file in ../../test/fixtures/*/*.json; do
    { printf 'deadwax\n'; sed -n 's/^    "\({.*}\)",*$/\1/p' "$file" | sed 's/\\\(["\\]\)/\1/g'; } > "corpus/$target/$(echo "$file" | tr '/' '-' | sed 's/^[.-]*//')"
  done
elif [ "$target" != inflate ]; then
  # The first eight bytes of an input choose how it is read.
  for file in ../../test/fixtures/*/*.xml; do
    { printf 'deadwax\n'; cat "$file"; } > "corpus/$target/$(echo "$file" | tr '/' '-' | sed 's/^[.-]*//')"
  done
fi
exec "${CARGO_TARGET_DIR:-target}/$host/release/$target" -max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=4096 \
  -dict=deadwax.dict -artifact_prefix=artifacts/ -print_final_stats=1 "corpus/$target"
