#!/bin/sh
# The linker of `npm run build:portable`.
exec "$ZIG_CC" zig cc -- -target "$ZIG_TARGET" "$@"
