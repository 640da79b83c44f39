# Runs the tests with the programs of the target.

# The folder in which the suite runs: the package, with only the addons of the target.
stage() {
  local stage=$CARGO_TARGET_DIR/stage/$target
  [[ -e node_modules/.package-lock.json ]] || npm ci --no-audit --no-fund --loglevel=error >&2 || return
  npm run --silent build:ts >&2 || return
  rm -rf "$stage"
  mkdir -p "$stage"
  cp -r __test__ bench scripts src dist index.d.ts package.json ava.config.js "$stage/" || return
  ln -s "$ROOT/node_modules" "$stage/node_modules"
  cp "$(addon)" "$stage/" || return
  echo "$stage"
}

# suite [--node MAJOR] [arguments of ava]: a smoke test with two processes, then the ava suite.
suite() {
  local major=22 folder node own
  own=$(type -P node)
  if [[ ${1:-} == --node ]]; then major=$2 && shift 2; fi
  folder=$(stage) && node=$(node "$major") || return
  if [[ $target == *-linux-* ]]; then own_addon || return; fi
  cd "$folder" || return
  export PATH="$(dirname "$node"):$PATH" # tests start "node", which has to be the version under test, too
  enter "$node" scripts/cross/smoke.js || return
  if [[ $target == *-linux-* ]]; then share_locks "$node" "$folder" "$own" || return; fi
  cd "$ROOT" && cargo build "${CARGO_FLAGS[@]}" --package process-rwlock-testkit || return
  cp "$CARGO_TARGET_DIR/$target/release/$(library process_rwlock_testkit)" "$folder/__test__/helpers/testkit.node" || return
  say "ava on Node.js $major, $target"
  cd "$folder" && enter "$node" node_modules/ava/entrypoints/cli.mjs --tap --timeout 10m "${AVA[@]}" "$@"
}

# Builds the addon of this machine.
own_addon() {
  env -u RUSTFLAGS -u RUSTC_BOOTSTRAP -u CARGO_TARGET_DIR node --input-type=module \
    -e 'import { setup } from "./scripts/lib/setup.js"; await setup()' >&2
}

# The Node.js of the target and that of this machine, each with its own addon, share locks, and each
# detects the exit of the other.
share_locks() { # node folder own-node
  cd "$2" && enter "$1" scripts/cross/smoke.js "$3" "$ROOT" && cd "$ROOT" && enter "$3" scripts/cross/smoke.js "$1" "$2"
}

crate_tests() {
  say "cargo test, $target"
  # With debug assertions, as in other test builds.
  enter cargo test "${CARGO_FLAGS[@]}" --config profile.release.package.process-rwlock.debug-assertions=true --package process-rwlock --features lock_api
}

# Runs a command such that the kernel runs programs for arm64 in QEMU. The setting is in a user
# namespace, so that it does not affect other processes and does not remain; unless the system has
# this setting already.
with_qemu() {
  export PROCESS_RWLOCK_EMULATOR=qemu
  if grep -qsx enabled /proc/sys/fs/binfmt_misc/qemu-aarch64; then
    "$@"
    return
  fi
  [[ $EUID == 0 ]] || fail 'The kernel does not run arm64 programs, and this command is not root. Run: apt-get install qemu-user-static binfmt-support'
  "$ROOT/scripts/cross/with-qemu.sh" "$@"
}
