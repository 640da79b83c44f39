# The tests, where and as the target's own programs run.

# The folder from which the suite runs: the package with nothing but the target's addons.
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

# Two processes and a lock, then the ava suite: suite [--node MAJOR] [arguments of ava]
suite() {
  local major=22 folder node own
  own=$(type -P node)
  if [[ ${1:-} == --node ]]; then major=$2 && shift 2; fi
  folder=$(stage) && node=$(node "$major") || return
  if [[ $target == *-linux-* ]]; then own_addon || return; fi
  cd "$folder" || return
  export PATH="$(dirname "$node"):$PATH" # what a test starts as "node" is the version under test as well
  enter "$node" scripts/cross/smoke.js || return
  if [[ $target == *-linux-* ]]; then share_locks "$node" "$folder" "$own" || return; fi
  cd "$ROOT" && cargo build "${CARGO_FLAGS[@]}" --package process-rwlock-testkit || return
  cp "$CARGO_TARGET_DIR/$target/release/$(library process_rwlock_testkit)" "$folder/__test__/helpers/testkit.node" || return
  say "ava on Node.js $major, $target"
  cd "$folder" && enter "$node" node_modules/ava/entrypoints/cli.mjs --tap --timeout 10m "${AVA[@]}" "$@"
}

# The addon of this checkout.
own_addon() {
  env -u RUSTFLAGS -u RUSTC_BOOTSTRAP -u CARGO_TARGET_DIR node --input-type=module \
    -e 'import { setup } from "./scripts/lib/setup.js"; await setup()' >&2
}

# The target's Node.js and this system's own, with the addon of this checkout, have the same locks; either hears of the other's death.
share_locks() { # node folder own-node
  cd "$2" && enter "$1" scripts/cross/smoke.js "$3" "$ROOT" && cd "$ROOT" && enter "$3" scripts/cross/smoke.js "$1" "$2"
}

crate_tests() {
  say "cargo test, $target"
  # With what is asserted in the code, as tests have it otherwise.
  enter cargo test "${CARGO_FLAGS[@]}" --config profile.release.package.process-rwlock.debug-assertions=true --package process-rwlock
}

# Runs a command where programs for arm64 run by themselves, also those that it starts. This is told to the kernel in a user namespace,
# so that nothing of it is left behind or seen by others; where somebody has told it already, it is so everywhere.
with_qemu() {
  export PROCESS_RWLOCK_EMULATOR=qemu
  if grep -qsx enabled /proc/sys/fs/binfmt_misc/qemu-aarch64; then
    "$@"
    return
  fi
  [[ $EUID == 0 ]] || fail 'Not root, and the kernel does not start arm64 programs: apt-get install qemu-user-static binfmt-support'
  "$ROOT/scripts/cross/with-qemu.sh" "$@"
}
