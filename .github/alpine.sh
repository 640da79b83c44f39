#!/bin/sh
# Runs a command in Alpine Linux with Node.js of this major version, in this folder. A job's own `container` cannot be Alpine on
# arm64, since actions do not run there.
#
#   .github/alpine.sh MAJOR COMMAND...
set -eu
major=$1
shift
exec docker run --rm --init --volume "$PWD:$PWD" --workdir "$PWD" \
  --env CI --env PROCESS_RWLOCK_PREBUILT --env CARGO_TERM_COLOR \
  "node:$major-alpine" "$@"
