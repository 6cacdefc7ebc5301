#!/bin/sh
# Builds hello by rustc alone, from the sources in gen/: no generator, no make.
#
#   RUNTIME=DIR ./build.sh PROGRAM      DIR is what `cargo xtask runtime --out DIR` has written, by the same rustc
set -eu
exec "${RUSTC:-rustc}" --edition=2024 -L "dependency=$RUNTIME" --extern "callwright=$RUNTIME/libcallwright.rlib" \
    --extern "tokio=$(echo "$RUNTIME"/libtokio-*.rlib)" "$(dirname "$0")/main.rs" -o "$1"
