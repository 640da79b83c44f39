#!/bin/sh
# In Alpine Linux: gets Rust, then builds and tests the crates.
set -eu
apk add --no-cache build-base rustup
rustup-init -y --quiet --profile minimal --default-toolchain stable
. "$HOME/.cargo/env"
# Without this Rust links musl statically, which no library that Node.js loads can be.
export RUSTFLAGS='-Ctarget-feature=-crt-static'
npm ci
npm run build:native
npm test -- --only cargo
npm run build:stress
