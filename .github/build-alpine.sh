#!/bin/sh
# Runs in Alpine Linux: installs Rust, builds everything that the tests need, and tests the crates.
set -eu
apk add --no-cache build-base rustup
rustup-init -y --quiet --profile minimal --default-toolchain stable
. "$HOME/.cargo/env"
# Without this flag Rust links musl statically; Node.js can load only dynamically linked addons.
export RUSTFLAGS='-Ctarget-feature=-crt-static'
npm ci
npm run build:native
npm run build:ts
npm run build:testkit
npm run build:stress
npm test -- --only cargo
