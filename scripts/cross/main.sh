#!/usr/bin/env bash
# npm run cross -- TARGET|all [check|build|test] [--node MAJOR] [arguments of ava]
#
#   check   clippy, with all warnings as errors
#   build   links the addon, and compares what it needs with what every system of the target has
#   test    the tests of the crate and the ava suite, under an emulator where necessary
#
# Builds for another system, on Linux x64 with apt-get (Debian 12 or newer, Ubuntu), inspects the
# build and runs it. Without an action, does as much as this machine can do for the target. The
# results are in .cache/cross and target/cross. Needs Rust, Node.js with npm, and root if packages
# of the system are missing.
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

# The file of a family of targets defines how to link, inspect and run them: `link`, `inspect FILE`,
# `enter COMMAND...`. AVA has additional arguments of ava.
use_target() {
  AVA=()
  case $target in
  *-linux-gnu) . scripts/cross/linux-gnu.sh ;;
  *-linux-musl) . scripts/cross/linux-musl.sh ;;
  *-apple-darwin) . scripts/cross/darwin.sh ;;
  *-windows-*) . scripts/cross/windows.sh ;;
  esac
}

# The last action that this machine can do for a target.
furthest() {
  case $target in
  *-apple-darwin) echo build ;;
  *-windows-msvc) echo check ;;
  *) echo test ;;
  esac
}

check() {
  use_rust || return
  link || return # build scripts look for the libraries
  cargo clippy "${CARGO_FLAGS[@]}" "${CHECKED[@]}" -- -D warnings
}

# The addon, with the name that the loader of the package expects.
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

# The file name of a crate that is a dynamic library.
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

# Each target in its own subshell, because each changes the environment.
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

all() { # [action]
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
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' scripts/cross/main.sh # the comment at the top of this file
  printf '\n'
  printf '%s\n' "${TARGETS[@]}"
  exit 2
} >&2

target=${1:-}
action=${2:-}
[[ $(uname -sm) == 'Linux x86_64' ]] || fail 'This command runs on Linux x64.'
if [[ $target == --help || $target == -h ]]; then (usage 2>&1); exit 0; fi
[[ $action =~ ^(check|build|test|)$ ]] || usage
if [[ $target == all ]]; then
  all "$action"
elif [[ " ${TARGETS[*]} " == *" $target "* ]]; then
  one "$target" "${action:-$(furthest)}" "${@:3}"
else
  usage
fi
