#!/usr/bin/env bash
# cargo.sh TARGET COMMAND ARGUMENTS...: runs cargo in the release profile, with a standard library
# for the target.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/rust.sh"
target=$1
use_rust || exit
exec cargo "$2" "${CARGO_FLAGS[@]}" "${@:3}"
