#!/bin/sh
# .github/alpine.sh MAJOR COMMAND...: runs a command in Alpine Linux with this major version of Node.js, in this folder.
# The `container` of a job cannot be Alpine on arm64, because actions do not run there.
set -eu
major=$1
shift
exec docker run --rm --init --volume "$PWD:$PWD" --workdir "$PWD" \
  --env CI --env PROCESS_RWLOCK_PREBUILT --env CARGO_TERM_COLOR \
  "node:$major-alpine" "$@"
