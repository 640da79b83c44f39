#!/usr/bin/env bash
# Another system's build, from this one (Linux x64 with apt-get: Debian 12 or later, Ubuntu), inspected and run as far as it can be:
#
#   scripts/cross/main.sh TARGET|all [check|build|test] [--node MAJOR] [arguments of ava]
#
#   check   clippy, all warnings faults
#   build   the addon, linked, and what it needs of the system compared with what every such system has
#   test    the crate's tests and the ava suite, under an emulator where it needs one
#
# Without a word it goes as far as it can. What is made lies in .cache/cross and target/cross. Needed: Rust, Node.js with npm, and to
# be root where packages are missing.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

. scripts/cross/tools.sh
. scripts/cross/rust.sh
. scripts/cross/suite.sh

export CARGO_TARGET_DIR=$ROOT/target/cross
mkdir -p "$CARGO_TARGET_DIR"

TARGETS=(
  x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
  x86_64-unknown-linux-musl aarch64-unknown-linux-musl
  x86_64-apple-darwin aarch64-apple-darwin
  x86_64-pc-windows-gnu x86_64-pc-windows-msvc aarch64-pc-windows-msvc
)

# A family says how its targets are linked, inspected and run: `link`, `inspect FILE`, `enter COMMAND...`;
# AVA is what ava is told beside.
use_target() {
  AVA=()
  case $target in
  *-linux-gnu) . scripts/cross/linux-gnu.sh ;;
  *-linux-musl) . scripts/cross/linux-musl.sh ;;
  *-apple-darwin) . scripts/cross/darwin.sh ;;
  *-windows-*) . scripts/cross/windows.sh ;;
  esac
}

# What this machine can do for a target, best first.
furthest() {
  case $target in
  *-apple-darwin) echo build ;;
  *-windows-msvc) echo check ;;
  *) echo test ;;
  esac
}

check() {
  use_rust || return
  link || return # build scripts look for what is linked
  cargo clippy "${CARGO_FLAGS[@]}" "${CHECKED[@]}" -- -D warnings
}

# The addon, by the name under which the package's loader looks for it.
addon() { echo "$CARGO_TARGET_DIR/addons/process-rwlock.$NAPI_NAME.node"; }

build() {
  use_rust || return
  link || return
  cargo build "${CARGO_FLAGS[@]}" --package process-rwlock-node || return
  mkdir -p "$CARGO_TARGET_DIR/addons"
  cp "$CARGO_TARGET_DIR/$target/release/$(library process_rwlock_node)" "$(addon)" || return
  printf '%s: %d bytes\n' "$(basename "$(addon)")" "$(stat -c %s "$(addon)")"
  inspect "$(addon)"
}

# What cargo calls a crate that is loaded.
library() {
  case $target in
  *windows*) echo "$1.dll" ;;
  *apple*) echo "lib$1.dylib" ;;
  *) echo "lib$1.so" ;;
  esac
}

test_() {
  build || return
  local result=0
  if (($# == 0)); then crate_tests || result=1; fi
  suite "$@" || result=1
  return $result
}

# Each target in a shell of its own, since each sets up its own environment.
one() { # target action arguments...
  (
    target=$1
    use_target
    case $2 in
    check) check ;;
    build) build ;;
    test) shift 2 && test_ "$@" ;;
    esac
  )
}

all() { # action, or none: as far as it goes
  local table='' result=0 target action start word
  for target in "${TARGETS[@]}"; do
    action=${1:-$(furthest)}
    if [[ $action == test && $(furthest) != test ]] || [[ $action == build && $(furthest) == check ]]; then action=$(furthest); fi
    say "$target: $action"
    start=$SECONDS
    if one "$target" "$action"; then
      case $action in check) word='checked' ;; build) word='checked, linked, inspected' ;; test) word='linked, inspected, run' ;; esac
    else
      word="FAILED to $action" result=1
    fi
    table+=$(printf '%-28s %-28s %4d s' "$target" "$word" $((SECONDS - start)))$'\n'
  done
  printf '\n%s' "$table"
  return $result
}

usage() {
  sed -n '2,10s/^# \{0,1\}//p' "$0"
  printf '\n%s\n' "${TARGETS[@]}"
  exit 2
} >&2

target=${1:-}
action=${2:-}
[[ $(uname -sm) == 'Linux x86_64' ]] || fail 'This builds from Linux x64.'
[[ $action =~ ^(check|build|test|)$ ]] || usage
if [[ $target == all ]]; then
  all "$action"
elif [[ " ${TARGETS[*]} " == *" $target "* ]]; then
  one "$target" "${action:-$(furthest)}" "${@:3}"
else
  usage
fi
